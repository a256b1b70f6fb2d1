"""What became of a parcel: the canonical statuses, carriers' tables onto them, the fold from events to one status.

The fold looks at the set of events and never at the order they arrived in, so a late, repeated or old push can do
no harm. Its words stand in `status.toml`, its rules one by one in tests/unit/test_fold.py.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from mappings.model import EventKind, TrackingEvent
from mappings.tables import path_of, read_table

ATTENTION = ("none", "watch", "action")
"""How much a status wants a person, in rising order."""

SUBSCRIPTION_ENDED = "subscription_ended"
"""The incident of an event that says: the platform stopped following this number, and may be asked to go on."""

STAFF = "staff"
"""The platform of an event that a person entered (its `raw_code` is the status): it may leave any status."""

_NEVER = datetime.max.replace(tzinfo=UTC)

FUTURE_TOLERANCE = timedelta(minutes=10)
BOOKING_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Status:
    """A canonical status. `rank` orders events of one second; `implies_pickup` stops the stale-pickup sweep."""

    id: str
    rank: int
    kind: str
    implies_pickup: bool
    zh: str
    en: str

    @property
    def is_terminal(self) -> bool:
        return self.kind == "terminal"


_VOCABULARY = read_table("mappings", "status.toml")

STATUSES: Mapping[str, Status] = {id_: Status(id_, **row) for id_, row in _VOCABULARY["status"].items()}

_NO_EVIDENCE, _PROVISIONAL, _FALSE_PICKUP, _REVIVED = (
    frozenset(_VOCABULARY["incidents"][role])
    for role in ("no_pickup_evidence", "provisional_pickup", "false_pickup", "revived")
)
_CLOSED = frozenset({"delivered", "returned", "lost"})
_RETURN_LEG = frozenset({"rejected", "returning", "returned"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code of a carrier means. `canonical` is None when the code changes no status."""

    code: str
    zh: str
    canonical: str | None
    incident: str = ""
    attention: str = "none"


@dataclass(frozen=True, slots=True)
class StatusTable:
    """A carrier's own status.toml: channel and code -> meaning. A code it does not hold is never guessed."""

    package: str
    channels: Mapping[str, Mapping[str, Meaning]]

    @classmethod
    def of(cls, package: str) -> StatusTable:
        """Read `status.toml` of a connector's package; raises ValueError naming the line that is wrong."""
        channels: dict[str, dict[str, Meaning]] = {}
        for channel, rows in read_table(package, "status.toml").items():
            channels[channel] = {code: _read_meaning(f"[{channel}] {code}", code, row) for code, row in rows.items()}
        return cls(package, channels)

    def look_up(self, channel: str, code: str) -> Meaning | None:
        """The meaning, or None: nobody mapped this code in this channel."""
        return self.channels.get(channel, {}).get(code)

    def line_to_add(self, channel: str, code: str) -> str:
        """Where and how a person maps a code that is missing."""
        path = path_of(self.package, "status.toml")
        key = code if code.isascii() and code.isalnum() else json.dumps(code, ensure_ascii=False)
        return f'Add to {path} under [{channel}]: {key} = {{ zh = "…", canonical = "…" }}'


def _read_meaning(line: str, code: str, row: Mapping[str, str]) -> Meaning:
    canonical, attention = row["canonical"] or None, row.get("attention", "none")
    if canonical is not None and canonical not in STATUSES:
        raise ValueError(f"{line}: {canonical!r} is none of the canonical statuses")
    if attention not in ATTENTION:
        raise ValueError(f"{line}: attention {attention!r} is none of {', '.join(ATTENTION)}")
    return Meaning(code, row["zh"], canonical, row.get("incident", ""), attention)


