"""The plug-in's documents become the very rows that the shop's database gives."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mappings.errors import PermanentError, TransientError
from mappings.model import Order, StockChange, StockLine
from mappings.shops.ecshop import OrderRows, ReadRules, Unfit, content_hash, read_order, standing
from mappings.shops.ecshop_api import Page, Ping, answers
from sync.shops import ecshop_read
from tests.contract.ecshop_api.talk import PLUGIN, STAMP, answered, call_of, refusal, said
from tests.contract.ecshop_recorded import NAMES, recorded, rows_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RULES = ReadRules("main")
PING = {
    "plugin": "1.0.0",
    "ecshop": "v2.7.3",
    "php": "8.2.1",
    "database": "10.11.6-MariaDB",
    "prefix": "ecs_",
    "engine": "MyISAM",
    "charset": "utf8",
    "now": 1795320000,
    "utc_offset_s": 28800,
    "use_storage": 1,
    "stock_dec_time": 0,
    "has_lastmodify": False,
    "has_shop_functions": True,
    "cod": ["货到付款"],
    "shippings": [
        {"shipping_id": 1, "shipping_code": "yto", "shipping_name": "圆通速递", "enabled": 1},
        {"shipping_id": 2, "shipping_code": "flat", "shipping_name": "市内快递", "enabled": 0},
    ],
    "goods_without_weight": 2,
    "products_without_sn": 14,
    "newest_add_time": 1795290000,
    "missing_tables": [],
    "can_write": True,
}


def document_of(name: str) -> dict[str, Any]:
    """A recorded order as the plug-in answers it: numbers as numbers, decimals as text, no other columns missing."""
    fixture = recorded(name)
    rows = rows_of(fixture)
    unrecorded = {"brand_name": None, "shop_price": "0.00"}
    return {
        "orders": [
            {
                "order": fixture["order_info"],
                "lines": fixture["order_goods"],
                "notes": [{**note.row, "goods": list(note.goods)} for note in rows.notes],
            }
        ],
        "goods": [unrecorded | row for row in fixture["goods"]],
        "products": fixture["products"],
        "packages": [],
        "regions": [{"region_id": key, "region_name": value} for key, value in rows.regions.items()],
        "cities_with_districts": list(rows.cities_with_districts),
        "shippings": fixture["shipping"],
        "cod_pay_ids": list(rows.cod_pay_ids),
        "settled_group_buys": [],
        "next": None,
    }


def page_of(document: Any) -> Page:
    return answered(PLUGIN.orders(STAMP, [1]), said(document))


def order_rows(document: Any) -> OrderRows:
    (rows,) = page_of(document).orders
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_order_is_judged_as_from_its_database(name: str) -> None:
    rows, by_sql = order_rows(document_of(name)), rows_of(recorded(name))
    assert read_order(rows, RULES, NOW) == read_order(by_sql, RULES, NOW)
    assert standing(rows, RULES) == standing(by_sql, RULES)
    assert content_hash(rows) == content_hash(by_sql)


def test_the_columns_are_those_that_the_database_is_asked_for() -> None:
    for ours, theirs in (
        (answers.ORDER, ecshop_read._ORDER),
        (answers.LINE, ecshop_read._LINE),
        (answers.NOTE, ecshop_read._NOTE),
        (answers.NOTED, ecshop_read._NOTED),
        (answers.PART, ecshop_read._PART),
        (answers.SHIPPING, ecshop_read._SHIPPING),
        (answers.GOODS, (*ecshop_read._GOODS, "brand_name")),
    ):
        assert set(ours) == set(theirs)


def test_numbers_that_came_as_text_are_numbers_all_the_same() -> None:
    """Old MySQL drivers of PHP give every column as text."""
    document = document_of("1022_full_ship_clean")
    as_text = json.loads(json.dumps(document), parse_int=str)
    rows, wanted = order_rows(as_text), order_rows(document)
    assert (rows.order, rows.lines, rows.notes) == (wanted.order, wanted.lines, wanted.notes)
    assert isinstance(rows.order["goods_amount"], Decimal)


def test_null_stays_null() -> None:
    document = document_of("1006_partial_ship")
    document["orders"][0]["notes"][1]["invoice_no"] = None
    assert order_rows(document).notes[1].numbers == ()


@pytest.mark.parametrize(
    ("where", "column"),
    [("order", "pay_status"), ("lines", "send_number"), ("notes", "status"), ("goods", "goods_weight")],
)
def test_a_column_that_is_missing_is_named_and_is_for_a_person(where: str, column: str) -> None:
    document = deepcopy(document_of("1006_partial_ship"))
    of = document if where == "goods" else document["orders"][0]
    del (of[where] if where == "order" else of[where][0])[column]
    with pytest.raises(PermanentError, match=column) as caught:
        page_of(document)
    assert caught.value.code == "ecshop.api.version"


@pytest.mark.parametrize(
    "change",
    [
        {"orders": None},
        {"orders": {"0": {}}},
        {"orders": [1]},
        {"orders": [{"order": [], "lines": [], "notes": []}]},
        {"regions": "none"},
        {"cod_pay_ids": ["x"]},
        {"next": "soon"},
    ],
)
def test_a_document_of_another_shape_is_never_half_read(change: dict[str, Any]) -> None:
    with pytest.raises(PermanentError) as caught:
        page_of(document_of("1002_paid_normal") | change)
    assert caught.value.code == "ecshop.api.version"


@pytest.mark.parametrize(
    ("where", "column", "value"),
    [
        ("lines", "goods_price", "abc"),
        ("lines", "goods_price", None),
        ("order", "add_time", "noon"),
        ("order", "consignee", "\ufffd\ufffd"),
        ("lines", "goods_name", "龙井\ufffd"),
    ],
)
def test_a_value_that_ecshop_never_writes_parks_its_order_and_no_other(where: str, column: str, value: Any) -> None:
    good, bad = document_of("1002_paid_normal"), document_of("1024_paid_multi_sku_waiting")
    of = bad["orders"][0]["order"] if where == "order" else bad["orders"][0]["lines"][0]
    of[column] = value
    some = {name: good[name] + bad[name] for name in ("orders", "goods", "products", "regions", "shippings")}
    cities = good["cities_with_districts"] + bad["cities_with_districts"]
    found = [read_order(rows, RULES, NOW) for rows in page_of(good | some | {"cities_with_districts": cities}).orders]
    assert isinstance(found[0], Order)
    assert isinstance(found[1], Unfit)
    assert found[1].code == "ecshop.order.row_unreadable"
    assert column in found[1].reason


def test_a_parcel_whose_goods_have_no_readable_name_is_a_named_error() -> None:
    with pytest.raises(PermanentError, match="no text") as caught:
        call_of(PLUGIN.ship(STAMP, "S1", {"items": [{"goods_name": b"\xff"}]}))
    assert caught.value.code == "ecshop.db.text_undecodable"


def test_pages_that_do_not_go_on_are_not_asked_for_ever() -> None:
    ask = PLUGIN.open_page(STAMP, after=7, limit=200, accept_paying=False, floor=None)
    with pytest.raises(TransientError, match="do not go on"):
        answered(ask, said(document_of("1002_paid_normal") | {"next": 7}))


def test_one_order_is_one_order_or_gone() -> None:
    assert answered(PLUGIN.order(STAMP, 5), refusal(404, "order_gone")) is None
    assert answered(PLUGIN.order_by_sn(STAMP, "x"), refusal(404, "order_gone")) is None
    with pytest.raises(TransientError, match="0 orders"):
        answered(PLUGIN.order(STAMP, 5), said(document_of("1002_paid_normal") | {"orders": []}))


def test_parts_stand_with_their_package_and_what_is_settled_is_known() -> None:
    parts = [{"package_id": 5, "goods_id": key, "product_id": 0, "goods_number": 1} for key in (4, 5)]
    document = document_of("1034_package_buy") | {"packages": parts, "settled_group_buys": [9]}
    rows = order_rows(document)
    assert [part["goods_id"] for part in rows.packages[5]] == [4, 5]
    assert rows.settled_group_buys == {9}


def test_a_district_is_missed_where_its_city_has_some() -> None:
    document = document_of("1002_paid_normal")
    document["orders"][0]["order"] |= {"district": 0}
    found = read_order(order_rows(document), RULES, NOW)
    assert isinstance(found, Unfit)
    assert found.code == "ecshop.order.region_missing"
    document["cities_with_districts"] = []
    assert isinstance(read_order(order_rows(document), RULES, NOW), Order)


def test_stock_is_read_page_by_page_with_what_the_columns_hold() -> None:
    line = {"sku": " A-1\t", "goods_id": 4, "product_id": 0, "number": 5, "unshipped": 2}
    ask = PLUGIN.stock_page(STAMP, "", accept_paying=False, floor=None)
    page = answered(ask, said({"mode": "at_shipping", "limit": 65535, "lines": [line], "next": "4:0"}))
    assert page.lines == (StockLine("A-1", 4, 0, 5, 2, 65535),)
    assert page.next == "4:0"


def test_the_changes_that_were_set_are_told_apart() -> None:
    changes = [StockChange(sku, 1, number, 5, 6) for number, sku in enumerate("ABC", start=1)]
    assert answered(PLUGIN.write_stock(STAMP, changes), said({"changed": [2, 0]})) == (changes[0], changes[2])


def test_a_ping_is_read_whole() -> None:
    ping = answered(PLUGIN.ping(STAMP), said(PING))
    assert isinstance(ping, Ping)
    assert (ping.utc_offset_s, ping.use_storage, ping.stock_dec_time, ping.shipping_codes) == (
        28800,
        "1",
        "0",
        ("yto",),
    )
    assert (ping.has_shop_functions, ping.can_write, ping.cod) == (True, True, ("货到付款",))


def test_a_ping_of_a_shop_without_its_tables_is_read_too() -> None:
    some = {name: PING[name] for name in ("plugin", "php", "prefix", "now", "utc_offset_s")}
    ping = answered(PLUGIN.ping(STAMP), said(some | {"missing_tables": ["goods"], "can_write": False}))
    assert (ping.missing_tables, ping.can_write, ping.use_storage) == (("goods",), False, "")


@pytest.mark.parametrize("change", [{"utc_offset_s": 99999}, {"utc_offset_s": None}, {"now": "noon"}])
def test_a_ping_with_an_impossible_clock_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        answered(PLUGIN.ping(STAMP), said(PING | change))


def test_no_request_changes_anything_but_a_post() -> None:
    gets = [
        PLUGIN.ping(STAMP),
        PLUGIN.orders(STAMP, [1, 2]),
        PLUGIN.order(STAMP, 1),
        PLUGIN.open_page(STAMP, after=0, limit=5, accept_paying=True, floor=-5),
        PLUGIN.stock_page(STAMP, "4:0", accept_paying=True, floor=7),
    ]
    calls = [call_of(exchange) for exchange in gets]
    assert {(call.method, call.changes_peer, call.body) for call in calls} == {("GET", False, b"")}
    assert [call.url.partition("?")[2] for call in calls] == [
        "r=ping",
        "ids=1%2C2&r=orders",
        "id=1&r=order",
        "accept_paying=1&after=0&floor=0&limit=5&r=orders",
        "accept_paying=1&after=4%3A0&floor=7&r=stock",
    ]
    posts = [call_of(PLUGIN.ship(STAMP, "S1", {})), call_of(PLUGIN.write_stock(STAMP, []))]
    assert {(call.method, call.changes_peer) for call in posts} == {("POST", True)}
