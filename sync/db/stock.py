"""Stock between rows and values: what the ERP said last, what was set, and what orders it knows of or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.orm import Session, aliased

from mappings.model import StockChange
from mappings.shops.ecshop.stock import Demand
from sync.db.models import OrderLineRow, OrderRow, StepRow, StockChangeRow, StockLevelRow
from sync.db.session import insert_into
from sync.db.steps import UNFINISHED

LONGEST_SKU = 80
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Level:
    """One SKU as it was kept. `figures` is the ERP's, by warehouse."""

    figures: Mapping[str, int]
    available: int | None
    shown: int | None


@dataclass(frozen=True, slots=True)
class Promises:
    """Which orders the ERP had heard of at one moment: ids of ours.

    Taken before the ERP is asked for its figures: one pushed meanwhile then counts as unknown, which errs to too few.
    """

    known: tuple[int, ...]
    unknown: tuple[int, ...]


def read_levels(session: Session, shop: str) -> dict[str, Level]:
    """All that is kept of a shop's SKUs."""
    row = StockLevelRow
    found = session.execute(select(row.sku, row.figures, row.available, row.shown).where(row.shop == shop))
    return {sku: Level(figures, available, shown) for sku, figures, available, shown in found}


def write_levels(session: Session, shop: str, levels: Mapping[str, Level], now: datetime) -> None:
    """Keep these SKUs as they stand now, new or over what was kept."""
    insert = insert_into(session.get_bind().dialect.name, StockLevelRow)
    news = {name: insert.excluded[name] for name in ("figures", "available", "shown", "updated_at")}
    upsert = insert.on_conflict_do_update(index_elements=[StockLevelRow.shop, StockLevelRow.sku], set_=news)
    rows = [
        {
            "shop": shop,
            "sku": sku,
            "figures": dict(level.figures),
            "available": level.available,
            "shown": level.shown,
            "updated_at": now,
        }
        for sku, level in levels.items()
    ]
    for some in _chunks(rows):
        session.execute(upsert, list(some))


def add_changes(
    session: Session, shop: str, changes: Sequence[StockChange], available: Mapping[str, int], now: datetime, actor: str
) -> None:
    """What was set, for the history."""
    session.add_all(
        StockChangeRow(
            shop=shop,
            sku=change.sku,
            goods_id=change.goods_id,
            product_id=change.product_id,
            before=change.before,
            after=change.after,
            available=available[change.sku],
            changed_at=now,
            actor=actor,
        )
        for change in changes
    )


def forget_changes(session: Session, before: datetime) -> None:
    """The history's end."""
    session.execute(delete(StockChangeRow).where(StockChangeRow.changed_at < before))


def read_history(session: Session, sku: str, shop: str | None, limit: int) -> list[StockChangeRow]:
    """What was set of one SKU, newest first."""
    wanted = select(StockChangeRow).where(StockChangeRow.sku == sku).order_by(StockChangeRow.id.desc()).limit(limit)
    if shop:
        wanted = wanted.where(StockChangeRow.shop == shop)
    return list(session.execute(wanted).scalars())


def read_kept(session: Session, sku: str, shop: str | None) -> list[StockLevelRow]:
    """What is kept of one SKU, by shop."""
    wanted = select(StockLevelRow).where(StockLevelRow.sku == sku).order_by(StockLevelRow.shop)
    if shop:
        wanted = wanted.where(StockLevelRow.shop == shop)
    return list(session.execute(wanted).scalars())


