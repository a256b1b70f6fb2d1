"""What a measurement stands on: a private broker, sandbox peers in their own process, and fresh databases."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Engine, create_engine, func, make_url, select, text

from sync.clock import utc_now
from sync.db.migrate import migrate
from sync.db.models import StepRow
from sync.db.session import Database, make_engine
from sync.local.broker import Broker, choose_broker, wait_until_answering
from sync.local.plan import without_settings
from sync.local.supervisor import Child, Output, Supervisor
from sync.sandbox.shop import create_shop, read_ledger, seed_orders
from sync.settings import Settings, read_settings

DATABASE_VARIABLE = "ECSYNC_BENCH_DATABASE_URL"
SHOP = "shop.main"
STEPS_PER_ORDER = 4
"""claim_order, book_waybill, push_order, write_note."""
START_S = 60.0


class BenchFailed(Exception):
    """A measurement cannot be made, or what it did was wrong; the text says why."""


def say(words: str) -> None:
    """Tell a person how far it is; standard output is for the figures."""
    sys.stderr.write(f"bench: {words}\n")


def wait_until(what: str, claim: Callable[[], object], seconds: float, *, every_s: float = 0.1) -> None:
    """Ask until the claim holds; raises BenchFailed after so many seconds."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what}: not within {seconds:.0f} s")
        time.sleep(every_s)


@dataclass
class Site:
    """One house and one shop, both new: what a single run of an arm works on."""

    directory: Path
    env: dict[str, str]
    database: Database
    shop: Engine
    orders: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return read_settings(self.env)

    def environment(self, name: str) -> dict[str, str]:
        """The whole environment of a child."""
        return {**without_settings(os.environ), **self.env, "ECSYNC_PROCESS_NAME": name, "PYTHONUNBUFFERED": "1"}

    def child(self, name: str, module: str, *words: str) -> Child:
        return Child(name, (sys.executable, "-m", module, *words), self.environment(name))

    def seed(self, count: int) -> None:
        """So many paid orders appear in the shop."""
        placed = seed_orders(self.shop, count, len(self.orders) + 1, utc_now(), cod_share=0)
        self.orders += [order.order_sn for order in placed]

    def steps_done(self) -> int:
        with self.database.reading() as session:
            return session.execute(select(func.count()).where(StepRow.state == "done")).scalar_one()

    def wait_until_done(self, seconds: float) -> float:
        """Wait for the last step of the last order; returns its POSIX time, by the ledger's own record."""
        owed = STEPS_PER_ORDER * len(self.orders)
        wait_until(f"{len(self.orders)} orders in {self.directory}", lambda: self.steps_done() >= owed, seconds)
        with self.database.reading() as session:
            ended = session.execute(select(func.max(StepRow.finished_at))).scalar_one()
        return ended.timestamp() if ended else 0.0


