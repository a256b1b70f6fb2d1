"""(d): what a poll costs in a shop with a long history against one with a short one, both on MySQL or MariaDB."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from bench.figures import in_turn, significant
from bench.yard import SHOP, BenchFailed, Yard, say
from sync.clock import utc_now
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.sandbox.shop import create_shop, seed_orders
from sync.sandbox.shop_history import seed_history
from sync.services.poll_shop import poll_shop
from sync.settings import read_settings
from sync.shops.ecshop_sql import EcshopSqlShop

SERVER_VARIABLE = "ECSYNC_BENCH_SHOP_URL"
SERVER = "mysql+pymysql://root@127.0.0.1:3306/"
OPEN = 2000
SHORT, LONG = 10_000, 1_000_000
AIM = 1.5


def at_long_history(yard: Yard, rounds: int) -> Iterator[dict[str, Any]]:
    """Polls of 2,000 open orders that we hold already, behind a short and behind a long history, in turn."""
    with contextlib.ExitStack() as exits:
        try:
            polled = [exits.enter_context(_polled_shop(yard, count)) for count in (SHORT, LONG)]
        except OperationalError as problem:
            say(f"(d) left out: no MySQL or MariaDB for {SERVER_VARIABLE}: {problem.orig}")
            return
        short, long = in_turn(rounds, *(lambda rt=rt: _poll(rt) for rt, _ in polled))
    ratios = sorted(slow / quick for quick, slow in zip(short, long, strict=True))
    middle = ratios[len(ratios) // 2]
    yield {
        "bench": "d",
        "what": f"seconds of a poll of {OPEN} open orders behind {LONG} old ones, against {SHORT}",
        "ratio": significant(middle),
        "ratio_min": significant(ratios[0]),
        "ratio_max": significant(ratios[-1]),
        "long_s": significant(sorted(long)[len(long) // 2]),
        "short_s": significant(sorted(short)[len(short) // 2]),
        "first_look_s": [significant(first_s) for _, first_s in polled],
        "rounds": rounds,
        "aim": AIM,
        "reached": middle <= AIM,
    }


def _poll(rt: Runtime) -> float:
    started = time.monotonic()
    found = poll_shop(rt, SHOP)
    if found.open != OPEN or found.new:
        raise BenchFailed(f"a poll of {OPEN} known orders found {found.open} open and {found.new} new ones")
    return time.monotonic() - started


@contextmanager
def _polled_shop(yard: Yard, history: int) -> Iterator[tuple[Runtime, float]]:
    """A shop with a history whose open orders are all taken in, and the seconds its first look took."""
    with _fresh_shop() as url, yard.site() as site:
        say(f"(d) writing {history} old orders")
        shop = create_shop(url)
        try:
            seed_history(shop, history)
            seed_orders(shop, OPEN, 7, utc_now(), cod_share=0.05)
        finally:
            shop.dispose()
        settings = read_settings({**site.env, "ECSYNC_SHOP_MAIN_DSN": url})
        rt = Runtime(settings, counters=Counters(CollectorRegistry()))
        try:
            poll_shop(rt, SHOP)
            rt.shops[SHOP] = EcshopSqlShop("main", rt.peer(SHOP).config)  # a process that has seen nothing yet
            yield rt, _poll(rt)
        finally:
            rt.close()


@contextmanager
def _fresh_shop() -> Iterator[str]:
    server_url = os.environ.get(SERVER_VARIABLE, SERVER)
    name = f"ecsync_bench_{uuid.uuid4().hex[:12]}"
    server = create_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8"))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
