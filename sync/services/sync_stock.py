"""Brings what the ERP can sell into a shop's own figures (docs/adr/0010-stock-figures.md).

The order of reading decides what a race can do: first which orders the ERP has heard of, then its figures, then the
shop's figures, then what is ordered, and last which parcels are on their way out. Whatever happens in between makes a
figure too low for one run, or makes its conditional write fail; it never makes it too high. An ERP that must be told
which SKUs it is asked for gets those that the shop shows, so their names are read before, and their figures after it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from mappings.errors import PermanentError
from mappings.model import StockChange, StockFigure, StockLine, StockMode
from mappings.shops.ecshop.stock import StockPlan, StockRules, plan_stock
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db import stock as record
from sync.db.cursors import read_cursors, set_cursor
from sync.db.models import AuditRow
from sync.db.stock import Level
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.services.ask_stock import ask_stock, tells_changes
from sync.services.tell_stock import NAMED_AT_MOST, stock_subject, tell_stock
from sync.settings import PeerSettings

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=5)
"""Asked for again at each run: clocks differ, and an ERP may stamp a change before it commits it."""
WRITTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class StockRun:
    """What one run found and did. `unsold` are the ERP's SKUs that the shop does not sell.

    The shop itself changed the `moved` ones meanwhile; the next run looks at them anew.
    """

    shop: str
    mode: StockMode
    plan: StockPlan = field(default_factory=lambda: StockPlan(()))
    is_full: bool = False
    erp: str = ""
    lines: tuple[StockLine, ...] = ()
    unsold: tuple[str, ...] = ()
    written: tuple[StockChange, ...] = ()
    moved: int = 0

    @property
    def is_guarded(self) -> bool:
        return bool(self.plan.guard) and not self.written


@dataclass(frozen=True, slots=True)
class _Memory:
    """What the last run left behind."""

    asked_at: datetime | None = None
    full_at: datetime | None = None
    was_guarded: bool = False

    @classmethod
    def read(cls, session: Session, name: str) -> _Memory:
        found = read_cursors(session, name).get("")
        if found is None:
            return cls()
        said = json.loads(found[0])
        return cls(_time(said["asked_at"]), _time(said["full_at"]), said["was_guarded"])

    def write(self, session: Session, name: str) -> None:
        said = {"asked_at": _text(self.asked_at), "full_at": _text(self.full_at), "was_guarded": self.was_guarded}
        set_cursor(session, name, json.dumps(said))


def sync_stock(rt: Runtime, shop_key: str, *, is_dry: bool = False, approved_by: str = "") -> StockRun:
    """Read the ERP's figures and set what the shop shows; `is_dry` only tells what would be set, and keeps nothing.

    A run that would take away more than the caps allow writes nothing and goes to the desk, unless a person approved
    it. Raises any PeerError, or PeerAway; a PermanentError is on the desk until a later run goes well.
    """
    peer = rt.peer(shop_key)
    try:
        return _run(rt, peer, is_dry=is_dry, approved_by=approved_by)
    except PermanentError as error:
        if not is_dry:
            rt.counters.stock_runs.labels(peer.name, "failed").inc()
            with rt.database.writing() as session:
                message = f"The stock of {shop_key} was not brought up to date. {error.message}"
                desk.open_exception(session, desk.Cause(error.code, shop_key, stock_subject(peer), message))
        raise


def _run(rt: Runtime, peer: PeerSettings, *, is_dry: bool, approved_by: str) -> StockRun:
    shop = rt.shops[peer.key]
    mode = rt.gateway.observe(peer.key, "stock_mode", shop.stock_mode, CallContext())
    if mode is StockMode.OFF:
        return _finish(rt, peer, StockRun(peer.name, mode), None, {}, is_dry=is_dry, approved_by=approved_by)
    erp = _stock_erp(rt, peer)
    started = utc_now()
    with rt.database.reading() as session:
        memory = _Memory.read(session, _cursor(peer))
        levels = record.read_levels(session, peer.name)
        promises = record.read_promises(session, peer.name, erp.key)
        reserved = record.count_reserved(session, erp.key) if erp.spec.stock_is_physical else {}
    is_wanted = is_dry or bool(approved_by) or not tells_changes(erp.spec)
    is_full = is_wanted or _needs_all(memory, started, rt.settings.stock_full_interval_s)
    since = None if is_full or memory.asked_at is None else memory.asked_at - OVERLAP
    told = ask_stock(rt, peer, erp, since, levels)
    figures = _merge({} if is_full else {sku: level.figures for sku, level in levels.items()}, told)
    available = {sku: n - reserved.get(sku, 0) for sku, n in _available(peer, erp, figures).items()}
    lines = rt.gateway.observe(peer.key, "read_stock", lambda: tuple(shop.read_stock()), CallContext())
    with rt.database.reading() as session:
        demand = record.count_demand(session, peer.name, promises)
    plan = plan_stock(lines, available, demand, _rules(peer, mode))
    unsold = tuple(sorted(set(available) - {line.sku for line in lines}))
    run = StockRun(peer.name, mode, plan, is_full, erp.key, lines, unsold)
    if not is_dry and (approved_by or not run.plan.guard):
        run = _write(rt, peer, run, available, approved_by or "ecsync")
    memory = _Memory(started, started if is_full else memory.full_at, run.is_guarded)
    kept = _levels(levels, figures, available, lines, run)
    return _finish(rt, peer, run, memory, kept, is_dry=is_dry, approved_by=approved_by)


def _rules(peer: PeerSettings, mode: StockMode) -> StockRules:
    given = peer.stock
    return StockRules(mode, given.safety, given.most_zeroed_percent, given.most_lowered_percent)


def _stock_erp(rt: Runtime, peer: PeerSettings) -> PeerSettings:
    erp = rt.settings.stock_erp(peer)
    if erp is not None and not erp.spec.reads_stock:
        raise PermanentError(
            "stock.erp_cannot",
            f"{erp.key} cannot be asked for stock; name an ERP that can in "
            f"ECSYNC_SHOP_{peer.name.upper()}_STOCK_ERP, or keep this shop's stock by hand",
        )
    if erp is None:
        raise PermanentError(
            "stock.erp_unnamed",
            f"Several ERPs are configured; name the one that keeps this shop's stock in "
            f"ECSYNC_SHOP_{peer.name.upper()}_STOCK_ERP",
        )
    return erp


def _needs_all(memory: _Memory, now: datetime, every_s: float) -> bool:
    """Daily, and after a guarded run: figures that were wrong need not count as changed when they are put right."""
    return memory.was_guarded or memory.full_at is None or now - memory.full_at >= timedelta(seconds=every_s)


def _merge(kept: Mapping[str, Mapping[str, int]], told: Iterable[StockFigure]) -> dict[str, dict[str, int]]:
    """By SKU and warehouse; an incremental answer leaves out the warehouses in which nothing changed."""
    figures = {sku: dict(by_warehouse) for sku, by_warehouse in kept.items() if by_warehouse}
    for figure in told:
        if len(figure.sku) <= record.LONGEST_SKU:  # no shop's number is longer
            figures.setdefault(figure.sku, {})[figure.warehouse] = figure.available
    return figures


def _available(peer: PeerSettings, erp: PeerSettings, figures: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What can be sold of each SKU from the warehouses that count for the shop."""
    wanted = set(peer.stock.warehouses)
    available = {}
    for sku, by_warehouse in figures.items():
        counting = [number for name, number in by_warehouse.items() if not wanted or name in wanted]
        if counting:
            available[sku] = sum(counting)
    if figures and not available:
        seen = sorted({name for by_warehouse in figures.values() for name in by_warehouse})[:NAMED_AT_MOST]
        raise PermanentError(
            "stock.warehouse_unknown",
            f"{erp.key} has no stock in {', '.join(sorted(wanted))}; it names the warehouses: "
            f"{', '.join(name or '(none)' for name in seen)}. Nothing was written. Correct "
            f"ECSYNC_SHOP_{peer.name.upper()}_STOCK_WAREHOUSES",
        )
    return available


