"""Takes orders in: new ones with all they owe, edits, revivals, and what cannot be read, onto the desk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mappings.model import Order
from sync import exceptions as desk
from sync.db.models import OrderRow, ShipmentRow
from sync.db.orders import find_shipments, write_order
from sync.db.steps import StepBook, Wake
from sync.runtime import Runtime
from sync.services.parcels import add_further_parcel, add_parcel, owe_booking
from sync.services.withdraw import has_cancels
from sync.settings import PeerSettings
from sync.shops.port import Unreadable

BATCH = 100
"""Orders taken in per transaction: large enough to be fast, small enough to hold no lock for long."""


@dataclass(slots=True)
class Polled:
    """What one poll found."""

    new: int = 0
    changed: int = 0
    parked: int = 0
    withdrawn: int = 0
    open: int = 0
    wakes: list[Wake] = field(default_factory=list)

    def add(self, other: Polled) -> None:
        self.new += other.new
        self.changed += other.changed
        self.parked += other.parked
        self.wakes += other.wakes


def _news(
    session: Session, peer: PeerSettings, batch: Sequence[Order | Unreadable], read_at: datetime
) -> list[Order | Unreadable]:
    """What differs from what we hold: most polls find nothing new and must cost no write."""
    ids = [item.shop_order_id for item in batch]
    wanted = select(OrderRow.shop_order_id, OrderRow.state, OrderRow.content_hash)
    held = {
        row.shop_order_id: (row.state, row.content_hash)
        for row in session.execute(wanted.where(OrderRow.shop == peer.name, OrderRow.shop_order_id.in_(ids)))
    }
    parked = desk.open_messages(session, {_order_subject(peer, order_id) for order_id in ids})
    left_over = _left_over(session, peer, held, read_at)

    def _is_parked(item: Unreadable) -> bool:
        return parked.get(_order_subject(peer, item.shop_order_id)) == _parked_as(item)

    def _is_held(item: Order) -> bool:
        same = (("open", item.content_hash), ("done", item.content_hash))
        return held.get(item.shop_order_id) in same and item.shop_order_id not in left_over

    return [
        item
        for item in batch
        if (isinstance(item, Unreadable) and item.shop_order_id not in held and not _is_parked(item))
        or (isinstance(item, Order) and not _is_held(item))
    ]


def _left_over(session: Session, peer: PeerSettings, ids: Collection[str], read_at: datetime) -> set[str]:
    """Orders all of whose parcels stood on notes before the shop was read: what it still owes is one more parcel.

    A look taken before a note was written still shows what that note holds; it must never become a second waybill.
    """
    if not ids:
        return set()
    pending = exists().where(
        ShipmentRow.order_id == OrderRow.id, or_(ShipmentRow.noted_at.is_(None), ShipmentRow.noted_at >= read_at)
    )
    ready = select(OrderRow.shop_order_id).where(
        OrderRow.shop == peer.name, OrderRow.shop_order_id.in_(ids), OrderRow.state.in_(("open", "done")), ~pending
    )
    return set(session.execute(ready).scalars())


def take_in(rt: Runtime, peer: PeerSettings, batch: Sequence[Order | Unreadable], read_at: datetime) -> Polled:
    """Take in what differs. Where another poll took in the same orders meanwhile, what that one left is looked at.

    `read_at` is when the reading of the shop began (machine time).
    """
    for is_last in (False, True):
        taken = Polled()
        with rt.database.reading() as session:
            news = _news(session, peer, batch, read_at)
        if not news:
            break
        try:
            with rt.database.writing() as session:
                _sort_in(rt, StepBook(session, taken.wakes), peer, news, read_at, taken)
        except IntegrityError:
            if is_last:
                raise
        else:
            return taken
    return Polled()


def take_in_one(rt: Runtime, shop_key: str, order: Order, read_at: datetime) -> OrderRow:
    """Take in a single order that the shop owes, as a poll would; returns its row."""
    peer = rt.peer(shop_key)
    take_in(rt, peer, [order], read_at)
    with rt.database.reading() as session:
        return session.execute(
            select(OrderRow).where(OrderRow.shop == peer.name, OrderRow.shop_order_id == order.shop_order_id)
        ).scalar_one()


def _parked_as(item: Unreadable) -> str:
    return f"Order {item.order_sn}: {item.reason} Correct it in the shop; the next poll takes it in by itself."


def _sort_in(
    rt: Runtime,
    book: StepBook,
    peer: PeerSettings,
    batch: Sequence[Order | Unreadable],
    read_at: datetime,
    polled: Polled,
) -> None:
    ids = [item.shop_order_id for item in batch]
    known = {
        row.shop_order_id: row
        for row in book.session.execute(
            select(OrderRow).where(OrderRow.shop == peer.name, OrderRow.shop_order_id.in_(ids))
        ).scalars()
    }
    parked = desk.open_messages(book.session, {_order_subject(peer, order_id) for order_id in ids})
    for item in batch:
        row, subject = known.get(item.shop_order_id), _order_subject(peer, item.shop_order_id)
        if isinstance(item, Order) and subject in parked:
            desk.close_exceptions(book.session, subject, "the order is readable now")
        if isinstance(item, Unreadable):
            if row is None:
                polled.parked += _park(book.session, peer, item)
        elif row is None:
            _accept(rt, book, peer, item)
            polled.new += 1
        elif row.state == "withdrawn":
            polled.new += _revive(rt, book, peer, row, item)
        else:
            polled.changed += _look_at_known(rt, book, peer, row, item, read_at)


def _look_at_known(
    rt: Runtime, book: StepBook, peer: PeerSettings, row: OrderRow, order: Order, read_at: datetime
) -> bool:
    """An edit, or more to ship than the parcels that stand on notes; True when something changed here."""
    shipments = find_shipments(book.session, row.id)
    waiting = next((shipment for shipment in shipments if shipment.noted_at is None), None)
    is_edited = row.content_hash != order.content_hash
    if waiting is None:
        if any(shipment.noted_at and shipment.noted_at >= read_at for shipment in shipments):
            return False  # the shop was read before the last note was written; the next poll sees what is left
        if is_edited:
            tell_edited(book.session, peer, row, shipments, order.content_hash)
        add_further_parcel(rt, book, row, order, shipments)
        return True
    if is_edited:
        _apply_edit(book.session, peer, row, shipments, waiting, order)
    return is_edited


def _park(session: Session, peer: PeerSettings, item: Unreadable) -> int:
    """An order that cannot be fulfilled as it stands: on the desk, with what to correct in the shop."""
    subject = _order_subject(peer, item.shop_order_id)
    return int(desk.open_exception(session, desk.Cause(item.code, peer.key, subject, _parked_as(item))))


def _accept(rt: Runtime, book: StepBook, peer: PeerSettings, order: Order) -> None:
    """A new order: its row, its parcel with the idempotency key, and what is owed for it, in one transaction."""
    row = write_order(book.session, order, external_ref=external_ref_of(rt, order))
    _owe_first_steps(rt, book, peer, row, add_parcel(rt, book.session, row, order, 1))


def _owe_first_steps(
    rt: Runtime, book: StepBook, peer: PeerSettings, row: OrderRow, shipment: ShipmentRow, *, again: bool = False
) -> None:
    book.owe("claim_order", peer.key, row.id, again=again)
    owe_booking(rt, book, row, shipment, again=again)
    for erp in rt.settings.erps_of(peer):
        book.owe("push_order", erp.key, row.id, again=again)


def external_ref_of(rt: Runtime, order: Order) -> str:
    """The order's name in the ERPs, fixed at intake so that a look-up always asks for what was sent."""
    return order.order_sn if len(rt.settings.shops) == 1 else f"{order.shop}-{order.order_sn}"


