"""Polls one shop: takes in what is newly owed, sees edits and withdrawals, parks what cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from mappings.model import Order
from sync import exceptions as desk
from sync.db.cursors import set_cursor
from sync.db.models import OrderRow, ShipmentRow
from sync.db.orders import find_shipment, write_order
from sync.db.steps import StepBook, Wake
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.services.withdraw import withdraw_order
from sync.settings import PeerSettings
from sync.shops.port import Shop, Standing, Unreadable

log = logging.getLogger(__name__)

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


def poll_shop(rt: Runtime, shop_key: str) -> Polled:
    """Read the shop's open queues and re-read what we hold open; raises the shop's PeerError, or PeerAway."""
    shop, peer = rt.shops[shop_key], rt.peer(shop_key)
    now = rt.clock.now()
    polled = Polled()
    read = rt.gateway.observe(shop_key, "read_open", lambda: _batches(shop, now), CallContext())
    for batch in read:
        polled.open += len(batch)
        polled.add(_take_in_news(rt, peer, batch))
    _review_open(rt, shop, peer, polled)
    with rt.database.writing() as session:
        set_cursor(session, f"poll.{shop_key}", f"{polled.new} new")
    if polled.new or polled.changed or polled.withdrawn or polled.parked:
        log.info(
            "polled %s: %d new, %d changed, %d withdrawn, %d parked",
            shop_key,
            polled.new,
            polled.changed,
            polled.withdrawn,
            polled.parked,
        )
    return polled


def take_in_one(rt: Runtime, shop_key: str, order: Order) -> OrderRow:
    """Take in a single order that the shop owes, as a poll would; returns its row."""
    peer = rt.peer(shop_key)
    with rt.database.writing() as session:
        _take_in(rt, StepBook(session), peer, [order], Polled())
        return session.execute(
            select(OrderRow).where(OrderRow.shop == peer.name, OrderRow.shop_order_id == order.shop_order_id)
        ).scalar_one()


def _batches(shop: Shop, now: datetime) -> list[list[Order | Unreadable]]:
    orders: Iterator[Order | Unreadable] = iter(shop.read_open(now))
    batches = []
    while batch := list(islice(orders, BATCH)):
        batches.append(batch)
    return batches


def _news(session: Session, peer: PeerSettings, batch: Sequence[Order | Unreadable]) -> list[Order | Unreadable]:
    """What differs from what we hold: most polls find nothing new and must cost no write."""
    ids = [item.shop_order_id for item in batch]
    wanted = select(OrderRow.shop_order_id, OrderRow.state, OrderRow.content_hash)
    held = {
        row.shop_order_id: (row.state, row.content_hash)
        for row in session.execute(wanted.where(OrderRow.shop == peer.name, OrderRow.shop_order_id.in_(ids)))
    }
    parked = desk.open_messages(session, {_order_subject(peer, order_id) for order_id in ids})
    return [
        item
        for item in batch
        if (isinstance(item, Unreadable) and parked.get(_order_subject(peer, item.shop_order_id)) != _parked_as(item))
        or (isinstance(item, Order) and held.get(item.shop_order_id) not in _as_held(item))
    ]


def _take_in_news(rt: Runtime, peer: PeerSettings, batch: Sequence[Order | Unreadable]) -> Polled:
    """Take in what differs. Where another poll took in the same orders meanwhile, what that one left is looked at."""
    for is_last in (False, True):
        taken = Polled()
        with rt.database.reading() as session:
            news = _news(session, peer, batch)
        if not news:
            break
        try:
            with rt.database.writing() as session:
                _take_in(rt, StepBook(session, taken.wakes), peer, news, taken)
        except IntegrityError:
            if is_last:
                raise
        else:
            return taken
    return Polled()


def _as_held(order: Order) -> tuple[tuple[str, str], ...]:
    return (("open", order.content_hash), ("done", order.content_hash))


def _parked_as(item: Unreadable) -> str:
    return f"Order {item.order_sn}: {item.reason} Correct it in the shop; the next poll takes it in by itself."


def _take_in(
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
    book.owe("claim_order", peer.key, row.id, again=again)
    book.owe(
        "book_waybill",
        shipment.peer,
        row.id,
        shipment_id=shipment.id,
        parcel_no=shipment.parcel_no,
        again=again,
    )
    for erp in rt.settings.erps:
        book.owe("push_order", erp.key, row.id, again=again)


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
    if order.queue != row.queue or {line.shop_line_id for line in order.lines} == set():
        return
    message = (
        f"Order {row.order_sn} was edited in the shop after waybill {shipment.waybill_no} was booked. "
        "Compare address and lines; correct the parcel by hand, then resolve this line."
    )
    cause = desk.Cause("order.edited_after_booking", peer.key, f"edit:{row.id}:{order.content_hash}", message, row.id)
    desk.open_exception(session, cause)
    row.content_hash = order.content_hash


def _revive(rt: Runtime, book: StepBook, peer: PeerSettings, row: OrderRow, order: Order) -> int:
    """A withdrawn order is owed again: go on if nothing had been booked, else a person decides."""
    shipment = find_shipment(book.session, row.id)
    if shipment is None or shipment.waybill_no or row.erp_no:
        return 0
    write_order(book.session, order, row)
    row.state, row.status, row.done_at = "open", "received", None
    _owe_first_steps(rt, book, peer, row, shipment, again=True)
    return 1


def _review_open(rt: Runtime, shop: Shop, peer: PeerSettings, polled: Polled) -> None:
    """Look again at every order we hold open before its waybill or pickup: the shop may have withdrawn it."""
    with rt.database.reading() as session:
        held = session.execute(
            select(OrderRow.id, OrderRow.shop_order_id)
            .outerjoin(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
            .where(OrderRow.shop == peer.name, OrderRow.state == "open", ShipmentRow.pickup_at.is_(None))
        ).all()
    for chunk in _chunks(held, BATCH):
        read = partial(shop.read_standings, [shop_id for _, shop_id in chunk])
        standings = rt.gateway.observe(peer.key, "read_standings", read, CallContext())
        for order_id, shop_id in chunk:
            if standings[shop_id] in (Standing.WITHDRAWN, Standing.GONE):
                _withdraw(rt, order_id, standings[shop_id], polled)


def _withdraw(rt: Runtime, order_id: int, standing: Standing, polled: Polled) -> None:
    with rt.database.writing() as session:
        row = session.get_one(OrderRow, order_id, with_for_update=True)
        if row.state == "open":
            withdraw_order(StepBook(session), row, standing)
            polled.withdrawn += 1


def _chunks(rows: Sequence[tuple[int, str]], size: int) -> Iterable[Sequence[tuple[int, str]]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _order_subject(peer: PeerSettings, shop_order_id: str) -> str:
    return f"{peer.key}:{shop_order_id}"
