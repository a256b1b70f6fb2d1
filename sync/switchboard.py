"""How the carriers stand for new parcels: what a person switched, and who has been away for too long.

Read from the database by every process, at most a second old: a switch is in force everywhere within seconds, and its
end comes by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import PeerRow, SwitchRow
from sync.db.session import Database
from sync.peers import Closed

PAUSED, DRAINING = "paused", "draining"
DEFAULT = "default"
"""The switch that names the default carrier."""

CACHE_S = 1.0
LOOK_AGAIN_S = 30.0
"""A step that waits for a switch looks again so often; resuming wakes it at once."""

_CARRIER = "carrier."


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch in force; `mode` is paused or draining, for `default` the key of a carrier."""

    what: str
    mode: str
    reason: str
    actor: str
    since: datetime
    until: datetime | None

    @property
    def next_look_at(self) -> datetime:
        """When a step that waits for it should look again."""
        soon = utc_now() + timedelta(seconds=LOOK_AGAIN_S)
        return soon if self.until is None else min(soon, self.until)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force now. `away` says since when a carrier has been in trouble that has been away for too long."""

    switches: Mapping[str, Switch]
    away: Mapping[str, datetime]

    def closed(self) -> dict[str, str]:
        """Where no new parcel may go -> why, by carrier name, with the courier company or account after a slash."""
        closed = {
            peer.removeprefix(_CARRIER): f"{peer.removeprefix(_CARRIER)} is away since {since:%m-%d %H:%M} UTC"
            for peer, since in self.away.items()
        }
        for switch in self.switches.values():
            if switch.what != DEFAULT:
                target = switch.what.removeprefix(_CARRIER)
                closed[target] = f"{target} is {switch.mode}: {switch.reason}"
        return closed

    def pause_of(self, peer: str, *parts: str) -> Switch | None:
        """The switch that forbids any call to a peer, or to a courier company or account there."""
        for what in (peer, *(f"{peer}/{part}" for part in parts if part)):
            switch = self.switches.get(what)
            if switch is not None and switch.mode == PAUSED:
                return switch
        return None

    def default_carrier(self, configured: Sequence[str]) -> str:
        """The key of the default carrier: the switched one where it is configured, else the first."""
        switch = self.switches.get(DEFAULT)
        return switch.mode if switch is not None and switch.mode in configured else configured[0]


class Switchboard:
    """Tells how the carriers stand. A carrier away for `failover_after_s` seconds counts as closed; 0: never."""

    def __init__(self, database: Database, *, failover_after_s: float) -> None:
        self._database = database
        self._failover_after_s = failover_after_s
        self._lock = threading.Lock()
        self._read_at = -1e9
        self._switches: list[Switch] = []
        self._troubles: list[tuple[str, datetime, datetime]] = []

    def read(self, session: Session | None = None) -> Standing:
        """What is in force now; asks the caller's session where there is one."""
        with self._lock:
            if time.monotonic() - self._read_at > CACHE_S:
                if session is not None:
                    self._load(session)
                else:
                    with self._database.reading() as own:
                        self._load(own)
            switches, troubles = self._switches, self._troubles
        now = utc_now()
        in_force = {one.what: one for one in switches if one.until is None or one.until > now}
        limit = now - timedelta(seconds=self._failover_after_s)
        away = {peer: began for peer, closed_at, began in troubles if self._failover_after_s and closed_at <= limit}
        return Standing(in_force, away)

    def pause_of(self, peer: str) -> Closed | None:
        """Why no call at all may be made to a peer now: a person paused it."""
        switch = self.read().pause_of(peer)
        return None if switch is None else Closed(f"it is paused: {switch.reason}", switch.next_look_at)

    def paused_peers(self, session: Session) -> list[str]:
        """The peers that nobody may call now because a person paused them."""
        return [what for what, switch in self.read(session).switches.items() if switch.mode == PAUSED]

    def forget(self) -> None:
        """Drop what was read a moment ago; the next question reads the database."""
        with self._lock:
            self._read_at = -1e9

    def _load(self, session: Session) -> None:
        self._switches = [
            Switch(row.what, row.mode, row.reason, row.actor, row.since, row.until)
            for row in session.execute(select(SwitchRow).order_by(SwitchRow.what)).scalars()
        ]
        closed = select(PeerRow.peer, PeerRow.closed_at, PeerRow.failing_since).where(
            PeerRow.state != "on", PeerRow.closed_at.is_not(None), PeerRow.peer.startswith(_CARRIER)
        )
        self._troubles = [(peer, at, began or at) for peer, at, began in session.execute(closed) if at is not None]
        self._read_at = time.monotonic()
