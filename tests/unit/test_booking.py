"""What every carrier wants of an order: the key it is known by, a name and a street, a phone."""

from __future__ import annotations

import pytest

from mappings.booking import check_order_code, demand_text, last_digits, phone_fields
from mappings.errors import PermanentError


@pytest.mark.parametrize(
    ("phone", "fields"),
    [
        ("13812345678", {"mobile": "13812345678"}),
        ("+86 138-1234-5678", {"mobile": "13812345678"}),
        ("0086(138)12345678", {"mobile": "13812345678"}),
        ("１３８１２３４５６７８", {"mobile": "13812345678"}),
        ("0755-12345678", {"tel": "0755-12345678"}),
        ("+1 212 555 0100", {"tel": "+1 212 555 0100"}),
        ("23812345678", {"tel": "23812345678"}),
    ],
)
def test_a_mobile_number_is_told_from_any_other(phone: str, fields: dict[str, str]) -> None:
    assert phone_fields(phone, "consignee", area="hub.waybill") == fields
    renamed = phone_fields(phone, "consignee", area="hub.waybill", mobile="Mobile", tel="Tel")
    assert list(renamed.values()) == list(fields.values())
    assert [name.lower() for name in renamed] == list(fields)


@pytest.mark.parametrize("phone", ["", " ", "-", "no phone"])
def test_a_phone_without_a_digit_is_none(phone: str) -> None:
    with pytest.raises(PermanentError, match="The consignee has no phone number") as caught:
        phone_fields(phone, "consignee", area="hub.waybill")
    assert caught.value.code == "hub.waybill.phone_missing"


@pytest.mark.parametrize(
    ("phone", "digits"), [("138 1234-5678", "5678"), ("5678", "5678"), ("567", ""), ("", ""), ("５６７８", "5678")]
)
def test_the_last_four_digits_are_four_or_nothing(phone: str, digits: str) -> None:
    assert last_digits(phone) == digits


@pytest.mark.parametrize("code", ["", "1" * 31, "2026/1", "2026 1", "订单1"])
def test_an_order_code_is_never_cut_to_fit(code: str) -> None:
    assert check_order_code("2026_A.b-1", most=30, area="hub.waybill") == "2026_A.b-1"
    with pytest.raises(PermanentError, match="must be 1 to 30 of") as caught:
        check_order_code(code, most=30, area="hub.waybill")
    assert caught.value.code == "hub.waybill.order_code_refused"


def test_what_a_carrier_wants_and_nobody_wrote_is_named() -> None:
    assert demand_text(" 中 通\n ", "goods_name", "line 1", carrier="Hub", area="hub.waybill") == "中 通"
    with pytest.raises(PermanentError, match="Hub wants a goods name: line 1 has none") as caught:
        demand_text("\u200b", "goods_name", "line 1", carrier="Hub", area="hub.waybill")
    assert caught.value.code == "hub.waybill.goods_name_missing"
