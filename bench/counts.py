"""What an order costs in statements, commits and messages, counted in one process that does everything itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine, event

from bench.figures import significant
from bench.yard import SHOP, Yard
from sync.db.steps import Wake
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.services.poll_shop import poll_shop
from sync.services.run_steps import run_steps

ORDERS = 50


def count(yard: Yard) -> dict[str, Any]:
    """Statements and commits per order in our database and in the shop's, and messages that wake workers."""
    with yard.site() as site:
        rt = Runtime(site.settings, counters=Counters(CollectorRegistry()))
        try:
            with _counting(rt.database.engine) as intake:
                site.seed(ORDERS)
                wakes = poll_shop(rt, SHOP).wakes
            with _counting(rt.database.engine) as steps:
                messages = _serve(rt, wakes)
        finally:
            rt.close()
        yard.check(site)
    line = {"bench": "counts", "what": "per order, in one process", "orders": ORDERS, "messages": messages / ORDERS}
    for name, counter in (("intake", intake), ("steps", steps)):
        line |= {f"{name}_{what}": significant(number / ORDERS) for what, number in sorted(counter.items())}
    return line


def _serve(rt: Runtime, wakes: list[Wake]) -> int:
    """Do what the wakes ask for; returns how many messages a broker would have carried."""
    waiting, messages = list(wakes), 0
    while waiting:
        wake = waiting.pop(0)
        messages += 1
        waiting += run_steps(rt, wake.order_id, wake.peer)
    return messages


@contextmanager
def _counting(ours: Engine) -> Iterator[Counter[str]]:
    """Count statements and commits of all engines, ours apart from the shop's."""
    counted: Counter[str] = Counter()

    def whose(connection: Connection) -> str:
        return "record" if connection.engine.url == ours.url else "shop"

    def on_statement(connection: Connection, *_: Any) -> None:
        counted[f"{whose(connection)}_statements"] += 1

    def on_commit(connection: Connection) -> None:
        counted[f"{whose(connection)}_commits"] += 1

    event.listen(Engine, "before_cursor_execute", on_statement)
    event.listen(Engine, "commit", on_commit)
    try:
        yield counted
    finally:
        event.remove(Engine, "before_cursor_execute", on_statement)
        event.remove(Engine, "commit", on_commit)
