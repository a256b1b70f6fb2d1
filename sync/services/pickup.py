"""Books a courier for a parcel that has its waybill, where the carrier's settings ask for that, and cancels it."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select

from mappings.connector import PickupConnector
from mappings.errors import PermanentError
from mappings.model import PickupBooking, PickupRequest
from sync import exceptions as desk
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.db.steps import UNFINISHED, StepBook
from sync.runtime import Runtime
from sync.services.fetch_label import STEP as LABEL
from sync.services.numbers import take_pickup_number
from sync.services.work import Work

STEP = "book_pickup"


def owe_pickup(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Owe a courier, unless couriers come by themselves or one has been."""
    carrier = _booking_carrier(rt, shipment.peer)
    if carrier is not None and carrier.is_booked() and shipment.pickup_at is None:
        book.owe(STEP, shipment.peer, shipment.order_id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)


def _booking_carrier(rt: Runtime, peer: str) -> PickupConnector | None:
    return cast(PickupConnector, rt.carriers[peer]) if rt.peer(peer).spec.books_pickups else None


def perform(rt: Runtime, work: Work) -> PickupBooking | None:
    """Ask for the next window under the parcel's own order code, so that a repeat adopts the first booking.

    None when no courier is wanted any more.
    """
    shipment = work.shipment
    if shipment is None:
        raise PermanentError("pickup.parcel_missing", f"Order {work.order_sn}: a pickup without a parcel")
    carrier = _booking_carrier(rt, work.peer)
    if carrier is None or shipment.pickup_at is not None or work.order_row.state == "withdrawn":
        return None
    begins, ends = carrier.pickup_window(rt.clock.now())
    request = PickupRequest(
        order_code=shipment.order_code,
        waybill_no=shipment.waybill_no,
        shipper_code=shipment.shipper_code,
        order=work.order,
        consignor=rt.settings.consignor,
        pickup_from=begins,
        pickup_until=ends,
        account=shipment.account,
        may_exist=work.may_have_happened,
    )
    return rt.gateway.run(work.peer, carrier.book_pickup(request), work.calls)


def record(rt: Runtime, book: StepBook, work: Work, result: PickupBooking | None) -> None:
    """Store when the courier comes. Withdrawn meanwhile, the order's void runs once more and cancels the courier."""
    if result is None or work.shipment is None:
        return
    shipment = book.session.get_one(ShipmentRow, work.shipment.id, with_for_update=True)
    shipment.estimated_pickup_at = result.pickup_from or shipment.estimated_pickup_at
    order = book.session.get_one(OrderRow, work.order_id)
    if order.state == "withdrawn":
        peer, parcel_no = shipment.peer, shipment.parcel_no
        book.owe("cancel_waybill", peer, order.id, shipment_id=shipment.id, parcel_no=parcel_no, again=True)
    elif result.waybill_no:
        take_pickup_number(book, shipment, result.waybill_no)


def cancel_booked(rt: Runtime, work: Work, shipment: ShipmentRow) -> None:
    """Cancel the courier of a waybill that is to be voided, if one may be booked. Raises any PeerError."""
    carrier = _booking_carrier(rt, work.peer)
    if carrier is None or not _may_be_booked(rt, shipment):
        return
    exchange = carrier.cancel_pickup(
        shipper_code=shipment.shipper_code, waybill_no=shipment.waybill_no, order_code=shipment.order_code
    )
    rt.gateway.run(work.peer, exchange, work.calls)


def _may_be_booked(rt: Runtime, shipment: ShipmentRow) -> bool:
    wanted = select(StepRow.state, StepRow.is_uncertain).where(
        StepRow.order_id == shipment.order_id, StepRow.parcel_no == shipment.parcel_no, StepRow.name == STEP
    )
    with rt.database.reading() as session:
        row = session.execute(wanted).one_or_none()
    return row is not None and (row.state in ("done", "running") or row.is_uncertain)


def forget_pickup(book: StepBook, shipment: ShipmentRow) -> None:
    """The courier has been: none need be booked and no label fetched any more, and nobody need look at what failed."""
    wanted = select(StepRow).where(
        StepRow.order_id == shipment.order_id,
        StepRow.parcel_no == shipment.parcel_no,
        StepRow.name.in_((STEP, LABEL)),
        StepRow.state.in_(UNFINISHED),
    )
    for step in book.session.execute(wanted).scalars():
        if step.state != "running":
            step.state = "dropped"
            desk.close_exceptions(book.session, desk.step_subject(step), "the courier came all the same")