def event_key(event: TrackingEvent) -> str:
    """The dedupe key of an event, 64 hex digits: the same fact told twice has the same key.

    A booking that has no waybill number yet is known by its order code, or two failures of one second would be one.
    The push time is no part of it: of two tellings, keep the one with the later `observed_at`.
    """
    text = " ".join(unicodedata.normalize("NFKC", event.text).split())
    parcel = event.waybill_no or f"order {event.order_code}"
    at = event.event_at.astimezone(UTC).isoformat()
    fact = (event.platform, event.shipper_code, parcel, at, event.kind, event.channel, event.raw_code, text)
    return hashlib.sha256(json.dumps(fact).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Tracking:
    """The conclusion about one parcel.

    `pickup_at` None keeps the stale-pickup sweep running; `pickup_is_inferred` says no pickup scan came and the
    first later scan stands for it, `pickup_is_provisional` that only the courier's word is there so far.
    `pickup_revoked_at` restarts the sweep's clock. `last_scan_at` is the newest fact, for the no-movement sweep.
    Flags: post_delivery_event, picked_up_after_cancel, cancel_after_pickup, false_pickup_contradicted,
    future_event, before_booking, unmapped.
    """

    status: str = "unknown"
    status_at: datetime | None = None
    incident: str = ""
    attention: str = "none"
    pickup_at: datetime | None = None
    pickup_is_inferred: bool = False
    pickup_is_provisional: bool = False
    pickup_revoked_at: datetime | None = None
    delivered_at: datetime | None = None
    last_scan_at: datetime | None = None
    flags: frozenset[str] = frozenset()


def fold(events: Iterable[TrackingEvent], *, booked_at: datetime | None, now: datetime) -> Tracking:
    """Conclude from all events of a parcel, in any order and with any repeats.

    `booked_at` is when the waybill was issued at the earliest: a number can have had an earlier life. All times aware.
    """
    walk = _Walk()
    counted = []
    for event in _distinct(events):
        if event.event_at > now + FUTURE_TOLERANCE:
            walk.flags.add("future_event")
        elif booked_at is not None and event.event_at < booked_at - BOOKING_TOLERANCE:
            walk.flags.add("before_booking")
        else:
            counted.append(event)
            if not event.is_mapped:
                walk.flags.add("unmapped")
    for event in sorted(_without_stale_snapshots(counted), key=_place):
        walk.take(event)
    return walk.conclude()


def join(packages: Sequence[Tracking]) -> Tracking:
    """One conclusion for a parcel of several packages: the one that wants a person most, else the slowest, stands for
    it; picked up with the first, delivered with the last. A cancelled package, or one without news, counts for nothing
    beside others."""
    counted = [one for one in packages if one.status not in ("unknown", "cancelled")] or list(packages)
    if len(packages) == 1:
        return packages[0]
    lead = max(counted, key=lambda one: (ATTENTION.index(one.attention), -STATUSES[one.status].rank))
    first = min((one for one in packages if one.pickup_at), key=lambda one: one.pickup_at or _NEVER, default=lead)
    delivered = [one.delivered_at for one in counted if one.delivered_at]
    return replace(
        lead,
        pickup_at=first.pickup_at,
        pickup_is_inferred=first.pickup_is_inferred,
        pickup_is_provisional=first.pickup_is_provisional,
        pickup_revoked_at=max(filter(None, (one.pickup_revoked_at for one in packages)), default=None),
        delivered_at=max(delivered) if len(delivered) == len(counted) else None,
        last_scan_at=max(filter(None, (one.last_scan_at for one in packages)), default=None),
        flags=frozenset().union(*(one.flags for one in packages)),
    )


def _distinct(events: Iterable[TrackingEvent]) -> Iterable[TrackingEvent]:
    """Each fact once, as it was told last (or first understood)."""
    found: dict[str, TrackingEvent] = {}
    for event in events:
        key = event_key(event)
        found[key] = max(found.get(key, event), event, key=_telling)
    return found.values()


def _telling(event: TrackingEvent) -> tuple[datetime, bool, int, str]:
    # `repr` only makes the choice independent of the order.
    return event.observed_at, event.is_mapped, event.sequence, repr(event)


def _without_stale_snapshots(events: list[TrackingEvent]) -> Iterable[TrackingEvent]:
    """Drop a snapshot that a later look at the same newest trace replaced (or any later look, if it had no traces).

    An end (delivered, cancelled …) is never dropped: ends have rules of their own.
    """
    latest: dict[datetime, datetime] = {}
    for event in events:
        if event.kind is EventKind.SNAPSHOT and event.canonical is not None:
            latest[event.event_at] = max(event.observed_at, latest.get(event.event_at, event.observed_at))
    latest_of_all = max(latest.values(), default=None)
    for event in events:
        replaced_at = latest_of_all if event.sequence == 0 else latest.get(event.event_at)
        is_stale = replaced_at is not None and replaced_at > event.observed_at
        if event.kind is not EventKind.SNAPSHOT or not is_stale or _is_terminal(event):
            yield event


def _is_terminal(event: TrackingEvent) -> bool:
    return event.canonical is not None and STATUSES[event.canonical].is_terminal


def _place(event: TrackingEvent) -> tuple[datetime, int, int, int, str]:
    """Where an event stands: by time; in one second traces by rank, then what is said of the whole, then staff."""
    voice = 2 if event.platform == STAFF else int(event.kind is EventKind.SNAPSHOT)
    rank = STATUSES[event.canonical].rank if event.canonical else 0
    return event.event_at, voice, rank, event.sequence, event_key(event)


def _proves_pickup(event: TrackingEvent) -> bool:
    if event.canonical is None or event.incident in _NO_EVIDENCE:
        return False
    return STATUSES[event.canonical].implies_pickup


class _Walk:
    """The fold's state while it walks along the events in time."""

    def __init__(self) -> None:
        self.status = "unknown"
        self.status_at: datetime | None = None
        self.incident = ""
        self.attention = "none"
        self.proofs: list[TrackingEvent] = []
        self.uncoded_scans: list[TrackingEvent] = []
        self.revoked_at: datetime | None = None
        self.delivered_at: datetime | None = None
        self.last_scan_at: datetime | None = None
        self.flags: set[str] = set()

    def take(self, event: TrackingEvent) -> None:
        if event.kind is not EventKind.SNAPSHOT and event.platform != STAFF:
            self.last_scan_at = event.event_at
        if event.kind is EventKind.TRACE and not event.raw_code:
            self.uncoded_scans.append(event)
        if event.canonical is None:
            return
        if event.platform == STAFF:
            self._obey(event)
            return
        if _proves_pickup(event):
            self.proofs.append(event)
        self._judge(event, event.canonical)

    def _obey(self, event: TrackingEvent) -> None:
        """A person's word: it ends whatever was, and one that denies the pickup voids the proofs before it."""
        if _proves_pickup(event):
            self.proofs.append(event)
        else:
            self._void_proofs()
        self._move(event, str(event.canonical))

    def _judge(self, event: TrackingEvent, status: str) -> None:
        if event.incident in _FALSE_PICKUP and self.status != "cancelled":
            self._revoke_pickup(event)
        elif status == self.status:
            self._repeat(event)
        elif self.status in _CLOSED:
            self._judge_after_close(event, status)
        elif self.status == "cancelled":
            self._judge_after_cancel(event, status)
        elif status == "cancelled" and self.proofs:
            self.flags.add("cancel_after_pickup")
            self._move(event, "exception", incident="cancel_after_pickup", attention="action")
        elif STATUSES[status].rank and not (self.proofs and STATUSES[status].rank < STATUSES["picked_up"].rank):
            self._move(event, status)

    def _judge_after_close(self, event: TrackingEvent, status: str) -> None:
        if self.status_at is None or event.event_at <= self.status_at:
            return
        if self.status == "delivered" and status in _RETURN_LEG:
            self._move(event, status)
        elif STATUSES[status].rank:
            self.flags.add("post_delivery_event")

    def _judge_after_cancel(self, event: TrackingEvent, status: str) -> None:
        if _proves_pickup(event):
            self.flags.add("picked_up_after_cancel")
            self._move(event, status, attention="action")
        elif event.incident in _REVIVED:
            self._move(event, status)

    def _revoke_pickup(self, event: TrackingEvent) -> None:
        """The carrier takes its pickup back; scans along the way contradict that and win."""
        if any(proof.kind is not EventKind.PICKUP or proof.canonical != "picked_up" for proof in self.proofs):
            self.flags.add("false_pickup_contradicted")
            return
        self._void_proofs()
        self.revoked_at = event.event_at
        self._move(event, "pickup_failed")

    def _void_proofs(self) -> None:
        self.proofs.clear()
        self.uncoded_scans.clear()

    def _repeat(self, event: TrackingEvent) -> None:
        """The same status again: newer words count, but a bare snapshot does not wipe a trace's finer ones."""
        if event.kind is not EventKind.SNAPSHOT or event.incident or event.attention != "none":
            self.incident, self.attention = event.incident, event.attention

    def _move(self, event: TrackingEvent, status: str, *, incident: str = "", attention: str = "") -> None:
        self.status, self.status_at = status, event.event_at
        self.incident = incident or event.incident
        self.attention = attention or event.attention
        if status == "delivered":
            self.delivered_at = event.event_at

    def conclude(self) -> Tracking:
        scans = [proof for proof in self.proofs if proof.canonical == "picked_up"]
        explicit = [scan for scan in scans if scan.kind is not EventKind.SNAPSHOT]
        # Traces without any code (KDNiao push 101) are scans all the same once something proves a pickup.
        inferred = [*self.proofs, *self.uncoded_scans] if self.proofs and not explicit else []
        return Tracking(
            status=self.status,
            status_at=self.status_at,
            incident=self.incident,
            attention=max(self.attention, "watch" if "unmapped" in self.flags else "none", key=ATTENTION.index),
            pickup_at=min((event.event_at for event in explicit or inferred), default=None),
            pickup_is_inferred=bool(inferred),
            pickup_is_provisional=bool(explicit) and all(proof.incident in _PROVISIONAL for proof in self.proofs),
            pickup_revoked_at=self.revoked_at,
            delivered_at=self.delivered_at,
            last_scan_at=self.last_scan_at,
            flags=frozenset(self.flags),
        )
