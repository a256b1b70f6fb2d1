"""Polls one shop: takes in what is newly owed, sees edits and withdrawals, parks what cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

from mappings.model import Order
from sync.clock import utc_now
from sync.db.cursors import set_cursor
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.services.review_open import review_open
from sync.services.take_in import BATCH, Polled, forget_unreadable, take_in
from sync.shops.port import Unreadable

log = logging.getLogger(__name__)


def poll_shop(rt: Runtime, shop_key: str) -> Polled:
    """Read the shop's open queues and re-read what we hold open; raises the shop's PeerError, or PeerAway."""
    shop, peer = rt.shops[shop_key], rt.peer(shop_key)
    polled = Polled()
    seen: set[str] = set()
    read_at = utc_now()
    orders: Iterator[Order | Unreadable] = iter(shop.read_open(rt.clock.now()))
    while batch := rt.gateway.observe(shop_key, "read_open", lambda: list(islice(orders, BATCH)), CallContext()):
        polled.open += len(batch)
        polled.add(take_in(rt, peer, batch, read_at))
        seen |= {item.shop_order_id for item in batch}
        if len(batch) < BATCH:
            break
    forget_unreadable(rt, peer, seen)
    review_open(rt, shop_key, seen, polled)
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
