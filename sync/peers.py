"""The door to each peer: a breaker in the database, so that all workers see the same state.

A peer that fails `failures` times in a row is away: calls wait, uncounted, and one probe is let through at a time.
A peer that refuses our credentials is probed rarely. The first success opens the door again. A peer that a person
paused stays closed until that person, or its time, says otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import PeerRow
from sync.db.session import Database, count_changed

REFUSED_PROBE_S = 300.0
"""A refused key is tried again every five minutes: often enough to notice the correction, too rare to be locked out."""

LONGEST_WISH_S = 600.0
"""No peer keeps its orders waiting longer than that by one answer: it may be well again long before."""

CACHE_S = 1.0


@dataclass(frozen=True, slots=True)
class Closed:
    """Why no call may be made now, and when to ask again."""

    reason: str
    until: datetime


class Pauses(Protocol):
    """What a person switched off."""

    def pause_of(self, peer: str) -> Closed | None: ...

    def paused_peers(self, session: Session) -> list[str]: ...


class PeerDoor:
    """Asks and tells how a peer stands. `on_recovered` and `on_refused` run inside the transaction that saw it."""

    def __init__(
        self,
        database: Database,
        *,
        failures: int = 5,
        probe_s: float = 10.0,
        on_recovered: Callable[[Session, str, datetime], None] | None = None,
        on_refused: Callable[[Session, str, str], None] | None = None,
        pauses: Pauses | None = None,
    ) -> None:
        self._database = database
        self._failures = failures
        self._probe_s = probe_s
        self._on_recovered = on_recovered
        self._on_refused = on_refused
        self._pauses = pauses
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, PeerRow | None]] = {}
        self._answered: dict[str, float] = {}

    def ask(self, peer: str) -> Closed | None:
        """None when a call may be made; a peer that is away lets one caller through at each probe time."""
        pause = self._pauses.pause_of(peer) if self._pauses else None
        if pause is not None:
            return pause
        row = self._row(peer)
        if row is None or row.state == "on" or row.probe_at is None:
            return None
        now = utc_now()
        if row.probe_at <= now and self._take_probe(row, now):
            return None
        reason = "credentials are refused" if row.state == "refused" else "it is away"
        return Closed(reason, max(row.probe_at, now + timedelta(seconds=1)))

    def closed(self, session: Session) -> list[str]:
        """The peers that no call may be made to now; one whose probe is due is not among them."""
        wanted = select(PeerRow.peer).where(PeerRow.state != "on", PeerRow.probe_at > utc_now())
        paused = self._pauses.paused_peers(session) if self._pauses else []
        return [*session.execute(wanted).scalars(), *paused]

    def succeeded(self, peer: str) -> None:
        """The peer answered; writes only when it had been failing."""
        self._answered[peer] = time.monotonic()
        row = self._row(peer)
        if row is None or (row.state == "on" and row.failures == 0):
            return
        with self._database.writing() as session:
            current = session.get(PeerRow, peer, with_for_update=True)
            if current is None:
                return
            was_closed, since = current.state != "on", current.failing_since
            current.state, current.failures, current.failing_since = "on", 0, None
            current.probe_at, current.closed_at, current.cause = None, None, ""
            if was_closed and self._on_recovered:
                self._on_recovered(session, peer, since or utc_now())
        self._forget(peer)

    def failed(self, peer: str, cause: str, wish_s: float = 0) -> None:
        """The peer was busy, away or unclear; enough of these in a row close the door.

        `wish_s` is how long it wants to be left alone: a peer that throttles us is not probed sooner.
        """
        with self._database.writing() as session:
            row = self._ensure(session, peer)
            row.failures = 1 if self._answered_lately(peer) else row.failures + 1
            row.failing_since = row.failing_since or utc_now()
            row.cause = cause
            if row.failures >= self._failures and row.state == "on":
                row.state, row.closed_at = "away", utc_now()
                row.probe_at = utc_now() + timedelta(seconds=self._probe_s)
            if row.state == "away" and wish_s > self._probe_s:
                row.probe_at = utc_now() + timedelta(seconds=min(wish_s, LONGEST_WISH_S))
        self._forget(peer)

    def refused(self, peer: str, cause: str) -> None:
        """The peer refuses our key: every further call would be refused too."""
        with self._database.writing() as session:
            row = self._ensure(session, peer)
            is_news = row.state != "refused"
            row.closed_at = row.closed_at or utc_now()
            row.state, row.cause = "refused", cause
            row.failing_since = row.failing_since or utc_now()
            row.probe_at = utc_now() + timedelta(seconds=REFUSED_PROBE_S)
            if is_news and self._on_refused:
                self._on_refused(session, peer, cause)
        self._forget(peer)

    def _answered_lately(self, peer: str) -> bool:
        """Whether this process had an answer that others may not have seen yet: then no row of failures is unbroken."""
        return time.monotonic() - self._answered.get(peer, -1e9) < 2 * CACHE_S

    def _take_probe(self, row: PeerRow, now: datetime) -> bool:
        interval = REFUSED_PROBE_S if row.state == "refused" else self._probe_s
        with self._database.writing() as session:
            taken = session.execute(
                update(PeerRow)
                .where(PeerRow.peer == row.peer, or_(PeerRow.probe_at <= now, PeerRow.probe_at.is_(None)))
                .values(probe_at=now + timedelta(seconds=interval))
            )
        self._forget(row.peer)
        return count_changed(taken) == 1

    def _ensure(self, session: Session, peer: str) -> PeerRow:
        session.execute(self._database.insert_new(PeerRow), {"peer": peer, "state": "on", "failures": 0, "cause": ""})
        return session.execute(select(PeerRow).where(PeerRow.peer == peer).with_for_update()).scalar_one()

    def _row(self, peer: str) -> PeerRow | None:
        with self._lock:
            read_at, row = self._seen.get(peer, (0.0, None))
            if time.monotonic() - read_at < CACHE_S:
                return row
        with self._database.reading() as session:
            row = session.get(PeerRow, peer)
        with self._lock:
            self._seen[peer] = (time.monotonic(), row)
        return row

    def forget(self) -> None:
        """Drop what was read a moment ago; the next question reads the database."""
        with self._lock:
            self._seen.clear()

    def _forget(self, peer: str) -> None:
        with self._lock:
            self._seen.pop(peer, None)
