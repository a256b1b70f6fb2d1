"""The pipeline as it runs in production: Celery workers and Beat, timed from paid in the shop to written back."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from bench.memory import worker_memory_mb
from bench.yard import START_S, Site, Yard, say
from sync.db.cursors import read_cursors
from sync.local.supervisor import Child, Output, Supervisor

SWEEPS = "sweeps"


@dataclass(frozen=True, slots=True)
class Worker:
    """One `celery worker`: what it listens to and how many tasks it does at once."""

    name: str
    queues: str
    concurrency: int
    pool: str = "prefork"

    def __str__(self) -> str:
        return f"{self.name}: {self.concurrency} {self.pool}"


@dataclass(slots=True)
class Run:
    """What one run of the pipeline showed."""

    orders_per_s: float
    intake_s: float
    messages_per_order: float | None
    broker_commands_per_order: float | None
    worker_rss_mb: float | None
    worker_pss_mb: float | None


def run_pipeline(yard: Yard, workers: tuple[Worker, ...], *, orders: int, warm_up: int, latency_ms: float = 0) -> Run:
    """Start workers, let them get warm on some orders, then time `orders` more."""
    with yard.site(latency_ms=latency_ms) as site, Supervisor(Output(sys.stderr, site.directory), say) as house:
        house.start(*(_worker(site, worker) for worker in workers), _beat(site))
        site.seed(warm_up)
        _poll(yard, site)
        site.wait_until_done(START_S)
        before = _commands(yard)
        site.seed(orders)
        began = time.time()
        _poll(yard, site)
        ended = site.wait_until_done(_bound_s(orders, latency_ms))
        after = _commands(yard)
        memory = worker_memory_mb() or (None, None)
        yard.check(site)
        return Run(
            orders_per_s=orders / (ended - began),
            intake_s=_polled_at(site) - began,
            messages_per_order=_per_order(before, after, "messages", orders),
            broker_commands_per_order=_per_order(before, after, "all", orders),
            worker_rss_mb=memory[0],
            worker_pss_mb=memory[1],
        )


def _polled_at(site: Site) -> float:
    with site.database.reading() as session:
        polls = read_cursors(session, "poll.")
    return max(at.timestamp() for _, at in polls.values())


def _bound_s(orders: int, latency_ms: float) -> float:
    """No run may take longer: ten orders a second are far below any machine that is worth measuring."""
    return 60 + orders / 10 + orders * latency_ms / 1000


def _worker(site: Site, worker: Worker) -> Child:
    words = ("worker", "-Q", worker.queues, "-n", f"{worker.name}@%h", "--concurrency", str(worker.concurrency))
    quiet = ("--pool", worker.pool, "--without-mingle", "--without-gossip", "--loglevel", "INFO")
    return site.child(worker.name, "celery", "-A", "tasks.app", *words, *quiet)


def _beat(site: Site) -> Child:
    schedule = str(site.directory / "beat")
    return site.child("beat", "celery", "-A", "tasks.app", "beat", "--schedule", schedule, "--loglevel", "WARNING")


def _poll(yard: Yard, site: Site) -> None:
    """What Beat does once a minute: one message."""
    with Celery(broker=yard.broker.url) as app:
        queue = Queue(SWEEPS, Exchange("ecsync", type="direct"), routing_key=SWEEPS)
        app.conf.update(task_queues=[queue], task_ignore_result=True)
        app.send_task("tasks.polling.poll", args=(site.settings.shops[0].key,), queue=SWEEPS)


def _commands(yard: Yard) -> dict[str, int] | None:
    """How often the broker was asked for what; None when it does not count (fakeredis)."""
    try:
        told: dict[str, Any] = yard.redis().info("commandstats")
    except Exception:
        return None
    calls = {name.removeprefix("cmdstat_"): int(stats["calls"]) for name, stats in told.items()}
    # Each turn at a peer pushes its moment onto a list too, from within the limiter's script.
    messages = calls.get("lpush", 0) - calls.get("evalsha", 0)
    return {**calls, "messages": messages, "all": sum(calls.values())} if calls else None


def _per_order(before: dict[str, int] | None, after: dict[str, int] | None, command: str, orders: int) -> float | None:
    if before is None or after is None:
        return None
    return (after.get(command, 0) - before.get(command, 0)) / orders
