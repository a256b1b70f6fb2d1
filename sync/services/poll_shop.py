"""Polls one shop: takes in what is newly owed, sees edits and withdrawals, parks what cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice

from sqlalchemy import select

from mappings.model import Order
from sync.db.cursors import set_cursor
from sync.db.models import OrderRow, ShipmentRow
from sync.db.steps import StepBook
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.services.take_in import BATCH, Polled, forget_unreadable, take_in
from sync.services.withdraw import withdraw_order
from sync.settings import PeerSettings
from sync.shops.port import Shop, Standing, Unreadable

log = logging.getLogger(__name__)


def poll_shop(rt: Runtime, shop_key: str) -> Polled:
    """Read the shop's open queues and re-read what we hold open; raises the shop's PeerError, or PeerAway."""
    shop, peer = rt.shops[shop_key], rt.peer(shop_key)
    now = rt.clock.now()
    polled = Polled()
    seen: set[str] = set()
    read = rt.gateway.observe(shop_key, "read_open", lambda: _batches(shop, now), CallContext())
    for batch in read:
        polled.open += len(batch)
        polled.add(take_in(rt, peer, batch))
        seen |= {item.shop_order_id for item in batch}
    forget_unreadable(rt, peer, seen)
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


def _batches(shop: Shop, now: datetime) -> list[list[Order | Unreadable]]:
    orders: Iterator[Order | Unreadable] = iter(shop.read_open(now))
    batches = []
    while batch := list(islice(orders, BATCH)):
        batches.append(batch)
    return batches


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
