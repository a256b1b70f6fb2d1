"""`ecsync stock …`: bring the ERP's figures into a shop, see what would change, see what was changed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from mappings.model import StockMode
from mappings.shops.ecshop.stock import Reckoning
from sync.db.stock import read_history, read_kept
from sync.runtime import Runtime
from sync.services.sync_stock import StockRun, sync_stock

Say = Callable[[Any, Sequence[str]], None]

_of_shop = click.option("--shop", help="Only this shop, by name; without it all of them.")


@_of_shop
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--approve", is_flag=True, help="Let through what one run may not take away by itself.")
def sync(rt: Runtime, say: Say, shop: str | None, dry_run: bool, approve: bool) -> None:
    """Set what the shops show to what the ERP can sell."""
    approved_by = getpass.getuser() if approve and not dry_run else ""
    runs = [sync_stock(rt, key, is_dry=dry_run, approved_by=approved_by) for key in _wanted(rt, shop)]
    say([_summary(run, is_dry=dry_run) for run in runs], [_line(run, is_dry=dry_run) for run in runs])
    if not dry_run and any(run.is_guarded for run in runs):
        raise SystemExit(1)


@_of_shop
def diff(rt: Runtime, say: Say, shop: str | None) -> None:
    """What the next full run would set, SKU by SKU, what it would leave alone, and why; nothing is written."""
    runs = [sync_stock(rt, key, is_dry=True) for key in _wanted(rt, shop)]
    rows = [row for run in runs for row in _rows(run)]
    say(rows, [text for run in runs for text in (_line(run, is_dry=True), *_table(run))])


@click.argument("sku")
@_of_shop
@click.option("--limit", default=50, show_default=True)
def history(rt: Runtime, say: Say, sku: str, shop: str | None, limit: int) -> None:
    """What the ERP said of a SKU last, and what was set, newest first."""
    with rt.database.reading() as session:
        kept = read_kept(session, sku, shop)
        changes = read_history(session, sku, shop, limit)
    levels = [
        {name: getattr(row, name) for name in ("shop", "figures", "available", "shown", "updated_at")} for row in kept
    ]
    rows = [
        {name: getattr(row, name) for name in ("changed_at", "shop", "before", "after", "available", "actor")}
        for row in changes
    ]
    lines = [
        f"{row.shop}: the ERP can sell {_or_dash(row.available)}, the shop shows {_or_dash(row.shown)} "
        f"({row.updated_at:%Y-%m-%d %H:%M})"
        for row in kept
    ]
    lines += [
        f"  {row.changed_at:%Y-%m-%d %H:%M:%S}  {row.shop}  {row.before} -> {row.after}  "
        f"available {row.available}  by {row.actor}"
        for row in changes
    ]
    say({"sku": sku, "levels": levels, "changes": rows}, lines or [f"Nothing is known of SKU {sku}."])


COMMANDS: Mapping[str, Callable[..., None]] = {"sync": sync, "diff": diff, "history": history}


def _rows(run: StockRun) -> list[dict[str, Any]]:
    """SKUs that differ, then those that are left alone. `before` is the shop's figure, `available` the ERP's.

    What the ERP has and the shop does not sell is no row: of that there may be any number.
    """
    plan, shown = run.plan, {line.sku: line.number for line in run.lines}
    changes = [_row(run, c.sku, c.before, c.after, _why(plan.reckonings[c.sku])) for c in plan.changes]
    left = [
        *((sku, "the figure, or the sum of its goods, is larger than the shop can hold") for sku in plan.too_large),
        *((sku, "the number is blank, or several goods have it") for sku in plan.unclear),
        *((sku, f"{run.erp} does not name it") for sku in plan.silent),
    ]
    return changes + [_row(run, sku, None if sku in plan.unclear else shown[sku], None, why) for sku, why in left]


def _row(run: StockRun, sku: str, before: int | None, after: int | None, why: str) -> dict[str, Any]:
    known = run.plan.reckonings.get(sku)
    return {
        "shop": run.shop,
        "action": "leave" if after is None else "set",
        "sku": sku,
        "before": before,
        "available": known.available if known else None,
        "after": after,
        "why": why,
    }


def _why(reckoning: Reckoning) -> str:
    """The parts of a figure beside what the ERP can sell."""
    parts = (
        (reckoning.promised, "+{} promised to unsent orders"),
        (reckoning.unheard, "-{} that it has not heard of"),
        (reckoning.kept_back, "-{} kept back"),
        (reckoning.short, "{} too few for what was promised"),
    )
    return ", ".join(text.format(pieces) for pieces, text in parts if pieces)


def _table(run: StockRun) -> list[str]:
    rows = _rows(run)
    if not rows:
        return []
    head = f"  {'SKU':<24} {'shop':>8} {'ERP':>8} {'to be':>8}"
    return [head, *(_row_text(row) for row in rows)]


def _row_text(row: dict[str, Any]) -> str:
    numbers = " ".join(f"{_or_dash(row[name]):>8}" for name in ("before", "available", "after"))
    note = row["why"] if row["action"] == "set" else f"left alone: {row['why']}"
    return f"  {row['sku'] or '(blank)':<24} {numbers}  {note}".rstrip()


def _wanted(rt: Runtime, shop: str | None) -> list[str]:
    if shop and f"shop.{shop}" not in rt.shops:
        names = ", ".join(peer.name for peer in rt.settings.shops)
        raise click.BadParameter(f"no shop is called {shop}; configured: {names}")
    return [f"shop.{shop}"] if shop else list(rt.shops)


def _summary(run: StockRun, *, is_dry: bool) -> dict[str, Any]:
    return {
        "shop": run.shop,
        "mode": str(run.mode),
        "dry_run": is_dry,
        "full": run.is_full,
        "erp": run.erp,
        "sold": len(run.lines),
        "to_change": len(run.plan.changes),
        "written": len(run.written),
        "moved": run.moved,
        "absent": len(run.plan.silent),
        "unknown": len(run.unsold),
        "unclear": list(run.plan.unclear),
        "too_large": list(run.plan.too_large),
        "short": run.plan.short,
        "guard": run.plan.guard,
    }


def _line(run: StockRun, *, is_dry: bool) -> str:
    if run.mode is StockMode.OFF:
        return f"{run.shop}: the shop keeps no stock (use_storage is off); nothing is written"
    done = f"{len(run.plan.changes)} to change" if is_dry else f"{len(run.written)} set, {run.moved} overtaken"
    said = (
        f"{run.shop} ({run.mode}): {done} of {len(run.lines)} SKUs; {run.erp} says nothing of {len(run.plan.silent)}, "
        f"and the shop does not sell {len(run.unsold)} of its own"
    )
    if run.plan.short:
        said += f"\n  oversold: {', '.join(f'{sku} ({n} too few)' for sku, n in sorted(run.plan.short.items()))}"
    if not run.plan.guard or run.written:
        return said
    return f"{said}\n  held back: {run.plan.guard}. If it is right: ecsync stock sync --shop {run.shop} --approve"


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
