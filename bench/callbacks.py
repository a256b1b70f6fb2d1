"""(c): callbacks durably accepted per second, against a bare WSGI view with one INSERT."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sqlalchemy import func, select

from bench.figures import Comparison, in_turn, significant
from bench.load import Load, post_all
from bench.pushes import make_pushes
from bench.yard import START_S, BenchFailed, Site, Yard, say, wait_until
from sync.db.models import InboxRow
from sync.local.broker import free_port
from sync.local.plan import ROOT
from sync.local.supervisor import Child, Output, Supervisor

CONNECTIONS = 16
"""As many as two processes of eight threads answer at once."""
PARCELS = 2
"""Parcels in a push; with their whole history, some 5 KB as a form."""
PATH = "/callbacks/kdniao"


@dataclass
class Server:
    """A running gunicorn with a house of its own."""

    site: Site
    port: int
    posted: int = 0
    loads: list[Load] = field(default_factory=list)

    def take(self, count: int, app_key: str) -> float:
        """Callbacks per second, held against the rows that stand in the database afterwards."""
        bodies = make_pushes(count, app_key, parcels=PARCELS, first=self.posted)
        load = post_all(self.port, PATH, bodies, connections=CONNECTIONS)
        self.posted += count
        if self.stored() != self.posted:
            raise BenchFailed(f"{self.posted} callbacks were accepted and {self.stored()} are stored")
        self.loads.append(load)
        return count / load.seconds

    def stored(self) -> int:
        with self.site.database.reading() as session:
            return session.execute(select(func.count()).select_from(InboxRow)).scalar_one()


def against_bare_view(yard: Yard, callbacks: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Our receiver, a bare view, and a bare view that at least verifies what it stores."""
    with contextlib.ExitStack() as exits:
        house = exits.enter_context(Supervisor(Output(sys.stderr, yard.directory), say))
        servers = [
            _serve(exits, house, yard, "web", "sync.web.app:create_app()"),
            _serve(exits, house, yard, "bare-view", "bench.bare_view:application"),
            _serve(exits, house, yard, "bare-verifying-view", "bench.bare_view:application", BENCH_VERIFIES="1"),
        ]
        for server in servers:
            server.take(200, yard.app_key)
            server.loads.clear()
        arms: list[Callable[[], float]] = [_arm(server, callbacks, yard.app_key) for server in servers]
        ours, bare, verifying = in_turn(rounds, *arms)
    size = len(make_pushes(1, yard.app_key, parcels=PARCELS)[0])
    what = "callbacks/s: durably accepted against a bare view with one INSERT"
    common = {"callbacks": callbacks, "bytes": size, "connections": CONNECTIONS, **_delays(servers)}
    yield {"bench": "c", "what": what, **Comparison(ours, bare).line(0.8), **common}
    what = "callbacks/s: the same against a bare view that verifies the push as well"
    yield {"bench": "c", "what": what, **Comparison(ours, verifying).line()}


def _arm(server: Server, callbacks: int, app_key: str) -> Callable[[], float]:
    return lambda: server.take(callbacks, app_key)


def _serve(
    exits: contextlib.ExitStack, house: Supervisor, yard: Yard, name: str, application: str, **more: str
) -> Server:
    site = exits.enter_context(yard.site())
    port = free_port()
    env = {**site.environment(name), "ECSYNC_WEB_BIND": f"127.0.0.1:{port}", **more}
    argv = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "deploy" / "gunicorn.conf.py"), application)
    house.start(Child(name, argv, env))
    server = Server(site, port)
    wait_until(f"the {name} server", lambda: _answers(server, yard.app_key), START_S)
    return server


def _answers(server: Server, app_key: str) -> bool:
    try:
        server.take(1, app_key)
    except OSError:
        return False
    return True


def _delays(servers: list[Server]) -> dict[str, float]:
    told = {}
    for name, server in zip(("ours", "theirs"), servers, strict=False):
        for share in (50, 99):
            told[f"{name}_p{share}_ms"] = significant(median(load.percentile(share / 100) for load in server.loads))
    return told
