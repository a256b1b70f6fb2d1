"""`ecsync stock …`: bring the ERP's figures into a shop, see what would change, see what was changed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from mappings.model import StockMode
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
    """What the next full run would set, SKU by SKU; nothing is written."""
    runs = [sync_stock(rt, key, is_dry=True) for key in _wanted(rt, shop)]
    rows = [{"shop": run.shop, **asdict(change)} for run in runs for change in run.plan.changes]
    lines = []
    for run in runs:
        lines += [_line(run, is_dry=True)]
        lines += [f"  {c.sku:<24} {c.before:>8} -> {c.after:<8} {c.after - c.before:+}" for c in run.plan.changes]
        lines += [f"  {sku:<24} too large, left alone" for sku in run.plan.too_large]
        lines += [f"  {sku or '(blank)':<24} number not clear, left alone" for sku in run.plan.unclear]
    say(rows, lines)


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
        "sold": run.sold,
        "to_change": len(run.plan.changes),
        "written": len(run.written),
        "moved": run.moved,
        "absent": run.plan.absent,
        "unknown": run.unknown,
        "unclear": list(run.plan.unclear),
        "too_large": list(run.plan.too_large),
        "guard": run.plan.guard,
    }


def _line(run: StockRun, *, is_dry: bool) -> str:
    if run.mode is StockMode.OFF:
        return f"{run.shop}: the shop keeps no stock (use_storage is off); nothing is written"
    done = f"{len(run.plan.changes)} to change" if is_dry else f"{len(run.written)} set, {run.moved} overtaken"
    said = (
        f"{run.shop} ({run.mode}): {done} of {run.sold} SKUs; the ERP says nothing of {run.plan.absent}, "
        f"and the shop does not sell {run.unknown} of the ERP's"
    )
    if not run.plan.guard or run.written:
        return said
    return f"{said}\n  held back: {run.plan.guard}. If it is right: ecsync stock sync --shop {run.shop} --approve"


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
