"""What a poll asks of a shop with a long history: which indexes the server uses, and what it holds in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

from sync.sandbox.shop import seed_orders
from sync.shops.ecshop_sql import EcshopSqlShop
from tests.service.shop.conftest import HISTORY
from tests.service.shop.yard import NOW, Yard

LARGE = ("ecs_order_info", "ecs_order_goods", "ecs_order_action", "ecs_delivery_order", "ecs_delivery_goods")


@contextmanager
def explained() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Every SELECT that is executed, with the rows of its EXPLAIN."""
    plans: list[tuple[str, dict[str, Any]]] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            cursor.execute(f"EXPLAIN {statement}", parameters)
            names = [column[0] for column in cursor.description]
            plans.extend((statement, dict(zip(names, row, strict=True))) for row in cursor.fetchall())

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def shop_of(yard: Yard) -> EcshopSqlShop:
    return EcshopSqlShop("main", {"dsn": yard.url})


def test_no_statement_of_a_poll_walks_through_the_past(old_shop: Yard) -> None:
    """But for the first poll of a process and one in ten minutes, which also look for states that nobody leaves."""
    shop = shop_of(old_shop)
    list(shop.read_open(NOW))
    with explained() as plans:
        ids = [found.shop_order_id for found in shop.read_open(NOW)]
        shop.read_standings(ids)
        shop.read_hashes(ids)
        shop.read_one(ids[0], NOW)
        shop.read_numbers(ids[0])

    assert len(ids) >= 40
    large = [plan for _, plan in plans if plan["table"] in LARGE]
    assert {plan["type"] for plan in large}.isdisjoint({"ALL", "index"})
    assert max(int(plan["rows"] or 0) for plan in large) < HISTORY / 20, "both states' indexes together, or the rarer"


def test_a_poll_holds_one_page_and_the_open_ids_in_memory(old_shop: Yard) -> None:
    """Twice as many open orders must not take twice the memory."""
    shop = EcshopSqlShop("main", {"dsn": old_shop.url, "page_size": 20})

    def peak() -> int:
        for _ in shop.read_open(NOW):
            pass
        tracemalloc.start()
        try:
            for _ in shop.read_open(NOW):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few = peak()
    seed_orders(old_shop.engine, 400, 2, NOW)
    assert peak() < 2 * few
