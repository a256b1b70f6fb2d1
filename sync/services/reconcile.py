"""The conservation check: paid in the shop minus (in flight + done + with a person) must be 0."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from sync.db.cursors import set_cursor
from sync.db.models import ExceptionGroupRow, ExceptionRow, OrderRow, ShipmentRow, StepRow
from sync.gateway import CallContext
from sync.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Conservation:
    """One shop's account of its paid orders; `unaccounted` lists order ids of the shop that are nowhere."""

    paid: int
    in_flight: int
    done: int
    with_person: int
    withdrawn: int
    unaccounted: tuple[str, ...]

    @property
    def difference(self) -> int:
        return self.paid - self.in_flight - self.done - self.with_person


def reconcile_shop(rt: Runtime, shop_key: str) -> Conservation:
    """Count every paid order of a shop into one bucket, and keep the result for the metrics.

    `paid` is what the shop's own database shows as owed now, together with what we took over before and the shop
    has not withdrawn. The shop is read first: an order paid while we count cannot look lost.
    """
    shop, peer = rt.shops[shop_key], rt.peer(shop_key)
    paid_now = rt.gateway.observe(shop_key, "paid_ids", lambda: set(shop.paid_ids()), CallContext())
    with rt.database.reading() as session:
        account = _count(session, peer.name, shop_key, paid_now)
    with rt.database.writing() as session:
        value = {**asdict(account), "difference": account.difference}
        set_cursor(session, f"conservation.{shop_key}", json.dumps(value))
    return account


def _count(session: Session, shop: str, shop_key: str, paid_now: Iterable[str]) -> Conservation:
    held = {
        row.shop_order_id: row
        for row in session.execute(_buckets(shop))
        if row.state != "withdrawn" or row.shop_order_id in set(paid_now)
    }
    withdrawn = session.execute(
        select(func.count()).select_from(OrderRow).where(OrderRow.shop == shop, OrderRow.state == "withdrawn")
    ).scalar_one()
    unreadable = set(_unreadable_ids(session, shop_key))
    with_person = {key for key, row in held.items() if row.with_person} | (unreadable - set(held))
    done = {key for key, row in held.items() if row.state != "open"} - with_person
    in_flight = {key for key, row in held.items() if row.state == "open" and row.is_moving} - with_person
    paid = set(paid_now) | set(held) | unreadable
    lost = paid - with_person - done - in_flight
    return Conservation(
        paid=len(paid),
        in_flight=len(in_flight),
        done=len(done),
        with_person=len(with_person),
        withdrawn=withdrawn,
        unaccounted=tuple(sorted(lost)[:20]),
    )


def _buckets(shop: str):  # type: ignore[no-untyped-def]  # the row type of this select cannot be spelled
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


def _unreadable_ids(session: Session, shop_key: str) -> list[str]:
    """Orders that were never taken in because they cannot be read: a person has them."""
    subjects = session.execute(
        select(ExceptionRow.subject)
        .join(ExceptionGroupRow, ExceptionGroupRow.id == ExceptionRow.group_id)
        .where(
            ExceptionGroupRow.peer == shop_key,
            ExceptionRow.order_id.is_(None),
            ExceptionRow.resolved_at.is_(None),
            ExceptionRow.subject.startswith(f"{shop_key}:", autoescape=True),
        )
    ).scalars()
    return [subject.removeprefix(f"{shop_key}:") for subject in subjects]
