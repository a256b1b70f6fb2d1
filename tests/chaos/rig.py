"""The house as real processes: workers, Beat and web under the supervisor; shop and peers in the test's own process."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, func, select

from sync.clock import BusinessClock, utc_now
from sync.db.migrate import migrate
from sync.db.models import ExceptionGroupRow, ExceptionRow, OrderRow, StepRow
from sync.db.session import Database, make_engine
from sync.local.broker import Broker, free_port, wait_until_answering
from sync.local.plan import without_settings
from sync.local.supervisor import Child, Output, Supervisor
from sync.sandbox.server import SandboxPeers, SandboxSettings
from sync.sandbox.shop import seed_orders
from tests.chaos.processes import children, wait_for
from tests.service.house import environment, sandbox_shop

ROOT = Path(__file__).parents[2]

QUICK = {
    "ECSYNC_LEASE_S": "8",
    "ECSYNC_REQUEUE_AFTER_S": "2",
    "ECSYNC_RELAY_INTERVAL_S": "0.5",
    "ECSYNC_RETRY_DELAY_S": "1",
    "ECSYNC_POLL_INTERVAL_S": "2",
    "ECSYNC_RECONCILE_INTERVAL_S": "2",
    "ECSYNC_BREAKER_PROBE_S": "1",
    "ECSYNC_STARTUP_WAIT_S": "20",
    "ECSYNC_CARRIER_KDNIAO_READ_TIMEOUT_S": "3",
    "ECSYNC_ERP_GENERIC_REST_READ_TIMEOUT_S": "3",
}
"""Production's settings with the waiting times shortened."""

WORKERS = {
    "carriers": ("carrier.kdniao", 3),
    "erps": ("erp.generic_rest", 2),
    "shops": ("shop.main", 2),
    "sweeps": ("sweeps,callbacks,notices", 2),
}
"""A worker's name, its queues, its concurrency."""

FULFILMENT = ("claim_order", "book_waybill", "push_order", "write_note")
"""What every order owes before its parcel moves."""


