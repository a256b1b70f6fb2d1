"""`ecsync …`: the shell for ops and engineers. Every command takes `--json`."""

from __future__ import annotations

import getpass
import json
import logging
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, ProgrammingError

from mappings.errors import PeerError
from sync import cli_carriers, cli_erps, cli_labels, cli_numbers, cli_stock
from sync import exceptions as desk
from sync.cli_secrets import secrets
from sync.cli_worker import worker
from sync.db.migrate import migrate as migrate_database
from sync.db.models import InboxRow, OrderRow, ShipmentRow
from sync.db.orders import find_by_sn
from sync.db.session import DatabaseAway
from sync.db.steps import Wake
from sync.gateway import PeerAway
from sync.runtime import Runtime
from sync.services.check import check as check_everything
from sync.services.enter_number import NumberRefused
from sync.services.labels import NoSuchLabel
from sync.services.poll_shop import poll_shop
from sync.services.push_now import NoSuchOrder, push_now
from sync.services.replay_callback import NoSuchCallback, replay_callback
from sync.services.run_steps import StepParked, run_steps
from sync.services.show_order import show_order
from sync.services.sweep_parcels import REASONS, sweep_parcels
from sync.services.sweep_pickups import sweep_pickups
from sync.services.switch_carriers import SwitchRefused
from sync.settings import SettingsError, load_settings

EXPECTED = (
    SettingsError,
    DatabaseAway,
    NoSuchOrder,
    NoSuchCallback,
    NoSuchLabel,
    NumberRefused,
    PeerError,
    PeerAway,
    SwitchRefused,
)

Say = Callable[[Any, Sequence[str]], None]


