"""What Jushuitan is sent: the signature of the platform, and an order whose sums agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.erps.jushuitan.service import sign
from mappings.errors import PermanentError
from mappings.model import Address, Consignee
from tests.contract.erps.hands import NAME, PHONE, SN, erp_order, failure
from tests.contract.erps.jushuitan.cases import SHAPES, TAKEN, biz, erp, form, stock
from tests.contract.erps.sealed import NOW, goods, recorded, sealed, talk


def sent(**changes: Any) -> Any:
    settings = changes.pop("settings", {})
    _, [call] = talk(erp(**settings).create(erp_order(*changes.pop("lines", ()), **changes)), TAKEN)
    return biz(call)[0]


@pytest.mark.parametrize("vector", recorded("jushuitan", "signatures")["vectors"])
def test_the_signature_is_the_platforms(vector: dict[str, Any]) -> None:
    fields = vector["fields"]

    assert sign(fields, vector["app_secret"]) == vector["sign"]
    assert vector["app_secret"] + "".join(f"{name}{fields[name]}" for name in sorted(fields)) == vector["text"]


def test_a_call_is_a_form_that_proves_itself() -> None:
    _, [call] = talk(erp().create(erp_order()), TAKEN)
    fields = form(call)
    signature = fields.pop("sign")

    assert (call.method, call.url) == ("POST", "https://openapi.jushuitan.com/open/jushuitan/orders/upload")
    assert call.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert sign(fields, "testsecret") == signature
    assert {name: fields[name] for name in fields if name != "biz"} == {
        "app_key": "testkey",
        "access_token": "testtoken",
        "timestamp": str(int(NOW.timestamp())),
        "charset": "utf-8",
        "version": "2",
    }
    assert {"testsecret", "testtoken"} <= set(call.secrets)
    assert "testsecret" not in call.body.decode()


def test_a_call_that_leaves_again_carries_a_new_time() -> None:
    call = next(erp().create(erp_order()))
    first, again = (form(sealed(call, NOW + timedelta(minutes=minutes))) for minutes in (0, 20))

    assert int(again["timestamp"]) - int(first["timestamp"]) == 1200
    assert first["sign"] != again["sign"]
    assert first["biz"] == again["biz"]


def test_an_order_has_every_field_of_the_documents() -> None:
    row = sent(shipping_fee_fen=1000, total_fen=278600, paid_at=datetime(2026, 11, 21, 2, 5, tzinfo=UTC))

    assert set(SHAPES["upload_row"]) <= set(row)
    assert set(SHAPES["upload_row"]["items"][0]) <= set(row["items"][0])
    assert set(SHAPES["upload_row"]["pay"]) == set(row["pay"])
    same = ("receiver_state", "receiver_city", "receiver_district", "receiver_address", "shop_status", "shop_id")
    assert {name: row[name] for name in same} == {name: SHAPES["upload_row"][name] for name in same}
    assert (row["so_id"], row["receiver_name"], row["receiver_mobile"]) == (SN, NAME, PHONE)
    assert (row["pay_amount"], row["freight"], row["pay"]["amount"]) == (2786.0, 10.0, 2786.0)
    assert row["items"][0] | {"properties_value": ""} == {
        "sku_id": "ECS000000",
        "shop_sku_id": "ECS000000",
        "name": "KD876",
        "properties_value": "",
        "qty": 2,
        "base_price": 1388.0,
        "amount": 2776.0,
        "outer_oi_id": f"{SN}-7",
    }


def test_amounts_agree_when_there_is_a_discount_and_other_fees() -> None:
    row = sent(
        lines=(goods("1", "A", 3333, 3), goods("2", "B", 1)), total_fen=9999 + 1 - 500 + 1200 + 30,
        discount_fen=500, shipping_fee_fen=1200,
    )  # fmt: skip

    fen = [round(item["amount"] * 100) for item in row["items"]]
    assert sum(fen) + round(row["freight"] * 100) == round(row["pay_amount"] * 100) == round(row["pay"]["amount"] * 100)
    assert row["freight"] == 12.3
    assert row["items"][0]["base_price"] == 33.33


def test_amounts_are_written_with_two_places_at_most() -> None:
    _, [call] = talk(erp().create(erp_order(goods("1", "A", 1999), total_fen=1999)), TAKEN)

    assert '"pay_amount":19.99,' in form(call)["biz"]


@pytest.mark.parametrize(
    ("placed_at", "written"),
    [
        (datetime(2026, 11, 21, 15, 30, tzinfo=UTC), "2026-11-21 23:30:00"),
        (datetime(2026, 11, 21, 16, 30, tzinfo=UTC), "2026-11-22 00:30:00"),
    ],
)
def test_times_are_those_of_shanghai(placed_at: datetime, written: str) -> None:
    row = sent(placed_at=placed_at, paid_at=placed_at + timedelta(minutes=5))

    assert (row["order_date"], row["pay"]["pay_date"]) == (written, written.replace("30:00", "35:00"))


def test_a_guest_is_not_joined_with_other_guests() -> None:
    assert (sent(user_id=0)["shop_buyer_id"], sent(user_id=12)["shop_buyer_id"]) == (SN, "12")


# --- what never leaves


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cod_fen": 100}, "jushuitan.order.cod_refused"),
        ({"total_fen": 1}, "jushuitan.order.sums_differ"),
        ({"lines": (goods("1", "", 100),), "total_fen": 100}, "jushuitan.order.sku_missing"),
        ({"phone": "138****8000"}, "jushuitan.order.phone_rejected"),
        ({"phone": " "}, "jushuitan.order.phone_rejected"),
        ({"province": "火星"}, "address.region_unknown"),
    ],
)
def test_what_jushuitan_would_refuse_or_misread_goes_to_a_person_unsent(changes: dict[str, Any], code: str) -> None:
    lines, phone, province = changes.pop("lines", ()), changes.pop("phone", PHONE), changes.pop("province", "北京")
    who = Consignee(NAME, phone, Address(province, "北京", "海淀区", "海淀路1号"))

    problem = failure(erp().create(erp_order(*lines, consignee=who, **changes)))

    assert isinstance(problem, PermanentError)
    assert problem.code == code
    assert NAME not in str(problem)


def test_a_number_longer_than_jushuitan_takes_is_not_sent() -> None:
    order = replace(erp_order(), external_ref="9" * 51)

    assert failure(erp().create(order)).code == "jushuitan.order.number_too_long"


def test_an_order_paid_on_delivery_is_sent_without_a_payment_once_that_was_agreed() -> None:
    row = sent(cod_fen=277600, settings={"cod": "send"})

    assert row["is_cod"] is True
    assert "pay" not in row


# --- SKUs are looked up first


def test_an_order_is_sent_when_every_sku_is_known() -> None:
    lines = (goods("1", "A", 100), goods("2", "B", 100))
    known = stock({"sku_id": "A", "qty": 0}, {"sku_id": "B", "qty": 5})

    _, calls = talk(erp(check_skus="1").create(erp_order(*lines, total_fen=200)), known, TAKEN)

    assert [call.operation for call in calls] == ["check_skus", "create_order"]
    assert [call.changes_peer for call in calls] == [False, True]
    asked = biz(calls[0])
    assert asked["sku_ids"] == "A,B"
    assert set(asked) == set(SHAPES["stock_question"])


def test_an_unknown_sku_stops_the_order_before_it_is_sent() -> None:
    lines = (goods("1", "A", 100), goods("2", "B", 100), goods("3", "C,D", 100))

    problem = failure(erp(check_skus="1").create(erp_order(*lines, total_fen=300)), stock({"sku_id": "A", "qty": 1}))

    assert (type(problem), problem.code) == (PermanentError, "jushuitan.order.sku_unknown")
    assert "B, C,D" in problem.message
    assert "nothing was sent" in problem.message
