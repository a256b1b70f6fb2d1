"""Booking a courier: what is sent, what every kind of reply means, and that one order code books one courier."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from mappings.china_time import SHANGHAI
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError, UnmappedError
from mappings.model import Consignee, Consignor, OrderLine, PickupBooking, PickupRequest
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import (
    EXAMPLES,
    a_request,
    an_order,
    beijing,
    carrier,
    finish,
    json_reply,
    reply_of,
    shenzhen,
    start,
)

FROM = datetime(2026, 11, 22, 2, tzinfo=UTC)
ORDER_CODE = "R2026112100001-1"


def a_booking(**changes: Any) -> PickupRequest:
    base = a_request()
    made = PickupRequest(ORDER_CODE, "", "SF", base.order, base.consignor, FROM, FROM + timedelta(hours=2))
    return replace(made, **changes)


def form_of(call: HttpCall) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(call.body.decode()).items()}


def data_of(call: HttpCall) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(form_of(call)["RequestData"])
    return found


def test_the_booking_is_the_recorded_one_but_for_its_own_order_code() -> None:
    consignor = Consignor("张三", "13900000002", replace(beijing(), postcode=""))
    order = an_order(
        consignee=Consignee("发货仓", "13800000001", replace(shenzhen(), postcode="")),
        lines=(OrderLine("1", "", "棉T恤", quantity=1, price_fen=5900, weight_g=1000),),
        buyer_note="退货",
    )
    made = data_of(start(carrier().book_pickup(a_booking(order=order, consignor=consignor))))
    expected = json.loads(EXAMPLES["kdn-1801-req"]["form"]["RequestData"]) | {"OrderCode": "R2026112100001-1-P"}
    made["Commodity"] = [{key: goods[key] for key in expected["Commodity"][0]} for goods in made["Commodity"]]
    assert made == expected


def test_the_waybill_goes_with_the_booking_and_the_old_service_gets_the_account() -> None:
    call = start(carrier(pickup_request_type="1001", customer_name="A-1").book_pickup(a_booking(waybill_no="SF1")))
    assert form_of(call)["RequestType"] == "1001"
    made = data_of(call)
    assert (made["LogisticCode"], made["CustomerName"]) == ("SF1", "A-1")
    assert "ShipperType" not in made


def test_the_booking_has_an_address_of_its_own() -> None:
    assert start(carrier(environment="production").book_pickup(a_booking())).url == (
        "https://api.kdniao.com/api/OOrderService"
    )
    assert start(carrier().book_pickup(a_booking())).changes_peer


def test_the_bookings_order_code_is_never_cut() -> None:
    with pytest.raises(PermanentError) as caught:
        start(carrier().book_pickup(a_booking(order_code="x" * 29)))
    assert caught.value.code == "kdniao.pickup.order_code_refused"


def test_a_parcel_without_goods_books_nobody() -> None:
    with pytest.raises(PermanentError) as caught:
        start(carrier().book_pickup(a_booking(order=an_order(lines=()))))
    assert caught.value.code == "kdniao.pickup.goods_missing"


@pytest.mark.parametrize(
    ("now", "starts", "ends"),
    [
        ("2026-11-22 06:00", "2026-11-22 09:00", "2026-11-22 18:00"),
        ("2026-11-22 10:20", "2026-11-22 11:20", "2026-11-22 18:00"),
        ("2026-11-22 16:00", "2026-11-22 17:00", "2026-11-22 18:00"),
        ("2026-11-22 16:01", "2026-11-23 09:00", "2026-11-23 18:00"),
        ("2026-11-22 23:59", "2026-11-23 09:00", "2026-11-23 18:00"),
        ("2026-12-31 20:00", "2027-01-01 09:00", "2027-01-01 18:00"),
    ],
)
def test_a_courier_is_asked_for_the_next_hours_of_the_warehouse(now: str, starts: str, ends: str) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)

    assert carrier().pickup_window(at(now).astimezone(UTC)) == (at(starts), at(ends))


@pytest.mark.parametrize("text", ["9-18", "09:00", "18:00-09:00", "09:00-10:30", "09:00-18:00-20:00", ""])
def test_hours_that_no_courier_can_keep_are_refused(text: str) -> None:
    setting = next(setting for setting in carrier().spec.settings if setting.name == "pickup_hours")
    with pytest.raises(ValueError, match=r"hours|times"):
        setting.parse(text)


def test_couriers_are_booked_only_where_the_setting_says_so() -> None:
    assert not carrier().is_booked()
    assert carrier(pickup="booked").is_booked()


# --- what came back


def booked(reply: HttpReply, request: PickupRequest | None = None, **settings: Any) -> PickupBooking:
    return finish(carrier(**settings).book_pickup(request or a_booking()), reply)


def test_the_recorded_answer_books_a_courier_whose_number_comes_later() -> None:
    booking = booked(reply_of(EXAMPLES["kdn-1801-resp-ok"]))
    expect = EXAMPLES["kdn-1801-resp-ok"]["expect"]
    assert (booking.waybill_no, booking.carrier_order_no) == (expect["waybill"], "KDN2611221000000001")
    assert (booking.pickup_from, booking.adopted) == (FROM, False)


def test_a_number_that_comes_at_once_is_kept() -> None:
    reply = json_reply(Success=True, ResultCode="100", Reason="成功", Order={"LogisticCode": "SF9"})
    assert booked(reply) == PickupBooking("", "SF9", FROM)


def conversation(request: PickupRequest, *replies: HttpReply, **settings: Any) -> tuple[PickupBooking, list[str]]:
    """The booking after these replies, and the request types that were sent."""
    exchange = carrier(**settings).book_pickup(request)
    sent = [form_of(next(exchange))["RequestType"]]
    for reply in replies:
        try:
            sent.append(form_of(exchange.send(reply))["RequestType"])
        except StopIteration as end:
            return end.value, sent
    raise AssertionError("the exchange wants more replies")


FIRST = json_reply(Success=True, ResultCode="100", Order={"KDNOrderCode": "K1", "StartDate": "2026-11-22 14:00:00"})
NONE = json_reply(Success=False, ResultCode="105", Reason="订单不存在")


def test_what_an_earlier_call_may_have_booked_is_looked_up_and_adopted() -> None:
    booking, sent = conversation(a_booking(may_exist=True), FIRST)
    assert sent == ["1804"]
    assert booking == PickupBooking("K1", "", datetime(2026, 11, 22, 6, tzinfo=UTC), adopted=True)


def test_what_turns_out_not_to_be_booked_is_booked_under_the_same_code() -> None:
    booking, sent = conversation(a_booking(may_exist=True), NONE, reply_of(EXAMPLES["kdn-1801-resp-ok"]))
    assert (booking.adopted, sent) == (False, ["1804", "1801"])


def test_a_booking_that_stands_there_is_adopted_however_little_is_said_of_it() -> None:
    bare = json_reply(Success=False, ResultCode="106", Reason="该订单号已下单成功")
    booking, sent = conversation(a_booking(), bare, FIRST)
    assert (booking.carrier_order_no, sent) == ("K1", ["1801", "1804"])
    booking, sent = conversation(a_booking(may_exist=True), bare, pickup_request_type="1001")
    assert (booking, sent) == (PickupBooking("", "", FROM, adopted=True), ["1001"])
    full = json_reply(Success=True, ResultCode="106", Order={"KDNOrderCode": "K1"})
    assert booked(full) == PickupBooking("K1", "", FROM, adopted=True)


CASES: list[tuple[dict[str, Any], type[PeerError], str]] = [
    ({"ResultCode": "105", "Reason": "没有可用套餐"}, AuthError, "no_plan"),
    ({"ResultCode": "104", "Reason": "用户问题"}, AuthError, "account_refused"),
    ({"ResultCode": "105", "Reason": "超区，不派送"}, PermanentError, "address_rejected"),
    ({"ResultCode": "103", "Reason": "格式问题"}, PermanentError, "format_refused"),
    ({"ResultCode": "105", "Reason": "系统繁忙"}, TransientError, "busy"),
    ({"ResultCode": "105", "Reason": "未知错误X9"}, UncertainError, "reason_unknown"),
    ({"ResultCode": "100", "Success": False}, UncertainError, "garbled"),
    ({"ResultCode": "777"}, UnmappedError, "result_unmapped"),
]


@pytest.mark.parametrize(("fields", "cls", "code"), CASES)
def test_every_refusal_has_its_class(fields: dict[str, Any], cls: type[PeerError], code: str) -> None:
    with pytest.raises(PeerError) as caught:
        booked(json_reply(**{"Success": False} | fields))
    assert (type(caught.value), caught.value.code) == (cls, f"kdniao.pickup.{code}")
    assert caught.value.peer_is_well is (code == "no_plan")


def test_an_answer_that_is_none_leaves_the_outcome_open() -> None:
    with pytest.raises(UncertainError):
        booked(reply_of(EXAMPLES["kdn-gateway-html-502"]))


# --- cancelling

BOOKED = {"shipper_code": "SF", "waybill_no": "SF1", "order_code": ORDER_CODE}


def test_a_booking_is_cancelled_under_its_own_code() -> None:
    new = start(carrier().cancel_pickup(**BOOKED))
    assert form_of(new)["RequestType"] == "1802"
    assert data_of(new) == {
        "OrderCode": "R2026112100001-1-P",
        "LogisticCode": "SF1",
        "CancelType": 1,
        "CancelMsg": "订单已取消",
    }
    old = start(carrier(pickup_request_type="1001").cancel_pickup(**BOOKED))
    assert form_of(old)["RequestType"] == "1004"
    assert data_of(old) == {"OrderCode": "R2026112100001-1-P", "ShipperCode": "SF", "LogisticCode": "SF1"}


@pytest.mark.parametrize(
    "reply",
    [
        json_reply(Success=True, ResultCode="100", Reason="成功"),
        json_reply(Success=False, ResultCode="105", Reason="订单已取消"),
        json_reply(Success=False, ResultCode="105", Reason="订单不存在"),
    ],
    ids=["cancelled", "before", "never-booked"],
)
def test_no_courier_booked_any_more_is_a_success(reply: HttpReply) -> None:
    finish(carrier().cancel_pickup(**BOOKED), reply)


def test_a_courier_who_has_the_parcel_cannot_be_cancelled() -> None:
    with pytest.raises(PermanentError) as caught:
        finish(carrier().cancel_pickup(**BOOKED), json_reply(Success=False, ResultCode="105", Reason="快递员已揽收"))
    assert caught.value.code == "kdniao.pickup.picked_up"


@pytest.mark.parametrize(
    "fields", [{"ResultCode": "105", "Reason": "取消失败"}, {"ResultCode": "100", "Reason": "成功"}], ids=["105", "100"]
)
def test_an_odd_answer_to_a_cancel_is_asked_again(fields: dict[str, str]) -> None:
    with pytest.raises(UncertainError):
        finish(carrier().cancel_pickup(**BOOKED), json_reply(Success=False, **fields))