def command(group: click.Group, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that gets a runtime and a `say(data, lines)`: one JSON value, or lines for people."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @group.command(name, help=function.__doc__)
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
        @wraps(function)
        def run(as_json: bool, **arguments: Any) -> None:
            def say(data: Any, lines: Sequence[str]) -> None:
                click.echo(json.dumps(data, ensure_ascii=False, default=str) if as_json else "\n".join(lines))

            try:
                rt = Runtime(load_settings())
                rt.database.wait_until_ready(5)
                function(rt, say, **arguments)
            except EXPECTED as problem:
                _fail(problem, as_json)
            except (OperationalError, ProgrammingError) as problem:
                _fail(
                    RuntimeError(f"The database refused: {problem.orig}. Is it migrated? Run: ecsync migrate"), as_json
                )

        return run

    return decorate


def _fail(problem: Exception, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": str(problem)}, ensure_ascii=False))
    else:
        click.echo(str(problem), err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show what happens, step by step.")
def main(verbose: bool) -> None:
    """ecsync: ECShop orders to waybills, ERP and back. Nothing lost, nothing shipped twice."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(message)s")


@main.group()
def order() -> None:
    """Single orders: push, show, list, number."""


@main.group()
def sweep() -> None:
    """Run a sweep now."""


@main.group()
def callbacks() -> None:
    """The inbox of carriers' pushes."""


@main.group()
def exceptions() -> None:
    """What needs a person."""


@main.group()
def stock() -> None:
    """What the ERP can sell, into the shops."""


@main.group()
def carriers() -> None:
    """The switchboard: which carriers get parcels."""


@main.group()
def labels() -> None:
    """The printable labels of parcels: which wait, and printing them."""


@main.group()
def explain() -> None:
    """Where each field comes from that a peer is told."""


@main.group()
def shipments() -> None:
    """What ERPs' warehouses have sent."""


main.add_command(secrets)
main.add_command(worker)
for _group, _commands in (
    (stock, cli_stock.COMMANDS),
    (carriers, cli_carriers.COMMANDS),
    (labels, cli_labels.COMMANDS),
    (order, cli_numbers.COMMANDS),
    (explain, cli_erps.EXPLAIN),
    (shipments, cli_erps.SHIPMENTS),
):
    for _name, _function in _commands.items():
        command(_group, _name)(_function)


@command(main, "migrate")
def _migrate(rt: Runtime, say: Say) -> None:
    """Bring the database to the newest schema."""
    revision = migrate_database(rt.database)
    say({"revision": revision}, [f"The database is at revision {revision}."])


@command(main, "check")
def _check(rt: Runtime, say: Say) -> None:
    """Look at configuration, database, broker, every peer and the clocks; says what to do."""
    findings = check_everything(rt)
    rows = [{"subject": f.subject, "ok": f.is_ok, "detail": f.detail, "remedy": f.remedy} for f in findings]
    lines = [
        f"{'ok ' if f.is_ok else 'BAD'}  {f.subject}: {f.detail}" + (f"\n     -> {f.remedy}" if f.remedy else "")
        for f in findings
    ]
    say(rows, lines)
    if not all(f.is_ok for f in findings):
        sys.exit(1)


@command(main, "poll")
@click.argument("shop", required=False)
def _poll(rt: Runtime, say: Say, shop: str | None) -> None:
    """Poll the shops (or one, by name) now; workers take up what was found."""
    wanted = [f"shop.{shop}"] if shop else list(rt.shops)
    if shop and wanted[0] not in rt.shops:
        raise click.BadParameter(
            f"no shop is called {shop}; configured: {', '.join(s.name for s in rt.settings.shops)}"
        )
    counts = {}
    for key in wanted:
        found = poll_shop(rt, key)
        counts[key] = {name: getattr(found, name) for name in ("open", "new", "changed", "withdrawn", "parked")}
    say(counts, [f"{key}: " + ", ".join(f"{n} {name}" for name, n in row.items()) for key, row in counts.items()])


@command(order, "push")
@click.argument("order_sn")
@click.option("--retry", is_flag=True, help="Also try again what is parked.")
def _push(rt: Runtime, say: Say, order_sn: str, retry: bool) -> None:
    """Do everything that one order owes, here and now."""
    did = push_now(rt, order_sn, retry_parked=retry, actor=getpass.getuser())
    rows = [{"peer": item.peer, "result": item.result} for item in did]
    say(rows, [f"{item.peer}: {item.result}" for item in did] or ["Nothing is due for this order; see: order show"])
    if any(item.result != "ok" for item in did):
        sys.exit(1)


@command(order, "show")
@click.argument("order_sn")
def _show(rt: Runtime, say: Say, order_sn: str) -> None:
    """What happened to an order, and what happens next."""
    with rt.database.reading() as session:
        rows = find_by_sn(session, order_sn)
    if not rows:
        raise NoSuchOrder(f"We hold no order {order_sn}. If the shop has it: ecsync order push {order_sn}")
    shown = [show_order(rt, row) for row in rows]
    say(shown if len(shown) > 1 else shown[0], [line for item in shown for line in _order_lines(item)])


def _order_lines(item: dict[str, Any]) -> list[str]:
    head = f"{item['order_sn']}  {item['status']} ({item['state']})  {item['total']} CNY  {item['consignee']}"
    parcels = [
        f"  parcel {p['parcel_no']}: {p['waybill_no'] or 'no waybill yet'} {p['shipper_code']} {p['status']}, "
        f"picked up {p['pickup_at'] or '-'}, delivered {p['delivered_at'] or '-'}"
        + (f"\n    sent by {p['sent_by']}" if p["sent_by"] else "")
        + (f"\n    routed: {p['route_reason']}" if p["route_reason"] else "")
        for p in item["parcels"]
    ]
    return [
        head,
        *parcels,
        *(f"  {e['erp']}: {e['erp_no'] or '-'} ({e['state']})\n    {e['reason']}" for e in item["erps"]),
        *(f"  next: {text}" for text in item["next"]),
        *(f"  !! {problem['id']} {problem['message']}" for problem in item["exceptions"]),
        *(f"  {line['at'][:19]}  {line['kind']:<9} {line['text']}" for line in item["timeline"]),
    ]


@command(order, "list")
@click.option("--status", help="Only orders shown with this status, such as received, in_transit, stale_pickup.")
@click.option("--limit", default=50, show_default=True)
def _list(rt: Runtime, say: Say, status: str | None, limit: int) -> None:
    """The newest orders."""
    wanted = (
        select(OrderRow, ShipmentRow.waybill_no)
        .outerjoin(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
        .order_by(OrderRow.id.desc())
        .limit(limit)
    )
    if status:
        wanted = wanted.where(OrderRow.status == status)
    with rt.database.reading() as session:
        found = session.execute(wanted).all()
    rows = [
        {
            "order_sn": o.order_sn,
            "shop": o.shop,
            "state": o.state,
            "status": o.status,
            "waybill_no": w,
            "erp_no": o.erp_no,
        }
        for o, w in found
    ]
    say(rows, ["  ".join(f"{value or '-'}" for value in row.values()) for row in rows] or ["No such orders."])


@command(sweep, "pickups")
def _sweep_pickups(rt: Runtime, say: Say) -> None:
    """Find parcels whose pickup is overdue and ask their carriers, here and now."""
    results = [{"order_id": wake.order_id, "result": _ask(rt, wake)} for wake in sweep_pickups(rt)]
    say(results, [f"order {r['order_id']}: {r['result']}" for r in results] or ["No pickup is overdue."])


@command(sweep, "parcels")
def _sweep_parcels(rt: Runtime, say: Say) -> None:
    """Ask the carriers about overdue, still, late and unheard parcels, one batch each, here and now."""
    swept = sweep_parcels(rt)
    answers = [_ask(rt, wake) for wake in swept.wakes]
    counts = {reason: swept.owed[reason] for reason in REASONS}
    counts |= {"asked": answers.count("asked"), "failed": len(answers) - answers.count("asked")}
    lines = [", ".join(f"{count} {name}" for name, count in counts.items())]
    say(counts, lines if answers else ["No parcel wants a query."])


def _ask(rt: Runtime, wake: Wake) -> str:
    try:
        run_steps(rt, wake.order_id, wake.peer)
    except (PeerError, StepParked) as problem:
        return str(problem)
    return "asked"


@command(callbacks, "list")
@click.option("--verdict", help="waiting, applied, stale, orphan, unmapped, unreadable")
@click.option("--limit", default=50, show_default=True)
def _callbacks_list(rt: Runtime, say: Say, verdict: str | None, limit: int) -> None:
    """The newest callbacks and what they did."""
    wanted = select(InboxRow).order_by(InboxRow.id.desc()).limit(limit)
    if verdict:
        wanted = wanted.where(InboxRow.verdict == verdict)
    with rt.database.reading() as session:
        found = list(session.execute(wanted).scalars())
    rows = [
        {"id": r.id, "received_at": r.received_at, "source": r.source, "verdict": r.verdict, "detail": r.detail}
        for r in found
    ]
    say(rows, ["  ".join(str(value) for value in row.values()) for row in rows] or ["The inbox has none of these."])


@command(callbacks, "replay")
@click.argument("inbox_id", type=int)
def _replay(rt: Runtime, say: Say, inbox_id: int) -> None:
    """Apply a stored callback once more, with today's tables."""
    verdict, detail, _ = replay_callback(rt, inbox_id, getpass.getuser())
    say({"id": inbox_id, "verdict": verdict, "detail": detail}, [f"callback {inbox_id}: {verdict}. {detail}"])


@command(exceptions, "list")
@click.option("--limit", default=200, show_default=True)
def _exceptions_list(rt: Runtime, say: Say, limit: int) -> None:
    """What needs a person now, oldest first."""
    with rt.database.reading() as session:
        found = desk.list_open(session, limit=limit)
    rows = [
        {name: getattr(e, name) for name in ("id", "code", "peer", "order_sn", "opened_at", "message")} for e in found
    ]
    say(
        rows, [f"{e.id}  {e.opened_at:%m-%d %H:%M}  {e.code}\n    {e.message}" for e in found] or ["Nothing needs you."]
    )


@command(exceptions, "retry")
@click.argument("ids", nargs=-1, type=int)
@click.option("--code", help="All open ones of this code instead of single ids.")
def _exceptions_retry(rt: Runtime, say: Say, ids: tuple[int, ...], code: str | None) -> None:
    """Try again what is parked; workers take it up within seconds."""
    with rt.database.writing() as session:
        wanted = [e.id for e in desk.list_open(session, limit=10_000) if e.code == code] if code else list(ids)
        done = {exception_id: desk.retry_exception(session, exception_id, getpass.getuser()) for exception_id in wanted}
    say(done, [f"{i}: {'goes on' if ok else 'is closed, or has nothing to retry'}" for i, ok in done.items()])
    if not all(done.values()):
        sys.exit(1)


@command(exceptions, "resolve")
@click.argument("ids", nargs=-1, type=int, required=True)
@click.option("--reason", required=True, help="How it was settled; kept in the audit log.")
def _exceptions_resolve(rt: Runtime, say: Say, ids: tuple[int, ...], reason: str) -> None:
    """Close what a person settled another way; its parked step is dropped."""
    with rt.database.writing() as session:
        done = {i: desk.resolve_exception(session, i, getpass.getuser(), reason) for i in ids}
    say(done, [f"{i}: {'resolved' if ok else 'was closed already'}" for i, ok in done.items()])
    if not all(done.values()):
        sys.exit(1)
