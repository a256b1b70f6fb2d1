"""Finds parcels on their way that want a query: overdue for pickup, without movement, late, or unheard of for a day.

The last of these is how lost pushes come to light. A sweep owes a bounded number of queries for each carrier, the
suspicious ones first and the oldest first, and never more than its account has left; the others wait for the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, func, or_, select
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.db.steps import UNFINISHED, StepBook, Wake
from sync.runtime import Runtime
from sync.services.query_parcel import DAILY, LATE, PICKUP, STEP, STILL, spacing_s, turns_left

REASONS = (PICKUP, STILL, LATE, DAILY)

BATCH = 100
"""Queries owed to one carrier at a time: bookings share its queue and must not wait behind a day's queries."""

FORGOTTEN_AFTER = timedelta(days=30)
"""No platform tells more of a parcel that has not moved for so long; whoever must know has been told."""


@dataclass(slots=True)
class Swept:
    """Whom to wake, and how many queries are owed by reason."""

    wakes: list[Wake] = field(default_factory=list)
    owed: Counter[str] = field(default_factory=Counter)


def sweep_parcels(rt: Runtime, *, reasons: Collection[str] = REASONS, limit: int = BATCH) -> Swept:
    """Owe the queries that are due now, at most `limit` for each carrier that may be asked."""
    swept = Swept()
    for peer in _askable(rt):
        with rt.database.reading() as session:
            room = min(limit - _count_owed(session, peer), _turns(rt, session, peer))
            found = dict(_find(rt, session, peer, reasons, room))
        if not found:
            continue
        with rt.database.writing() as session:
            book = StepBook(session)
            book.owe_again(STEP, peer, list(found))
        swept.wakes += book.wakes
        swept.owed.update(found.values())
    return swept


def _askable(rt: Runtime) -> list[str]:
    """A carrier that is away or paused is asked when it is back."""
    with rt.database.reading() as session:
        closed = rt.door.closed(session)
    return [carrier.key for carrier in rt.settings.carriers if carrier.key not in closed]


def _count_owed(session: Session, peer: str) -> int:
    owed = (StepRow.peer == peer, StepRow.name == STEP, StepRow.state.in_(("owed", "running")))
    return session.execute(select(func.count()).select_from(StepRow).where(*owed)).scalar_one()


def _turns(rt: Runtime, session: Session, peer: str) -> int:
    """What is owed already takes turns, too."""
    a_day = rt.peer(peer).queries_a_day
    return turns_left(session, peer, a_day) - _count_owed(session, peer) if a_day else BATCH


def _find(
    rt: Runtime, session: Session, peer: str, reasons: Collection[str], room: int
) -> Iterator[tuple[tuple[int, int, int], str]]:
    """(order id, shipment id, parcel number) of due parcels, each for its first reason."""
    seen: set[int] = set()
    for reason in REASONS:
        if reason not in reasons or len(seen) >= room:
            continue
        since, is_due = _due(rt, reason)
        wanted = (
            select(ShipmentRow.order_id, ShipmentRow.id, ShipmentRow.parcel_no)
            .join(OrderRow, OrderRow.id == ShipmentRow.order_id)
            .where(*_may_be_asked(rt, peer), is_due, ShipmentRow.id.not_in(seen))
            .order_by(since, ShipmentRow.id)
            .limit(room - len(seen))
        )
        for row in session.execute(wanted):
            seen.add(row.id)
            yield (row.order_id, row.id, row.parcel_no), reason


def _may_be_asked(rt: Runtime, peer: str) -> Iterator[ColumnElement[bool]]:
    """Of this carrier, with a number, not asked about within its spacing, and no query on its way."""
    unfinished = select(StepRow.id).where(
        StepRow.order_id == ShipmentRow.order_id,
        StepRow.parcel_no == ShipmentRow.parcel_no,
        StepRow.name == STEP,
        StepRow.state.in_(UNFINISHED),
    )
    asked_before = utc_now() - timedelta(seconds=spacing_s(rt, peer))
    yield ShipmentRow.peer == peer
    yield ShipmentRow.waybill_no != ""
    yield or_(ShipmentRow.queried_at.is_(None), ShipmentRow.queried_at <= asked_before)
    yield ~unfinished.exists()


def _due(rt: Runtime, reason: str) -> tuple[SQLColumnExpression[Any], ColumnElement[bool]]:
    """By which time the oldest are found, and what makes a parcel due; `query_parcel.suspicion` says the same."""
    now, settings = rt.clock.now(), rt.settings
    is_owed = OrderRow.state != "withdrawn"
    is_untold = and_(
        ShipmentRow.pickup_at.is_not(None),
        ShipmentRow.still_since.is_(None),
        ShipmentRow.undelivered_since.is_(None),
    )
    if reason == PICKUP:
        overdue = now - timedelta(seconds=settings.stale_pickup_after_s)
        return ShipmentRow.pickup_due_from, and_(ShipmentRow.pickup_due_from < overdue, OrderRow.state == "open")
    if reason == STILL:
        still = now - timedelta(seconds=settings.still_after_s)
        return ShipmentRow.moved_at, and_(ShipmentRow.moved_at < still, is_untold, is_owed)
    if reason == LATE:
        return ShipmentRow.deliver_by, and_(ShipmentRow.deliver_by < now, is_untold, is_owed)
    asked_before = utc_now() - timedelta(seconds=settings.reconcile_parcels_after_s / rt.clock.speed)
    is_rested = or_(ShipmentRow.queried_at.is_(None), ShipmentRow.queried_at <= asked_before)
    # A withdrawn order's waybill is being voided, unless the courier has the parcel.
    return ShipmentRow.heard_at, and_(_is_silent(rt), is_rested, or_(is_owed, ShipmentRow.pickup_at.is_not(None)))


def _is_silent(rt: Runtime) -> ColumnElement[bool]:
    now = rt.clock.now()
    return and_(
        ShipmentRow.heard_at < now - timedelta(seconds=rt.settings.reconcile_parcels_after_s),
        func.coalesce(ShipmentRow.moved_at, ShipmentRow.booked_at, ShipmentRow.heard_at) > now - FORGOTTEN_AFTER,
    )


def count_silent(rt: Runtime, session: Session) -> dict[str, int]:
    """Carrier -> parcels on their way that nothing was heard of for longer than a query should take."""
    counted = select(ShipmentRow.peer, func.count()).where(_is_silent(rt)).group_by(ShipmentRow.peer)
    return dict(session.execute(counted).all())
