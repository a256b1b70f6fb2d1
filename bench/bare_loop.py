"""`python -m bench.bare_loop`: the bare arm as a program of its own. Prints the seconds it took as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any

from bench.bare import Item, fetch, fulfil, tools
from sync.clock import utc_now
from sync.sandbox.shop import open_shop, seed_orders
from sync.settings import load_settings

CHUNK = 5
"""Orders handed to another process at once: few enough that none is idle at the end."""


def run(submit: Callable[[list[Item]], Any]) -> None:
    """Fetch what is open and have it fulfilled; `submit` takes a chunk."""
    for page in fetch(utc_now()):
        for start in range(0, len(page), CHUNK):
            submit(page[start : start + CHUNK])


def fulfil_all(items: list[Item]) -> None:
    for item in items:
        fulfil(item)


def run_in(executor: Executor | None) -> None:
    """Run to the end, in the executor's threads or processes, or one by one without any."""
    if executor is None:
        run(fulfil_all)
        return
    pending: list[Future[None]] = []
    run(lambda items: pending.append(executor.submit(fulfil_all, items)))
    for future in pending:
        future.result()


def measure(executor: Executor | None, orders: int, warm_up: int) -> float:
    """Seconds from paid in the shop to written back, for `orders` orders, after a warm-up."""
    shop = open_shop(load_settings().shops[0].config["dsn"])
    seconds = 0.0
    for seed, count in ((1, warm_up), (2, orders)):
        seed_orders(shop, count, seed, utc_now(), cod_share=0)
        began = time.perf_counter()
        run_in(executor)
        seconds = time.perf_counter() - began
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.bare_loop", description=__doc__)
    parser.add_argument("--kind", choices=("processes", "threads", "sequential"), required=True)
    parser.add_argument("--count", type=int, default=1, help="of threads or processes")
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    given = parser.parse_args()
    with ExitStack() as exits:
        executor: Executor | None = None
        if given.kind == "threads":
            executor = exits.enter_context(ThreadPoolExecutor(given.count))
        elif given.kind == "processes":
            executor = exits.enter_context(ProcessPoolExecutor(given.count, get_context("fork")))
        tools()
        seconds = measure(executor, given.orders, given.warm_up)
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
