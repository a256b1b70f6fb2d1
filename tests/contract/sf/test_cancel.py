"""Cancelling with SF: what is asked, what counts as cancelled, what a person must do."""

from __future__ import annotations

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError, UnmappedError
from mappings.wire import HttpReply
from tests.contract.sf.cases import NUMBER, ORDER_CODE, carrier, form_of, gateway, inner, message_of, outcome, service


def cancel(answer: HttpReply) -> None:
    outcome(carrier().cancel_waybill(shipper_code="SF", waybill_no=NUMBER, order_code=ORDER_CODE), answer)


def refusal(answer: HttpReply) -> PeerError:
    with pytest.raises(PeerError) as caught:
        cancel(answer)
    return caught.value


def test_the_order_and_its_number_are_named_so_that_no_other_parcel_is_cancelled() -> None:
    call = next(carrier().cancel_waybill(shipper_code="SF", waybill_no=NUMBER, order_code=ORDER_CODE))
    assert (call.operation, call.changes_peer, form_of(call)["serviceCode"]) == (
        "cancel_waybill",
        True,
        "EXP_RECE_UPDATE_ORDER",
    )
    assert message_of(call) == {
        "orderId": ORDER_CODE,
        "dealType": 2,
        "language": "zh-CN",
        "waybillNoInfoList": [{"waybillType": 1, "waybillNo": NUMBER}],
    }


@pytest.mark.parametrize(
    "answer",
    [service(orderId=ORDER_CODE, resStatus=2), service(resStatus="2"), service(), service("8037", "订单已取消")],
)
def test_what_is_cancelled_now_or_was_before_is_a_success(answer: HttpReply) -> None:
    cancel(answer)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (service("6150"), "sf.cancel.not_found"),
        (service("8018"), "sf.cancel.not_found"),
        (service("8252"), "sf.cancel.confirmed"),
        (service("8017"), "sf.cancel.number_mismatch"),
        (service(resStatus=1), "sf.cancel.number_mismatch"),
    ],
)
def test_what_sf_cannot_cancel_goes_to_a_person(answer: HttpReply, code: str) -> None:
    refused = refusal(answer)
    assert (type(refused), refused.code) == (PermanentError, code)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (gateway("A1003"), AuthError),
        (gateway("A1005"), TransientError),
        (gateway("A1099"), UncertainError),
        (HttpReply(200, {}, b"<html>"), UncertainError),
        (inner("{"), UncertainError),
        (service("7777"), UnmappedError),
    ],
)
def test_any_other_answer_is_judged_as_everywhere(answer: HttpReply, error: type[PeerError]) -> None:
    assert type(refusal(answer)) is error


def test_a_number_that_sf_did_not_issue_is_not_subscribed() -> None:
    with pytest.raises(PermanentError, match="only about waybills that were ordered under our own partner ID"):
        carrier().subscribe(
            shipper_code="SF", waybill_no=NUMBER, order_code=ORDER_CODE, phone="", callback_url="https://x"
        )
