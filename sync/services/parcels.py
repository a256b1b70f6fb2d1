"""Parcels of an order: the first, further ones for what is left, and those that staff shipped themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mappings.model import Order
from mappings.routing import Choice
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.db.orders import find_shipments, set_status, write_order
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.route import BOOKING, route, set_route
from sync.services.subscribe import owe_subscription

AFTER_DELIVERY = ("remind_review", "mark_received")
"""What waits for the last parcel."""
TO_SHIP = ("claim_order", "book_waybill", "write_note", "write_shipped", "write_remark")
"""What is not owed for a parcel that staff shipped."""


def add_parcel(rt: Runtime, session: Session, row: OrderRow, order: Order, parcel_no: int) -> ShipmentRow:
    """A parcel with its idempotency key, before any carrier hears of it; a staff-made note is remembered."""
    shipment = ShipmentRow(
        order_id=row.id, parcel_no=parcel_no, order_code=_order_code(rt, row, parcel_no), note_id=order.note_id
    )
    set_route(rt, shipment, route(rt, session, order))
    session.add(shipment)
    session.flush()
    return shipment


def add_further_parcel(
    rt: Runtime, book: StepBook, row: OrderRow, order: Order, earlier: Sequence[ShipmentRow]
) -> ShipmentRow:
    """The shop owes more than the parcels it holds notes of: one more, also for an order that was done."""
    parcel_no = earlier[-1].parcel_no + 1
    write_order(book.session, order, row, parcel_no=parcel_no)
    book.drop(row.id, names=AFTER_DELIVERY)
    row.state, row.done_at = "open", None
    shipment = add_parcel(rt, book.session, row, order, parcel_no)
    set_status(row, "received")
    owe_booking(rt, book, row, shipment)
    return shipment


def owe_booking(rt: Runtime, book: StepBook, row: OrderRow, shipment: ShipmentRow, *, again: bool = False) -> None:
    """Owe the parcel's waybill, unless an ERP's warehouse sends it under a number of its own."""
    if rt.settings.shipping_erp(rt.peer(f"shop.{row.shop}")) is None:
        _owe_booking(book, shipment, again=again)


def _owe_booking(book: StepBook, shipment: ShipmentRow, *, again: bool) -> None:
    book.owe(
        BOOKING,
        shipment.peer,
        shipment.order_id,
        shipment_id=shipment.id,
        parcel_no=shipment.parcel_no,
        again=again,
    )


def move_parcel(rt: Runtime, book: StepBook, shipment: ShipmentRow, choice: Choice) -> None:
    """Owe the parcel's waybill to another carrier; the caller has dropped the step at the old one."""
    old = shipment.peer
    set_route(rt, shipment, choice)
    _owe_booking(book, shipment, again=True)
    rt.counters.moved.labels(old, shipment.peer).inc()


def is_unasked(session: Session, shipment: ShipmentRow) -> bool:
    """No carrier was ever asked for this parcel's waybill: nothing can exist there."""
    step = session.execute(
        select(StepRow).where(
            StepRow.order_id == shipment.order_id,
            StepRow.parcel_no == shipment.parcel_no,
            StepRow.name == BOOKING,
            StepRow.peer == shipment.peer,
        )
    ).scalar_one_or_none()
    return not shipment.waybill_no and (step is None or (step.state in ("owed", "parked") and not step.is_uncertain))


def adopt_shipped(rt: Runtime, book: StepBook, row: OrderRow, numbers: Sequence[str], now: datetime) -> None:
    """Staff shipped the order in the shop: their numbers are its waybills, and nothing is booked or written back.

    What the ERPs are owed stays owed; pushes about these numbers are followed.
    """
    shipments = find_shipments(book.session, row.id)
    open_parcel = shipments[-1]
    known = {shipment.waybill_no for shipment in shipments}
    parcel_no = open_parcel.parcel_no
    for number in dict.fromkeys(number for number in numbers if number not in known):
        if open_parcel.waybill_no:
            parcel_no += 1
            open_parcel = _copy_of(rt, row, open_parcel, parcel_no)
            book.session.add(open_parcel)
        open_parcel.waybill_no = number
        open_parcel.booked_at, open_parcel.status, open_parcel.status_at = now, "info_received", now
        open_parcel.heard_at = now
        book.session.flush()
        owe_subscription(rt, book, open_parcel, is_own=False)
    for shipment in find_shipments(book.session, row.id):
        shipment.pickup_due_from, shipment.noted_at = None, shipment.noted_at or utc_now()
    _let_go(book, row)
    set_status(row, "shipped")
    row.state, row.done_at = "done", utc_now()


def _copy_of(rt: Runtime, row: OrderRow, shipment: ShipmentRow, parcel_no: int) -> ShipmentRow:
    return ShipmentRow(
        order_id=row.id,
        parcel_no=parcel_no,
        peer=shipment.peer,
        shipper_code=shipment.shipper_code,
        order_code=_order_code(rt, row, parcel_no),
        environment=shipment.environment,
    )


def _let_go(book: StepBook, row: OrderRow) -> None:
    parked = select(StepRow).where(StepRow.order_id == row.id, StepRow.state == "parked", StepRow.name.in_(TO_SHIP))
    for step in book.session.execute(parked).scalars():
        desk.close_exceptions(book.session, desk.step_subject(step), "staff shipped the order in the shop")
    book.drop(row.id, names=TO_SHIP)


def _order_code(rt: Runtime, row: OrderRow, parcel_no: int) -> str:
    """Our idempotency key at the carrier, at most 30 characters; several shops may use the same order numbers."""
    if len(rt.settings.shops) == 1:
        return f"{row.order_sn}-{parcel_no}"
    return f"{row.order_sn}-{row.id}-{parcel_no}"
