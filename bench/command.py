"""The command line: which measurements, how large, and how they are printed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench import callbacks, counts, orders, polls
from bench.yard import BenchFailed, Yard, open_yard, say
from sync.local.broker import NoBroker

PARTS = ("a", "b", "c", "d", "counts")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when every figure could be taken, whatever it is, 2 when one could not, 130 on Ctrl-C."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with open_yard() as yard:
            put(_machine(yard), as_json=options.json)
            for part in PARTS:
                if options.only in ("", part):
                    for line in _measure(part, yard, options):
                        put(line, as_json=options.json)
    except (BenchFailed, NoBroker) as problem:
        say(str(problem))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _measure(part: str, yard: Yard, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if part == "a":
        yield from orders.at_full_speed(yard, options.orders, options.rounds)
    elif part == "b":
        yield from orders.at_slow_peers(yard, options.orders, options.rounds)
    elif part == "c":
        yield from callbacks.against_bare_view(yard, options.callbacks, options.rounds)
    elif part == "d":
        yield from polls.at_long_history(yard, options.rounds)
    else:
        yield counts.count(yard)


def parser() -> argparse.ArgumentParser:
    """The options; small numbers are for trying out, the defaults for figures worth keeping."""
    made = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    add = made.add_argument
    add("--orders", type=_count, default=400, help="orders in each run (400)")
    add("--callbacks", type=_count, default=4000, help="callbacks in each run (4000)")
    add("--rounds", type=_count, default=5, help="runs of each arm, in turn; the median counts (5)")
    add("--only", choices=PARTS, default="", help="one measurement instead of all")
    add("--json", action="store_true", help="JSON lines alone; otherwise a sentence before each on standard error")
    return made


def put(line: dict[str, Any], *, as_json: bool) -> None:
    """Print one figure at once: a long run that is broken off has not been for nothing."""
    if not as_json and "ratio" in line:
        say(f"({line['bench']}) {line['what']}: {line['ratio']} (aim {line.get('aim', 'none')})")
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _machine(yard: Yard) -> dict[str, Any]:
    return {
        "bench": "machine",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": sys.version.split()[0],
        "database": yard.database_kind,
        "broker": yard.broker.kind,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)