@dataclass
class Yard:
    """The broker and the peers of all runs."""

    directory: Path
    broker: Broker
    carrier_url: str
    erp_url: str
    database_url: str = ""
    app_key: str = "bench-app-key"
    erp_token: str = "bench-erp-token"

    @property
    def database_kind(self) -> str:
        return make_url(self.database_url).get_backend_name() if self.database_url else "sqlite"

    @contextmanager
    def site(self, *, latency_ms: float = 0) -> Iterator[Site]:
        """A new house and shop; the peers have forgotten all others and answer after `latency_ms`."""
        self._ask_peers("/_reset", {})
        self._ask_peers("/_faults", {"carrier": {"latency_ms": latency_ms}, "erp": {"latency_ms": latency_ms}})
        self.redis().flushdb()
        directory = Path(tempfile.mkdtemp(dir=self.directory))
        with contextlib.ExitStack() as exits:
            url = exits.enter_context(self._fresh_database(directory))
            database = Database(make_engine(url))
            exits.callback(database.engine.dispose)
            migrate(database)
            shop = create_shop(f"sqlite:///{directory}/shop.db")
            exits.callback(shop.dispose)
            yield Site(directory, self._settings(url, directory), database, shop)

    def check(self, site: Site) -> None:
        """Hold the run against the peers' ledgers; a fast run that left something out is no run."""
        wanted = len(site.orders)
        ledger = self._ask_peers("/_ledger?brief=1")
        waybills, documents = ledger["carrier"]["waybills_issued"], ledger["erp"]["documents"]
        numbers = {number for order in ledger["carrier"]["orders"].values() for number in order["waybills"]}
        shown = [note.numbers for order in read_ledger(site.shop).values() for note in order.notes if order.actions]
        written = sum(1 for some in shown if numbers.issuperset(some))
        if not waybills == documents == written == wanted:
            raise BenchFailed(
                f"{wanted} orders gave {waybills} waybills, {documents} ERP documents and {written} notes in the shop"
            )

    def redis(self) -> Any:
        return redis.Redis.from_url(self.broker.url)

    def _settings(self, database_url: str, directory: Path) -> dict[str, str]:
        return {
            "ECSYNC_ENVIRONMENT": "sandbox",
            "ECSYNC_DATABASE_URL": database_url,
            "ECSYNC_BROKER_URL": self.broker.url,
            "ECSYNC_METRICS_DIR": f"{directory}/metrics",
            "ECSYNC_SHOPS": "main",
            "ECSYNC_SHOP_MAIN_DSN": f"sqlite:///{directory}/shop.db",
            "ECSYNC_SHOP_MAIN_ENVIRONMENT": "sandbox",
            "ECSYNC_CARRIERS": "kdniao",
            "ECSYNC_CARRIER_KDNIAO_ORDER_URL": self.carrier_url,
            "ECSYNC_CARRIER_KDNIAO_QUERY_URL": self.carrier_url,
            "ECSYNC_CARRIER_KDNIAO_EBUSINESS_ID": "bench",
            "ECSYNC_CARRIER_KDNIAO_APP_KEY": self.app_key,
            "ECSYNC_CARRIER_KDNIAO_RATE_PER_S": "1000000",  # never reached: the limit is asked for, and no call waits
            "ECSYNC_ERPS": "generic_rest",
            "ECSYNC_ERP_GENERIC_REST_BASE_URL": self.erp_url,
            "ECSYNC_ERP_GENERIC_REST_TOKEN": self.erp_token,
            "ECSYNC_SENDER_NAME": "示例仓库",
            "ECSYNC_SENDER_PHONE": "10000000000",
            "ECSYNC_SENDER_PROVINCE": "广东省",
            "ECSYNC_SENDER_CITY": "深圳市",
            "ECSYNC_SENDER_DISTRICT": "南山区",
            "ECSYNC_SENDER_ADDRESS": "示例路 1 号",
            "ECSYNC_SENDER_POSTCODE": "518000",
            "ECSYNC_POLL_INTERVAL_S": "3600",  # the measurement itself says when
        }

    @contextmanager
    def _fresh_database(self, directory: Path) -> Iterator[str]:
        if not self.database_url:
            yield f"sqlite:///{directory}/ecsync.db"
            return
        name = f"ecsync_bench_{uuid.uuid4().hex[:12]}"
        server = create_engine(self.database_url, isolation_level="AUTOCOMMIT")
        try:
            with server.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            yield make_url(self.database_url).set(database=name).render_as_string(hide_password=False)
            with server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        finally:
            server.dispose()

    def _ask_peers(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        place = self.erp_url + path
        with urllib.request.urlopen(urllib.request.Request(place, data), timeout=30) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
        return answer


@contextmanager
def open_yard() -> Iterator[Yard]:
    """Start the broker and the peers; everything ends, and the directory goes, when the block is left in peace."""
    with contextlib.ExitStack() as exits:
        place = tempfile.TemporaryDirectory(prefix="ecsync-bench-", ignore_cleanup_errors=True)
        directory = Path(exits.enter_context(place))
        broker = choose_broker(directory / "broker")
        house = exits.enter_context(Supervisor(Output(sys.stderr, directory), say))
        env = without_settings(os.environ)
        house.start(Child("broker", broker.argv, env))
        wait_until_answering(broker)
        yard = Yard(directory, broker, "", "", os.environ.get(DATABASE_VARIABLE, ""))
        ready = directory / "peers.json"
        words = ("--ebusiness-id", "bench", "--app-key", yard.app_key, "--erp-token", yard.erp_token)
        argv = (sys.executable, "-m", "sync.sandbox", *words, "--ready-file", str(ready))
        house.start(Child("peers", argv, env))
        wait_until("the sandbox peers", ready.exists, START_S)
        told = json.loads(ready.read_text())
        yard.carrier_url, yard.erp_url = told["carrier_url"], told["erp_url"]
        yield yard
