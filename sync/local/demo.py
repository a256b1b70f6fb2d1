"""`python -m sync.local.demo`: the whole pipeline on this machine, against a sandbox shop, carrier and ERP.

Orders flow from payment to delivery in seconds of a fast clock; at the end the peers' own ledgers are checked.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from sync.db.session import DatabaseAway
from sync.local.broker import CHOICES, NoBroker
from sync.local.carriers import MIXED, NAMES
from sync.local.erps import GENERIC
from sync.local.erps import NAMES as ERPS
from sync.local.plan import SAFETY, Plan
from sync.local.run import Demo, DemoFailed
from sync.local.verdict import Verdict
from sync.settings import SettingsError

FAST = 5760.0
"""48 hours in 30 seconds."""

FAILURES = (DemoFailed, NoBroker, DatabaseAway, SettingsError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a demo; 0 when every order came to its expected end, 1 when not, 2 when it could not run, 130 on Ctrl-C."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    out = sys.stderr if options.json else sys.stdout
    try:
        with Demo(options, stop, out) as demo:
            verdict = demo.run()
            if verdict is not None:
                _report(demo, verdict, as_json=options.json)
            if not options.exit and not stop.is_set():
                demo.screen.say("\nEverything stays up, look around. Ctrl-C ends it.")
                stop.wait()
    except FAILURES as problem:
        sys.stderr.write(f"demo: {problem}\n")
        return 2
    if verdict is None:
        return 130 if stop.is_set() else 1
    return 0 if demo.is_ok else 1


def _report(demo: Demo, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        line = verdict.numbers() | {
            "broker": demo.plan.broker.kind,
            "database": demo.database_kind,
            "seconds": round(demo.seconds, 1),
            "ok": demo.is_ok,
        }
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    for problem in verdict.problems:
        demo.screen.say(f"  ✗ {problem}")
    found = "as it should be" if demo.is_ok else "NOT as it should be"
    demo.screen.say(f"\nChecked against the ledgers of the carrier, the ERP and the shop: {found}.")
    demo.screen.say(
        f"{verdict.orders} orders, {verdict.lost} lost, {verdict.duplicates} duplicates, {verdict.stale} 物流异常, "
        f"in {demo.seconds:.0f} s."
    )
    demo.screen.say(_stock_line(verdict, demo.plan))


def _stock_line(verdict: Verdict, plan: Plan) -> str:
    stock = verdict.stock
    if stock is None:
        return f"Stock: {plan.erp} tells none here that the shop could show."
    moved = stock["moved_most"]
    return (
        f"Stock: {stock['skus'] - stock['wrong']} of {stock['skus']} SKUs show in the shop what the ERP can sell, less "
        f"{SAFETY} kept back. Of {moved['sku']} the ERP had {moved['erp_had']} and can still sell {moved['erp_has']}; "
        f"the shop shows {moved['shop_shows']}."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo ARGS=…", description=__doc__)
    add = parser.add_argument
    add("--orders", type=_count, default=50, help="paid orders to begin with (50)")
    add("--stale", type=int, default=1, help="parcels that no courier ever picks up, at most one in seven (1)")
    add("--exit", action="store_true", help="end after the check instead of staying up")
    add("--json", action="store_true", help="print one JSON line on standard output, all else on standard error")
    add("--seed", type=int, default=1, help="the same seed gives the same orders, journeys and faults (1)")
    add("--faults", action=argparse.BooleanOptionalAction, default=True, help="let the sandbox peers misbehave")
    add("--carrier", choices=(*NAMES, MIXED), default=NAMES[0], help="the platform that issues waybills (kdniao)")
    add("--erp", choices=ERPS, default=GENERIC, help=f"the ERP that gets the orders ({GENERIC})")
    add(
        "--switch-to", choices=NAMES, default="", help="drain that platform for another when half of the orders are out"
    )
    add("--broker", choices=CHOICES, default="", help="instead of the first that is there")
    add("--port", type=int, default=0, help="of the console; the system chooses one when it is left out")
    add("--speed", type=float, default=FAST, help=f"business seconds in one second ({FAST:g}: 48 h in 30 s)")
    add("--timeout", type=float, default=0, help="seconds until it counts as failed (180 and 1 for each order)")
    add("--keep", action="store_true", help="keep the run directory")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
