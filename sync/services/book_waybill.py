"""Books the waybill of a parcel: look at the shop once more, call the carrier, store number, times and label."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from mappings.errors import DuplicateError, PermanentError
from mappings.model import Waybill, WaybillRequest
from sync.db.models import LabelRow, OrderRow, ShipmentRow, TrackingEventRow
from sync.db.orders import set_status
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.track import adopt_orphans
from sync.services.withdraw import tell_booked_after_withdrawal, withdraw_order
from sync.services.work import Work
from sync.shops.port import Standing


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The shop no longer owes this parcel, so none was booked."""

    standing: Standing


def perform(rt: Runtime, work: Work) -> Waybill | Withdrawn:
    """Ask the carrier under the parcel's own order code, so that a repeat adopts what the first call brought."""
    shipment = _shipment(work)
    standing = _ask_shop(rt, work)
    if standing is not Standing.OWED and not work.may_have_happened:
        return Withdrawn(standing)
    request = WaybillRequest(
        order_code=shipment.order_code,
        reference=f"shipment:{shipment.id}",
        shipper_code=shipment.shipper_code,
        order=work.order,
        consignor=rt.settings.consignor,
    )
    try:
        waybill = rt.gateway.run(work.peer, rt.carriers[work.peer].book_waybill(request), work.calls)
    except DuplicateError:
        adopted = _find_pushed(rt, shipment)
        if adopted is None:
            raise
        waybill = adopted
    if not waybill.waybill_no:
        raise PermanentError("waybill.number_missing", "The carrier accepted the order but gave no waybill number")
    return waybill


def record(rt: Runtime, book: StepBook, work: Work, result: Waybill | Withdrawn) -> None:
    """Store the waybill; from now on the shop is owed its number and the parcel waits for its pickup."""
    order = book.session.get_one(OrderRow, work.order_id)
    if isinstance(result, Withdrawn):
        withdraw_order(book, order, result.standing)
        return
    shipment = book.session.get_one(ShipmentRow, _shipment(work).id, with_for_update=True)
    now = rt.clock.now()
    shipment.waybill_no = result.waybill_no
    shipment.shipper_code = result.shipper_code or shipment.shipper_code
    shipment.carrier_order_no = result.carrier_order_no
    shipment.booked_at = now
    shipment.estimated_pickup_at = result.estimated_pickup_at
    shipment.estimated_delivery_at = result.estimated_delivery_at
    # After an uncertain first try the carrier may have pushed scans before its answer reached us: these stand.
    if shipment.status == "unknown":
        shipment.status, shipment.status_at = "info_received", now
        set_status(order, "info_received")
    if shipment.pickup_at is None:
        shipment.pickup_due_from = now
    if result.label:
        label = {"shipment_id": shipment.id, "content": result.label}
        book.session.execute(rt.database.insert_new(LabelRow), label)
    if order.state == "withdrawn":
        tell_booked_after_withdrawal(book, order, shipment)
        return
    shop = f"shop.{order.shop}"
    book.owe("write_note", shop, order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)
    if rt.settings.ship_on == "waybill" or shipment.pickup_at is not None:
        book.owe("write_shipped", shop, order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)
    adopt_orphans(rt, book, shipment)


def _ask_shop(rt: Runtime, work: Work) -> Standing:
    """The order may have been cancelled since it was read; a waybill costs money."""
    shop, order_id = f"shop.{work.order.shop}", work.order.shop_order_id
    return rt.gateway.observe(
        shop, "read_standing", lambda: rt.shops[shop].read_standings([order_id])[order_id], work.calls
    )


def _find_pushed(rt: Runtime, shipment: ShipmentRow) -> Waybill | None:
    """The carrier has the order and does not say its number; a push about our order code may have said it."""
    pushed = select(TrackingEventRow.waybill_no).where(
        TrackingEventRow.peer == shipment.peer,
        TrackingEventRow.order_code == shipment.order_code,
        TrackingEventRow.waybill_no != "",
    )
    with rt.database.reading() as session:
        numbers = set(session.execute(pushed).scalars())
    if len(numbers) != 1:
        return None
    return Waybill(numbers.pop(), shipment.shipper_code, shipment.order_code, adopted=True)


def _shipment(work: Work) -> ShipmentRow:
    if work.shipment is None:
        raise PermanentError("waybill.parcel_missing", f"Order {work.order_sn} has a waybill step without a parcel")
    return work.shipment
