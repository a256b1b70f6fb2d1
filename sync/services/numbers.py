"""A parcel's further waybill numbers: replaced by the carrier, of its packages, of a courier's booking.

The number in the shop is a person's to change: staff may have copied it elsewhere, and the buyer may have it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import BindParameter, Select, or_, select
from sqlalchemy.orm import Session

from mappings.model import NumberChange
from sync import exceptions as desk
from sync.db.models import OrderRow, ShipmentRow, WaybillAliasRow
from sync.db.steps import StepBook

REPLACED, PACKAGE, PICKUP = "replaced", "package", "pickup"

CHANGED = "waybill.number_changed"
SECOND = "pickup.second_number"


def follow_changes(book: StepBook, peer: str, changes: Iterable[NumberChange]) -> None:
    """Keep every number a parcel ever had, and tell staff where the shop still shows an old one."""
    for change in changes:
        shipment = _find_changed(book.session, peer, change)
        if shipment is None:
            continue
        if change.is_assignment:
            _take_assigned(book, shipment, change)
        elif not change.new_waybill_no:
            _await_number(book, shipment, change)
        elif change.new_waybill_no not in _numbers(book.session, shipment.id, (REPLACED,)):
            _replace(book, shipment, change)


def remember_packages(session: Session, shipment: ShipmentRow, numbers: Collection[str]) -> None:
    """The parcel travels as several packages; pushes about any of them are about it."""
    for number in numbers:
        if number != shipment.waybill_no:
            _add(session, shipment, number, PACKAGE)


def find_packages(session: Session, shipment_id: int) -> list[str]:
    """The numbers of a parcel's further packages, in the order they were issued."""
    return _numbers(session, shipment_id, (PACKAGE,))


def packages_of(shipment_id: BindParameter[int]) -> Select[str]:
    """The same as a part of another statement."""
    alias = WaybillAliasRow.table().c
    return select(alias.waybill_no).where(alias.shipment_id == shipment_id, alias.kind == PACKAGE)


def find_replaced(session: Session, shipment_id: int) -> list[str]:
    """The numbers that the carrier replaced, the oldest first."""
    return _numbers(session, shipment_id, (REPLACED,))


