"""What Wangdiantong is sent: the gateway's signature, and an order as a raw trade with its lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.erps.wangdiantong.service import EPOCH, sign
from mappings.errors import PermanentError
from mappings.model import Address, Consignee
from tests.contract.erps.hands import NAME, PHONE, SN, erp_order, failure
from tests.contract.erps.sealed import NOW, goods, recorded, sealed, talk
from tests.contract.erps.wangdiantong.cases import MADE, args, erp, query, stock


def sent(**changes: Any) -> Any:
    settings = changes.pop("settings", {})
    _, [call] = talk(erp(**settings).create(erp_order(*changes.pop("lines", ()), **changes)), MADE)
    shop_no, [trade], lines = args(call)
    assert shop_no == "ecshop"
    return trade, lines


@pytest.mark.parametrize("vector", recorded("wangdiantong", "signatures")["vectors"])
def test_the_signature_is_the_gateways(vector: dict[str, Any]) -> None:
    assert sign(vector["fields"], vector["app_secret"].partition(":")[0]) == vector["sign"]


def test_a_call_says_who_asks_in_its_address_and_signs_the_body_without_sending_it_there() -> None:
    _, [call] = talk(erp().create(erp_order()), MADE)
    fields = query(call)
    signature = fields.pop("sign")

    assert (call.method, call.url.partition("?")[0]) == ("POST", "https://wdt.wangdian.cn/openapi")
    assert fields == {
        "sid": "wdtapi3",
        "key": "testkey",
        "salt": "testsalt",
        "method": "sales.RawTrade.pushSelf2",
        "timestamp": str(int(NOW.timestamp()) - EPOCH),
        "v": "1.0",
    }
    assert sign({**fields, "body": call.body.decode()}, "testsecret") == signature
    assert "testsecret" not in call.url
    assert {"testsecret", "testsalt"} <= set(call.secrets)


def test_seconds_are_counted_from_the_new_year_of_2012_in_shanghai() -> None:
    assert datetime(2011, 12, 31, 16, 0, tzinfo=UTC).timestamp() == EPOCH


def test_a_call_that_leaves_again_carries_a_new_time_and_signature() -> None:
    call = next(erp().create(erp_order()))
    first, again = (query(sealed(call, NOW + timedelta(minutes=minutes))) for minutes in (0, 5))

    assert int(again["timestamp"]) - int(first["timestamp"]) == 300
    assert first["sign"] != again["sign"]


def test_an_order_is_a_raw_trade_with_its_lines() -> None:
    trade, [line] = sent(shipping_fee_fen=1000, total_fen=278600, user_id=7)

    assert trade == {
        "tid": SN,
        "process_status": 10,
        "trade_status": 30,
        "refund_status": 0,
        "pay_status": 2,
        "pay_method": 1,
        "delivery_term": 1,
        "cod_amount": 0.0,
        "trade_time": "2026-11-21 10:30:00",
        "pay_time": "2026-11-21 10:30:00",
        "end_time": None,
        "buyer_nick": "7",
        "buyer_message": "",
        "remark": "",
        "receiver_name": NAME,
        "receiver_area": "北京 北京市 海淀区",
        "receiver_address": "海淀路1号",
        "receiver_zip": "",
        "receiver_mobile": PHONE,
        "receiver_telno": "",
        "post_amount": 10.0,
        "other_amount": 0.0,
        "discount": 0.0,
        "receivable": 2786.0,
        "paid": 2786.0,
        "order_count": 1,
        "goods_count": 2,
        "is_auto_wms": False,
        "warehouse_no": "",
    }
    assert (line["tid"], line["oid"], line["spec_no"], line["num"]) == (SN, f"{SN}-7", "ECS000000", 2)
    assert (line["price"], line["total_amount"], line["share_discount"]) == (1388.0, 2776.0, 0.0)


def test_the_discount_is_the_sum_of_the_lines_shares_and_the_receivable_follows() -> None:
    trade, lines = sent(
        lines=(goods("1", "A", 3333, 3), goods("2", "B", 1)), total_fen=10000 - 500 + 1200 + 30, discount_fen=500,
        shipping_fee_fen=1200,
    )  # fmt: skip

    def fen(value: float) -> int:
        return round(value * 100)

    assert sum(fen(line["share_discount"]) for line in lines) == fen(trade["discount"]) == 500
    total = sum(fen(line["total_amount"]) for line in lines) - 500 + fen(trade["post_amount"])
    assert total + fen(trade["other_amount"]) == fen(trade["receivable"]) == 10730
    assert (trade["order_count"], trade["goods_count"]) == (2, 4)


@pytest.mark.parametrize(
    ("placed_at", "written"),
    [
        (datetime(2026, 11, 21, 15, 30, tzinfo=UTC), "2026-11-21 23:30:00"),
        (datetime(2026, 11, 21, 16, 30, tzinfo=UTC), "2026-11-22 00:30:00"),
    ],
)
def test_times_are_those_of_shanghai(placed_at: datetime, written: str) -> None:
    trade, _ = sent(placed_at=placed_at, paid_at=placed_at + timedelta(minutes=5))

    assert (trade["trade_time"], trade["pay_time"]) == (written, written.replace("30:00", "35:00"))


def test_a_landline_is_told_as_one() -> None:
    who = Consignee(NAME, "010-62345678", Address("北京", "北京", "海淀区", "海淀路1号"))

    trade, _ = sent(consignee=who)

    assert (trade["receiver_mobile"], trade["receiver_telno"]) == ("", "010-62345678")


def test_an_order_paid_on_delivery_is_sent_as_one_once_that_was_agreed() -> None:
    trade, _ = sent(cod_fen=277600, settings={"cod": "send"})

    assert (trade["delivery_term"], trade["pay_status"], trade["cod_amount"], trade["paid"]) == (2, 0, 2776.0, 0)


# --- what never leaves


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cod_fen": 100}, "wangdiantong.order.cod_refused"),
        ({"total_fen": 1}, "wangdiantong.order.sums_differ"),
        ({"lines": (goods("1", "", 100),), "total_fen": 100}, "wangdiantong.order.sku_missing"),
        ({"lines": (goods("1", "S" * 41, 100),), "total_fen": 100}, "wangdiantong.order.field_too_long"),
        ({"phone": "138****8000"}, "wangdiantong.order.phone_rejected"),
        ({"phone": ""}, "wangdiantong.order.phone_rejected"),
        ({"street": "长" * 257}, "wangdiantong.order.field_too_long"),
        ({"province": "火星"}, "address.region_unknown"),
    ],
)
def test_what_wangdiantong_would_refuse_or_misread_goes_to_a_person_unsent(changes: dict[str, Any], code: str) -> None:
    lines, phone = changes.pop("lines", ()), changes.pop("phone", PHONE)
    address = Address(changes.pop("province", "北京"), "北京", "海淀区", changes.pop("street", "海淀路1号"))

    problem = failure(erp().create(erp_order(*lines, consignee=Consignee(NAME, phone, address), **changes)))

    assert isinstance(problem, PermanentError)
    assert problem.code == code
    assert NAME not in str(problem)


def test_a_number_longer_than_wangdiantong_takes_is_not_sent() -> None:
    order = replace(erp_order(), external_ref="9" * 41)

    assert failure(erp().create(order)).code == "wangdiantong.order.field_too_long"


def test_an_order_is_sent_when_every_sku_is_known() -> None:
    lines = (goods("1", "A", 100), goods("2", "B", 100))

    _, calls = talk(
        erp(check_skus="1").create(erp_order(*lines, total_fen=200)),
        stock({"spec_no": "A"}, {"spec_no": "A", "warehouse_no": "2"}, {"spec_no": "B"}),
        MADE,
    )

    assert [call.operation for call in calls] == ["check_skus", "create_order"]
    assert args(calls[0]) == [{"spec_nos": ["A", "B"]}]
    assert query(calls[0])["method"] == "wms.StockSpec.search2"
    assert {name: query(calls[0])[name] for name in ("page_size", "page_no", "calc_total")} == {
        "page_size": "200",
        "page_no": "0",
        "calc_total": "1",
    }


def test_an_unknown_sku_stops_the_order_before_it_is_sent() -> None:
    lines = (goods("1", "A", 100), goods("2", "B", 100))

    problem = failure(erp(check_skus="1").create(erp_order(*lines, total_fen=200)), stock({"spec_no": "A"}))

    assert (type(problem), problem.code) == (PermanentError, "wangdiantong.order.sku_unknown")
    assert "stock of B;" in problem.message
