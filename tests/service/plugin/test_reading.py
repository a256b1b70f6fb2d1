"""What the plug-in answers of orders: every row as it stands, whatever characters it holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import make_url, text

from mappings.model import Order
from mappings.shops.ecshop import read_order
from mappings.shops.ecshop_api.answers import read_page
from sync.sandbox.shop import load_fixture, seed_orders
from sync.shops.ecshop_sql import EcshopSqlShop
from tests.contract.ecshop_recorded import NAMES, recorded
from tests.service.plugin.cutting import Cut, cut_way
from tests.service.plugin.php import RULES, Caller, PhpShop
from tests.service.shop.conftest import fresh_mariadb
from tests.service.shop.yard import (
    CARD,
    CUP,
    NOW,
    STORED_NOW,
    TEA,
    Yard,
    open_yard,
    parcel_of,
    ship,
    staff_note,
    the_order,
)


def _ids(document: Any) -> list[int]:
    return [one["order"]["order_id"] for one in document["orders"]]


def test_whole_numbers_are_numbers_decimals_are_text_and_null_is_null(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1, TEA | {"goods_price": "128.50"})
    ship(mariadb_yard.shop(), parcel_of(the_order(mariadb_yard.shop(), "1")))
    staff_note(mariadb_yard, "1", note_id=4_000_000)
    _, document = caller.get("order", id=1)
    (one,) = document["orders"]
    assert (one["order"]["order_id"], one["order"]["money_paid"]) == (1, "264.00")
    assert (one["lines"][0]["goods_price"], one["lines"][0]["goods_number"]) == ("128.50", 2)
    assert [note["invoice_no"] for note in one["notes"]] == ["YT0001", None]
    assert document["goods"][0]["goods_weight"] == "0.150"


def test_pages_hold_every_open_order_once(mariadb_yard: Yard, caller: Caller) -> None:
    seed_orders(mariadb_yard.engine, 23, 5, NOW)
    _, whole = caller.get("orders", limit=500)
    found, after = list[int](), 0
    while True:
        _, page = caller.get("orders", limit=4, after=after)
        assert len(page["orders"]) <= 4
        found += _ids(page)
        if page["next"] is None:
            break
        after = page["next"]
    assert found == _ids(whole) == sorted(set(found))
    assert len(found) > 8


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [1, 3]),
        ({"accept_paying": 1}, [1, 2, 3]),
        ({"floor": STORED_NOW - 60}, [3]),
        ({"ids": "2,4,5,1"}, [1, 2, 4]),
    ],
    ids=["plainly", "escrow", "a floor", "by ids"],
)
def test_which_orders_are_given(
    mariadb_yard: Yard, caller: Caller, parameters: dict[str, Any], expected: list[int]
) -> None:
    mariadb_yard.order(1)
    mariadb_yard.order(2, pay_status=1)
    mariadb_yard.order(3, add_time=STORED_NOW)
    mariadb_yard.order(4, order_status=2)
    assert _ids(caller.get("orders", **parameters)[1]) == expected


def test_an_order_is_found_by_id_and_by_number(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(7, order_sn="20261122' OR 1=1 #")
    assert _ids(caller.get("order", id=7)[1]) == [7]
    assert _ids(caller.get("order", sn="20261122' OR 1=1 #")[1]) == [7]
    for parameters in ({"id": 8}, {"sn": "' OR 1=1 #"}, {}):
        status, answer = caller.get("order", **parameters)
        assert (status, answer["error"]["code"]) == (404, "order_gone")


@pytest.mark.parametrize(
    ("route", "parameters"),
    [
        ("orders", {"limit": 0}),
        ("orders", {"limit": 501}),
        ("orders", {"after": "-1"}),
        ("orders", {"after": "1 OR 1"}),
        ("orders", {"ids": "1,2;"}),
        ("orders", {"ids": ""}),
        ("orders", {"ids": ",".join(map(str, range(501)))}),
        ("orders", {"floor": "99999999999"}),
        ("order", {"id": "x"}),
        ("stock", {"after": "1"}),
        ("stock", {"limit": 2001}),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(
    mariadb_yard: Yard, caller: Caller, route: str, parameters: dict[str, Any]
) -> None:
    status, answer = caller.get(route, **parameters)
    (name,) = parameters
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    assert f'"{name}"' in answer["error"]["message"]


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_order_arrives_as_it_was_stored(mariadb_yard: Yard, caller: Caller, name: str) -> None:
    fixture = recorded(name)
    order_id = load_fixture(mariadb_yard.engine, fixture)
    rows = caller.rows(order_id)
    for column, value in rows.order.items():
        assert str(value) == str(fixture["order_info"][column]), column
    assert len(rows.lines) == len(fixture["order_goods"])
    assert len(rows.notes) == sum(note["status"] in (0, 2) for note in fixture["delivery_order"])


def test_bytes_that_are_no_utf8_are_replaced_and_do_not_cost_the_answer(mariadb_yard: Yard, caller: Caller) -> None:
    table = mariadb_yard.tables.order_info.name
    mariadb_yard.order(1)
    with mariadb_yard.engine.connect() as connection:
        connection.execute(text(f"ALTER TABLE {table} MODIFY postscript VARBINARY(255) NOT NULL DEFAULT ''"))
        raw = b"ok\xff\xc0\xaf\xe4\xbd\xed\xa0\x80\xf5\xe5\x85\x83\x00end"
        connection.execute(text(f"UPDATE {table} SET postscript = :raw"), {"raw": raw})
        connection.commit()
        try:
            status, document = caller.get("order", id=1)
            as_xml = caller.send("GET", {"r": "order", "id": "1", "format": "xml"})
        finally:
            connection.execute(text(f"UPDATE {table} SET postscript = ''"))
            connection.execute(
                text(f"ALTER TABLE {table} MODIFY postscript VARCHAR(255) CHARACTER SET utf8 NOT NULL DEFAULT ''")
            )
    assert status == 200
    said = document["orders"][0]["order"]["postscript"]
    assert said == "ok" + "\ufffd" * 9 + "元\x00end"
    (found,) = ElementTree.fromstring(as_xml.content).iter("postscript")
    assert found.text == said.replace("\x00", "\ufffd")


HARD = "<b>&amp;\"quoted\" 'single' ]]> \x01\x0b\t\r\n行\u2028龘"


def test_xml_says_the_same_as_json(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1, TEA, CUP, postscript=HARD)
    _, document = caller.get("order", id=1)
    answer = caller.send("GET", {"r": "order", "id": "1", "format": "xml"})
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert _from_xml(ElementTree.fromstring(answer.content)) == _as_xml_says(document)


def test_a_refusal_is_xml_too(mariadb_yard: Yard, caller: Caller) -> None:
    answer = caller.send("GET", {"r": "order", "id": "9", "format": "xml"})
    assert (answer.status_code, ElementTree.fromstring(answer.content).findtext("error/code")) == (404, "order_gone")


def _from_xml(element: ElementTree.Element) -> Any:
    if element.get("nil") == "true":
        return None
    if not len(element):
        return element.text or ""
    if element[0].tag == "item":
        return [_from_xml(child) for child in element]
    return {child.tag: _from_xml(child) for child in element}


def _as_xml_says(value: Any) -> Any:
    """XML knows text only, no empty lists, and no control characters."""
    if isinstance(value, dict):
        return {name: _as_xml_says(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_xml_says(one) for one in value] or ""
    if value is None:
        return None
    return "".join(one if one in "\t\r\n" or one >= " " else "\ufffd" for one in str(value))


@pytest.fixture
def gbk_yard() -> Iterator[Yard]:
    """A shop of the gbk build."""
    with fresh_mariadb() as url:
        yard = open_yard(url, "MyISAM")
        with yard.engine.begin() as connection:
            for table in yard.tables.metadata.tables:
                connection.execute(text(f"ALTER TABLE {table} CONVERT TO CHARACTER SET gbk"))
        yield yard


def test_a_gbk_shop_is_read_and_written_as_a_utf8_one(gbk_yard: Yard, running_php: PhpShop) -> None:
    running_php.is_set()
    running_php.serves(gbk_yard.url)
    caller, shop = running_php.caller, gbk_yard.shop()
    gbk_yard.order(1, TEA, CUP, postscript="请分开包装：龘", user_id=1)
    assert caller.rows("1").order["postscript"] == "请分开包装：龘"
    assert caller.get("ping")[1]["charset"] == "gbk"
    parcel = parcel_of(the_order(shop, "1"))
    fresh = gbk_yard.keep()
    ship(shop, parcel)
    by_sql = gbk_yard.dump()
    gbk_yard.restore(fresh)
    caller.ship(parcel, times=2)
    assert gbk_yard.dump() == by_sql
    with gbk_yard.engine.connect() as connection:
        note = connection.execute(text("SELECT HEX(goods_name) FROM ecs_delivery_goods ORDER BY rec_id")).scalar()
    assert bytes.fromhex(str(note)).decode("gbk") == TEA["goods_name"]


def test_a_character_that_the_shops_tables_cannot_hold_is_refused_and_not_mangled(
    mariadb_yard: Yard, caller: Caller
) -> None:
    mariadb_yard.order(1)
    before = mariadb_yard.dump()
    status, answer = caller.stage("1", "remark", text="送货员说😀")
    assert (status, answer["error"]["code"]) == (500, "database_refused")
    assert mariadb_yard.dump() == before


def test_another_prefix_and_another_zone_are_those_of_the_shops_own_file(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    php_shop.serves(mariadb_yard.url, timezone="America/New_York", prefix="shop_")
    _, document = php_shop.caller.get("ping")
    assert document["utc_offset_s"] in (-18000, -14400)
    assert "order_info" in document["missing_tables"]
    assert document["can_write"] is False
    status, answer = php_shop.caller.get("orders")
    assert (status, answer["error"]["code"]) == (500, "database_refused")
    assert "1146" in answer["error"]["message"]


def test_ping_tells_what_the_other_side_must_know(yard: Yard, caller: Caller) -> None:
    seed_orders(yard.engine, 3, 1, NOW)
    yard.change(yard.tables.goods, {"goods_id": 1}, goods_weight=0)
    yard.change(yard.tables.products, {"product_id": 1}, product_sn="")
    _, document = caller.get("ping")
    assert document["engine"] in ("MyISAM", "InnoDB")
    assert (document["prefix"], document["utc_offset_s"], document["missing_tables"]) == ("ecs_", 28800, [])
    assert (document["use_storage"], document["stock_dec_time"], document["cod"]) == (1, 0, ["货到付款"])
    assert (document["can_write"], document["has_lastmodify"], document["has_shop_functions"]) == (True, False, False)
    assert (document["goods_without_weight"], document["products_without_sn"]) == (1, 1)
    assert {one["shipping_code"] for one in document["shippings"]} > {"yto", "sto_express"}
    assert 0 < document["newest_add_time"] < STORED_NOW


def test_an_account_that_may_not_write_is_said_to_be_one(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    url = make_url(mariadb_yard.url)
    account = f"'{str(url.database)[-12:]}'@'%'"
    with mariadb_yard.engine.connect() as connection:
        connection.execute(text(f"CREATE USER {account} IDENTIFIED BY 'only-reads'"))
        connection.execute(text(f"GRANT SELECT ON `{url.database}`.* TO {account}"))
        try:
            name = account.split("'")[1]
            php_shop.serves(url.set(username=name, password="only-reads").render_as_string(hide_password=False))
            mariadb_yard.order(1)
            assert php_shop.caller.get("ping")[1]["can_write"] is False
            status, answer = php_shop.caller.stage("1", "claim")
        finally:
            connection.execute(text(f"DROP USER {account}"))
    assert (status, answer["error"]["code"]) == (500, "database_refused")
    assert "may not write" in answer["error"]["message"]


def test_no_get_writes_anything(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    """Whether the account may write is asked by statements that no row can match."""
    seed_orders(mariadb_yard.engine, 5, 1, NOW)
    cut, parts = Cut(), make_url(mariadb_yard.url)
    before = mariadb_yard.keep(everything=True)
    with cut_way(str(parts.host), parts.port or 3306, cut) as port:
        php_shop.serves(mariadb_yard.url, port=port)
        for route in ("ping", "orders", "order", "stock"):
            php_shop.caller.get(route)
    assert cut.statements
    assert all(statement.endswith("WHERE 1 = 0") for statement in cut.statements)
    assert mariadb_yard.keep(everything=True) == before


def test_a_long_page_is_read_in_a_fixed_number_of_statements(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    seed_orders(mariadb_yard.engine, 30, 2, NOW)
    parts, counts = make_url(mariadb_yard.url), []
    for limit in (2, 25):
        cut = Cut()
        with cut_way(str(parts.host), parts.port or 3306, cut) as port:
            php_shop.serves(mariadb_yard.url, port=port)
            _, document = php_shop.caller.get("orders", limit=limit)
        assert len(document["orders"]) == limit
        counts.append(len(cut.queries))
    assert (
        counts[0] <= counts[1] <= counts[0] + 3
    )  # packages, products and group buys are asked for where there are some


def test_what_is_open_by_sql_is_open_by_plug_in(yard: Yard, caller: Caller) -> None:
    states = itertools.product(range(7), range(7), range(3), ("支付宝", "货到付款"))
    for number, (order_status, shipping_status, pay_status, pay_name) in enumerate(states, start=1):
        state = {"order_status": order_status, "shipping_status": shipping_status, "pay_status": pay_status}
        yard.order(number, TEA if number % 5 else CARD, **state, pay_name=pay_name)
    page = read_page(caller.get("orders", limit=500)[1])
    judged = [read_order(rows, RULES, NOW) for rows in page.orders]
    found = {one.shop_order_id for one in judged if isinstance(one, Order)}
    by_sql = list(EcshopSqlShop("main", {"dsn": yard.url}).read_open(NOW))
    assert found == {one.shop_order_id for one in by_sql if isinstance(one, Order)}
    assert sum(one is not None for one in judged) == len(by_sql) == len(page.orders)
    assert len(found) > 10


def test_an_unusual_order_that_is_known_is_seen_until_it_is_not_open(mariadb_yard: Yard, caller: Caller) -> None:
    """Paid and not confirmed: looked for once in ten minutes, and judged anew every time."""
    mariadb_yard.order(1, order_status=0)
    assert _ids(caller.get("orders")[1]) == [1]
    mariadb_yard.order(2, order_status=0)
    assert _ids(caller.get("orders")[1]) == [1]
    mariadb_yard.alter("2", order_status=1)
    assert _ids(caller.get("orders")[1]) == [1, 2]
    mariadb_yard.alter("1", pay_status=0)
    assert _ids(caller.get("orders")[1]) == [2]
    assert _ids(caller.get("orders", after=1, accept_paying=1)[1]) == [2]


def test_a_memory_that_cannot_be_read_is_made_anew(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    mariadb_yard.order(1, order_status=0)
    for damage in (b"", b"[1", b"7"):
        assert _ids(php_shop.caller.get("orders")[1]) == [1]
        (memory,) = (php_shop.root / "temp").glob("ecsync/*.ids")
        memory.write_bytes(damage)
    assert _ids(php_shop.caller.get("orders")[1]) == [1]


def test_json_is_ascii_or_utf8_and_nothing_else(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1, postscript=HARD)
    raw = caller.send("GET", {"r": "order", "id": "1"}).content
    assert json.loads(raw.decode("utf-8"))["orders"][0]["order"]["postscript"] == HARD
