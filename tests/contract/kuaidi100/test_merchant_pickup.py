"""Merchant pickup at Kuaidi100: what is sent, and what every kind of reply means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.carriers.kuaidi100.merchant_pickup import window_fields
from mappings.carriers.kuaidi100.signing import sign
from mappings.errors import (
    AuthError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UndecidedError,
    UnmappedError,
)
from mappings.model import Consignee, Waybill
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import a_request, an_order, beijing, finish, json_reply, reply_of, start
from tests.contract.kuaidi100.cases import (
    EXAMPLES,
    HOOK,
    KEY,
    SALT,
    SECRET,
    carrier,
    form_of,
    param_of,
    push,
    take,
)

NAMES = "20066771 9FC293CA417E431F33046E64F4C4EC20"
PICKUP = {"book_by": "merchant_pickup"}


def ordered(request: Any = None, **settings: Any) -> HttpCall:
    return start(carrier(**PICKUP, **settings).book_waybill(request or a_request()))


def booked(reply: HttpReply) -> Waybill:
    return finish(carrier(**PICKUP).book_waybill(a_request()), reply)


def failure(reply: HttpReply) -> PeerError:
    with pytest.raises(PeerError) as caught:
        booked(reply)
    return caught.value


def refusal(request: Any) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        ordered(request)
    return caught.value


def cancelling(carrier_order_no: str, **settings: Any) -> Any:
    return carrier(**settings).cancel_waybill(
        shipper_code="YTO", waybill_no="YT2213099035201", order_code="1", carrier_order_no=carrier_order_no
    )


def taken(**data: Any) -> HttpReply:
    return json_reply(result=True, returnCode="200", message="提交成功", data=data)


# --- what is sent


def test_an_order_is_whole_and_signed_with_its_moment() -> None:
    call = ordered()
    form = form_of(call)
    assert (call.url, form["method"], form["key"]) == (
        "https://poll.kuaidi100.com/order/borderapi.do",
        "bOrder",
        KEY,
    )
    assert form["sign"] == sign(form["param"], form["t"], KEY, SECRET)
    assert param_of(call) == {
        "kuaidicom": "zhongtong",
        "recManName": "张三",
        "recManMobile": "13900000002",
        "recManPrintAddr": "北京市海淀区中关村大街2号",
        "sendManName": "发货仓",
        "sendManMobile": "13800000001",
        "sendManPrintAddr": "广东省深圳市南山区科技园路1号",
        "cargo": "棉T恤",
        "weight": "1",
        "payment": "SHIPPER",
        "serviceType": "标准快递",
        "remark": "轻放",
        "callBackUrl": HOOK,
        "salt": SALT,
        "op": "1",
        "pollCallBackUrl": HOOK,
        "resultv2": "4",
        "thirdOrderId": "2026112100001-1",
    }


def test_the_field_for_our_own_code_is_a_setting_since_no_document_names_it() -> None:
    assert param_of(ordered(pickup_code_field="attach"))["attach"] == "2026112100001-1"
    without = param_of(ordered(pickup_code_field=""))
    assert without == {name: word for name, word in param_of(ordered()).items() if name != "thirdOrderId"}


def test_the_call_hides_its_secrets_and_changes_the_peer() -> None:
    call = ordered()
    assert call.changes_peer
    assert {KEY, SECRET, SALT, HOOK} <= set(call.secrets)


def test_a_landline_stands_where_the_mobile_does() -> None:
    order = an_order(consignee=Consignee("王五", "010-88886666", beijing()))
    assert param_of(ordered(a_request(order=order)))["recManMobile"] == "010-88886666"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"order": an_order(lines=())}, "goods_missing"),
        ({"order": an_order(cod_fen=100)}, "cod_refused"),
        ({"order": an_order(consignee=Consignee("王", "x", beijing()))}, "phone_missing"),
        ({"order": an_order(consignee=Consignee("王", "1", replace(beijing(), street=" ")))}, "street_missing"),
        ({"shipper_code": "NOSUCHONE"}, "shipper_unmapped"),
        ({"account": "nobody"}, "account_unknown"),
        (
            {
                "pickup_from": datetime(2026, 12, 1, 7, tzinfo=UTC),
                "pickup_until": datetime(2026, 12, 1, 7, 59, tzinfo=UTC),
            },
            "window_refused",
        ),
    ],
)
def test_what_no_courier_can_be_ordered_for_is_refused_before_anything_is_sent(
    change: dict[str, Any], code: str
) -> None:
    assert refusal(a_request(**change)).code == f"kuaidi100.waybill.{code}"


# --- the window, China time


def window(at: str, pickup_hours: str = "", **request: Any) -> tuple[str, ...]:
    """Day, start and end of an order that leaves at this time of the first of December."""
    settings = carrier(**PICKUP, pickup_hours=pickup_hours).settings
    fields = window_fields(a_request(**request), settings, datetime.fromisoformat(f"2026-12-01T{at}:30+08:00"))
    return tuple(fields[name] for name in ("dayType", "pickupStartTime", "pickupEndTime")) if fields else ()


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("08:00", ("今天", "09:00", "18:00")),
        ("14:20", ("今天", "14:20", "18:00")),
        ("15:59", ("今天", "15:59", "18:00")),
        ("16:00", ("明天", "09:00", "18:00")),
        ("23:30", ("明天", "09:00", "18:00")),
        ("00:30", ("今天", "09:00", "18:00")),
    ],
)
def test_hours_are_asked_for_until_two_hours_before_their_end(at: str, found: tuple[str, ...]) -> None:
    assert window(at, "09:00-18:00") == found


def test_without_hours_no_time_is_asked_for() -> None:
    assert window("12:00") == ()
    assert "dayType" not in param_of(ordered())


def test_the_window_is_that_of_the_moment_of_sending() -> None:
    assert param_of(ordered(pickup_hours="09:00-18:00"))["pickupStartTime"] == "12:00"


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (0, ("今天", "15:00", "18:00")),
        (1, ("明天", "15:00", "18:00")),
        (2, ("后天", "15:00", "18:00")),
        (9, ("后天", "15:00", "18:00")),
        (-3, ("今天", "15:00", "18:00")),
    ],
)
def test_a_request_s_own_window_comes_before_the_hours(days: int, found: tuple[str, ...]) -> None:
    begins = datetime(2026, 12, 1, 7, tzinfo=UTC) + timedelta(days=days)
    asked = {"pickup_from": begins, "pickup_until": begins + timedelta(hours=3)}
    assert window("12:00", "09:00-12:00", **asked) == found


# --- what the answers mean


def test_the_recorded_answer_is_a_waybill_with_both_names_of_its_order() -> None:
    assert booked(reply_of(EXAMPLES["k100-border-ok"])) == Waybill(
        waybill_no=EXAMPLES["k100-border-ok"]["expect"]["waybill"],
        shipper_code="ZTO",
        order_code="2026112100001-1",
        carrier_order_no=NAMES,
    )


@pytest.mark.parametrize("number", ["", None])
def test_a_number_that_comes_later_is_awaited_under_the_order_s_names(number: object) -> None:
    order_id, task_id = NAMES.split()
    error = failure(taken(kuaidinum=number, orderId=order_id, taskId=task_id))
    assert isinstance(error, UndecidedError)
    assert (error.code, error.carrier_order_no) == ("kuaidi100.waybill.number_awaited", NAMES)
    assert error.retry_after_s >= 60
    assert order_id in str(error)


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (taken(), UncertainError, "number_missing"),
        (taken(kuaidinum="1" * 41), UncertainError, "number_missing"),
        (taken(orderId="1" * 31, taskId="A"), UncertainError, "number_missing"),
        (taken(orderId="1", taskId="A" * 33), UncertainError, "number_missing"),
        (json_reply(result=True, returnCode="200"), UncertainError, "number_missing"),
        (
            json_reply(result=False, returnCode="200", data={"kuaidinum": "1"}),
            UncertainError,
            "number_missing",
        ),
        (
            json_reply(result=False, returnCode="501", message="重复提交"),
            UncertainError,
            "number_not_returned",
        ),
        (json_reply(result=False, returnCode="500", message="服务器错误"), UncertainError, "busy"),
        (json_reply(result=False, returnCode="500", message="提交过于频繁"), UncertainError, "rate_limited"),
        (
            json_reply(result=False, returnCode="503", message="签名错误"),
            PermanentError,
            "signature_refused",
        ),
        (json_reply(result=False, returnCode="400", message="?"), PermanentError, "format_refused"),
        (json_reply(result=False, returnCode="500", message="余额不足"), AuthError, "balance_used"),
        (json_reply(result=False, returnCode="600", message="?"), AuthError, "account_refused"),
        (json_reply(result=False, returnCode="888", message="?"), UnmappedError, "result_unmapped"),
        (json_reply(), UncertainError, "reason_unknown"),
        (HttpReply(200, {}, b"<html>"), UncertainError, "garbled"),
        (HttpReply(502, {}, b"<html>"), UncertainError, "server_error"),
        (HttpReply(200, {}, b'{"returnCode":"200","data":{"kuaidi'), UncertainError, "garbled"),
        (HttpReply(200, {}, '{"message":"提交成功","returnCode"'.encode("gbk")), UncertainError, "garbled"),
        (HttpReply(503), TransientError, "unavailable"),
        (HttpReply(401), AuthError, "auth"),
    ],
    ids=range(21),
)
def test_an_answer_that_brings_no_waybill_says_what_to_do(reply: HttpReply, kind: type[PeerError], code: str) -> None:
    error = failure(reply)
    assert (type(error), error.code) == (kind, f"kuaidi100.waybill.{code}")


# --- cancelling


@pytest.mark.parametrize("book_by", ["label", "merchant_pickup"])
def test_an_ordered_courier_is_cancelled_by_both_names_whatever_the_settings_say_now(book_by: str) -> None:
    call = start(cancelling(NAMES, book_by=book_by))
    form, param = form_of(call), param_of(call)
    assert (call.operation, call.url.endswith("/borderapi.do"), form["method"]) == ("cancel_waybill", True, "cancel")
    order_id, task_id = NAMES.split()
    assert param == {"taskId": task_id, "orderId": order_id, "cancelMsg": "订单已取消"}
    assert form["sign"] == sign(form["param"], form["t"], KEY, SECRET)


def test_a_label_booked_before_the_change_is_voided_as_a_label() -> None:
    call = start(cancelling("K1", **PICKUP))
    assert call.url.endswith("/label/order")
    assert param_of(call)["orderId"] == "K1"


def test_a_courier_whose_order_has_no_name_is_cancelled_by_a_person() -> None:
    with pytest.raises(PermanentError) as caught:
        start(cancelling("", **PICKUP))
    assert caught.value.code == "kuaidi100.cancel.order_unnamed"
    assert "console" in str(caught.value)


def test_the_recorded_cancel_is_a_success_and_so_is_a_second_one() -> None:
    assert finish(cancelling(NAMES), reply_of(EXAMPLES["k100-border-cancel-ok"])) is None
    again = json_reply(result=False, returnCode="500", message="取消失败，订单已取消")
    assert finish(cancelling(NAMES), again) is None


# --- pushes


def test_the_recorded_push_is_a_pickup_of_the_recorded_order() -> None:
    (event,) = take(EXAMPLES["k100-border-cb-picked"]["http"]["body"].encode()).events
    assert (event.waybill_no, event.order_code, event.canonical) == ("YT2213099035201", NAMES.split()[0], "picked_up")


def test_a_push_without_a_number_names_the_order_alone() -> None:
    told = {"kuaidicom": "yuantong", "kuaidinum": "", "data": {"orderId": "20066771", "status": "1"}}
    (event,) = take(push(told)).events
    assert (event.waybill_no, event.order_code, event.canonical) == ("", "20066771", "awaiting_pickup")
