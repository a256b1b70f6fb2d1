"""Hand entry: whatever a platform would be asked for is asked of a person, and nobody is called."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.carriers.manual import ManualCarrier
from mappings.conformance.carrier_case import CONSIGNOR, ORDER_CODE
from mappings.conformance.case import NOW, an_order, play
from mappings.connector import CallbackRefused
from mappings.errors import PermanentError
from mappings.model import Callback, WaybillRequest
from mappings.wire import HttpCall, HttpReply

NUMBER = "DPK210012345678"
PARCEL: dict[str, Any] = {"shipper_code": "DBL", "waybill_no": NUMBER, "order_code": ORDER_CODE}
CARRIER = ManualCarrier({"track_by": ""})


def nobody(call: HttpCall) -> HttpReply:
    raise AssertionError(f"somebody was called: {call.operation}")


@pytest.mark.parametrize(
    ("ask", "code", "told"),
    [
        (
            lambda: CARRIER.book_waybill(WaybillRequest(ORDER_CODE, "shipment:1", "DBL", an_order(), CONSIGNOR)),
            "manual.waybill.number_needed",
            "ecsync order number 2026112100001 WAYBILL_NO",
        ),
        (lambda: CARRIER.cancel_waybill(**PARCEL), "manual.cancel.by_hand", NUMBER),
        (lambda: CARRIER.subscribe(**PARCEL, phone="", callback_url=""), "manual.subscribe.nobody_follows", "TRACK_BY"),
    ],
    ids=["book", "cancel", "subscribe"],
)
def test_what_a_platform_would_do_is_a_persons_task_with_a_sentence(ask: Any, code: str, told: str) -> None:
    error = play(ask, nobody).error

    assert (type(error), error and error.code) == (PermanentError, code)
    assert told in str(error)


def test_nobody_is_asked_where_a_parcel_is() -> None:
    talk = play(lambda: CARRIER.query_tracking(**PARCEL, phone="", asked_at=NOW), nobody)

    assert (talk.result, talk.error, talk.calls) == ((), None, [])


@pytest.mark.parametrize("body", [b"", b"{}", b'{"waybill":"1"}'])
def test_every_push_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackRefused) as refused:
        CARRIER.verify_callback(body, "application/json")

    assert (refused.value.status, refused.value.signature_ok) == (404, False)
    answer = CARRIER.callback_reply(ok=False, reason=refused.value.reason, now=datetime.now(UTC))
    assert (answer.status, answer.body.decode()) == (404, refused.value.reason)
    assert CARRIER.read_callback(body, "application/json", NOW) == Callback(())