def find_other_order(session: Session, number: str, besides: Collection[int]) -> str | None:
    """The number of an order that has a parcel of this waybill number, or of this alias, other than `besides` (ids)."""
    alias = select(WaybillAliasRow.shipment_id).where(WaybillAliasRow.waybill_no == number)
    wanted = (
        select(OrderRow.order_sn)
        .join(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
        .where(or_(ShipmentRow.waybill_no == number, ShipmentRow.id.in_(alias)), ShipmentRow.id.not_in(besides))
    )
    return session.execute(wanted.limit(1)).scalar_one_or_none()


def is_replaced(session: Session, shipment: ShipmentRow, number: str) -> bool:
    """Whether the carrier gave another number before we heard of this one (the answer was lost, the push came)."""
    return bool(shipment.waybill_no) and number in find_replaced(session, shipment.id)


def take_pickup_number(book: StepBook, shipment: ShipmentRow, number: str) -> None:
    """A booked courier comes under a number of its own: events under it are the parcel's, and a person must know,
    because a second number may be a second paid waybill."""
    if number in ("", shipment.waybill_no, *_numbers(book.session, shipment.id)):
        return
    _add(book.session, shipment, number, PICKUP)
    order = book.session.get_one(OrderRow, shipment.order_id)
    message = (
        f"Order {order.order_sn}: the courier was booked under number {number}, beside waybill {shipment.waybill_no}. "
        "Hand the parcel over under its waybill and ask the platform not to charge the other number; if this comes "
        "with every pickup, set the carrier's PICKUP to off. Then resolve this line."
    )
    desk.open_exception(book.session, desk.Cause(SECOND, shipment.peer, _subject(shipment), message, order_id=order.id))


def tell_new_number(book: StepBook, shipment: ShipmentRow, old: str) -> None:
    """The shop's note carries the old number: a line in the order's log, and one on the desk that says what to do."""
    order = book.session.get_one(OrderRow, shipment.order_id)
    if order.state == "withdrawn" or not old:
        return
    shop = f"shop.{order.shop}"
    book.owe("write_number", shop, order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no, again=True)
    if shipment.waybill_no == old:
        what = f"will give waybill {old} another number and courier company ({shipment.shipper_code})"
        todo = "Keep the parcel until the number is here; it is told in this line."
    else:
        what = f"replaced waybill {old} by {shipment.waybill_no} ({shipment.shipper_code})"
        todo = (
            f"In the shop's admin, put {shipment.waybill_no} in place of {old} on the delivery note and in the order, "
            "and tell the buyer; a parcel that is still here needs a new label. Pushes under both numbers are "
            "followed. Then resolve this line."
        )
    message = f"Order {order.order_sn}: the carrier {what}, and the shop shows the old one. {todo}"
    cause = desk.Cause(CHANGED, shipment.peer, _subject(shipment), message, order_id=order.id)
    desk.open_exception(book.session, cause)


def _subject(shipment: ShipmentRow) -> str:
    return f"number:{shipment.id}"


def _replace(book: StepBook, shipment: ShipmentRow, change: NumberChange) -> None:
    old = shipment.waybill_no
    shipment.shipper_code = change.new_shipper_code or shipment.shipper_code
    if old == change.new_waybill_no:
        return
    for number in {old, change.old_waybill_no} - {"", change.new_waybill_no}:
        _add(book.session, shipment, number, REPLACED)
    shipment.waybill_no = change.new_waybill_no
    if shipment.noted_at is not None:
        tell_new_number(book, shipment, old)


def _await_number(book: StepBook, shipment: ShipmentRow, change: NumberChange) -> None:
    """Another courier company takes over, and its number is not known: the old one stays until it comes."""
    if shipment.shipper_code == change.new_shipper_code and _is_pending(book.session, shipment):
        return
    shipment.shipper_code = change.new_shipper_code or shipment.shipper_code
    if shipment.waybill_no:
        _add(book.session, shipment, shipment.waybill_no, REPLACED)
        if shipment.noted_at is not None:
            tell_new_number(book, shipment, shipment.waybill_no)


def _take_assigned(book: StepBook, shipment: ShipmentRow, change: NumberChange) -> None:
    """Without a waybill the booking itself finds this number among the events; a parcel that waits for one gets it."""
    if not shipment.waybill_no or shipment.waybill_no == change.new_waybill_no:
        return
    if not _is_pending(book.session, shipment):
        take_pickup_number(book, shipment, change.new_waybill_no)
    elif change.new_waybill_no not in find_replaced(book.session, shipment.id):
        _replace(book, shipment, change)


def _is_pending(session: Session, shipment: ShipmentRow) -> bool:
    return shipment.waybill_no in find_replaced(session, shipment.id)


def _find_changed(session: Session, peer: str, change: NumberChange) -> ShipmentRow | None:
    """The parcel by our own code if the push carries it, else by its old number; never by an empty one."""
    for column, value in ((ShipmentRow.order_code, change.order_code), (ShipmentRow.waybill_no, change.old_waybill_no)):
        if value:
            wanted = select(ShipmentRow).where(ShipmentRow.peer == peer, column == value).with_for_update()
            if found := session.execute(wanted).scalars().first():
                return found
    return None


def _numbers(session: Session, shipment_id: int, kinds: Collection[str] = (REPLACED, PACKAGE, PICKUP)) -> list[str]:
    wanted = select(WaybillAliasRow.waybill_no).where(
        WaybillAliasRow.shipment_id == shipment_id, WaybillAliasRow.kind.in_(kinds)
    )
    return list(session.execute(wanted.order_by(WaybillAliasRow.id)).scalars())


def _add(session: Session, shipment: ShipmentRow, number: str, kind: str) -> None:
    known = session.execute(
        select(WaybillAliasRow.id).where(WaybillAliasRow.peer == shipment.peer, WaybillAliasRow.waybill_no == number)
    ).scalar_one_or_none()
    if known is None:
        session.add(WaybillAliasRow(peer=shipment.peer, waybill_no=number, shipment_id=shipment.id, kind=kind))
        session.flush()
