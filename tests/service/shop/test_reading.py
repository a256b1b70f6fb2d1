"""What is read from a shop, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from mappings.model import Order, Queue
from sync.sandbox.shop import cancel_order, create_shop, load_fixture, seed_orders
from sync.shops.port import Standing, Unreadable
from tests.contract.ecshop_recorded import NAMES, recorded
from tests.contract.test_ecshop_orders import OUTCOMES
from tests.service.shop.yard import (
    BLACK_CUP,
    CARD,
    CUP,
    DISCOUNT,
    GIFT_TEA,
    NOW,
    PACKAGE,
    STORED_NOW,
    TEA,
    Yard,
    open_yard,
    the_order,
)


def read(yard: Yard, **config: Any) -> list[Order | Unreadable]:
    return list(yard.shop(**config).read_open(NOW))


def ids(found: list[Order | Unreadable]) -> list[str]:
    return [item.shop_order_id for item in found]


@contextmanager
def counting() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_sweep_of_the_recorded_orders_finds_each_in_its_place(yard: Yard) -> None:
    with yard.engine.begin() as connection:
        for table in (yard.tables.region, yard.tables.goods, yard.tables.products, yard.tables.package_goods):
            connection.execute(table.delete())
        connection.execute(yard.tables.shipping.delete())
        connection.execute(yard.tables.payment.delete())
    for name in NAMES:
        load_fixture(yard.engine, recorded(name))
    found = {item.shop_order_id: item for item in read(yard)}
    wanted = {name[:4]: outcome for name, (outcome, _) in OUTCOMES.items() if outcome}
    assert {key: item.queue if isinstance(item, Order) else item.code for key, item in found.items()} == wanted
    standings = yard.shop().read_standings([name[:4] for name in NAMES])
    assert {key: str(value) for key, value in standings.items()} == {
        key[:4]: word for key, (_, word) in OUTCOMES.items()
    }


def test_seeded_orders_are_all_readable_but_the_malformed_ones(yard: Yard) -> None:
    seeded = seed_orders(yard.engine, 40, 7, NOW, bad=8)
    found = {item.shop_order_id: item.code if isinstance(item, Unreadable) else "" for item in read(yard)}
    assert found == {order.order_id: order.bad_code for order in seeded}
    assert len({order.bad_code for order in seeded}) == 9


def test_the_same_seed_gives_the_same_orders(tmp_path: Path, sqlite_yard: Yard) -> None:
    twin = open_yard(f"sqlite:///{tmp_path}/twin.db")
    assert seed_orders(sqlite_yard.engine, 5, 3, NOW) == seed_orders(twin.engine, 5, 3, NOW)
    assert sqlite_yard.dump() == twin.dump()


@pytest.mark.parametrize("page_size", [1, 3, 200])
def test_pages_of_any_size_give_every_order_once(yard: Yard, page_size: int) -> None:
    wanted = [order.order_id for order in seed_orders(yard.engine, 7, 1, NOW)]
    assert ids(read(yard, page_size=page_size)) == wanted


def test_a_page_costs_the_same_number_of_statements_however_many_orders_it_holds(yard: Yard) -> None:
    assert read(yard) == []  # the first sweep also looks for unusual states
    seed_orders(yard.engine, 50, 1, NOW)
    with counting() as few:
        assert len(read(yard)) == 50
    seed_orders(yard.engine, 100, 2, NOW)
    with counting() as many:
        assert len(read(yard)) == 150
    assert len(many) == len(few)


def test_no_connection_is_held_while_the_caller_works_on_a_page(mariadb_yard: Yard) -> None:
    """Otherwise the second reader would have to open one of its own."""
    seed_orders(mariadb_yard.engine, 5, 1, NOW)
    shop = mariadb_yard.shop(page_size=2)
    sweep = shop.read_open(NOW)
    next(sweep)
    with mariadb_yard.engine.connect() as connection:
        query = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        opened = set(connection.exec_driver_sql(query).scalars())
        shop.find_id("none")
        assert set(connection.exec_driver_sql(query).scalars()) <= opened


def test_an_order_paid_between_two_sweeps_is_seen_by_the_second(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, pay_status=0, order_status=0)
    assert list(shop.read_open(NOW)) == []
    yard.alter("1", pay_status=2, order_status=1)
    assert ids(list(shop.read_open(NOW))) == ["1"]


def test_an_order_is_left_alone_while_its_checkout_may_still_run(yard: Yard) -> None:
    yard.order(1, add_time=STORED_NOW - 59)
    assert read(yard) == []
    assert ids(read(yard, settle_s=59)) == ["1"]


def test_a_paid_row_without_goods_waits_and_at_last_goes_to_a_person(yard: Yard) -> None:
    yard.put(yard.tables.order_info, [{"order_id": 1, "order_sn": "S1", "order_status": 1, "pay_status": 2,
                                       "shipping_id": 2, "add_time": STORED_NOW - 600}])  # fmt: skip
    assert read(yard) == []
    late = list(yard.shop().read_open(NOW + timedelta(hours=1)))
    assert [item.code for item in late if isinstance(item, Unreadable)] == ["ecshop.order.no_lines"]


def test_what_is_cancelled_unpaid_or_unconfirmed_is_not_read(yard: Yard) -> None:
    for order_id, change in enumerate(
        ({"order_status": 2}, {"order_status": 3}, {"order_status": 4}, {"pay_status": 0}, {"pay_status": 1}), start=1
    ):
        yard.order(order_id, **change)
    yard.order(8, pay_id=3, pay_status=0, order_status=0)
    assert read(yard) == []


def test_confirmed_cash_on_delivery_is_read_with_what_to_collect(yard: Yard) -> None:
    yard.order(1, pay_id=3, pay_status=0, order_amount=264, money_paid=0, pay_time=0)
    yard.order(2, pay_id=127, pay_name="货到付款", pay_status=0, order_amount=0, money_paid=264)
    assert [(order.shop_order_id, order.cod_fen) for order in read(yard) if isinstance(order, Order)] == [
        ("1", 26400),
        ("2", 26400),
    ]


def test_virtual_goods_are_not_packed_and_orders_of_nothing_else_are_not_ours(yard: Yard) -> None:
    yard.order(1, CARD, shipping_id=-1)
    yard.order(2, CARD)
    yard.order(3, TEA, CARD)
    (order,) = read(yard)
    assert isinstance(order, Order)
    assert (order.shop_order_id, [line.sku for line in order.lines]) == ("3", ["SBX-TEA-100"])


def test_a_package_is_read_as_its_parts_and_not_as_the_goods_of_the_same_id(yard: Yard) -> None:
    yard.order(1, PACKAGE | {"goods_number": 2})
    (order,) = read(yard)
    assert isinstance(order, Order)
    assert [(line.sku, line.quantity, line.package_id) for line in order.lines] == [
        ("SBX-TEA-100", 2, 5),
        ("SBX-CUP-1", 4, 5),
        ("SBX-SNACK", 2, 5),
    ]
    assert order.weight_g == 2 * (150 + 2 * 420 + 900)


def test_a_group_buy_is_read_once_its_campaign_succeeded(yard: Yard) -> None:
    activity = {"act_id": 9, "act_name": "", "act_desc": "", "act_type": 1, "goods_id": 1, "goods_name": "",
                "start_time": 0, "end_time": 0, "ext_info": "", "is_finished": 1}  # fmt: skip
    yard.put(yard.tables.goods_activity, [activity])
    yard.order(1, extension_code="group_buy", extension_id=9)
    assert read(yard) == []
    yard.change(yard.tables.goods_activity, {"act_id": 9}, is_finished=3)
    assert ids(read(yard)) == ["1"]


def test_the_remainder_of_a_partly_shipped_order_is_its_own_queue(yard: Yard) -> None:
    yard.order(1, TEA | {"send_number": 1}, GIFT_TEA | {"send_number": 1}, order_status=6, shipping_status=4)
    order = the_order(yard.shop(), "1")
    assert (order.queue, [(line.sku, line.quantity) for line in order.lines]) == (Queue.REMAINDER, [("SBX-TEA-100", 1)])


def test_an_order_that_only_its_discount_line_keeps_open_costs_no_sweep_anything(yard: Yard) -> None:
    yard.order(1, TEA | {"send_number": 2}, DISCOUNT, order_status=6, shipping_status=4)
    with counting() as statements:
        assert read(yard) == []
    assert not [statement for statement in statements if "consignee" in statement]
    assert yard.shop().read_standings(["1"]) == {"1": Standing.SHIPPED}


def test_orders_of_before_the_go_live_day_are_history(yard: Yard) -> None:
    yard.order(1)
    yard.order(2, add_time=STORED_NOW - 86400)
    assert ids(read(yard, go_live=date(2026, 11, 22))) == ["1"]
    assert yard.shop(go_live=date(2026, 11, 22)).read_one("2", NOW) is None
    assert ids(read(yard)) == ["1", "2"]


def test_the_go_live_day_begins_at_the_shops_own_midnight(sqlite_yard: Yard) -> None:
    midnight = STORED_NOW - 12 * 3600  # noon at the shop
    sqlite_yard.order(1, add_time=midnight - 1)
    sqlite_yard.order(2, add_time=midnight)
    assert ids(read(sqlite_yard, go_live=date(2026, 11, 22))) == ["2"]


def test_a_city_without_districts_needs_none(yard: Yard) -> None:
    with yard.engine.connect() as connection:
        query = yard.tables.region.select().where(yard.tables.region.c.region_name == "东莞")
        city = connection.execute(query).mappings().one()
    yard.order(1, province=city["parent_id"], city=city["region_id"], district=0)
    assert the_order(yard.shop(), "1").consignee.address.city == "东莞"


def test_a_malformed_order_does_not_hide_the_others(yard: Yard) -> None:
    yard.order(1, mobile="")
    yard.order(2)
    found = read(yard)
    assert [type(item) for item in found] == [Unreadable, Order]


def test_one_order_is_read_as_the_sweep_reads_it(yard: Yard) -> None:
    yard.order(1, CUP, BLACK_CUP)
    yard.order(2, mobile="")
    yard.order(3, pay_status=0)
    shop = yard.shop()
    assert [shop.read_one(key, NOW) for key in ("1", "2")] == read(yard)
    assert [shop.read_one(key, NOW) for key in ("3", "4", "x")] == [None, None, None]


def test_standings_answer_for_every_id(yard: Yard) -> None:
    yard.order(1)
    yard.order(2, shipping_status=1, order_status=5)
    yard.order(3)
    cancel_order(yard.engine, "3", NOW)
    assert yard.shop().read_standings(["1", "2", "3", "4", "x"]) == {
        "1": Standing.OWED,
        "2": Standing.SHIPPED,
        "3": Standing.WITHDRAWN,
        "4": Standing.GONE,
        "x": Standing.GONE,
    }


def test_standings_of_more_orders_than_one_statement_takes(sqlite_yard: Yard) -> None:
    seeded = seed_orders(sqlite_yard.engine, 1200, 1, NOW)
    standings = sqlite_yard.shop().read_standings([order.order_id for order in seeded])
    assert len(standings) == 1200
    assert set(standings.values()) == {Standing.OWED}


def test_an_order_number_leads_to_its_id(yard: Yard) -> None:
    yard.order(7)
    assert yard.shop().find_id("2026112200007") == "7"
    assert yard.shop().find_id("nothing") is None


def test_the_ids_for_the_conservation_check_are_those_of_a_sweep(yard: Yard) -> None:
    seed_orders(yard.engine, 6, 1, NOW, bad=2)
    yard.order(1, add_time=STORED_NOW - 5)
    assert list(yard.shop().paid_ids(NOW)) == ids(read(yard))


def test_another_prefix_is_another_shop(tmp_path: Path) -> None:
    yard = open_yard(f"sqlite:///{tmp_path}/shops.db")
    yard.order()
    create_shop(yard.url, prefix="b2c_")
    assert ids(read(yard)) == ["1"]
    assert read(yard, prefix="b2c_") == []
