"""Why the rules are as they are: for each trap and each recorded order, what goes wrong without the rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.model import Order, Queue
from mappings.shops.ecshop import ReadRules, Unfit, read_order
from mappings.shops.ecshop import standing as our_standing
from mappings.shops.ecshop.points import points_of
from mappings.shops.ecshop.writeback import join_number, shown_numbers, waybill_number
from tests.contract import ecshop_naive as naive
from tests.contract.ecshop_recorded import NAMES, recorded, rows_of

NOW = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
"""Some minutes after the recorded orders were placed, by the true clock; seven in the morning at the shop."""
RULES = ReadRules("main", default_weight_g=100)


def ours(fixture: dict[str, Any]) -> Order | Unfit | None:
    return read_order(rows_of(fixture), RULES, NOW)


def order_of(fixture: dict[str, Any]) -> Order:
    found = ours(fixture)
    assert isinstance(found, Order), found
    return found


def packed(fixture: dict[str, Any]) -> list[tuple[str, int]]:
    return [(line.sku, line.quantity) for line in order_of(fixture).lines]


def standing(fixture: dict[str, Any]) -> str:
    return our_standing(rows_of(fixture), RULES)


def with_order(name: str = "1002_paid_normal", **changes: Any) -> dict[str, Any]:
    fixture = recorded(name)
    fixture["order_info"] |= changes
    return fixture


def naive_standing(fixture: dict[str, Any]) -> str:
    return naive.standing(fixture["order_info"])


# --- the recorded orders, one by one


def test_each_recorded_order_has_its_test() -> None:
    tested = {name[5:9] for name in globals() if name.startswith("test_1")}
    assert tested == {name[:4] for name in NAMES}


def test_1001_an_order_that_is_not_paid_is_not_to_be_kept_going() -> None:
    fixture = recorded("1001_unpaid_multi_sku")
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "withdrawn")


def test_1002_a_paid_order_is_worth_what_it_costs_and_not_what_is_still_due() -> None:
    fixture = recorded("1002_paid_normal")
    assert (naive.worth(fixture["order_info"]), order_of(fixture).total_fen) == (Decimal("0.00"), 15100)


def test_1004_a_cancelled_order_loses_the_time_by_which_a_watermark_would_look_at_it_again() -> None:
    fixture = recorded("1004_cancelled_after_paid")
    assert naive.paid_since([fixture["order_info"]], NOW - timedelta(days=30)) == []
    assert standing(fixture) == "withdrawn"


def test_1005_a_received_order_was_shipped_and_two_numbers_are_not_one() -> None:
    fixture = recorded("1005_shipped_then_resubmitted_TRAP")
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "shipped")
    first, second = "SF1000000000001", "SF1000000000002"
    assert naive.numbers(fixture["order_info"]) == [f"{first}<br>{second}<br>{first}<br>{second}"]
    assert shown_numbers(rows_of(fixture)) == (first, second)


def test_1006_goods_on_a_note_that_staff_made_are_still_to_be_shipped() -> None:
    fixture = recorded("1006_partial_ship")
    assert not naive.is_owed(fixture["order_info"])
    assert naive.owed_lines(fixture["order_goods"]) == [("ECS000009", 1), ("ECS000004", 1)]
    assert packed(fixture) == [("ECS000004", 2)]


def test_1007_a_remark_must_survive_a_label_printer() -> None:
    fixture = recorded("1007_gift_postscript")
    assert "\r\n" in fixture["order_info"]["postscript"]
    assert "????" in fixture["order_info"]["postscript"]
    assert order_of(fixture).buyer_note == "生日礼物，”请”不要放发票 第二行 ＜b＞x＜/b＞"


def test_1008_a_card_that_is_delivered_on_the_screen_needs_no_waybill() -> None:
    fixture = recorded("1008_virtual_only")
    assert naive.is_owed(fixture["order_info"])
    assert naive.lines(fixture["order_goods"]) == [("ECS000025", 1)]
    assert ours(fixture) is None


def test_1009_a_received_order_is_not_owed() -> None:
    fixture = recorded("1009_received")
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "shipped")


def test_1010_a_returned_order_looks_unshipped_and_is_not_owed() -> None:
    fixture = recorded("1010_returned")
    assert naive.owed_lines(fixture["order_goods"]) == [("ECS000013", 2)]
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "withdrawn")


def test_1011_an_invalid_order_is_not_owed() -> None:
    fixture = recorded("1011_invalid")
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "withdrawn")


def test_1013_cash_on_delivery_is_never_paid_before_it_ships() -> None:
    fixture = with_order("1013_cod_unconfirmed", order_status=1)
    assert not naive.is_owed(fixture["order_info"])
    assert order_of(fixture).cod_fen == 5500


def test_1016_a_buyers_cancel_is_seen_by_asking_for_the_order_and_by_no_watermark() -> None:
    fixture = recorded("1016_buyer_cancelled")
    assert naive.paid_since([fixture["order_info"]], NOW - timedelta(days=30)) == []
    assert standing(fixture) == "withdrawn"


def test_1022_two_parcels_have_two_numbers_and_a_colour_is_a_sku_of_its_own() -> None:
    fixture = recorded("1022_full_ship_clean")
    assert naive.numbers(fixture["order_info"]) == ["SF1000000000003<br>SF1000000000004"]
    assert shown_numbers(rows_of(fixture)) == ("SF1000000000003", "SF1000000000004")
    unsent = with_order("1022_full_ship_clean", order_status=1, shipping_status=0)
    unsent |= {"delivery_order": [], "delivery_goods": []}
    for line in unsent["order_goods"]:
        line["send_number"] = 0
    assert naive.lines(unsent["order_goods"])[:2] == [("ECS000009", 1), ("ECS000009", 2)]
    found = ours(unsent)
    assert isinstance(found, Unfit)
    assert found.code == "ecshop.order.sku_ambiguous"


def test_1024_an_order_paid_from_the_balance_is_paid() -> None:
    fixture = recorded("1024_paid_multi_sku_waiting")
    assert (fixture["order_info"]["money_paid"], naive.worth(fixture["order_info"])) == ("0.00", Decimal("0.00"))
    assert (order_of(fixture).total_fen, order_of(fixture).cod_fen) == (241300, 0)


def test_1026_an_order_that_staff_prepare_is_still_to_be_shipped() -> None:
    fixture = recorded("1026_paid_preparing")
    assert not naive.is_owed(fixture["order_info"])
    assert order_of(fixture).queue == Queue.AWAIT_SHIP


def test_1030_what_came_back_is_not_sent_again() -> None:
    fixture = recorded("1030_direct_sql_shipped_then_returned")
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "withdrawn")
    assert fixture["order_info"]["invoice_no"] == ""


def test_1030_the_points_of_an_order_are_those_that_ecshop_takes_back_at_its_return() -> None:
    """The real shop took 6623 points back from a member whom nobody had given any."""
    goods = {"give_integral": -1, "rank_integral": -1, "parent_id": 0}
    lines = [line | goods for line in recorded("1030_direct_sql_shipped_then_returned")["order_goods"]]
    assert (points_of(lines).pay, points_of(lines).rank) == (6623, 6623)


def test_1034_a_package_is_no_goods_and_its_id_is_that_of_other_goods() -> None:
    fixture = recorded("1034_package_buy")
    assert naive.lines(fixture["order_goods"])[1] == ("", 1)
    package = fixture["order_goods"][1]
    assert naive.goods_of(package, {row["goods_id"]: row for row in fixture["goods"]}) == "ECS000005"
    assert packed(fixture) == [("ECS000004", 1), ("ECS000005", 1), ("ECS000006", 1), ("ECS000031", 1)]


# --- the traps of reading


def test_a_stored_time_is_no_unix_time() -> None:
    fixture = recorded("1002_paid_normal")
    order = fixture["order_info"]
    assert naive.time_of(order["add_time"]) == datetime(2026, 11, 21, 14, 33, 57, tzinfo=UTC)
    assert order_of(fixture).placed_at == datetime(2026, 11, 21, 22, 33, 57, tzinfo=UTC)
    assert order["order_sn"].startswith("20261122")  # the shop's own date: it was half past six there
    assert naive.paid_since([order], NOW - timedelta(hours=1)) == []


def test_a_transfer_confirmed_days_later_is_found_whatever_its_times_are() -> None:
    old = int((NOW - timedelta(days=9)).timestamp()) - 28800
    fixture = with_order(add_time=old, pay_time=old)
    assert naive.paid_since([fixture["order_info"]], NOW - timedelta(days=1)) == []
    assert order_of(fixture).queue == Queue.AWAIT_SHIP


def test_a_number_must_not_begin_or_end_with_a_small_b_or_r() -> None:
    """ECShop trims `<br>` as if it were a set of characters; its own field shows what is left of a number."""
    typed = "ST3000000000rb"
    assert typed.strip("<br>") == "ST3000000000"
    assert waybill_number(typed).strip("<br>") == waybill_number(typed) == "ST3000000000RB"


def test_four_numbers_do_not_fit_one_note() -> None:
    """Without a word ECShop keeps the first fifty characters; ours has one number a note, and says when it is full."""
    numbers = [f"SF10000000000{no:02d}" for no in range(4)]
    kept = "<br>".join(numbers)[:50]
    assert numbers[3] not in kept
    joined = ""
    for number in numbers:
        joined = join_number(joined, number)
    assert joined.split("<br>") == numbers
    with pytest.raises(PermanentError):
        waybill_number("<br>".join(numbers))
    with pytest.raises(PermanentError):
        join_number("X" * 245, "SF100000000001")


def test_a_discount_line_never_ships_and_keeps_nothing_open() -> None:
    fixture = with_order("1022_full_ship_clean", order_status=6, shipping_status=4)
    discount = {"rec_id": 9, "goods_id": 0, "is_real": 0, "send_number": 0, "goods_price": "-10.00", "goods_sn": ""}
    fixture["order_goods"].append(fixture["order_goods"][0] | discount | {"goods_number": 1})
    assert not naive.is_complete(fixture["order_goods"])
    assert (ours(fixture), standing(fixture)) == (None, "shipped")


def test_what_is_left_of_a_partly_shipped_order_is_in_no_await_ship_list() -> None:
    fixture = with_order("1006_partial_ship", order_status=6, shipping_status=4)
    fixture["delivery_order"] = fixture["delivery_order"][:1]
    fixture["order_goods"][1]["send_number"] = 0
    assert not naive.is_owed(fixture["order_info"])
    assert order_of(fixture).queue == Queue.REMAINDER
    assert packed(fixture) == [("ECS000009", 1), ("ECS000004", 3)]


def test_a_paid_order_without_goods_is_a_checkout_that_still_runs() -> None:
    placed = int((NOW - timedelta(seconds=90)).timestamp()) - 28800
    fixture = with_order(add_time=placed) | {"order_goods": []}
    assert naive.is_owed(fixture["order_info"])
    assert naive.is_complete(fixture["order_goods"])
    assert ours(fixture) is None
    later = read_order(rows_of(fixture), RULES, NOW + timedelta(hours=1))
    assert isinstance(later, Unfit)


def test_a_refund_is_not_told_by_what_a_cancelled_order_says_was_paid() -> None:
    fixture = recorded("1004_cancelled_after_paid")
    assert (fixture["order_info"]["money_paid"], fixture["order_info"]["pay_time"]) == ("0.00", 0)
    assert [row["pay_status"] for row in fixture["order_action"]] == [2, 0]  # only the log remembers
    assert standing(fixture) == "withdrawn"


def test_an_order_on_notes_has_another_status_than_confirmed() -> None:
    fixture = recorded("1034_package_buy")
    assert fixture["order_info"]["order_status"] == 5
    assert not naive.is_owed(fixture["order_info"])
    assert order_of(fixture).queue == Queue.STAFF_NOTE


def test_cash_on_delivery_of_the_mobile_shop_stands_elsewhere() -> None:
    moved = {"order_status": 1, "pay_id": 127, "order_amount": "0.00", "money_paid": "55.00"}
    fixture = with_order("1013_cod_unconfirmed", **moved)
    cod_pay_ids = rows_of(fixture).cod_pay_ids
    assert naive.to_collect(fixture["order_info"], cod_pay_ids) == 0
    assert order_of(fixture).cod_fen == 5500


def test_a_revived_return_is_owed_only_once_it_is_paid_again() -> None:
    fixture = with_order("1010_returned", order_status=1)
    assert (naive_standing(fixture), standing(fixture)) == ("owed", "withdrawn")
    fixture["order_info"]["pay_status"] = 2
    assert (standing(fixture), packed(fixture)) == ("owed", [("ECS000013", 2)])


def test_an_address_without_its_district_is_no_address() -> None:
    fixture = with_order(district=0)
    regions = rows_of(fixture).regions
    assert naive.address(fixture["order_info"], regions).startswith("浙江杭州文三路")
    found = ours(fixture)
    assert isinstance(found, Unfit)
    assert found.code == "ecshop.order.region_missing"


def test_a_city_that_is_its_own_province_keeps_three_levels() -> None:
    fixture = recorded("1024_paid_multi_sku_waiting")
    assert naive.address(fixture["order_info"], fixture["region_names"]).startswith("上海上海浦东新区")
    address = order_of(fixture).consignee.address
    assert (address.province, address.city, address.district) == ("上海", "上海", "浦东新区")


def test_control_characters_reach_no_carrier() -> None:
    fixture = with_order(address="科技园\t1 号\r\n2 楼 ????", consignee="测试\x00甲")
    assert "\r\n" in naive.address(fixture["order_info"], {})
    consignee = order_of(fixture).consignee
    assert (consignee.name, consignee.address.street) == ("测试 甲", "科技园 1 号 2 楼")


def test_a_group_buy_whose_campaign_runs_may_still_change_its_price() -> None:
    fixture = with_order(extension_code="group_buy", extension_id=4)
    assert naive.is_owed(fixture["order_info"])
    assert ours(fixture) is None
    settled = replace(rows_of(fixture), settled_group_buys={4})
    assert isinstance(read_order(settled, RULES, NOW), Order)
