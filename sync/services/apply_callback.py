"""Applies one stored push: read it with today's tables, merge its events, say what it did."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mappings.connector import CallbackRefused, NumberingErp
from mappings.errors import PeerError
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import InboxRow
from sync.db.steps import StepBook, Wake
from sync.redaction import redact
from sync.runtime import Runtime
from sync.services.take_numbers import take_numbers
from sync.services.track import Merged, merge_events

log = logging.getLogger(__name__)

MAX_TELLINGS = 5
"""A push that was told this often and never applied is set aside: it may be what kills the workers."""


def find_waiting(session: Session, *, is_queue_empty: bool, limit: int = 200) -> list[int]:
    """Pushes that nobody was told of, or, when the queue is empty, whose message is lost."""
    wanted = (
        select(InboxRow.id)
        .where(InboxRow.verdict == "waiting", InboxRow.not_before <= utc_now())
        .order_by(InboxRow.id)
        .limit(limit)
    )
    if not is_queue_empty:
        wanted = wanted.where(InboxRow.tellings == 0)
    return list(session.execute(wanted).scalars())


def mark_told(session: Session, ids: list[int], *, requeue_after_s: float) -> list[int]:
    """Remember that these pushes are being told; returns those worth telling, sets the poisonous ones aside."""
    again_at = utc_now() + timedelta(seconds=requeue_after_s)
    chosen = InboxRow.id.in_(ids) & (InboxRow.verdict == "waiting")
    session.execute(update(InboxRow).where(chosen).values(not_before=again_at, tellings=InboxRow.tellings + 1))
    poison = session.execute(select(InboxRow).where(chosen, InboxRow.tellings > MAX_TELLINGS)).scalars().all()
    for row in poison:
        _set_aside(session, row, f"{MAX_TELLINGS} workers were told of it and none came back")
    set_aside = {row.id for row in poison}
    return [inbox_id for inbox_id in ids if inbox_id not in set_aside]


def apply_callback(rt: Runtime, inbox_id: int) -> list[Wake]:
    """Apply a waiting push; returns whom to wake. No effect when it was applied before."""
    with rt.database.writing() as session:
        row = session.get(InboxRow, inbox_id, with_for_update=True)
        if row is None or row.verdict != "waiting":
            return []
        book = StepBook(session)
        _apply(rt, book, row)
        row.applied_at = utc_now()
        source, verdict = row.source, row.verdict
    rt.counters.inbox.labels(source, verdict).inc()
    return book.wakes


def _apply(rt: Runtime, book: StepBook, row: InboxRow) -> None:
    if row.source in rt.erps:
        _apply_numbers(rt, book, row)
        return
    carrier = rt.carriers.get(row.source)
    if carrier is None:
        _set_aside(book.session, row, f"{row.source} is not configured any more")
        return
    try:
        callback = carrier.read_callback(row.body, row.content_type, rt.clock.at(row.received_at))
    except (CallbackRefused, PeerError) as problem:
        _set_aside(book.session, row, str(problem))
        return
    merged = merge_events(rt, book, row.source, callback.events, callback.changes, inbox_id=row.id)
    row.verdict, row.detail = _verdict(merged, callback.problems), _say(merged, callback.ignored, callback.problems)
    if callback.problems:
        _report(book.session, row, "; ".join(callback.problems))


def _apply_numbers(rt: Runtime, book: StepBook, row: InboxRow) -> None:
    try:
        told = cast(NumberingErp, rt.pusher(row.source)).read_numbers(row.body, row.content_type)
    except KeyError:
        _set_aside(book.session, row, f"{row.source} is not set up to tell numbers any more")
    except CallbackRefused as problem:
        _set_aside(book.session, row, str(problem))
    else:
        row.verdict, row.detail = take_numbers(rt, book.session, row.source, told)


def _verdict(merged: Merged, problems: Iterable[str]) -> str:
    if merged.unmapped:
        return "unmapped"
    if any(problems):
        return "unreadable" if not merged.new else "applied"
    if merged.new:
        return "orphan" if merged.orphans >= merged.new else "applied"
    return "stale"


def _say(merged: Merged, ignored: int, problems: Iterable[str]) -> str:
    parts = [f"{merged.new} new, {merged.known} known before, {merged.orphans} of no parcel of ours"]
    if ignored:
        parts.append(f"{ignored} without a status")
    return "; ".join([*parts, *problems])


def _set_aside(session: Session, row: InboxRow, reason: str) -> None:
    row.verdict, row.detail = "unreadable", redact(reason)
    _report(session, row, reason)


def _report(session: Session, row: InboxRow, reason: str) -> None:
    message = (
        f"Callback {row.id} from {row.source} could not be read whole: {redact(reason)}. It is kept as received; "
        f"after a correction replay it: ecsync callbacks replay {row.id}"
    )
    cause = desk.Cause("callback.unreadable", row.source, f"inbox:{row.id}", message, inbox_id=row.id)
    desk.open_exception(session, cause)
