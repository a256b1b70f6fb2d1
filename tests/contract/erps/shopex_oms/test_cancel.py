"""Cancelling: the order is sent again as the OMS shows it, dead, and looked at afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mappings.errors import PermanentError, TransientError, UncertainError, UndecidedError
from mappings.model import ErpDocument
from tests.contract.erps.shopex_oms.cases import (
    ANSWERS,
    CANCELLED,
    DEAD,
    NOT_SHOWN,
    ORDERS,
    REF,
    SHOWN,
    UPDATED,
    answer,
    erp,
    failure,
    form_of,
    recorded_form,
    run,
    shown,
)

DOCUMENT = ErpDocument("10", REF)


def refused(message: str) -> Any:
    return answer({"rsp": "fail", "res": "4007", "data": {"tid": REF}, "msg": message})


def test_a_cancel_says_dead_and_refunded_with_the_lines_that_the_oms_shows() -> None:
    _, calls = run(erp().cancel(DOCUMENT), SHOWN, CANCELLED, DEAD)
    form, recorded = form_of(calls[1]), recorded_form(ORDERS["cancelled"])

    assert [call.operation for call in calls] == ["find_order", "cancel_order", "find_order"]
    for name in ("method", "status", "pay_status", "ship_status", "is_tax", "lastmodify", "createtime"):
        assert form[name] == recorded[name], name
    assert form["order_bn"] == REF
    assert set(form) <= set(recorded) | {"sign"}
    [sold] = json.loads(form["order_objects"])
    assert (sold["bn"], sold["quantity"], sold["oid"], sold["obj_type"]) == ("ECS000000", "2", f"{REF}-1", "goods")
    assert [(item["bn"], item["quantity"]) for item in sold["order_items"]] == [("ECS000000", "2")]


def test_a_cancel_repeats_no_amount_that_the_oms_does_not_show() -> None:
    _, calls = run(erp().cancel(DOCUMENT), SHOWN, CANCELLED, DEAD)
    form = form_of(calls[1])

    assert (form["total_amount"], form["cost_item"], form["payments"]) == ("2786.000", "2776.000", "[]")


def test_what_the_oms_shows_encrypted_is_not_sent_back() -> None:
    _, calls = run(erp().cancel(DOCUMENT), SHOWN, CANCELLED, DEAD)
    consignee = json.loads(form_of(calls[1])["consignee"])

    assert (consignee["area_state"], consignee["area_city"], consignee["area_district"]) == ("北京", "北京市", "海淀区")
    assert (consignee["name"], consignee["mobile"], consignee["zip"]) == ("", "", "100000")


def test_what_it_shows_openly_stays() -> None:
    _, calls = run(erp().cancel(DOCUMENT), shown(ship_name="张三", ship_area=""), CANCELLED, DEAD)
    consignee = json.loads(form_of(calls[1])["consignee"])

    assert (consignee["name"], consignee["area_state"]) == ("张三", "")


def test_one_that_is_cancelled_already_is_a_success() -> None:
    _, calls = run(erp().cancel(DOCUMENT), DEAD)
    assert len(calls) == 1

    run(erp().cancel(DOCUMENT), SHOWN, refused("ERP取消订单，不做更新"))


def test_reading_back_can_be_switched_off() -> None:
    run(erp(read_back="0").cancel(DOCUMENT), SHOWN, CANCELLED)


@pytest.mark.parametrize("reply", [CANCELLED, UPDATED, answer(ORDERS["second_transmission"]["answer"])])
def test_an_order_that_still_stands_is_not_cancelled_yet(reply: Any) -> None:
    run(erp().cancel(DOCUMENT), SHOWN, reply, DEAD)

    error = failure(erp().cancel(DOCUMENT), SHOWN, reply, SHOWN)
    assert isinstance(error, UndecidedError)
    assert error.code == "shopex_oms.cancel.not_void_yet"
    assert error.retry_after_s >= 60


def test_an_answer_that_says_less_than_cancelled_is_looked_after_even_then() -> None:
    error = failure(erp(read_back="0").cancel(DOCUMENT), SHOWN, UPDATED, SHOWN)

    assert error.code == "shopex_oms.cancel.not_void_yet"


@pytest.mark.parametrize("replies", [(NOT_SHOWN,), (SHOWN, refused("完成订单不接收"))])
def test_an_order_that_the_oms_does_not_show_is_for_a_person(replies: tuple[Any, ...]) -> None:
    error = failure(erp().cancel(DOCUMENT), *replies)

    assert isinstance(error, PermanentError)
    assert error.code == "shopex_oms.cancel.not_found"
    assert REF in error.message


@pytest.mark.parametrize("message", ["ERP订单已发货，不做更新", "ERP发货订单，不做更新", "ERP退货订单，不做更新"])
def test_an_order_that_is_shipped_is_too_late(message: str) -> None:
    error = failure(erp().cancel(DOCUMENT), SHOWN, refused(message))

    assert isinstance(error, PermanentError)
    assert error.code == "shopex_oms.cancel.too_late"


def test_a_locked_order_waits_and_a_crash_leaves_it_open() -> None:
    locked = failure(erp().cancel(DOCUMENT), SHOWN, answer(ANSWERS["eight_at_once_others"]))
    assert isinstance(locked, TransientError)
    assert locked.retry_after_s is not None
    assert locked.retry_after_s >= 60

    crashed = failure(erp().cancel(DOCUMENT), SHOWN, answer(ANSWERS["crashed"]))
    assert isinstance(crashed, UncertainError)
    assert crashed.code == "shopex_oms.cancel.crashed"


def test_a_cancel_that_the_oms_queues_is_asked_for_again() -> None:
    queued = answer({"rsp": "succ", "data": {"msg": "the order rpc is into mq now !!!"}, "res": ""})
    error = failure(erp().cancel(DOCUMENT), SHOWN, queued)

    assert isinstance(error, UndecidedError)
    assert error.code == "shopex_oms.cancel.queued"
    assert error.retry_after_s >= 60


def test_a_look_that_fails_after_the_cancel_leaves_it_open() -> None:
    error = failure(erp().cancel(DOCUMENT), SHOWN, CANCELLED, TransientError("http.connect", "no way"))

    assert isinstance(error, UncertainError)
    assert error.code == "shopex_oms.cancel.unverified"