def _apply_edit(
    session: Session,
    peer: PeerSettings,
    row: OrderRow,
    shipments: Sequence[ShipmentRow],
    waiting: ShipmentRow,
    order: Order,
) -> None:
    """Before the waybill an edit simply counts; after it a person decides, and what is pushed later is as edited."""
    if any(shipment.waybill_no for shipment in shipments):
        tell_edited(session, peer, row, shipments, order.content_hash)
    write_order(session, order, row, parcel_no=waiting.parcel_no)
    if not waiting.waybill_no:
        waiting.note_id = order.note_id  # where it goes is chosen anew right before the booking


def tell_edited(
    session: Session, peer: PeerSettings, row: OrderRow, shipments: Sequence[ShipmentRow], content_hash: str
) -> None:
    """A label may be printed already: once an edit, a person compares."""
    numbers = ", ".join(shipment.waybill_no for shipment in shipments if shipment.waybill_no)
    message = (
        f"Order {row.order_sn} was edited in the shop after waybill {numbers} was booked. "
        "Compare address and lines; correct the parcel by hand, then resolve this line."
    )
    cause = desk.Cause("order.edited_after_booking", peer.key, f"edit:{row.id}:{content_hash}", message, row.id)
    desk.open_exception(session, cause)
    row.content_hash = content_hash


def _revive(rt: Runtime, book: StepBook, peer: PeerSettings, row: OrderRow, order: Order) -> int:
    """A withdrawn order is owed again: go on if nothing had been booked, else a person decides."""
    shipments = find_shipments(book.session, row.id)
    if any(shipment.waybill_no for shipment in shipments) or row.erp_no or has_cancels(book.session, row.id):
        return _tell_revived(book.session, peer, row)
    shipment = shipments[0]
    write_order(book.session, order, row, parcel_no=shipment.parcel_no)
    shipment.note_id = order.note_id
    row.state, row.status, row.done_at = "open", "received", None
    _owe_first_steps(rt, book, peer, row, shipment, again=True)
    return 1


def _tell_revived(session: Session, peer: PeerSettings, row: OrderRow) -> int:
    subject = f"revived:{row.id}"
    message = (
        f"Order {row.order_sn} is owed again in the shop after it was withdrawn with a waybill or ERP document. "
        "Nothing is sent by itself. Ship it by hand, or place it anew in the shop; then resolve this line."
    )
    if not desk.open_messages(session, {subject}):
        cause = desk.Cause("order.revived_after_booking", peer.key, subject, message, row.id)
        desk.open_exception(session, cause)
    return 0


def _order_subject(peer: PeerSettings, shop_order_id: str) -> str:
    return f"{peer.key}:{shop_order_id}"


def forget_unreadable(rt: Runtime, peer: PeerSettings, seen: Collection[str]) -> None:
    """Parked orders that the shop no longer owes need nobody any more. `seen` are the ids of a whole poll."""
    prefix = _order_subject(peer, "")
    with rt.database.reading() as session:
        gone = [s for s in desk.open_subjects(session, peer.key, prefix) if s.removeprefix(prefix) not in seen]
    if gone:
        with rt.database.writing() as session:
            for subject in gone:
                desk.close_exceptions(session, subject, "the shop does not owe this order any more")