def _write(rt: Runtime, peer: PeerSettings, run: StockRun, available: Mapping[str, int], actor: str) -> StockRun:
    """In portions, each recorded before the next: a run that breaks off leaves little out of the history."""
    shop, done = rt.shops[peer.key], list[StockChange]()
    changes = run.plan.changes
    for start in range(0, len(changes), WRITTEN_AT_ONCE):
        portion = changes[start : start + WRITTEN_AT_ONCE]
        write = partial(shop.write_stock, portion, rt.clock.now())
        written = rt.gateway.observe(peer.key, "write_stock", write, CallContext())
        with rt.database.writing() as session:
            record.add_changes(session, peer.name, written, available, utc_now(), actor)
        done += written
    rt.counters.stock_changes.labels(peer.name, "set").inc(len(done))
    rt.counters.stock_changes.labels(peer.name, "moved").inc(len(changes) - len(done))
    return replace(run, written=tuple(done), moved=len(changes) - len(done))


def _levels(
    before: Mapping[str, Level],
    figures: Mapping[str, Mapping[str, int]],
    available: Mapping[str, int],
    lines: Sequence[StockLine],
    run: StockRun,
) -> dict[str, Level]:
    """What differs from what was kept."""
    shown = {line.sku: line.number for line in lines} | {change.sku: change.after for change in run.written}
    now = {
        sku: Level(figures.get(sku, {}), available.get(sku), shown.get(sku))
        for sku in {*before, *figures, *shown}
        if sku and len(sku) <= record.LONGEST_SKU
    }
    return {sku: level for sku, level in now.items() if before.get(sku) != level}


def _finish(
    rt: Runtime,
    peer: PeerSettings,
    run: StockRun,
    memory: _Memory | None,
    levels: Mapping[str, Level],
    *,
    is_dry: bool,
    approved_by: str,
) -> StockRun:
    if is_dry:
        return run
    with rt.database.writing() as session:
        record.write_levels(session, peer.name, levels, utc_now())
        if memory is not None:
            memory.write(session, _cursor(peer))
        if run.is_full:
            record.forget_changes(session, utc_now() - timedelta(days=rt.settings.stock_history_days))
        if not run.is_guarded:
            set_cursor(session, f"stock_synced.{peer.key}", f"{len(run.written)} set")
        if approved_by and run.plan.guard:
            session.add(
                AuditRow(
                    at=utc_now(), actor=approved_by, action="stock.approve", subject=peer.key, reason=run.plan.guard
                )
            )
        tell_stock(session, peer, run.erp, run.plan, is_guarded=run.is_guarded)
    rt.counters.stock_runs.labels(peer.name, "guarded" if run.is_guarded else "done").inc()
    log.info("stock of %s: %d set, %d moved, %d guarded", peer.key, len(run.written), run.moved, run.is_guarded)
    return run


def _cursor(peer: PeerSettings) -> str:
    return f"stock.{peer.key}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
