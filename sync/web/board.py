"""The overview as values: read once, judged, and ready to be said in any language."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from mappings.china_time import SHANGHAI
from mappings.status import STATUSES
from sync.clock import utc_now
from sync.db import overview
from sync.db.overview import Account, Calls, Cohort, Need, NewestOrder, ParcelGroup, StepGroup
from sync.runtime import Runtime
from sync.settings import PeerSettings
from sync.settings_stock import StockSettings
from sync.switchboard import Switch
from sync.web.words import Cause, explain

CALLS_WINDOW = timedelta(minutes=15)
HEARTBEAT_LIMIT_S = 120
"""The heartbeat is due every few seconds; older than this, workers stand still."""

LATE_POLLS = 5
"""A shop whose last poll, or run of stock, is older than so many intervals needs a look."""

_TONES = {"bad": 0, "warn": 1, "hold": 2}
_UNDER_WAY = {"owed", "running"}


@dataclass(frozen=True, slots=True)
class NeedLine:
    """A cause with its meaning; `waiting` counts the steps that stand still because of it."""

    need: Need
    cause: Cause
    waiting: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the flow; `oldest_s` is the age of the oldest order that is not through."""

    name: str
    done: int
    moving: int
    stuck: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class PeerLine:
    """A peer, whether calls to it are let through, and its calls."""

    peer: PeerSettings
    door: str
    calls: tuple[Calls, ...]


@dataclass(frozen=True, slots=True)
class ShopStock:
    """How a shop's figures follow an ERP's: None for an unnamed one, seconds since the last run that was let through.

    `is_with_person`: something of it lies on the desk.
    """

    erp: PeerSettings | None
    settings: StockSettings
    age_s: float | None
    is_late: bool
    is_with_person: bool


@dataclass(frozen=True, slots=True)
class ShopLine:
    """A shop: seconds since its last poll, whether that is late, its account, where its orders go, and its stock.

    `erps_setting` is the variable that names these ERPs; empty where all get its orders.
    """

    name: str
    poll_s: float | None
    is_late: bool
    account: Account | None
    checked_s: float
    erps: tuple[PeerSettings, ...]
    erps_setting: str
    stock: ShopStock


@dataclass(frozen=True, slots=True)
class Board:
    """Everything the overview shows."""

    as_of: datetime
    heartbeat_s: float | None
    needs: tuple[NeedLine, ...]
    last_need_at: datetime | None
    stages: tuple[Stage, ...]
    switches: tuple[Switch, ...]
    peers: tuple[PeerLine, ...]
    backlog: dict[str, tuple[int, ...]]
    shops: tuple[ShopLine, ...]
    orders: tuple[NewestOrder, ...]

    @property
    def is_consuming(self) -> bool:
        return self.heartbeat_s is not None and self.heartbeat_s <= HEARTBEAT_LIMIT_S


def read_board(rt: Runtime) -> Board:
    """How the house stands now; raises SQLAlchemyError while the database is away."""
    now = utc_now()
    with rt.database.reading() as session:
        steps = overview.group_steps(session)
        needs = overview.group_needs(session)
        beat = overview.read_heartbeat(session)
        return Board(
            as_of=now,
            heartbeat_s=None if beat is None else _seconds(now, beat),
            needs=_explain(needs, steps),
            last_need_at=overview.find_last_need(session),
            stages=_stages(rt, session, now, steps, needs),
            switches=tuple(rt.switchboard.read(session).switches.values()),
            peers=_peers(rt, session, now),
            backlog={peer: ages for peer, ages in overview.group_backlog(session, now).items() if sum(ages)},
            shops=_shops(rt, session, now, needs),
            orders=tuple(overview.list_newest(session)),
        )


class LatestBoard:
    """One reading a second serves everybody who looks: many viewers must not take the receiver's threads."""

    KEEP_S = 0.9

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = -1e9
        self._found: Board | SQLAlchemyError | None = None

    def read(self, rt: Runtime) -> Board:
        """The board, at most a second old; raises SQLAlchemyError while the database is away."""
        with self._lock:
            if self._found is None or time.monotonic() - self._read_at > self.KEEP_S:
                try:
                    self._found = read_board(rt)
                except SQLAlchemyError as problem:
                    self._found = problem
                self._read_at = time.monotonic()
            if isinstance(self._found, SQLAlchemyError):
                raise self._found.with_traceback(None)
            return self._found


