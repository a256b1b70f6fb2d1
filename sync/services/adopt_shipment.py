"""Gives a parcel the number under which an ERP's warehouse has sent it, as a person who enters one by hand does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mappings.couriers import find_courier
from mappings.model import ErpShipment, Waybill
from mappings.partial import Packed, find_sent
from mappings.waybill_number import parse_waybill_number
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderLineRow, OrderRow, ShipmentRow, StepRow, WaybillAliasRow
from sync.db.orders import LATER, close_if_done
from sync.db.steps import UNFINISHED, StepBook
from sync.runtime import Runtime
from sync.services.book_waybill import take_waybill
from sync.services.numbers import find_other_order
from sync.services.route import BOOKING

SETTLING = timedelta(minutes=10)
"""How long after a note was written the shop's next poll has surely shown whether it owes more."""
ASKED_AT_ONCE = 500


class NotYet(Exception):
    """The shipment can be taken soon, by itself."""


class NotTaken(Exception):
    """A person must look. `heals`: once it was corrected, the next look takes the shipment by itself."""

    def __init__(self, code: str, message: str, *, order_id: int | None = None, heals: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.order_id = order_id
        self.heals = heals


def subject_of(erp_key: str, shipment: ErpShipment) -> str:
    """What the desk calls a shipment; references and numbers may be longer than that has room for."""
    told = f"{shipment.external_ref}\n{shipment.waybill_no.strip()}"
    return f"sent:{erp_key}:{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def find_known(session: Session, told: Sequence[ErpShipment]) -> set[tuple[str, str]]:
    """Those (our reference, number) that a parcel of ours has already."""
    numbers = sorted({shipment.waybill_no.strip() for shipment in told})
    known: set[tuple[str, str]] = set()
    for start in range(0, len(numbers), ASKED_AT_ONCE):
        some = numbers[start : start + ASKED_AT_ONCE]
        aliases = select(WaybillAliasRow.shipment_id, WaybillAliasRow.waybill_no).where(
            WaybillAliasRow.waybill_no.in_(some)
        )
        own = select(ShipmentRow.id, ShipmentRow.waybill_no).where(ShipmentRow.waybill_no.in_(some))
        for numbered in (own.subquery(), aliases.subquery()):
            parcel, number = numbered.c
            rows = session.execute(
                select(OrderRow.external_ref, number)
                .join(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
                .join(numbered, parcel == ShipmentRow.id)
            )
            known |= {(ref, of) for ref, of in rows}
    return known


def adopt_shipment(rt: Runtime, book: StepBook, erp_key: str, shipment: ErpShipment) -> bool:
    """Take one shipment in the caller's transaction; False when its number is known. Raises NotYet, NotTaken."""
    order = _find_order(book.session, erp_key, shipment)
    parcels = _lock(book.session, order)
    number = _number(erp_key, order, shipment)
    if any(parcel.waybill_no == number for parcel in parcels):
        return False
    _refuse_unfit(book.session, erp_key, order, parcels, number)
    courier = _courier(rt, erp_key, order, shipment)
    parcel = next((parcel for parcel in parcels if not parcel.waybill_no), None)
    if parcel is None:
        raise _nothing_left(erp_key, order, parcels, number)
    _call_off_booking(book.session, parcel)
    _leave_rest(book.session, erp_key, order, parcel, shipment)
    parcel.shipped_by, parcel.environment = erp_key, rt.settings.environment
    if follower := rt.peer(erp_key).erp.track_by:
        parcel.peer = f"carrier.{follower}"
    take_waybill(rt, book, order, parcel, Waybill(number, courier, parcel.order_code))
    close_if_done(book.session, order.id)
    return True


def _find_order(session: Session, erp_key: str, shipment: ErpShipment) -> OrderRow:
    pushed = select(StepRow.id).where(
        StepRow.order_id == OrderRow.id, StepRow.name == "push_order", StepRow.peer == erp_key
    )
    wanted = select(OrderRow).where(OrderRow.external_ref == shipment.external_ref, pushed.exists())
    rows = list(session.execute(wanted).scalars())
    if len(rows) == 1:
        return rows[0]
    raise NotTaken(
        "erp.shipment_of_unknown_order",
        f"{erp_key} has sent number {shipment.waybill_no} for {shipment.external_ref!r}, and we have given it no such "
        "order. Nothing was changed. If it is an order of yours, enter the number in that shop by hand; then resolve "
        "this line",
    )


def _lock(session: Session, order: OrderRow) -> list[ShipmentRow]:
    """Parcels before their order, as whoever merges events does."""
    wanted = select(ShipmentRow).where(ShipmentRow.order_id == order.id).order_by(ShipmentRow.id).with_for_update()
    parcels = list(session.execute(wanted.execution_options(populate_existing=True)).scalars())
    session.refresh(order, with_for_update=True)
    return parcels


def _number(erp_key: str, order: OrderRow, shipment: ErpShipment) -> str:
    try:
        return parse_waybill_number(shipment.waybill_no)
    except ValueError as problem:
        raise _conflict(order, f"{erp_key} has sent order {order.order_sn} under no usable number: {problem}") from None


def _refuse_unfit(session: Session, erp_key: str, order: OrderRow, parcels: Sequence[ShipmentRow], number: str) -> None:
    if order.state == "withdrawn":
        raise _conflict(
            order,
            f"{erp_key} has sent order {order.order_sn} under {number}, and the shop does not owe it any more. Ask the "
            "courier to stop the parcel",
        )
    other = find_other_order(session, number, [parcel.id for parcel in parcels])
    if other is not None:
        raise _conflict(
            order,
            f"{erp_key} has sent order {order.order_sn} under {number}, which is the number of order {other} already. "
            "Look at both labels, and put the right number on the delivery note in the shop",
        )


def _courier(rt: Runtime, erp_key: str, order: OrderRow, shipment: ErpShipment) -> str:
    erp = rt.peer(erp_key)
    code = find_courier(shipment.shipper, erp.erp.couriers)
    if code:
        return code
    raise NotTaken(
        "erp.courier_unmapped",
        f"{erp_key} has sent order {order.order_sn} under {shipment.waybill_no} by {shipment.shipper!r}, a courier "
        f"that no table names. Nothing was guessed. Add {shipment.shipper}=CODE (SF, ZTO, YTO …) to "
        f"ECSYNC_ERP_{erp.name.upper()}_COURIERS and restart; the next look takes the number by itself",
        order_id=order.id,
        heals=True,
    )


def _nothing_left(erp_key: str, order: OrderRow, parcels: Sequence[ShipmentRow], number: str) -> NotYet | NotTaken:
    """All parcels have numbers; the shop may owe one more once it holds the last one's note."""
    noted = [parcel.noted_at for parcel in parcels]
    latest = max((at for at in noted if at is not None), default=None)
    if order.state == "open" and (None in noted or latest is None or latest > utc_now() - SETTLING):
        return NotYet(f"order {order.order_sn} may still owe a parcel")
    have = ", ".join(parcel.waybill_no for parcel in parcels)
    return _conflict(
        order,
        f"{erp_key} has sent order {order.order_sn} under {number}, and the shop owes nothing beyond {have}. If both "
        "parcels are right, write the second number into the order in the shop; if one is a mistake, stop it",
    )


def _conflict(order: OrderRow, why: str) -> NotTaken:
    return NotTaken("erp.shipment_conflict", f"{why}. Nothing was changed; then resolve this line", order_id=order.id)


def _call_off_booking(session: Session, parcel: ShipmentRow) -> None:
    """An order from before the ERP sent parcels may still wait for a waybill of ours; none may follow it now."""
    wanted = select(StepRow).where(
        StepRow.order_id == parcel.order_id,
        StepRow.parcel_no == parcel.parcel_no,
        StepRow.name == BOOKING,
        StepRow.state.in_(UNFINISHED),
    )
    for step in session.execute(wanted.with_for_update()).scalars():
        if step.state == "running" or step.is_uncertain:
            raise NotYet("a carrier is being asked for its waybill")
        desk.close_exceptions(session, desk.step_subject(step), "the ERP's warehouse sent the parcel")
        step.state, step.finished_at = "dropped", utc_now()


def _leave_rest(session: Session, erp_key: str, order: OrderRow, parcel: ShipmentRow, shipment: ErpShipment) -> None:
    """What was not sent belongs to no parcel yet; the shop shows it as owed once it holds this parcel's note."""
    wanted = select(OrderLineRow).where(OrderLineRow.order_id == order.id).order_by(OrderLineRow.line_no)
    all_lines = list(session.execute(wanted).scalars())
    lines = [line for line in all_lines if line.parcel_no == parcel.parcel_no]
    packed = [Packed(line.line_no, line.sku, line.quantity, line.details.get("package_id", 0)) for line in lines]
    try:
        sent = find_sent(packed, shipment.quantities)
    except ValueError as problem:
        raise _conflict(
            order, f"{erp_key} has sent order {order.order_sn} under {shipment.waybill_no}, but {problem}"
        ) from None
    next_no = max(line.line_no for line in all_lines) + 1
    for line in lines:
        rest = line.quantity - sent.get(line.line_no, 0)
        if not rest:
            continue
        if rest == line.quantity:
            line.parcel_no = LATER
            continue
        line.quantity -= rest
        session.add(_rest_of(line, next_no, rest))
        next_no += 1


def _rest_of(line: OrderLineRow, line_no: int, quantity: int) -> OrderLineRow:
    return OrderLineRow(
        order_id=line.order_id,
        line_no=line_no,
        parcel_no=LATER,
        sku=line.sku,
        name=line.name,
        quantity=quantity,
        price_fen=line.price_fen,
        weight_g=line.weight_g,
        details=dict(line.details),
    )
