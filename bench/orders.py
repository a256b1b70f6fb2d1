"""(a) and (b): orders through the pipeline against the same work without one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.figures import Comparison, in_turn, significant
from bench.pipeline import Run, Worker, run_pipeline
from bench.yard import BenchFailed, Yard

WARM_UP = 40
SLOW_MS = 100.0

FULL_SPEED = (
    Worker("carriers", "carrier.kdniao,callbacks", 1),
    Worker("erps", "erp.generic_rest", 1),
    Worker("shops", "shop.main,sweeps,notices", 2),
)
"""A process for each thing that can go on at once; more than the cores only waits."""

SLOW_PEERS = (
    Worker("carriers", "carrier.kdniao,callbacks", 16, "threads"),
    Worker("erps", "erp.generic_rest", 16, "threads"),
    Worker("shops", "shop.main,sweeps,notices", 2),
)
"""Threads wait for peers at no cost; the shop's database is near and keeps processes."""


def at_full_speed(yard: Yard, orders: int, rounds: int) -> Iterator[dict[str, Any]]:
    """(a) Peers that answer at once: what queue, ledger and framework cost."""
    runs: list[Run] = []
    slots = sum(worker.concurrency for worker in FULL_SPEED)

    def ours() -> float:
        runs.append(run_pipeline(yard, FULL_SPEED, orders=orders, warm_up=WARM_UP))
        return runs[-1].orders_per_s

    by_process, by_thread = (
        lambda: run_bare(yard, "processes", slots, orders=orders),
        lambda: run_bare(yard, "threads", slots, orders=orders),
    )
    rates = in_turn(rounds, ours, by_process, by_thread)
    common = _common(FULL_SPEED, orders, runs)
    what = f"orders/s: pipeline against a bare loop in {slots}"
    yield {"bench": "a", "what": f"{what} processes", **Comparison(rates[0], rates[1]).line(0.4), **common}
    yield {"bench": "a", "what": f"{what} threads", **Comparison(rates[0], rates[2]).line(0.4)}


def at_slow_peers(yard: Yard, orders: int, rounds: int) -> Iterator[dict[str, Any]]:
    """(b) Peers that take 100 ms: what waiting for many at once brings."""
    runs: list[Run] = []
    few = max(5, orders // 10)  # one by one, the rate does not depend on how many

    def ours() -> float:
        runs.append(run_pipeline(yard, SLOW_PEERS, orders=orders, warm_up=WARM_UP, latency_ms=SLOW_MS))
        return runs[-1].orders_per_s

    rates = in_turn(rounds, ours, lambda: run_bare(yard, "sequential", 1, orders=few, latency_ms=SLOW_MS))
    what = f"orders/s at {SLOW_MS:g} ms a call: pipeline against one by one"
    yield {"bench": "b", "what": what, **Comparison(*rates).line(10), **_common(SLOW_PEERS, orders, runs)}


def run_bare(yard: Yard, kind: str, count: int, *, orders: int, latency_ms: float = 0) -> float:
    """Orders per second of the bare arm."""
    with yard.site(latency_ms=latency_ms) as site:
        warm_up = WARM_UP if kind != "sequential" else 2
        words = ("--kind", kind, "--count", str(count), "--orders", str(orders), "--warm-up", str(warm_up))
        child = site.child("bare", "bench.bare_loop", *words)
        bound_s = 60 + orders / 5 + 3 * orders * latency_ms / 1000
        done = subprocess.run(child.argv, env=dict(child.env), capture_output=True, timeout=bound_s, check=False)
        if done.returncode:
            raise BenchFailed(f"the bare loop ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
        site.orders = ["?"] * (orders + warm_up)
        yard.check(site)
        return orders / float(json.loads(done.stdout)["seconds"])


def _common(workers: tuple[Worker, ...], orders: int, runs: list[Run]) -> dict[str, Any]:
    columns: dict[str, Any] = {"orders": orders, "workers": [str(worker) for worker in workers]}
    for name in asdict(runs[0]):
        values = [getattr(run, name) for run in runs]
        if name != "orders_per_s" and None not in values:
            columns[name] = significant(median(values))
    return columns
