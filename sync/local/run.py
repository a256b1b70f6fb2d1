"""One demo from beginning to end: prepare, start, follow, check, and leave nothing behind."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import requests
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, delete, inspect, select
from sqlalchemy.exc import DBAPIError

from sync.clock import BusinessClock, utc_now
from sync.db.migrate import migrate
from sync.db.models import Base, OrderRow
from sync.db.session import Database, make_engine
from sync.exceptions import list_open
from sync.local.broker import choose_broker, free_port, wait_until_answering
from sync.local.plan import ROOT, SHOP, Plan, Ports
from sync.local.progress import Progress, Screen, read_progress, table
from sync.local.stock import enough_for, gather_stock
from sync.local.supervisor import Output, Supervisor
from sync.local.verdict import Evidence, Verdict, judge
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.sandbox.journeys import JourneyKind
from sync.sandbox.shop import create_shop, read_ledger, seed_orders
from sync.services.reconcile import reconcile_shop
from sync.services.switch_carriers import Wish, switch
from sync.settings import read_settings

LOOK_EVERY_S = 0.5
START_S = 60.0


class DemoFailed(Exception):
    """The demo cannot run; the text says why and what to do."""


class Demo:
    """A demo as a context manager: entering prepares it, `run` runs it, leaving stops and clears everything."""

    def __init__(self, options: argparse.Namespace, stop: threading.Event, out: TextIO) -> None:
        self.options = options
        self.is_ok = False
        self._is_switched = False
        self.seconds = 0.0
        self._stop = stop
        self._began = time.monotonic()
        self._timeout_s = options.timeout or 180 + options.orders
        self.screen = Screen(out, is_live=out.isatty())
        self._out = out
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Demo:
        with contextlib.ExitStack() as exits:
            directory = self._make_directory(exits)
            self.plan = self._make_plan(directory)
            self.database = Database(make_engine(self.plan.database_url))
            exits.callback(self.database.engine.dispose)
            self.database_kind = self.database.engine.dialect.name
            self._prepare_database()
            self.shop, self.orders = self._prepare_shop()
            exits.callback(self.shop.dispose)
            logs = directory if self.screen.is_live or self.options.json else None
            self._house = exits.enter_context(Supervisor(Output(self._out, logs), self.screen.say))
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.screen.say("Stopping …")
        self._exits.__exit__(kind, error, trace)

    def run(self) -> Verdict | None:
        """Start everything, follow the orders to their end, check; None when it was stopped before."""
        self._print_banner()
        self._start()
        if not self._follow() and self._stop.is_set():
            return None
        self.seconds = time.monotonic() - self._began
        verdict = judge(self._gather_evidence())
        self.is_ok = not verdict.problems
        return verdict

    def _make_directory(self, exits: contextlib.ExitStack) -> Path:
        """A directory that only this user can read; kept when asked for, or when there is something to look into."""
        place = None if self.options.exit else ROOT / "var"
        if place:
            place.mkdir(exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="demo-" if place else "ecsync-demo-", dir=place))
        (directory / "metrics").mkdir()
        exits.callback(self._clear, directory)
        return directory

    def _clear(self, directory: Path) -> None:
        is_telling = not self.is_ok and not self._stop.is_set() and any(directory.glob("*.log"))
        if self.options.keep or is_telling:
            self.screen.say(f"The run directory is kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)

    def _make_plan(self, directory: Path) -> Plan:
        now = utc_now()
        url = os.environ.get("ECSYNC_BROKER_URL", "")
        return Plan(
            directory=directory,
            broker=choose_broker(directory / "broker", url=url, wanted=self.options.broker),
            database_url=os.environ.get("ECSYNC_DATABASE_URL") or f"sqlite:///{directory}/ecsync.db",
            clock=BusinessClock(origin=now, started=now, speed=self.options.speed),
            ports=Ports(web=self.options.port or free_port()),
            seed=self.options.seed,
            stale_count=max(0, min(self.options.stale, self.options.orders // 7)),
            has_faults=self.options.faults,
            carrier=self.options.carrier,
            switch_to=self.options.switch_to,
            erp=self.options.erp,
            on_hand=enough_for(self.options.orders),
        )

    def _prepare_database(self) -> None:
        """Migrate; a database that holds anybody else's orders is refused before a thing is changed in it."""
        self.database.wait_until_ready(10)
        if inspect(self.database.engine).has_table(OrderRow.__tablename__):
            with self.database.reading() as session:
                shops = set(session.execute(select(OrderRow.shop).distinct()).scalars())
            if shops - {SHOP}:
                raise DemoFailed(
                    "ECSYNC_DATABASE_URL names a database that holds orders of a real shop "
                    f"({', '.join(sorted(shops - {SHOP}))}). A demo needs an empty one; nothing was changed."
                )
            migrate(self.database)
            with self.database.writing() as session:
                for each in reversed(Base.metadata.sorted_tables) if shops else ():
                    session.execute(delete(each))
        migrate(self.database)

    def _prepare_shop(self) -> tuple[Engine, list[str]]:
        engine = create_shop(self.plan.shop_url)
        seeded = seed_orders(engine, self.options.orders, self.options.seed, self.plan.clock.now())
        return engine, [order.order_sn for order in seeded]

    def _print_banner(self) -> None:
        plan, web = self.plan, f"http://127.0.0.1:{self.plan.ports.web}"
        where = "ECSYNC_DATABASE_URL names it" if os.environ.get("ECSYNC_DATABASE_URL") else "needs no server"
        rows = [
            ("Console 控制台", f"{web}/"),
            ("Metrics, health", f"{web}/metrics  {web}/readyz"),
            ("Flower 队列", f"http://127.0.0.1:{plan.ports.flower}/"),
            ("Database", f"{self.database_kind} ({where})"),
            ("Broker", f"{plan.broker.kind} ({plan.broker.reason})"),
            ("Run directory", f"{plan.directory}"),
            ("Stop 停止", "Ctrl-C"),
        ]
        self.screen.say(f"ecsync demo: {self.options.orders} paid orders\n\n{table(rows)}\n")
        if plan.broker.notice:
            self.screen.say(f"  {plan.broker.notice}\n")

    def _start(self) -> None:
        plan = self.plan
        if plan.broker.argv:
            self._house.start(plan.broker_child())
        wait_until_answering(plan.broker)
        if not plan.broker.argv:
            self._refuse_shared_broker()
        self._house.start(plan.peers())
        self._house.start(*plan.services())
        self._wait_for("the sandbox peers", plan.ports.erp, "/_ledger?brief=1")
        self._wait_for("the web process", plan.ports.web, "/readyz")

    def _refuse_shared_broker(self) -> None:
        """Workers of another house would take our tasks and look for them in another database."""
        ping = self.plan.ping_workers()
        answer = subprocess.run(ping.argv, env=dict(ping.env), capture_output=True, check=False, timeout=START_S)
        if answer.returncode == 0:
            raise DemoFailed(
                "ECSYNC_BROKER_URL names a broker that workers already listen on. A demo needs one of its own: another "
                "Redis database (…/5) or another RabbitMQ virtual host."
            )

    def _wait_for(self, what: str, port: int, path: str) -> None:
        """Ask until there is an answer of 200, for a bounded time."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                with contextlib.closing(connection):
                    connection.request("GET", path)
                    if connection.getresponse().status == 200:
                        return
            if self._stop.wait(0.1):
                return
            self._give_up_if_hopeless()
        raise DemoFailed(f"{what} did not answer on port {port} within {START_S:.0f} s. {self._log_hint()}")

    def _follow(self) -> bool:
        """Show how far the orders are until all have ended; False when stopped, or out of time."""
        progress, deadline = Progress(), self._began + self._timeout_s
        while not self._stop.wait(LOOK_EVERY_S):
            with contextlib.suppress(DBAPIError):  # the database may be restarted under a demo; that is allowed
                progress = read_progress(self.database, SHOP)
            elapsed = time.monotonic() - self._began
            self.screen.show(progress, len(self.orders), elapsed, self.plan.clock)
            if self.plan.switch_to and not self._is_switched and 2 * progress.waybills >= len(self.orders):
                self._switch_carrier()
            if progress.ended >= len(self.orders):
                self.screen.settle()
                return True
            if time.monotonic() > deadline:
                self.screen.settle()
                self.screen.say(f"Not every order came to its end within {self._timeout_s:.0f} s. {self._log_hint()}")
                return False
            self._give_up_if_hopeless()
        return False

    def _switch_carrier(self) -> None:
        """What a person does when a platform has trouble: new parcels go elsewhere, the others keep theirs."""
        self._is_switched = True
        with self._runtime() as rt:
            for action, target in (("default", self.plan.switch_to), ("drain", self.plan.carrier)):
                said = switch(rt, Wish(action, target, "half of the orders are out", "demo"))
                self.screen.say(f"  {said}")

    @contextlib.contextmanager
    def _runtime(self) -> Iterator[Runtime]:
        rt = Runtime(read_settings(self.plan.settings), counters=Counters(CollectorRegistry()))
        try:
            yield rt
        finally:
            rt.close()

    def _give_up_if_hopeless(self) -> None:
        names: Sequence[str] = self._house.hopeless()
        if names and self.options.exit:
            raise DemoFailed(f"{', '.join(names)} cannot be kept running. {self._log_hint()}")

    def _log_hint(self) -> str:
        return f"The logs are in {self.plan.directory}."

    def _gather_evidence(self) -> Evidence:
        with self._runtime() as rt:
            account = reconcile_shop(rt, rt.settings.shops[0].key)
            stock = gather_stock(rt, self.shop, self.plan.on_hand) if self.plan.shows_stock else None
            with rt.database.reading() as session:
                statuses = {
                    row.order_sn: row.status for row in session.execute(select(OrderRow.order_sn, OrderRow.status))
                }
                open_exceptions = list_open(session, limit=10_000)
        peers = self._ask_peers()
        return Evidence(
            orders=self.orders,
            peers=peers,
            shop=read_ledger(self.shop),
            statuses=statuses,
            open_exceptions=open_exceptions,
            conservation=account.difference,
            stale_count=self._expected_stale(peers),
            stock=stock,
        )

    def _expected_stale(self, peers: dict[str, Any]) -> int:
        """Each of several platforms leaves its share lying; how many orders it gets is not known before."""
        if len(self.plan.carriers.names) == 1:
            return self.plan.stale_count
        return sum(entry["journey"] == JourneyKind.NEVER_PICKED_UP for entry in peers["carrier"]["orders"].values())

    def _ask_peers(self) -> dict[str, Any]:
        reply = requests.get(f"http://127.0.0.1:{self.plan.ports.erp}/_ledger?brief=1", timeout=30)
        ledger: dict[str, Any] = reply.json()
        return ledger
