"""Every answer that is none of Tryton's, for each operation: the class says what to do next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import Exchange, HttpReply
from tests.contract.erps.hands import PROXY_200, PROXY_502, SN, erp_order, failure, run, said
from tests.contract.erps.tryton.talk import MASTERS, SHOP, recorded, sale, tryton

READS: dict[str, tuple[Any, tuple[HttpReply, ...]]] = {
    "find": (lambda erp: erp.find(SN), ()),
    "create: the look at the web shop": (lambda erp: erp.create(erp_order()), ()),
    "create: the look at the products": (lambda erp: erp.create(erp_order()), MASTERS[:2]),
    "confirm: the look before": (lambda erp: erp.confirm(ErpDocument("1", SN)), ()),
    "cancel: the look before": (lambda erp: erp.cancel(ErpDocument("1", SN)), ()),
    "stock: moves": (lambda erp: erp.read_stock(None), (said([SHOP]),)),
    "stock: products": (lambda erp: erp.read_stock(None), (said([SHOP]), said([]))),
}
"""Each operation up to a look, which asks nothing to change."""
CHANGES: dict[str, tuple[Any, tuple[HttpReply, ...]]] = {
    "create": (lambda erp: erp.create(erp_order()), MASTERS),
    "confirm: quote": (lambda erp: erp.confirm(ErpDocument("1", SN)), (said([sale("draft")]),)),
    "confirm": (lambda erp: erp.confirm(ErpDocument("1", SN)), (said([sale("quotation")]),)),
    "cancel": (lambda erp: erp.cancel(ErpDocument("1", SN)), (said([sale("draft")]),)),
}
"""Each operation up to the call that changes something."""

GBK = json.dumps([{**sale("draft"), "party": "王小明"}], ensure_ascii=False).encode("gbk")
ANSWERS: dict[str, tuple[HttpReply, type[PeerError], type[PeerError]]] = {
    "a failure inside a 200": (said({"status": 400, "message": "no"}), TransientError, UncertainError),
    "a page of a proxy with 200": (PROXY_200, TransientError, UncertainError),
    "a page of a proxy with 502": (PROXY_502, TransientError, UncertainError),
    "no JSON": (HttpReply(200, body=b"{state: draft}"), TransientError, UncertainError),
    "half a body": (HttpReply(200, body=b'[{"id": 3, "sta'), TransientError, UncertainError),
    "no body": (HttpReply(200), TransientError, UncertainError),
    "GBK": (HttpReply(200, body="系统繁忙".encode("gbk")), TransientError, UncertainError),
    "a sale in GBK": (HttpReply(200, body=GBK), TransientError, UncertainError),
    "a number": (said(7), TransientError, UncertainError),
    "too deep": (HttpReply(200, body=b"[" * 100_000), TransientError, UncertainError),
    "a wrong key": (recorded("a wrong key"), AuthError, AuthError),
    "forbidden": (HttpReply(403, body=b"<html>Forbidden</html>"), AuthError, AuthError),
    "no such database": (HttpReply(404, body=b"<html>Not Found</html>"), AuthError, AuthError),
    "another change at the same time": (HttpReply(423, body=b"Locked"), TransientError, TransientError),
    "a conflict": (HttpReply(409, body=b"Conflict"), TransientError, TransientError),
    "too many calls": (HttpReply(429, {"retry-after": "7"}), TransientError, TransientError),
    "the database is away": (HttpReply(503), TransientError, TransientError),
    "a fault inside": (HttpReply(500, body=b"<html>Internal Server Error</html>"), TransientError, UncertainError),
    "moved": (HttpReply(301, {"location": "https://elsewhere.example"}), PermanentError, PermanentError),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("operation", READS)
def test_a_look_is_never_uncertain(operation: str, answer: str) -> None:
    start, before = READS[operation]
    reply, expected, _ = ANSWERS[answer]

    assert type(failure(start(tryton()), *before, reply)) is expected


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_whose_answer_is_unclear_may_have_happened(operation: str, answer: str) -> None:
    start, before = CHANGES[operation]
    reply, _, expected = ANSWERS[answer]

    assert type(failure(start(tryton()), *before, reply)) is expected


def test_a_peer_s_wish_to_wait_is_kept() -> None:
    error = failure(tryton().find(SN), HttpReply(429, {"retry-after": "7"}))

    assert isinstance(error, TransientError)
    assert error.retry_after_s == 7


def test_a_refusal_that_is_not_tryton_s_is_not_taken_for_one() -> None:
    page = HttpReply(400, body=b"<html>Bad Request</html>")

    error = failure(tryton().create(erp_order()), *MASTERS, page, said([]))

    assert (type(error), error.code) == (PermanentError, "tryton.order.refused")


@pytest.mark.parametrize("status", [204, 400])
def test_the_look_after_an_unclear_create_may_fail_and_the_create_is_sent_again(status: int) -> None:
    error = failure(tryton().create(erp_order()), *MASTERS, HttpReply(status), HttpReply(503))

    assert isinstance(error, TransientError)


def test_an_answer_that_shows_no_sale_where_none_is_found_may_have_happened() -> None:
    error = failure(tryton().create(erp_order()), *MASTERS, HttpReply(204), said([]))

    assert isinstance(error, UncertainError)


def test_a_clock_that_is_wrong_does_not_matter_because_no_call_holds_a_time() -> None:
    exchange: Exchange[Any] = tryton().read_stock(None)
    _, calls = run(exchange, said([SHOP]), said([]), said([]))

    assert all(call.stamped is None for call in calls)
