"""Voiding at KDNiao: what is sent, and what every kind of reply means."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from mappings.carriers.kdniao.signing import is_signed_by
from mappings.connector import CarrierConnector
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError, UnmappedError
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import APP_KEY, EBUSINESS_ID, EXAMPLES, carrier, finish, json_reply, reply_of, start

ACCOUNT = {"customer_name": "ZTO-TEST-001", "customer_pwd": "pw"}
WAYBILL = {"shipper_code": "ZTO", "waybill_no": "73100000000001", "order_code": "2026112100001-1"}


def call(**settings: Any) -> HttpCall:
    return start(carrier(**settings).cancel_waybill(**WAYBILL))


def void(reply: HttpReply) -> None:
    finish(carrier().cancel_waybill(**WAYBILL), reply)


def failure(reply: HttpReply) -> PeerError:
    with pytest.raises(PeerError) as caught:
        void(reply)
    return caught.value


# --- what is sent


def test_the_request_is_the_recorded_one_to_the_byte() -> None:
    assert call(**ACCOUNT).body.decode() == EXAMPLES["kdn-1147-req"]["http"]["body"]


def test_the_text_that_is_signed_is_the_text_that_is_sent() -> None:
    made = call()
    form = parse_qs(made.body.decode())
    assert is_signed_by(form["RequestData"][0], form["DataSign"][0], [APP_KEY])
    assert (form["EBusinessID"], form["RequestType"], form["DataType"]) == ([EBUSINESS_ID], ["1147"], ["2"])
    assert made.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"


def test_an_account_that_is_not_set_is_not_sent() -> None:
    form = parse_qs(call().body.decode())
    assert list(json.loads(form["RequestData"][0])) == ["ShipperCode", "OrderCode", "ExpNo"]


def test_a_cancel_goes_where_waybills_are_ordered_and_hides_its_secrets() -> None:
    made = call(**ACCOUNT, environment="production")
    assert (made.operation, made.method) == ("cancel_waybill", "POST")
    assert made.url == "https://api.kdniao.com/api/EOrderService"
    assert made.changes_peer
    assert {APP_KEY, "pw"} <= set(made.secrets)


def test_the_connector_is_what_the_port_asks_for() -> None:
    connector: CarrierConnector = carrier()
    assert next(connector.cancel_waybill(**WAYBILL)).operation == "cancel_waybill"


# --- what the replies mean


@pytest.mark.parametrize(
    "fields",
    [
        {"Success": True, "ResultCode": "100", "Reason": "成功"},
        {"Success": True, "ResultCode": "100", "Reason": "取消成功"},
        {"ResultCode": 100},
        {"Success": False, "ResultCode": "105", "Reason": "取消失败，订单已取消"},
        {"Success": False, "ResultCode": "105", "Reason": "该运单已被取消"},
        {"Success": False, "ResultCode": "105", "Reason": "单号已作废"},
        {"Success": False, "ResultCode": "105", "Reason": "请勿重复取消"},
        {"Success": False, "Reason": "订单已经取消"},
    ],
    ids=str,
)
def test_a_waybill_that_is_void_now_or_was_before_is_a_success(fields: dict[str, Any]) -> None:
    void(json_reply(**fields))


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"ResultCode": "101", "Reason": "缺少必要参数"}, PermanentError, "field_missing"),
        ({"ResultCode": "102", "Reason": "验证数据签名失败"}, PermanentError, "signature_refused"),
        ({"ResultCode": "103", "Reason": "格式问题"}, PermanentError, "format_refused"),
        ({"ResultCode": "104", "Reason": "用户ID不存在"}, AuthError, "account_refused"),
        ({"ResultCode": "105", "Reason": "取消失败，快递员已揽收"}, PermanentError, "picked_up"),
        ({"ResultCode": "105", "Reason": "订单已发货，不能取消"}, PermanentError, "picked_up"),
        ({"ResultCode": "105", "Reason": "快件运输中，无法取消"}, PermanentError, "picked_up"),
        ({"ResultCode": "105", "Reason": "订单已揽收，如已取消请联系网点"}, PermanentError, "picked_up"),
        ({"ResultCode": "105", "Reason": "取消失败，订单不存在"}, PermanentError, "not_found"),
        ({"ResultCode": "105", "Reason": "查无此单"}, PermanentError, "not_found"),
        ({"ResultCode": "105", "Reason": "系统繁忙，请稍后再试"}, TransientError, "busy"),
        ({"ResultCode": "105", "Reason": "请求过于频繁"}, TransientError, "rate_limited"),
        ({"ResultCode": "105", "Reason": "没有可用套餐"}, AuthError, "no_plan"),
        ({"ResultCode": "105", "Reason": "取消失败"}, UncertainError, "reason_unknown"),
        ({"ResultCode": "105", "Reason": "未取消"}, UncertainError, "reason_unknown"),
        ({"ResultCode": "106", "Reason": "该订单号已下单成功"}, UncertainError, "reason_unknown"),
        ({"ResultCode": "777", "Reason": "订单已取消"}, UnmappedError, "result_unmapped"),
        ({"Success": True}, UncertainError, "reason_unknown"),
        ({"ResultCode": "100", "Success": False, "Reason": "成功"}, UncertainError, "garbled"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_every_other_answer_has_its_class(fields: dict[str, Any], error: type[PeerError], code: str) -> None:
    problem = failure(json_reply(**{"Success": False, **fields}))
    assert (type(problem), problem.code) == (error, f"kdniao.cancel.{code}")
    assert problem.peer_text == fields.get("Reason", "")


def test_the_recorded_refusal_without_a_reason_may_have_happened() -> None:
    assert type(failure(reply_of(EXAMPLES["kdn-1147-resp-fail"]))) is UncertainError


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, TransientError), (503, TransientError), (403, AuthError), (502, UncertainError), (404, PermanentError)],
)
def test_an_http_failure_means_what_it_means_everywhere(status: int, error: type[PeerError]) -> None:
    assert type(failure(HttpReply(status, {}, b"{}"))) is error


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"ResultCode": "100', b"[]", b"null"])
def test_half_an_answer_may_have_happened(body: bytes) -> None:
    problem = failure(HttpReply(200, {}, body))
    assert (type(problem), problem.code) == (UncertainError, "kdniao.cancel.garbled")


def test_a_byte_order_mark_hides_no_success() -> None:
    void(HttpReply(200, {}, b'\xef\xbb\xbf{"Success":true,"ResultCode":"100"}'))
