"""Takes orders in: new ones with all they owe, edits, revivals, and what cannot be read, onto the desk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mappings.model import Order
from sync import exceptions as desk
from sync.db.models import OrderRow, ShipmentRow
from sync.db.orders import find_shipment, write_order
from sync.db.steps import StepBook, Wake
from sync.runtime import Runtime
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


def _news(session: Session, peer: PeerSettings, batch: Sequence[Order | Unreadable]) -> list[Order | Unreadable]:
    """What differs from what we hold: most polls find nothing new and must cost no write."""
    ids = [item.shop_order_id for item in batch]
    wanted = select(OrderRow.shop_order_id, OrderRow.state, OrderRow.content_hash)
    held = {
        row.shop_order_id: (row.state, row.content_hash)
        for row in session.execute(wanted.where(OrderRow.shop == peer.name, OrderRow.shop_order_id.in_(ids)))
    }
    parked = desk.open_messages(session, {_order_subject(peer, order_id) for order_id in ids})

    def _is_parked(item: Unreadable) -> bool:
        return parked.get(_order_subject(peer, item.shop_order_id)) == _parked_as(item)

    return [
        item
        for item in batch
        if (isinstance(item, Unreadable) and item.shop_order_id not in held and not _is_parked(item))
        or (isinstance(item, Order) and held.get(item.shop_order_id) not in _as_held(item))
    ]


def take_in(rt: Runtime, peer: PeerSettings, batch: Sequence[Order | Unreadable]) -> Polled:
    """Take in what differs. Where another poll took in the same orders meanwhile, what that one left is looked at."""
    for is_last in (False, True):
        taken = Polled()
        with rt.database.reading() as session:
            news = _news(session, peer, batch)
        if not news:
            break
        try:
            with rt.database.writing() as session:
                _sort_in(rt, StepBook(session, taken.wakes), peer, news, taken)
        except IntegrityError:
            if is_last:
                raise
        else:
            return taken
    return Polled()


def take_in_one(rt: Runtime, shop_key: str, order: Order) -> OrderRow:
    """Take in a single order that the shop owes, as a poll would; returns its row."""
    peer = rt.peer(shop_key)
    take_in(rt, peer, [order])
    with rt.database.reading() as session:
        return session.execute(
            select(OrderRow).where(OrderRow.shop == peer.name, OrderRow.shop_order_id == order.shop_order_id)
        ).scalar_one()


def _as_held(order: Order) -> tuple[tuple[str, str], ...]:
    return (("open", order.content_hash), ("done", order.content_hash))


def _parked_as(item: Unreadable) -> str:
    return f"Order {item.order_sn}: {item.reason} Correct it in the shop; the next poll takes it in by itself."


def _sort_in(
    rt: Runtime, book: StepBook, peer: PeerSettings, batch: Sequence[Order | Unreadable], polled: Polled
) -> None:
    ids = [item.shop_order_id for item in batch]
    known = {
        row.shop_order_id: row
        for row in book.session.execute(
            select(OrderRow).where(OrderRow.shop == peer.name, OrderRow.shop_order_id.in_(ids))
        ).scalars()
    }
    for item in batch:
        row = known.get(item.shop_order_id)
        if isinstance(item, Unreadable):
            if row is None:
                polled.parked += _park(book.session, peer, item)
        elif row is None:
            _accept(rt, book, peer, item)
            polled.new += 1
        elif row.state == "open" and row.content_hash != item.content_hash:
            polled.changed += 1
            _apply_edit(book.session, peer, row, item)
        elif row.state == "withdrawn":
            polled.new += _revive(rt, book, peer, row, item)


def _park(session: Session, peer: PeerSettings, item: Unreadable) -> int:
    """An order that cannot be fulfilled as it stands: on the desk, with what to correct in the shop."""
    subject = _order_subject(peer, item.shop_order_id)
    return int(desk.open_exception(session, desk.Cause(item.code, peer.key, subject, _parked_as(item))))


def _accept(rt: Runtime, book: StepBook, peer: PeerSettings, order: Order) -> None:
    """A new order: its row, its parcel with the idempotency key, and what is owed for it, in one transaction."""
    row = write_order(book.session, order)
    row.external_ref = _external_ref(rt, order)
    desk.close_exceptions(book.session, _order_subject(peer, order.shop_order_id), "the order is readable now")
    carrier = rt.settings.default_carrier
    shipment = ShipmentRow(
        order_id=row.id,
        parcel_no=1,
        peer=carrier.key,
        shipper_code=order.shipper_code,
        order_code=_order_code(rt, row, order),
        environment=str(carrier.config.get("environment") or rt.settings.environment),
    )
    book.session.add(shipment)
    book.session.flush()
    _owe_first_steps(rt, book, peer, row, shipment)


def _owe_first_steps(
    rt: Runtime, book: StepBook, peer: PeerSettings, row: OrderRow, shipment: ShipmentRow, *, again: bool = False
) -> None:
    book.owe("claim_order", peer.key, row.id, again=again, is_first=not again)
    book.owe(
        "book_waybill",
        shipment.peer,
        row.id,
        shipment_id=shipment.id,
        parcel_no=shipment.parcel_no,
        again=again,
        is_first=not again,
    )
    for erp in rt.settings.erps:
        book.owe("push_order", erp.key, row.id, again=again, is_first=not again)


def _external_ref(rt: Runtime, order: Order) -> str:
    """The order's name in the ERPs, fixed at intake so that a look-up always asks for what was sent."""
    return order.order_sn if len(rt.settings.shops) == 1 else f"{order.shop}-{order.order_sn}"


def _order_code(rt: Runtime, row: OrderRow, order: Order) -> str:
    """Our idempotency key at the carrier, at most 30 characters; several shops may use the same order numbers."""
    if len(rt.settings.shops) == 1:
        return f"{order.order_sn}-1"
    return f"{order.order_sn}-{row.id}-1"


def _apply_edit(session: Session, peer: PeerSettings, row: OrderRow, order: Order) -> None:
    """Before the waybill an edit simply counts; after it a person decides."""
    shipment = find_shipment(session, row.id)
    if shipment is None or not shipment.waybill_no:
        write_order(session, order, row)
        if shipment is not None:
            shipment.shipper_code = order.shipper_code
        return
    message = (
        f"Order {row.order_sn} was edited in the shop after waybill {shipment.waybill_no} was booked. "
        "Compare address and lines; correct the parcel by hand, then resolve this line."
    )
    cause = desk.Cause("order.edited_after_booking", peer.key, f"edit:{row.id}:{order.content_hash}", message, row.id)
    desk.open_exception(session, cause)
    write_order(session, order, row)  # what is still to be pushed is pushed as the shop shows it now


def _revive(rt: Runtime, book: StepBook, peer: PeerSettings, row: OrderRow, order: Order) -> int:
    """A withdrawn order is owed again: go on if nothing had been booked, else a person decides."""
    shipment = find_shipment(book.session, row.id)
    if shipment is None or shipment.waybill_no or row.erp_no:
        return _tell_revived(book.session, peer, row)
    write_order(book.session, order, row)
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
