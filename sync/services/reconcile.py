"""The conservation check: paid in the shop minus (in flight + done + with a person) must be 0."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session

from sync import exceptions as desk
from sync.db.cursors import read_cursors, set_cursor
from sync.db.models import ExceptionRow, OrderRow, ShipmentRow, StepRow
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.shops.port import Shop


@dataclass(frozen=True, slots=True)
class Conservation:
    """One shop's account of its paid orders; `unaccounted` lists order ids of the shop that are nowhere.

    `unseen` orders are paid and not taken in yet; one that a whole poll has passed over is unaccounted.
    """

    paid: int
    in_flight: int
    done: int
    with_person: int
    withdrawn: int
    unseen: tuple[str, ...]
    unaccounted: tuple[str, ...]

    @property
    def difference(self) -> int:
        return self.paid - self.in_flight - self.done - self.with_person - len(set(self.unseen) - set(self.unaccounted))


def reconcile_shop(rt: Runtime, shop_key: str) -> Conservation:
    """Count every paid order of a shop into one bucket, and keep the result for the metrics.

    `paid` is what the shop's own database shows as owed now, together with what we took over before and the shop
    has not withdrawn. The shop is read first: an order paid while we count cannot look lost.
    """
    shop, peer = rt.shops[shop_key], rt.peer(shop_key)
    name = f"conservation.{shop_key}"
    with rt.database.reading() as session:
        before = _last_unseen(session, name, f"poll.{shop_key}")
    read = partial(_paid_ids, shop, rt.clock.now())
    paid_now = rt.gateway.observe(shop_key, "paid_ids", read, CallContext())
    with rt.database.reading() as session:
        account = _count(session, peer.name, shop_key, paid_now, before)
    with rt.database.writing() as session:
        set_cursor(session, name, json.dumps({**asdict(account), "difference": account.difference}))
    return account


def _paid_ids(shop: Shop, now: datetime) -> frozenset[str]:
    return frozenset(shop.paid_ids(now))


def _last_unseen(session: Session, name: str, poll_name: str) -> frozenset[str]:
    """Orders that were unseen at the last check, if a poll has been finished since then."""
    cursors = read_cursors(session, "")
    if name not in cursors or poll_name not in cursors or cursors[poll_name][1] < cursors[name][1]:
        return frozenset()
    return frozenset(json.loads(cursors[name][0]).get("unseen", ()))


def _count(
    session: Session, shop: str, shop_key: str, paid_now: frozenset[str], unseen_before: frozenset[str]
) -> Conservation:
    rows = session.execute(_buckets(shop)).all()
    withdrawn = {row.shop_order_id for row in rows if row.state == "withdrawn"} - paid_now
    held = {row.shop_order_id: row for row in rows if row.shop_order_id not in withdrawn}
    unreadable = _unreadable_ids(session, shop_key)
    with_person = {key for key, row in held.items() if row.with_person} | (unreadable - set(held))
    done = {key for key, row in held.items() if row.state != "open"} - with_person
    in_flight = {key for key, row in held.items() if row.state == "open" and row.is_moving} - with_person
    paid = paid_now | set(held) | unreadable
    nowhere = paid - with_person - done - in_flight
    unseen = nowhere - set(held)
    return Conservation(
        paid=len(paid),
        in_flight=len(in_flight),
        done=len(done),
        with_person=len(with_person),
        withdrawn=len(withdrawn),
        unseen=tuple(sorted(unseen)),
        unaccounted=tuple(sorted(nowhere - (unseen - unseen_before))),
    )


def _buckets(shop: str) -> Select[str, str, bool, bool]:
    """Each order we hold: its state, whether a person has it, whether something will still move it."""
    with_person = exists().where(ExceptionRow.order_id == OrderRow.id, ExceptionRow.resolved_at.is_(None))
    owed = exists().where(StepRow.order_id == OrderRow.id, StepRow.state.in_(("owed", "running")))
    tracked = exists().where(ShipmentRow.order_id == OrderRow.id, ShipmentRow.waybill_no != "")
    return select(
        OrderRow.shop_order_id,
        OrderRow.state,
        with_person.label("with_person"),
        or_(owed, tracked).label("is_moving"),
    ).where(OrderRow.shop == shop)


def _unreadable_ids(session: Session, shop_key: str) -> frozenset[str]:
    """Orders that were never taken in because they cannot be read: a person has them."""
    subjects = desk.open_subjects(session, shop_key, f"{shop_key}:")
    return frozenset(subject.removeprefix(f"{shop_key}:") for subject in subjects)