@dataclass
class Rig:
    """What a test holds in its hands. Times are machine times."""

    directory: Path
    env: Mapping[str, str]
    peers: SandboxPeers
    shop: Engine
    database: Database
    broker: Broker
    supervisor: Supervisor
    clock: BusinessClock
    said: list[str] = field(default_factory=list)
    web_port: int = 0

    def child(self, name: str, *argv: str, **more: str) -> Child:
        """A program of this house with the house's environment."""
        env = {**self.env, "ECSYNC_PROCESS_NAME": name, "PYTHONUNBUFFERED": "1", **more}
        return Child(name, argv, env)

    def celery(self, name: str, *words: str, **more: str) -> Child:
        return self.child(name, sys.executable, "-m", "celery", "-A", "tasks.app", *words, **more)

    def worker_child(self, name: str, queues: str, concurrency: int, **more: str) -> Child:
        words = f"worker -Q {queues} -n {name}@%h --concurrency {concurrency} --without-mingle --without-gossip"
        return self.celery(f"worker-{name}", *words.split(), "--loglevel", "INFO", **more)

    def start_broker(self) -> None:
        if self.broker.argv:
            self.supervisor.start(self.child("broker", *self.broker.argv))
        wait_until_answering(self.broker)

    def start_workers(self, workers: Mapping[str, tuple[str, int]] = WORKERS) -> None:
        self.supervisor.start(*(self.worker_child(name, *what) for name, what in workers.items()))

    def start_beat(self) -> None:
        self.supervisor.start(self.celery("beat", "beat", "--schedule", f"{self.directory}/beat", "--loglevel", "INFO"))

    def start_web(self, workers: int = 1) -> str:
        """Serve the receiver and /metrics; returns the base address once it answers."""
        port = self.web_port = free_port()
        config = str(ROOT / "deploy" / "gunicorn.conf.py")
        words = ("-m", "gunicorn", "-c", config, "--workers", str(workers), "sync.web.app:create_app()")
        self.supervisor.start(self.child("web", sys.executable, *words, ECSYNC_WEB_BIND=f"127.0.0.1:{port}"))
        wait_for("an answer of the web process", lambda: answers(f"http://127.0.0.1:{port}/readyz"), 60)
        return f"http://127.0.0.1:{port}"

    def seed(self, count: int, *, seed: int = 7) -> list[str]:
        """Paid orders in the shop; returns their numbers."""
        placed = seed_orders(self.shop, count, seed, self.clock.now(), cod_share=0)
        return [order.order_sn for order in placed]

    def log(self, name: str) -> str:
        path = self.directory / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def count_fulfilled(self) -> int:
        """Orders for which nothing is owed any more but what their parcel's journey will bring."""
        done = (
            select(StepRow.order_id)
            .where(StepRow.name.in_(FULFILMENT), StepRow.state == "done")
            .group_by(StepRow.order_id)
            .having(func.count() == len(FULFILMENT))
        )
        with self.database.reading() as session:
            return session.execute(select(func.count()).select_from(done.subquery())).scalar_one()

    def order_ids(self) -> dict[str, int]:
        with self.database.reading() as session:
            return {row.order_sn: row.id for row in session.execute(select(OrderRow.order_sn, OrderRow.id))}

    def steps(self, **wanted: Any) -> Sequence[StepRow]:
        with self.database.reading() as session:
            return session.execute(select(StepRow).filter_by(**wanted).order_by(StepRow.id)).scalars().all()

    def desk(self) -> list[tuple[str, str]]:
        """Whatever has ever lain on the exception desk: (code, message)."""
        wanted = select(ExceptionGroupRow.code, ExceptionRow.message).join(
            ExceptionRow, ExceptionRow.group_id == ExceptionGroupRow.id
        )
        with self.database.reading() as session:
            return [(code, message) for code, message in session.execute(wanted)]

    def waybills(self) -> dict[str, list[str]]:
        """The carrier's own ledger: order number -> every waybill it issued for it, whatever the order code."""
        issued: dict[str, list[str]] = {}
        for code, entry in self.peers.ledger(brief=True)["carrier"]["orders"].items():
            issued.setdefault(code.rpartition("-")[0], []).extend(entry["waybills"])
        return issued

    def documents(self) -> dict[str, list[str]]:
        """The ERP's own ledger: order number -> its documents."""
        orders = self.peers.ledger(brief=True)["erp"]["orders"]
        return {order_sn: entry["documents"] for order_sn, entry in orders.items()}

    def spans(self) -> dict[int, tuple[datetime, datetime]]:
        """Order -> when it was taken in, and when its fulfilment was over."""
        wanted = (
            select(OrderRow.id, OrderRow.received_at, func.max(StepRow.finished_at, type_=StepRow.created_at.type))
            .join(StepRow, StepRow.order_id == OrderRow.id)
            .where(StepRow.name.in_(FULFILMENT), StepRow.state == "done")
            .group_by(OrderRow.id, OrderRow.received_at)
        )
        with self.database.reading() as session:
            rows = session.execute(wanted)
            return {order_id: (taken_in, ended) for order_id, taken_in, ended in rows if ended is not None}


def answers(url: str) -> bool:
    """Whether there is an answer of 200."""
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def open_rig(
    directory: Path,
    database_url: str,
    broker: Broker,
    *,
    sandbox: Mapping[str, Any] | None = None,
    clock: BusinessClock | None = None,
    **more: str,
) -> Iterator[Rig]:
    """Everything prepared and nothing started but the peers; at the end every process is gone."""
    clock = clock or BusinessClock()
    said: list[str] = []
    with ExitStack() as exits:
        peers = exits.enter_context(SandboxPeers(SandboxSettings(clock=clock, **(sandbox or {}))))
        own = {"ECSYNC_DATABASE_URL": database_url, "ECSYNC_BROKER_URL": broker.url, **QUICK, **more}
        if clock != BusinessClock():
            own["ECSYNC_SANDBOX_CLOCK"] = str(clock)
        env = {**without_settings(os.environ), **environment(directory, peers, **own)}
        shop = sandbox_shop(directory)
        exits.callback(shop.dispose)
        database = Database(make_engine(database_url))
        exits.callback(database.engine.dispose)
        migrate(database)
        output = Output(io.StringIO(), logs=directory)
        before = {each.pid for each in children(os.getpid())}
        exits.callback(_assert_nothing_is_left, before)
        supervisor = exits.enter_context(Supervisor(output, said.append, grace_s=45))
        yield Rig(directory, env, peers, shop, database, broker, supervisor, clock, said)


def _assert_nothing_is_left(before: set[int]) -> None:
    left = [each.command for each in children(os.getpid()) if each.pid not in before]
    assert not left, f"these processes outlived their supervisor: {left}"


def seconds_since(moment: datetime) -> float:
    return (utc_now() - moment).total_seconds()
