"""What each of seventeen recorded ECShop orders must become, and what the rules make of altered ones."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.model import Order, Queue
from mappings.shops.ecshop import OrderRows, ReadRules, Unfit, content_hash, read_order, standing
from tests.contract.ecshop_recorded import NAMES, recorded, rows_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RULES = ReadRules("main")

OUTCOMES = {
    "1001_unpaid_multi_sku": (None, "withdrawn"),
    "1002_paid_normal": (Queue.AWAIT_SHIP, "owed"),
    "1004_cancelled_after_paid": (None, "withdrawn"),
    "1005_shipped_then_resubmitted_TRAP": (None, "shipped"),
    "1006_partial_ship": (Queue.STAFF_NOTE, "owed"),
    "1007_gift_postscript": (Queue.AWAIT_SHIP, "owed"),
    "1008_virtual_only": (None, "owed"),
    "1009_received": (None, "shipped"),
    "1010_returned": (None, "withdrawn"),
    "1011_invalid": (None, "withdrawn"),
    "1013_cod_unconfirmed": (None, "withdrawn"),
    "1016_buyer_cancelled": (None, "withdrawn"),
    "1022_full_ship_clean": (None, "shipped"),
    "1024_paid_multi_sku_waiting": (Queue.AWAIT_SHIP, "owed"),
    "1026_paid_preparing": ("ecshop.order.weight_zero", "owed"),
    "1030_direct_sql_shipped_then_returned": (None, "withdrawn"),
    "1034_package_buy": (Queue.STAFF_NOTE, "owed"),
}


def read(fixture: dict[str, Any], **rules: Any) -> Order | Unfit | None:
    return read_order(rows_of(fixture), ReadRules("main", **rules), NOW)


def order_of(fixture: dict[str, Any], **rules: Any) -> Order:
    found = read(fixture, **rules)
    assert isinstance(found, Order), found
    return found


def code_of(fixture: dict[str, Any], **rules: Any) -> str:
    found = read(fixture, **rules)
    assert isinstance(found, Unfit), found
    assert found.reason.endswith(".")
    return found.code


def altered(name: str = "1002_paid_normal", **order: Any) -> dict[str, Any]:
    fixture = recorded(name)
    fixture["order_info"] |= order
    return fixture


def with_package(fixture: dict[str, Any]) -> OrderRows:
    """Package 5 holds two of goods 4 and one of goods 5."""
    parts = [
        {"package_id": 5, "goods_id": key, "product_id": 0, "goods_number": number} for key, number in ((4, 2), (5, 1))
    ]
    return replace(rows_of(fixture), packages={5: parts})


def test_every_recorded_order_is_judged() -> None:
    assert sorted(OUTCOMES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_order_has_its_one_right_outcome(name: str) -> None:
    found = read(recorded(name))
    outcome = found.queue if isinstance(found, Order) else found and found.code
    assert (outcome, standing(rows_of(recorded(name)), RULES)) == OUTCOMES[name]


def test_amounts_times_and_address_are_those_of_the_shop() -> None:
    order = order_of(recorded("1002_paid_normal"))
    assert (order.total_fen, order.cod_fen, order.shipping_fee_fen, order.discount_fen) == (15100, 0, 1500, 0)
    assert (order.shipping_code, order.shipper_code) == ("sto_express", "STO")
    assert order.placed_at == datetime.fromtimestamp(1795271637 + 28800, UTC)
    assert order.paid_at == datetime.fromtimestamp(1795271678 + 28800, UTC)
    address = order.consignee.address
    assert (address.province, address.city, address.district) == ("浙江", "杭州", "西湖区")
    assert order.consignee.phone == "13800000000"


def test_a_line_becomes_sku_grams_and_fen() -> None:
    lines = order_of(recorded("1024_paid_multi_sku_waiting")).lines
    assert [(line.sku, line.quantity, line.price_fen, line.weight_g) for line in lines] == [
        ("ECS000009", 1, 229800, 121),
        ("ECS000007", 1, 10000, 350),
    ]
    assert lines[0].attributes == "颜色:白色"


def test_the_product_number_comes_before_the_goods_number() -> None:
    fixture = recorded("1024_paid_multi_sku_waiting")
    fixture["products"][0]["product_sn"] = "E66-WHITE"
    assert [line.sku for line in order_of(fixture).lines] == ["E66-WHITE", "ECS000007"]


def test_a_gift_is_packed_and_marked() -> None:
    lines = order_of(recorded("1007_gift_postscript")).lines
    assert [(line.sku, line.is_gift) for line in lines] == [("ECS000007", False), ("ECS000005", True)]


def test_a_remark_loses_line_breaks_and_what_an_emoji_left() -> None:
    assert order_of(recorded("1007_gift_postscript")).buyer_note == "生日礼物，”请”不要放发票 第二行 ＜b＞x＜/b＞"


def test_a_staff_note_gives_its_own_lines_and_no_others() -> None:
    order = order_of(recorded("1006_partial_ship"))
    assert order.note_id == "3"
    assert [(line.shop_line_id, line.sku, line.quantity) for line in order.lines] == [("5013", "ECS000004", 2)]


def test_a_note_of_a_package_names_its_parts_by_their_own_numbers() -> None:
    lines = order_of(recorded("1034_package_buy")).lines
    assert [(line.shop_line_id, line.sku, line.package_id) for line in lines] == [
        ("5058", "ECS000004", 0),
        ("5059", "ECS000005", 5),
        ("5059", "ECS000006", 5),
        ("5059", "ECS000031", 5),
    ]


def test_a_note_with_a_number_is_somebodys_parcel_and_the_rest_a_remainder() -> None:
    fixture = recorded("1006_partial_ship")
    fixture["delivery_order"][1]["invoice_no"] = "SF9"
    order = order_of(fixture)
    assert (order.queue, order.note_id) == (Queue.REMAINDER, "")
    assert [(line.shop_line_id, line.quantity) for line in order.lines] == [("5012", 1), ("5013", 1)]


def test_a_note_beyond_what_was_split_is_for_a_person() -> None:
    fixture = recorded("1006_partial_ship")
    for line in fixture["order_goods"]:
        line["send_number"] = 0
    assert code_of(fixture) == "ecshop.order.note_inconsistent"


def test_a_young_note_may_still_be_growing() -> None:
    fixture = recorded("1006_partial_ship")
    fixture["delivery_order"][1]["update_time"] = int(NOW.timestamp()) - 28800 - 30
    assert read(fixture) is None
    assert isinstance(read(fixture, settle=timedelta(seconds=30)), Order)


def test_an_unshipped_package_is_taken_apart_and_its_price_shared() -> None:
    fixture = recorded("1034_package_buy") | {"delivery_order": [], "delivery_goods": []}
    fixture["order_info"] |= {"order_status": 1, "shipping_status": 0}
    for line in fixture["order_goods"]:
        line["send_number"] = 0
    order = read_order(with_package(fixture), RULES, NOW)
    assert isinstance(order, Order)
    package = [line for line in order.lines if line.package_id == 5]
    assert [(line.goods_id, line.quantity, line.shop_line_id) for line in package] == [(4, 2, "5059"), (5, 1, "5059")]
    assert sum(line.price_fen * line.quantity for line in package) == 143000


def test_a_part_of_a_package_that_staff_sent_already_is_not_sent_again() -> None:
    fixture = recorded("1034_package_buy")
    fixture["order_info"] |= {"order_status": 6, "shipping_status": 4}
    fixture["delivery_order"][0] |= {"status": 0, "invoice_no": "ST1"}
    fixture["delivery_goods"] = [item for item in fixture["delivery_goods"] if item["goods_id"] in (4, 5)]
    fixture["order_goods"][1]["send_number"] = 0
    order = read_order(with_package(fixture), ReadRules("main", default_weight_g=10), NOW)
    assert isinstance(order, Order)
    assert [(line.goods_id, line.quantity) for line in order.lines] == [(4, 2)]


def test_a_package_whose_contents_are_gone_is_for_a_person() -> None:
    fixture = recorded("1034_package_buy") | {"delivery_order": [], "delivery_goods": []}
    fixture["order_goods"][1]["send_number"] = 0
    assert code_of(fixture) == "ecshop.order.package_unknown"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("consignee_blank", {"consignee": " ???? "}),
        ("address_blank", {"address": "\r\n"}),
        ("phone_blank", {"mobile": "", "tel": "无"}),
        ("region_missing", {"province": 0}),
        ("region_missing", {"city": 999}),
        ("region_missing", {"district": 0}),
        ("region_missing", {"district": 999}),
        ("paid_unconfirmed", {"order_status": 0}),
    ],
)
def test_what_cannot_be_shipped_is_parked_with_its_reason(code: str, change: dict[str, Any]) -> None:
    assert code_of(altered(**change)) == f"ecshop.order.{code}"


def test_blank_goods_numbers_are_parked() -> None:
    fixture = recorded("1002_paid_normal")
    fixture["order_goods"][0]["goods_sn"] = fixture["goods"][0]["goods_sn"] = " "
    assert code_of(fixture) == "ecshop.order.sku_blank"


def test_one_goods_number_for_two_products_is_parked() -> None:
    fixture = recorded("1022_full_ship_clean") | {"delivery_order": [], "delivery_goods": []}
    fixture["order_info"] |= {"order_status": 1, "shipping_status": 0}
    for line in fixture["order_goods"]:
        line["send_number"] = 0
    assert code_of(fixture) == "ecshop.order.sku_ambiguous"


def test_an_unmapped_courier_is_parked_unless_the_shop_says_who_carries() -> None:
    fixture = recorded("1002_paid_normal")
    fixture["shipping"][0]["shipping_code"] = "flat"
    assert code_of(fixture) == "ecshop.order.carrier_unmapped"
    assert order_of(fixture, shipper_map={"flat": "YTO"}).shipper_code == "YTO"
    assert order_of(fixture, default_shipper="ZTO").shipper_code == "ZTO"


def test_an_uninstalled_shipping_method_is_parked() -> None:
    assert code_of(altered(shipping_id=77)) == "ecshop.order.carrier_unmapped"


def test_a_default_weight_serves_where_goods_have_none() -> None:
    order = order_of(recorded("1026_paid_preparing"), default_weight_g=500)
    assert (order.weight_g, order.queue) == (1500, Queue.AWAIT_SHIP)


def test_the_landline_serves_where_the_mobile_is_unusable() -> None:
    assert order_of(altered(mobile="-")).consignee.phone == "0571-88888888"


def test_cash_on_delivery_collects_what_is_due_once_confirmed() -> None:
    order = order_of(altered("1013_cod_unconfirmed", order_status=1), default_weight_g=1)
    assert (order.cod_fen, order.paid_at) == (5500, None)


def test_cash_on_delivery_that_the_balance_covered_collects_nothing() -> None:
    fixture = altered("1013_cod_unconfirmed", order_status=1, order_amount="0.00", money_paid="55.00")
    assert order_of(fixture, default_weight_g=1).cod_fen == 0


def test_goods_under_a_shipping_method_for_virtual_orders_go_to_a_person() -> None:
    assert code_of(altered(shipping_id=-1)) == "ecshop.order.carrier_unmapped"


def test_mobile_cash_on_delivery_keeps_its_amount_in_money_paid() -> None:
    fixture = altered("1013_cod_unconfirmed", order_status=1, pay_id=127, order_amount="0.00", money_paid="55.00")
    assert order_of(fixture, default_weight_g=1).cod_fen == 5500


def test_a_confirmed_order_that_nobody_paid_is_not_ours() -> None:
    assert read(altered("1001_unpaid_multi_sku", order_status=1)) is None


def test_escrow_ships_only_where_the_shop_accepts_it() -> None:
    fixture = altered(pay_status=1)
    assert read(fixture) is None
    assert isinstance(read(fixture, accept_paying=True), Order)


def test_a_group_buy_waits_for_its_campaign() -> None:
    assert read(altered(extension_code="group_buy", extension_id=4)) is None


@pytest.mark.parametrize("is_real", [0, 1])
def test_a_discount_line_counts_as_money_and_not_as_goods(is_real: int) -> None:
    fixture = altered(goods_amount="126.00")
    discount = fixture["order_goods"][0] | {
        "rec_id": 9,
        "goods_id": 0,
        "goods_number": 1,
        "goods_price": "-10.00",
        "is_real": is_real,
    }
    fixture["order_goods"].append(discount)
    order = order_of(fixture)
    assert (len(order.lines), order.discount_fen, order.total_fen) == (1, 1000, 14100)


def test_an_order_fully_sent_but_for_its_discount_line_is_shipped() -> None:
    fixture = altered("1022_full_ship_clean", order_status=6, shipping_status=4)
    fixture["order_goods"].append(
        fixture["order_goods"][0] | {"rec_id": 9, "goods_id": 0, "is_real": 0, "send_number": 0}
    )
    assert read(fixture) is None
    assert standing(rows_of(fixture), RULES) == "shipped"


def test_an_order_younger_than_the_settle_window_is_left_alone() -> None:
    placed = int(NOW.timestamp()) - 28800
    assert read(altered(add_time=placed - 59)) is None
    assert isinstance(read(altered(add_time=placed - 60)), Order)


def test_an_order_of_the_mobile_api_is_placed_in_plain_time() -> None:
    placed = int(NOW.timestamp())
    assert read(altered(add_time=placed - 30)) is None
    assert order_of(altered(add_time=placed - 120)).placed_at == NOW - timedelta(seconds=120)


def test_an_order_without_goods_is_skipped_until_no_checkout_can_be_that_slow() -> None:
    placed = int(NOW.timestamp()) - 28800
    fixture = altered(add_time=placed - 3599) | {"order_goods": []}
    assert read(fixture) is None
    fixture["order_info"]["add_time"] = placed - 3600
    assert code_of(fixture) == "ecshop.order.no_lines"


@pytest.mark.parametrize(
    "change",
    [
        {"address": "别处"},
        {"district": 1},
        {"mobile": "1"},
        {"goods_amount": "1.00"},
        {"shipping_fee": "0.00"},
        {"shipping_id": 3},
    ],
)
def test_the_content_hash_sees_every_edit_that_matters(change: dict[str, Any]) -> None:
    assert content_hash(rows_of(altered(**change))) != content_hash(rows_of(altered()))


def test_the_content_hash_does_not_see_an_order_move_on() -> None:
    moved = copy.deepcopy(altered(order_status=5, shipping_status=5, invoice_no="X1", pay_time=1))
    moved["order_goods"][0]["send_number"] = 2
    assert content_hash(rows_of(moved)) == content_hash(rows_of(altered()))