def read_promises(session: Session, shop: str, erp_key: str) -> Promises:
    """A shop's open orders that the ERP knows, and the orders of any shop that it does not know yet.

    A push that a person settled by hand counts as known; an order that an ERP only accepted, and has not numbered, does
    not: it has reserved nothing yet.
    """
    push = (StepRow.order_id == OrderRow.id, StepRow.name == "push_order", StepRow.peer == erp_key)
    numbering = aliased(StepRow)
    awaited = select(numbering.id).where(
        numbering.order_id == OrderRow.id,
        numbering.peer == erp_key,
        numbering.name == "number_order",
        numbering.state.in_(UNFINISHED),
    )
    is_known = and_(StepRow.state.in_(("done", "dropped")), ~awaited.exists())
    known = select(OrderRow.id).join(StepRow, and_(*push)).where(is_known)
    unknown = select(OrderRow.id).join(StepRow, and_(*push)).where(or_(StepRow.state.in_(UNFINISHED), awaited.exists()))
    return Promises(
        tuple(session.execute(known.where(OrderRow.shop == shop, OrderRow.state == "open")).scalars()),
        tuple(session.execute(unknown.where(OrderRow.state != "withdrawn")).scalars()),
    )


def read_ordered(session: Session, erp_key: str, since: datetime) -> set[str]:
    """SKUs of orders, of any shop, that the ERP has heard of since then."""
    heard = and_(
        StepRow.order_id == OrderLineRow.order_id,
        StepRow.peer == erp_key,
        StepRow.name.in_(("push_order", "number_order")),
        StepRow.finished_at >= since,
    )
    return set(session.execute(select(OrderLineRow.sku).join(StepRow, heard).distinct()).scalars())


def count_reserved(session: Session, erp_key: str) -> dict[str, int]:
    """Pieces by SKU of the orders of any shop that the ERP knows and that have not left the house.

    For an ERP that tells what lies there. Asked before its figures: what leaves meanwhile is then subtracted once more
    than it should be, for one run.
    """
    push = (StepRow.order_id == OrderRow.id, StepRow.name == "push_order", StepRow.peer == erp_key)
    known = select(OrderRow.id).join(StepRow, and_(*push)).where(StepRow.state.in_(("done", "dropped")))
    ids = tuple(session.execute(known.where(OrderRow.state == "open")).scalars())
    reserved: dict[str, int] = {}
    for some in _chunks(ids):
        for _, sku, quantity, is_held in _lines(session, some):
            if is_held:
                reserved[sku] = reserved.get(sku, 0) + quantity
    return reserved


def count_demand(session: Session, shop: str, promises: Promises) -> dict[str, Demand]:
    """What these orders want of each SKU. Asked after the shop's figures were read: a parcel whose shipping has begun
    counts as sent, because the figure may lack it already."""
    known: dict[str, int] = {}
    unreported: dict[str, int] = {}
    for ids, is_known in ((promises.known, True), (promises.unknown, False)):
        for some in _chunks(ids):
            for of_shop, sku, quantity, is_held in _lines(session, some):
                if is_known and is_held:
                    known[sku] = known.get(sku, 0) + quantity
                elif not is_known and (of_shop != shop or not is_held):
                    unreported[sku] = unreported.get(sku, 0) + quantity
    return {sku: Demand(known.get(sku, 0), unreported.get(sku, 0)) for sku in {*known, *unreported}}


def _lines(session: Session, order_ids: Sequence[int]) -> Iterator[tuple[str, str, int, bool]]:
    """Shop, SKU, quantity, and whether the shop surely still has it: each line of these orders."""
    untouched: ColumnElement[bool] = and_(StepRow.state == "owed", StepRow.attempts == 0)
    is_held = and_(OrderRow.state == "open", or_(StepRow.id.is_(None), untouched))
    wanted = (
        select(OrderRow.shop, OrderLineRow.sku, OrderLineRow.quantity, is_held)
        .join(OrderLineRow, OrderLineRow.order_id == OrderRow.id)
        .outerjoin(
            StepRow,
            and_(
                StepRow.order_id == OrderRow.id,
                StepRow.parcel_no == OrderLineRow.parcel_no,
                StepRow.name == "write_shipped",
            ),
        )
        .where(OrderRow.id.in_(order_ids))
    )
    for of_shop, sku, quantity, held in session.execute(wanted):
        yield of_shop, sku, quantity, bool(held)


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _ROWS_AT_ONCE):
        yield items[start : start + _ROWS_AT_ONCE]
