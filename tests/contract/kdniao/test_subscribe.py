"""Subscribing and recognising numbers that KDNiao did not issue."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UnmappedError
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import EXAMPLES, carrier, finish, json_reply, reply_of, start


def subscribing(shipper_code: str = "ZTO", waybill_no: str = "73100000000001", phone: str = "", **settings: Any) -> Any:
    return carrier(**settings).subscribe(
        shipper_code=shipper_code,
        waybill_no=waybill_no,
        order_code="2026112100001-1",
        phone=phone,
        callback_url="https://ecsync.example.com/callbacks/kdniao/token",
    )


def form_of(call: HttpCall) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(call.body.decode(), keep_blank_values=True).items()}


def test_the_subscription_is_the_recorded_one_but_for_the_text_that_nobody_reads() -> None:
    call = start(subscribing())
    expected = json.loads(EXAMPLES["kdn-8008-req"]["form"]["RequestData"])
    del expected["CallBack"]
    assert json.loads(form_of(call)["RequestData"]) == expected
    assert form_of(call)["RequestType"] == EXAMPLES["kdn-8008-req"]["form"]["RequestType"]


def test_the_address_is_a_setting_and_no_outcome_is_uncertain() -> None:
    assert start(subscribing(environment="production")).url == "https://api.kdniao.com/api/dist"
    assert start(subscribing(subscribe_url="https://x.example.com/dist")).url == "https://x.example.com/dist"
    assert not start(subscribing()).changes_peer


@pytest.mark.parametrize(
    ("shipper_code", "phone", "customer_name"),
    [("SF", "139-0000-0002", "0002"), ("KYSY", "13900000002", "0002"), ("ZTO", "13900000002", "0002"), ("ZTO", "", "")],
)
def test_a_phones_last_digits_go_with_it_where_the_company_wants_them(
    shipper_code: str, phone: str, customer_name: str
) -> None:
    made = json.loads(form_of(start(subscribing(shipper_code, "SF1000000000001", phone)))["RequestData"])
    assert made["CustomerName"] == customer_name


def test_a_company_that_wants_a_phone_is_not_asked_without_one() -> None:
    with pytest.raises(PermanentError) as caught:
        start(subscribing("SF"))
    assert caught.value.code == "kdniao.subscribe.phone_missing"


def test_the_free_subscription_knows_a_few_companies() -> None:
    assert form_of(start(subscribing("YTO", subscribe_request_type="1008")))["RequestType"] == "1008"
    with pytest.raises(PermanentError) as caught:
        start(subscribing("ZTO", subscribe_request_type="1008"))
    assert caught.value.code == "kdniao.subscribe.shipper_not_free"


def test_switched_off_no_number_is_subscribed() -> None:
    assert list(subscribing(subscribe_request_type="off")) == []


def failure(reply: HttpReply, **settings: Any) -> PeerError:
    with pytest.raises(PeerError) as caught:
        finish(subscribing("YTO", **settings), reply)
    return caught.value


@pytest.mark.parametrize(
    "reply",
    [
        reply_of(EXAMPLES["kdn-8008-resp"]),
        json_reply(Success=True, ResultCode="100", Reason="成功"),
        json_reply(Success=False, ResultCode="105", Reason="该单号已订阅"),
        json_reply(Success=False, Reason="重复订阅"),
        json_reply(Success=False, ResultCode="106", Reason="请勿重复提交"),
    ],
    ids=["recorded", "100", "subscribed-105", "subscribed", "106"],
)
def test_a_number_that_is_subscribed_now_or_before_is_a_success(reply: HttpReply) -> None:
    finish(subscribing(), reply)


@pytest.mark.parametrize(
    ("fields", "cls", "code", "peer_is_well"),
    [
        ({"ResultCode": "105", "Reason": "没有可用套餐"}, AuthError, "no_plan", True),
        ({"ResultCode": "105", "Reason": "余额不足"}, AuthError, "balance_used", True),
        ({"ResultCode": "104", "Reason": "用户ID不存在"}, AuthError, "account_refused", False),
        ({"ResultCode": "102", "Reason": "验证数据签名失败"}, PermanentError, "signature_refused", False),
        ({"ResultCode": "404", "Reason": "快递单号长度不符"}, PermanentError, "number_refused", False),
        ({"ResultCode": "405", "Reason": "超出次数"}, TransientError, "quota_used", True),
        ({"ResultCode": "105", "Reason": "系统繁忙"}, TransientError, "busy", False),
        ({"ResultCode": "105", "Reason": "未知错误X9"}, TransientError, "reason_unknown", False),
        ({"ResultCode": "777", "Reason": ""}, UnmappedError, "result_unmapped", False),
        ({"ResultCode": "100", "Reason": "成功"}, TransientError, "garbled", False),
        ({}, TransientError, "reason_unknown", False),
    ],
)
def test_every_refusal_has_its_class_and_a_missing_plan_concerns_subscriptions_alone(
    fields: dict[str, str], cls: type[PeerError], code: str, peer_is_well: bool
) -> None:
    error = failure(json_reply(Success=False, **fields))
    assert (type(error), error.code, error.peer_is_well) == (cls, f"kdniao.subscribe.{code}", peer_is_well)


def test_of_the_free_plan_a_missing_package_means_the_days_quota() -> None:
    error = failure(json_reply(Success=False, Reason="没有可用套餐"), subscribe_request_type="1008")
    assert (type(error), error.code) == (TransientError, "kdniao.subscribe.quota_used")


def test_a_failing_gateway_is_asked_again() -> None:
    assert type(failure(reply_of(EXAMPLES["kdn-gateway-html-502"]))) is TransientError


# --- whose a number is (2002)


@pytest.mark.parametrize(
    ("shipper_code", "waybill_no", "expected"),
    [
        ("ZTO", "73100000000001", False),
        ("SF", "SF1000000000001", False),
        ("SF", "sf1000000000001", False),
        ("SF", "73100000000001", False),
        ("ZTO", "SF1000000000001", True),
        ("JDKY", "JDVA00000000001", False),
        ("YTO", "JT1000000000001", True),
        ("", "73100000000001", True),
        ("XYZ", "73100000000001", True),
    ],
)
def test_a_company_is_doubted_when_nobody_knows_it_or_the_number_names_another(
    shipper_code: str, waybill_no: str, expected: bool
) -> None:
    assert carrier().doubts_courier(shipper_code=shipper_code, waybill_no=waybill_no) is expected


def recognised(reply: HttpReply) -> str:
    return finish(carrier().find_courier(waybill_no="73100000000001"), reply)


def named(*codes: str) -> HttpReply:
    shippers = [{"ShipperCode": code, "ShipperName": "…"} for code in codes]
    return json_reply(Success=bool(codes), Code="100", LogisticCode="73100000000001", Shippers=shippers)


def test_the_question_holds_the_number_and_nothing_of_the_buyer() -> None:
    call = start(carrier().find_courier(waybill_no="73100000000001"))
    assert form_of(call)["RequestType"] == "2002"
    assert json.loads(form_of(call)["RequestData"]) == {"LogisticCode": "73100000000001"}
    assert not call.changes_peer


def test_only_one_answer_counts() -> None:
    assert recognised(named("ZTO")) == "ZTO"
    assert recognised(named("ZTO", "ZTO")) == "ZTO"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (named("ZTO", "YTO"), "ambiguous"),
        (named(), "unknown"),
        (json_reply(Success=True, Shippers=None), "unknown"),
        (named("NOBODY"), "ambiguous"),
        (json_reply(Success=False, ResultCode="105", Reason="识别失败"), "unknown"),
    ],
    ids=["several", "none", "null", "not-in-our-table", "refused"],
)
def test_several_answers_or_none_are_a_persons(reply: HttpReply, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        recognised(reply)
    assert caught.value.code == f"kdniao.recognise.{code}"


@pytest.mark.parametrize("code", [{"ResultCode": "105"}, {}], ids=["105", "no code"])
def test_a_plan_without_recognition_is_told_and_closes_no_door(code: dict[str, str]) -> None:
    with pytest.raises(AuthError) as caught:
        recognised(json_reply(Success=False, Reason="没有可用套餐", **code))
    assert (caught.value.code, caught.value.peer_is_well) == ("kdniao.recognise.no_plan", True)
