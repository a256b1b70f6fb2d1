"""Looks again at every order we hold before its pickup: cancelled, merged, edited, or shipped by staff meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.db.models import OrderRow, ShipmentRow
from sync.db.orders import find_shipments
from sync.db.steps import StepBook
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.services.parcels import adopt_shipped, is_unasked
from sync.services.take_in import BATCH, Polled, tell_edited
from sync.services.withdraw import withdraw_order
from sync.shops.port import Standing


class _Held(NamedTuple):
    """An open order of ours with a parcel that no courier has yet.

    `is_noted`: all of its parcels stand on notes in the shop; `is_booked`: all of them have waybills.
    """

    id: int
    shop_order_id: str
    content_hash: str
    is_noted: bool
    is_booked: bool


def review_open(rt: Runtime, shop_key: str, seen: Collection[str], polled: Polled) -> None:
    """Ask the shop how it sees what we hold. `seen` are the ids that this poll has compared already."""
    shop, peer = rt.shops[shop_key], rt.peer(shop_key)
    with rt.database.reading() as session:
        held = _held(session, peer.name)
    for chunk in _chunks(held):
        read = partial(shop.read_standings, [one.shop_order_id for one in chunk])
        standings = rt.gateway.observe(shop_key, "read_standings", read, CallContext())
        for one in chunk:
            standing = standings[one.shop_order_id]
            if standing in (Standing.WITHDRAWN, Standing.GONE):
                polled.withdrawn += _withdraw(rt, one, standing, polled)
            elif standing is Standing.SHIPPED and not one.is_booked:
                polled.changed += _adopt(rt, shop_key, one)
    for chunk in _chunks([one for one in held if one.is_noted and one.shop_order_id not in seen]):
        read_hashes = partial(shop.read_hashes, [one.shop_order_id for one in chunk])
        hashes = rt.gateway.observe(shop_key, "read_hashes", read_hashes, CallContext())
        edited = [one for one in chunk if hashes.get(one.shop_order_id, one.content_hash) != one.content_hash]
        for one in edited:
            polled.changed += _tell_edited(rt, shop_key, one, hashes[one.shop_order_id])


def _held(session: Session, shop: str) -> list[_Held]:
    parcels = func.count()
    wanted = (
        select(
            OrderRow.id,
            OrderRow.shop_order_id,
            OrderRow.content_hash,
            parcels == func.count(ShipmentRow.noted_at),
            parcels == func.count(ShipmentRow.booked_at),
        )
        .outerjoin(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
        .where(OrderRow.shop == shop, OrderRow.state == "open")
        .group_by(OrderRow.id, OrderRow.shop_order_id, OrderRow.content_hash)
        .having(parcels > func.count(ShipmentRow.pickup_at))
    )
    return [_Held(*row) for row in session.execute(wanted)]


def _withdraw(rt: Runtime, one: _Held, standing: Standing, polled: Polled) -> bool:
    with rt.database.writing() as session:
        book = StepBook(session, polled.wakes)
        return withdraw_order(book, session.get_one(OrderRow, one.id), standing)


def _adopt(rt: Runtime, shop_key: str, one: _Held) -> bool:
    """Only where no carrier was asked: where one may have been, the booking itself finds out."""
    with rt.database.reading() as session:
        if not is_unasked(session, find_shipments(session, one.id)[-1]):
            return False
    read = partial(rt.shops[shop_key].read_numbers, one.shop_order_id)
    numbers = rt.gateway.observe(shop_key, "read_numbers", read, CallContext())
    with rt.database.writing() as session:
        row = session.get_one(OrderRow, one.id, with_for_update=True)
        if row.state != "open" or not is_unasked(session, find_shipments(session, one.id)[-1]):
            return False
        adopt_shipped(rt, StepBook(session), row, numbers, rt.clock.now())
        return True


def _tell_edited(rt: Runtime, shop_key: str, one: _Held, content_hash: str) -> bool:
    with rt.database.writing() as session:
        row = session.get_one(OrderRow, one.id, with_for_update=True)
        if row.state != "open" or row.content_hash != one.content_hash:
            return False
        tell_edited(session, rt.peer(shop_key), row, find_shipments(session, row.id), content_hash)
        return True


def _chunks(rows: Sequence[_Held]) -> Iterator[Sequence[_Held]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
