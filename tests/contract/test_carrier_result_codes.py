"""Every published result code has its class in whatever it answers, and one that nobody published goes to a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mappings.errors import (
    AuthError,
    DuplicateError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UnmappedError,
)
from mappings.model import PickupRequest
from tests.contract.kdniao import cases as kdniao
from tests.contract.kuaidi100 import cases as kuaidi100

REQUEST = kdniao.a_request()
PICKUP = PickupRequest(
    "2026112100001-1", "", "ZTO", REQUEST.order, REQUEST.consignor, kdniao.NOW, kdniao.NOW + timedelta(hours=2)
)
PARCEL = {"shipper_code": "ZTO", "waybill_no": "73100000000001", "order_code": "2026112100001-1"}
ASKED: dict[str, Any] = PARCEL | {"phone": "13900000002", "asked_at": kdniao.NOW}
FOLLOWED = PARCEL | {"phone": "13900000002", "callback_url": "https://hooks.example.test/x"}

Ask = Callable[[], Any]

KDNIAO: dict[str, Ask] = {
    "1007": lambda: kdniao.carrier().book_waybill(REQUEST),
    "1147": lambda: kdniao.carrier().cancel_waybill(**PARCEL),
    "1801": lambda: kdniao.carrier().book_pickup(PICKUP),
    "1001": lambda: kdniao.carrier(pickup_request_type="1001").book_pickup(PICKUP),
    "1802": lambda: kdniao.carrier().cancel_pickup(**PARCEL),
    "8001": lambda: kdniao.carrier().query_tracking(**ASKED),
    "8008": lambda: kdniao.carrier().subscribe(**FOLLOWED),
    "2002": lambda: kdniao.carrier().find_courier(waybill_no="73100000000001"),
}
KUAIDI100: dict[str, Ask] = {
    "label": lambda: kuaidi100.carrier().book_waybill(REQUEST),
    "courier": lambda: kuaidi100.carrier(book_by="merchant_pickup").book_waybill(REQUEST),
    "cancel": lambda: kuaidi100.carrier().cancel_waybill(**PARCEL),
    "query": lambda: kuaidi100.carrier().query_tracking(**ASKED),
    "subscribe": lambda: kuaidi100.carrier().subscribe(**FOLLOWED),
}
READS = ("8001", "8008", "2002", "query")
"""What changes nothing there that a repeat could double: what is unclear about it is transient."""

DUPLICATES: dict[str, type[PeerError] | None] = {
    "1007": DuplicateError,
    "1147": UncertainError,
    "1801": TransientError,  # 1804, which is asked then, says the same
    "1001": None,
    "1802": UncertainError,
    "8001": TransientError,
    "8008": None,
    "2002": PermanentError,
    "label": DuplicateError,
    "courier": UncertainError,  # nobody knows of which order, so it is not sent again
    "cancel": UncertainError,
    "query": TransientError,
    "subscribe": None,
}
"""What "you did that before" comes to: only an order can be one."""


def error_of(ask: Ask, **fields: Any) -> PeerError | None:
    """The error that an answer ends in, whatever the platform is asked in its course."""
    reply, exchange = kdniao.json_reply(**fields), ask()
    next(exchange)
    try:
        while True:
            exchange.send(reply)
    except StopIteration:
        return None
    except PeerError as error:
        return error


def expected(operation: str, cls: str) -> type[PeerError] | None:
    if cls == "duplicate":
        return DUPLICATES[operation]
    unclear = TransientError if operation in READS else UncertainError
    if (operation, cls) == ("2002", "inspect"):
        return PermanentError  # nobody's number
    classes: dict[str, type[PeerError]] = {"permanent": PermanentError, "config": AuthError}
    if operation in KDNIAO:
        return (classes | {"throttle": TransientError, "inspect": unclear})[cls]
    return (classes | {"transient": unclear})[cls]


def failing(carrier: Any) -> list[dict[str, str]]:
    return [row for row in carrier.load("result_codes.json")["codes"] if row["cls"] != "ok"]


@pytest.mark.parametrize("row", failing(kdniao), ids=lambda row: row["code"])
@pytest.mark.parametrize("operation", KDNIAO)
def test_a_code_of_kdniao_has_its_class_in_every_answer(operation: str, row: dict[str, str]) -> None:
    error = error_of(KDNIAO[operation], Success=False, ResultCode=row["code"], Reason=row["zh"])
    is_key = (operation, row["code"]) == ("1007", "102")  # the plain question that follows is answered so as well
    assert type(error) is (AuthError if is_key else expected(operation, row["cls"]) or type(None))


@pytest.mark.parametrize("row", failing(kuaidi100), ids=lambda row: row["code"])
@pytest.mark.parametrize("operation", KUAIDI100)
def test_a_code_of_kuaidi100_has_its_class_in_every_answer(operation: str, row: dict[str, str]) -> None:
    for fields in ({"code": int(row["code"]), "success": False}, {"returnCode": row["code"], "result": False}):
        error = error_of(KUAIDI100[operation], message=row["zh"], **fields)
        assert type(error) is (expected(operation, row["cls"]) or type(None))


@pytest.mark.parametrize("operation", [*KDNIAO, *KUAIDI100])
def test_a_code_that_nobody_published_goes_to_a_person_with_the_line_to_add(operation: str) -> None:
    error = error_of(
        (KDNIAO | KUAIDI100)[operation], Success=False, ResultCode="777", returnCode="777", result=False, message="?"
    )
    assert isinstance(error, UnmappedError)
    assert error.peer_code == "777"
    assert "results.toml under [result]: 777" in error.hint
