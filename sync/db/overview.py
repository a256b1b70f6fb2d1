"""How the house stands, in a few cheap reads: the gauges and the console ask the same questions here.

Every read stays small however long the house has run: it goes along an index, over what is unfinished, or over the
newest rows only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, func, or_, select
from sqlalchemy.orm import Session

from sync.db.cursors import read_cursors
from sync.db.models import (
    AttemptRow,
    ExceptionGroupRow,
    ExceptionRow,
    InboxRow,
    OrderRow,
    PeerRow,
    ShipmentRow,
    StepRow,
)
from sync.db.steps import UNFINISHED
from sync.redaction import mask, redact

OWED_SINCE = case(
    (StepRow.name.in_(("remind_review", "subscribe", "query_parcel")), StepRow.not_before), else_=StepRow.created_at
)
"""Since when a step is owed; a reminder is written down days before its time, and a carrier may let us wait."""


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Unfinished steps of one kind at one peer in one state."""

    name: str
    peer: str
    state: str
    count: int
    since: datetime


def group_steps(session: Session) -> list[StepGroup]:
    """What is owed, running and parked."""
    since = func.min(OWED_SINCE, type_=StepRow.created_at.type)
    rows = session.execute(
        select(StepRow.name, StepRow.peer, StepRow.state, func.count(), since)
        .where(StepRow.state.in_(UNFINISHED))
        .group_by(StepRow.name, StepRow.peer, StepRow.state)
        .order_by(StepRow.peer, StepRow.name, StepRow.state)
    )
    return [StepGroup(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Pushes that are stored and not applied; `since` is None when there are none."""

    count: int
    since: datetime | None


def count_waiting_pushes(session: Session) -> Waiting:
    """How many pushes wait to be applied, and since when."""
    row = session.execute(
        select(func.count(), func.min(InboxRow.received_at)).where(InboxRow.verdict == "waiting")
    ).one()
    return Waiting(*row)


def count_orders(session: Session) -> dict[tuple[str, str], int]:
    """(shop, state) -> orders."""
    rows = session.execute(select(OrderRow.shop, OrderRow.state, func.count()).group_by(OrderRow.shop, OrderRow.state))
    return {(shop, state): count for shop, state, count in rows}


@dataclass(frozen=True, slots=True)
class ParcelGroup:
    """Parcels of open orders with one tracking status. Times are business time; None where none is set."""

    status: str
    count: int
    awaiting_pickup: int
    stale: int
    waiting_since: datetime | None
    picked_up_since: datetime | None


def group_parcels(session: Session) -> list[ParcelGroup]:
    """Parcels of open orders by tracking status."""
    waiting_since = case(
        (ShipmentRow.pickup_due_from.is_not(None), ShipmentRow.pickup_due_from),
        (ShipmentRow.stale_since.is_not(None), ShipmentRow.booked_at),
    )
    rows = session.execute(
        select(
            ShipmentRow.status,
            func.count(),
            func.count(ShipmentRow.pickup_due_from),
            func.count(ShipmentRow.stale_since),
            func.min(waiting_since, type_=ShipmentRow.booked_at.type),
            func.min(ShipmentRow.pickup_at),
        )
        .join(OrderRow, OrderRow.id == ShipmentRow.order_id)
        .where(OrderRow.state == "open")
        .group_by(ShipmentRow.status)
        .order_by(ShipmentRow.status)
    )
    return [ParcelGroup(*row) for row in rows]


def count_exceptions(session: Session) -> dict[str, int]:
    """Code -> what lies open on the desk."""
    rows = session.execute(
        select(ExceptionGroupRow.code, func.count())
        .join(ExceptionRow, ExceptionRow.group_id == ExceptionGroupRow.id)
        .where(ExceptionRow.resolved_at.is_(None))
        .group_by(ExceptionGroupRow.code)
    )
    return dict(rows.all())


def read_doors(session: Session) -> dict[str, str]:
    """Peer -> on, away or refused; a peer that never failed has no row."""
    return dict(session.execute(select(PeerRow.peer, PeerRow.state)).all())


@dataclass(frozen=True, slots=True)
class Account:
    """One shop's last conservation check; `unseen` orders were paid a moment ago and are not missing yet."""

    paid: int
    in_flight: int
    done: int
    with_person: int
    unseen: int
    difference: int
    at: datetime


def read_accounts(session: Session) -> dict[str, Account]:
    """Shop key -> its last conservation check."""
    return {key: _account(value, at) for key, (value, at) in read_cursors(session, "conservation.").items()}


def _account(value: str, at: datetime) -> Account:
    said = json.loads(value)
    numbers = {name: int(said[name]) for name in ("paid", "in_flight", "done", "with_person", "difference")}
    unseen = set(said.get("unseen", ())) - set(said.get("unaccounted", ()))
    return Account(**numbers, unseen=len(unseen), at=at)


def read_stock_runs(session: Session) -> dict[str, datetime]:
    """When each shop's stock was last brought up to date."""
    return {shop: at for shop, (_, at) in read_cursors(session, "stock_synced.").items()}


def read_polls(session: Session) -> dict[str, datetime]:
    """Shop key -> when its last finished poll was."""
    return {key: at for key, (_, at) in read_cursors(session, "poll.").items()}


def read_heartbeat(session: Session) -> datetime | None:
    """When a worker last did the heartbeat task."""
    beat = read_cursors(session, "heartbeat").get("")
    return None if beat is None else beat[1]


COHORT_LIMIT = 200_000
"""Most orders of one day that are counted: order rows have no index on time, so the newest ids are looked through."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """How far the orders of a day have come; withdrawn ones are left out."""

    received: int
    booked: int
    pushed: int
    picked_up: int
    delivered: int


def count_cohort(session: Session, since: datetime) -> Cohort:
    """The orders received since a moment: how many there are, and how many have passed each stage."""
    newest = select(func.max(OrderRow.id)).scalar_subquery()
    row = session.execute(
        select(
            func.count(),
            func.count(ShipmentRow.booked_at),
            func.count(case((OrderRow.erp_no != "", 1))),
            func.count(ShipmentRow.pickup_at),
            func.count(ShipmentRow.delivered_at),
        )
        .select_from(OrderRow)
        .outerjoin(ShipmentRow, and_(ShipmentRow.order_id == OrderRow.id, ShipmentRow.parcel_no == 1))
        .where(OrderRow.id > newest - COHORT_LIMIT, OrderRow.received_at >= since, OrderRow.state != "withdrawn")
    ).one()
    return Cohort(*row)


@dataclass(frozen=True, slots=True)
class Need:
    """One cause at one peer that needs a person. `intake` counts orders that were never taken in."""

    code: str
    peer: str
    sample: str
    order_sn: str
    count: int
    intake: int
    first_seen_at: datetime
    last_seen_at: datetime


def group_needs(session: Session, limit: int = 50) -> list[Need]:
    """What lies open on the desk by cause, longest waiting first; `sample` is the newest case's message, masked."""
    intake = and_(ExceptionRow.order_id.is_(None), ExceptionRow.subject.startswith("shop.", autoescape=True))
    groups = (
        select(
            ExceptionRow.group_id,
            func.count().label("count"),
            func.count(case((intake, 1))).label("intake"),
            func.min(ExceptionRow.opened_at).label("first_seen_at"),
            func.max(ExceptionRow.last_seen_at).label("last_seen_at"),
            func.max(ExceptionRow.id).label("newest"),
        )
        .where(ExceptionRow.resolved_at.is_(None))
        .group_by(ExceptionRow.group_id)
        .subquery()
    )
    numbers = (groups.c.count, groups.c.intake, groups.c.first_seen_at, groups.c.last_seen_at)
    rows = session.execute(
        select(ExceptionGroupRow.code, ExceptionGroupRow.peer, ExceptionRow.message, OrderRow.order_sn, *numbers)
        .join(groups, groups.c.group_id == ExceptionGroupRow.id)
        .join(ExceptionRow, ExceptionRow.id == groups.c.newest)
        .outerjoin(OrderRow, OrderRow.id == ExceptionRow.order_id)
        .order_by(groups.c.first_seen_at)
        .limit(limit)
    )
    return [Need(code, peer, redact(message), sn or "", *counted) for code, peer, message, sn, *counted in rows]


def find_last_need(session: Session) -> datetime | None:
    """When something last needed a person."""
    return session.execute(select(func.max(ExceptionGroupRow.last_seen_at))).scalar()


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one operation at one peer. A chain is all tries of one step; one still being tried has not ended."""

    peer: str
    operation: str
    ended: int
    ended_ok: int
    count: int
    first: int
    first_ok: int
    p50_ms: int
    p95_ms: int


SUCCESSES = ("ok", "adopted", "duplicate")


def group_calls(session: Session, since: datetime) -> list[Calls]:
    """Outbound calls since a moment by peer and operation."""
    ends = _group_chains(session, since)
    key = (AttemptRow.peer, AttemptRow.operation)
    ranked = (
        select(
            *key,
            AttemptRow.duration_ms,
            (AttemptRow.try_no == 1).label("is_first"),
            AttemptRow.outcome.in_(SUCCESSES).label("is_ok"),
            func.row_number().over(partition_by=key, order_by=AttemptRow.duration_ms).label("rank"),
            func.count().over(partition_by=key).label("total"),
        )
        .where(AttemptRow.started_at >= since)
        .subquery()
    )
    c = ranked.c
    rows = session.execute(
        select(
            c.peer,
            c.operation,
            func.count(),
            func.count(case((c.is_first, 1))),
            func.count(case((and_(c.is_first, c.is_ok), 1))),
            func.max(case((c.rank * 100 < c.total * 50 + 100, c.duration_ms))),
            func.max(case((c.rank * 100 < c.total * 95 + 100, c.duration_ms))),
        )
        .group_by(c.peer, c.operation)
        .order_by(c.peer, c.operation)
    )
    return [
        Calls(peer, operation, *ends.get((peer, operation), (0, 0)), *counted) for peer, operation, *counted in rows
    ]


def _group_chains(session: Session, since: datetime) -> dict[tuple[str, str], tuple[int, int]]:
    """(peer, operation) -> chains that ended, and those of them that ended well."""
    is_ok = func.max(case((AttemptRow.outcome.in_(SUCCESSES), 1), else_=0))
    chains = (
        select(AttemptRow.peer, AttemptRow.operation, AttemptRow.step_id, is_ok.label("is_ok"))
        .where(AttemptRow.started_at >= since)
        .group_by(AttemptRow.peer, AttemptRow.operation, AttemptRow.step_id)
        .subquery()
    )
    rows = session.execute(
        select(chains.c.peer, chains.c.operation, func.count(), func.sum(chains.c.is_ok))
        .join(StepRow, StepRow.id == chains.c.step_id)
        .where(or_(chains.c.is_ok == 1, StepRow.state == "parked"))
        .group_by(chains.c.peer, chains.c.operation)
    )
    return {(peer, operation): (ended, ended_ok) for peer, operation, ended, ended_ok in rows}


AGE_LIMITS_S = (60, 300, 900, 3600)
"""The backlog's ages: up to a minute, 5 minutes, a quarter of an hour, an hour, and older."""


def group_backlog(session: Session, now: datetime) -> dict[str, tuple[int, ...]]:
    """Peer (or `callbacks`) -> what waits there that could be done now, by age."""
    rows = session.execute(
        select(StepRow.peer, *_count_by_age(OWED_SINCE, now))
        .where(StepRow.state.in_(("owed", "running")), now >= OWED_SINCE)
        .group_by(StepRow.peer)
        .order_by(StepRow.peer)
    )
    backlog = {peer: tuple(counts) for peer, *counts in rows}
    pushes = session.execute(select(*_count_by_age(InboxRow.received_at, now)).where(InboxRow.verdict == "waiting"))
    return {**backlog, "callbacks": tuple(pushes.one())}


def _count_by_age(since: SQLColumnExpression[datetime], now: datetime) -> list[ColumnElement[int]]:
    limits = [now - timedelta(seconds=limit) for limit in AGE_LIMITS_S]
    newer = [since > limit for limit in limits]
    bands = [newer[0], *(and_(newer[n], ~newer[n - 1]) for n in range(1, len(newer))), ~newer[-1]]
    return [func.count(case((band, 1))) for band in bands]


@dataclass(frozen=True, slots=True)
class NewestOrder:
    """An order as a list shows it; the consignee is masked here already."""

    order_sn: str
    shop: str
    status: str
    consignee: str
    waybill_no: str
    pickup_at: datetime | None
    pickup_is_inferred: bool
    erp_no: str
    received_at: datetime


def list_newest(session: Session, limit: int = 20) -> list[NewestOrder]:
    """The orders taken in last, with their first parcel."""
    rows = session.execute(
        select(OrderRow, ShipmentRow)
        .outerjoin(ShipmentRow, and_(ShipmentRow.order_id == OrderRow.id, ShipmentRow.parcel_no == 1))
        .order_by(OrderRow.id.desc())
        .limit(limit)
    )
    return [_newest(order, parcel) for order, parcel in rows]


def _newest(order: OrderRow, parcel: ShipmentRow | None) -> NewestOrder:
    name = str(order.header.get("consignee", {}).get("name", ""))
    return NewestOrder(
        order_sn=order.order_sn,
        shop=order.shop,
        status=order.status,
        consignee=mask(name) if name else "",
        waybill_no=parcel.waybill_no if parcel else "",
        pickup_at=parcel.pickup_at if parcel else None,
        pickup_is_inferred=bool(parcel and parcel.pickup_is_inferred),
        erp_no=order.erp_no,
        received_at=order.received_at,
    )
