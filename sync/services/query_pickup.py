"""Asks the carrier once about a parcel that should have been picked up, and marks it 物流异常 if it was not."""

from __future__ import annotations

from mappings.errors import PermanentError
from mappings.model import TrackingEvent
from sync import exceptions as desk
from sync.db.models import OrderRow, ShipmentRow
from sync.db.orders import set_status
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.track import STALE, merge_events
from sync.services.work import Work


def perform(rt: Runtime, work: Work) -> tuple[TrackingEvent, ...]:
    """Ask for all events: a push may have been lost."""
    shipment = work.shipment
    if shipment is None:
        raise PermanentError("query.parcel_missing", f"Order {work.order_sn}: a query without a parcel")
    exchange = rt.carriers[work.peer].query_tracking(
        shipper_code=shipment.shipper_code,
        waybill_no=shipment.waybill_no,
        order_code=shipment.order_code,
        phone=work.order.consignee.phone,
        asked_at=rt.clock.now(),
    )
    return rt.gateway.run(work.peer, exchange, work.calls)


def record(rt: Runtime, book: StepBook, work: Work, result: tuple[TrackingEvent, ...]) -> None:
    """Merge what the carrier knows; still no pickup means 物流异常."""
    merge_events(rt, book, work.peer, result)
    book.session.flush()
    mark_stale(rt, book, work)


def on_parked(rt: Runtime, book: StepBook, work: Work) -> None:
    """The carrier cannot even be asked: the parcel is overdue all the same, and a person must know."""
    mark_stale(rt, book, work)


def mark_stale(rt: Runtime, book: StepBook, work: Work) -> None:
    """Mark the parcel 物流异常, put it on the desk and tell customer service; no effect once it is picked up."""
    if work.shipment is None:
        return
    shipment = book.session.get_one(ShipmentRow, work.shipment.id)
    if shipment.pickup_at is not None or shipment.pickup_due_from is None:
        return
    order = book.session.get_one(OrderRow, work.order_id)
    since, shipment.stale_since, shipment.pickup_due_from = shipment.pickup_due_from, rt.clock.now(), None
    set_status(order, STALE)
    message = (
        f"Order {order.order_sn}, waybill {shipment.waybill_no}: waiting for pickup since {since:%Y-%m-%d %H:%M} UTC. "
        "The carrier was asked and knows of none. Call the courier's branch; this line closes by itself at the pickup."
    )
    cause = desk.Cause(STALE, shipment.peer, f"shipment:{shipment.id}", message, order_id=order.id)
    desk.open_exception(book.session, cause)
    book.owe("tell_service", "notices", order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no, again=True)