def _seconds(now: datetime, since: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _oldest(now: datetime, *times: datetime | None) -> float | None:
    given = [at for at in times if at is not None]
    return _seconds(now, min(given)) if given else None


def _explain(needs: list[Need], steps: list[StepGroup]) -> tuple[NeedLine, ...]:
    """Whole peers that stand still first, then what waits longest."""
    lines = [NeedLine(need, cause := explain(need.code), _waiting(need, cause, steps)) for need in needs]
    return tuple(sorted(lines, key=lambda line: (_TONES[line.cause.tone], line.need.first_seen_at)))


def _waiting(need: Need, cause: Cause, steps: list[StepGroup]) -> int:
    if cause.tone != "bad":
        return 0
    return sum(group.count for group in steps if group.peer == need.peer and group.state in _UNDER_WAY)


def _stages(
    rt: Runtime, session: Session, now: datetime, steps: list[StepGroup], needs: list[Need]
) -> tuple[Stage, ...]:
    midnight = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    cohort = overview.count_cohort(session, midnight)
    parcels = overview.group_parcels(session)
    business_now = rt.clock.now()
    return (
        _intake_stage(cohort, now, needs),
        _step_stage("waybill", cohort.booked, now, [group for group in steps if group.name == "book_waybill"]),
        _step_stage("erp", cohort.pushed, now, [group for group in steps if group.name == "push_order"]),
        _pickup_stage(cohort, business_now, parcels),
        _delivery_stage(cohort, business_now, parcels),
    )


def _intake_stage(cohort: Cohort, now: datetime, needs: list[Need]) -> Stage:
    stuck = [need for need in needs if need.intake]
    oldest_s = _oldest(now, *(need.first_seen_at for need in stuck))
    return Stage("received", cohort.received, 0, sum(need.intake for need in stuck), oldest_s)


def _step_stage(name: str, done: int, now: datetime, groups: list[StepGroup]) -> Stage:
    moving = sum(group.count for group in groups if group.state in _UNDER_WAY)
    stuck = sum(group.count for group in groups if group.state == "parked")
    return Stage(name, done, moving, stuck, _oldest(now, *(group.since for group in groups)))


def _pickup_stage(cohort: Cohort, now: datetime, parcels: list[ParcelGroup]) -> Stage:
    return Stage(
        "pickup",
        cohort.picked_up,
        sum(group.awaiting_pickup for group in parcels),
        sum(group.stale for group in parcels),
        _oldest(now, *(group.waiting_since for group in parcels)),
    )


def _delivery_stage(cohort: Cohort, now: datetime, parcels: list[ParcelGroup]) -> Stage:
    """Parcels on their way: those with an incident are stuck until the carrier reports progress."""
    under_way = [group for group in parcels if group.status in STATUSES and STATUSES[group.status].implies_pickup]
    moving = [group for group in under_way if STATUSES[group.status].kind == "progress"]
    stuck = [group for group in under_way if STATUSES[group.status].kind == "incident"]
    return Stage(
        "delivered",
        cohort.delivered,
        sum(group.count for group in moving),
        sum(group.count for group in stuck),
        _oldest(now, *(group.picked_up_since for group in (*moving, *stuck))),
    )


def _peers(rt: Runtime, session: Session, now: datetime) -> tuple[PeerLine, ...]:
    doors = overview.read_doors(session)
    calls = overview.group_calls(session, now - CALLS_WINDOW)
    by_peer = {key: tuple(rows) for key, rows in groupby(calls, key=lambda row: row.peer)}
    order = (*rt.settings.carriers, *rt.settings.erps, *rt.settings.shops)
    return tuple(PeerLine(peer, doors.get(peer.key, "on"), by_peer.get(peer.key, ())) for peer in order)


def _shops(rt: Runtime, session: Session, now: datetime, needs: list[Need]) -> tuple[ShopLine, ...]:
    polls, accounts = overview.read_polls(session), overview.read_accounts(session)
    stock_runs = overview.read_stock_runs(session)
    limit_s = LATE_POLLS * rt.settings.poll_interval_s
    lines = []
    for shop in rt.settings.shops:
        account = accounts.get(shop.key)
        poll_s = _seconds(now, polls[shop.key]) if shop.key in polls else None
        is_late = poll_s is not None and poll_s > limit_s
        checked_s = _seconds(now, account.at) if account else 0.0
        erps, setting = rt.settings.erps_of(shop), f"ECSYNC_SHOP_{shop.name.upper()}_ERPS" if shop.erps else ""
        stock = _stock(rt, shop, now, stock_runs.get(shop.key), needs)
        lines.append(ShopLine(shop.name, poll_s, is_late, account, checked_s, erps, setting, stock))
    return tuple(lines)


def _stock(rt: Runtime, shop: PeerSettings, now: datetime, at: datetime | None, needs: list[Need]) -> ShopStock:
    age_s, every_s = _seconds(now, at) if at else None, shop.stock.interval_s
    is_late = age_s is not None and every_s > 0 and age_s > LATE_POLLS * every_s
    codes = [need.code for need in needs if need.peer == shop.key]
    is_with_person = any(code.startswith("stock.") or ".stock." in code for code in codes)
    return ShopStock(rt.settings.stock_erp(shop), shop.stock, age_s, is_late, is_with_person)
