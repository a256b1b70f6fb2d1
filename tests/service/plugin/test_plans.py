"""What a poll over the plug-in asks of a shop with a long history."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import make_url

from tests.service.plugin.cutting import Cut, cut_way
from tests.service.plugin.php import PhpShop
from tests.service.shop.conftest import HISTORY
from tests.service.shop.yard import Yard

LARGE = {"o", "l", "n", "order_info", "order_goods", "delivery_order", "delivery_goods", "order_action"}
"""How the plug-in's statements call the tables that grow, without a prefix."""


def explained(
    yard: Yard, php: PhpShop, route: str, *, forgets: bool = True, **parameters: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Every SELECT that the route makes, with the rows of its EXPLAIN that read a table that grows."""
    cut, parts = Cut(), make_url(yard.url)
    php.is_set()
    with cut_way(str(parts.host), parts.port or 3306, cut) as port:
        php.serves(yard.url, port=port, forgets=forgets)
        assert php.caller.get(route, **parameters)[0] == 200
    found = []
    with yard.engine.connect() as connection:
        for statement in cut.queries:
            if statement.startswith("SELECT"):
                plan = connection.exec_driver_sql(f"EXPLAIN {statement.replace('%', '%%')}").mappings().all()
                found += [(statement, dict(row)) for row in plan]
    return [one for one in found if str(one[1]["table"]).removeprefix("ecs_") in LARGE]


def _rows(plan: dict[str, Any]) -> int:
    """MariaDB adds to the number how much of it a filter leaves."""
    return int(str(plan["rows"] or 0).split()[0])


def test_no_statement_of_a_poll_walks_through_the_past(old_shop: Yard, running_php: PhpShop) -> None:
    """But for one poll in ten minutes, which also looks for states that no page of ECShop leaves."""
    first = explained(old_shop, running_php, "orders")
    plans = explained(old_shop, running_php, "orders", forgets=False)
    assert len(first) > len(plans) > 30
    assert {plan["type"] for _, plan in plans}.isdisjoint({"ALL", "index"})
    assert max(_rows(plan) for _, plan in plans) < HISTORY / 20


@pytest.mark.parametrize("parameters", [{"ids": "1,2,50010"}, {"after": HISTORY}], ids=["by ids", "a later page"])
def test_what_is_asked_for_by_its_key_is_found_by_it(
    old_shop: Yard, running_php: PhpShop, parameters: dict[str, Any]
) -> None:
    explained(old_shop, running_php, "orders")
    plans = explained(old_shop, running_php, "orders", forgets=False, **parameters)
    assert {plan["type"] for _, plan in plans}.isdisjoint({"ALL", "index"})
    assert max(_rows(plan) for _, plan in plans) < HISTORY / 20
