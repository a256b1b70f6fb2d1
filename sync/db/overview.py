"""How the house stands, in a few cheap reads: the gauges and the console ask the same questions here.

Every read stays small however long the house has run: it goes along an index, over what is unfinished, or over the
newest rows only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from sync.db.cursors import read_cursors
from sync.db.models import ExceptionGroupRow, ExceptionRow, InboxRow, OrderRow, PeerRow, ShipmentRow, StepRow
from sync.db.steps import UNFINISHED

OWED_SINCE = case((StepRow.name == "remind_review", StepRow.not_before), else_=StepRow.created_at)
"""Since when a step is owed; a reminder is written down days before its time."""


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
    awaiting_since: datetime | None
    picked_up_since: datetime | None
    stale_since: datetime | None


def group_parcels(session: Session) -> list[ParcelGroup]:
    """Parcels of open orders by tracking status."""
    rows = session.execute(
        select(
            ShipmentRow.status,
            func.count(),
            func.count(ShipmentRow.pickup_due_from),
            func.count(ShipmentRow.stale_since),
            func.min(ShipmentRow.pickup_due_from),
            func.min(ShipmentRow.pickup_at),
            func.min(ShipmentRow.stale_since),
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
    """One shop's last conservation check."""

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
    return Account(**numbers, unseen=len(said.get("unseen", ())), at=at)


def read_polls(session: Session) -> dict[str, datetime]:
    """Shop key -> when its last finished poll was."""
    return {key: at for key, (_, at) in read_cursors(session, "poll.").items()}


def read_heartbeat(session: Session) -> datetime | None:
    """When a worker last did the heartbeat task."""
    beat = read_cursors(session, "heartbeat").get("")
    return None if beat is None else beat[1]
