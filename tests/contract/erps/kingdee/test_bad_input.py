"""Every answer that is none of Kingdee's, for each operation: the class says what to do next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import HttpReply
from tests.contract.erps.hands import PROXY_200, PROXY_502, SN, erp_order, failure, run, said
from tests.contract.erps.kingdee.talk import CHECKED, NUMBER, SHAPES, found, kingdee, refusal

DOCUMENT = ErpDocument(NUMBER, SN)
READS: dict[str, tuple[Any, tuple[HttpReply, ...]]] = {
    "find": (lambda erp: erp.find(SN), ()),
    "create: the look at the materials": (lambda erp: erp.create(erp_order()), ()),
    "create: the look at the customer": (lambda erp: erp.create(erp_order()), CHECKED[:1]),
    "confirm: the look before": (lambda erp: erp.confirm(DOCUMENT), ()),
    "cancel: the look before": (lambda erp: erp.cancel(DOCUMENT), ()),
    "stock": (lambda erp: erp.read_stock(None), ()),
}
"""Each operation up to a look, which asks nothing to change."""
CHANGES: dict[str, tuple[Any, tuple[HttpReply, ...]]] = {
    "create": (lambda erp: erp.create(erp_order()), CHECKED),
    "confirm": (lambda erp: erp.confirm(DOCUMENT), (found("A"),)),
    "cancel": (lambda erp: erp.cancel(DOCUMENT), (found("C"),)),
}
"""Each operation up to the call that changes something."""
GBK = json.dumps(refusal(9, "物料不存在"), ensure_ascii=False).encode("gbk")
ANSWERS: dict[str, tuple[HttpReply, type[PeerError], type[PeerError]]] = {
    "a page of a proxy with 200": (PROXY_200, TransientError, UncertainError),
    "a page of a proxy with 502": (PROXY_502, TransientError, UncertainError),
    "no JSON": (HttpReply(200, body=b"{Result}"), TransientError, UncertainError),
    "half a body": (HttpReply(200, body=b'{"Result":{"ResponseSta'), TransientError, UncertainError),
    "no body": (HttpReply(200), TransientError, UncertainError),
    "GBK": (HttpReply(200, body="系统繁忙".encode("gbk")), TransientError, UncertainError),
    "a refusal in GBK": (HttpReply(200, body=GBK), TransientError, UncertainError),
    "a failure inside a 200": (said(refusal(8, "参数错误")), PermanentError, PermanentError),
    "a code that nobody knows": (said(refusal(77, "新错误")), PermanentError, PermanentError),
    "no verdict": (said({"Result": {"ResponseStatus": {}}}), TransientError, UncertainError),
    "a gateway's own answer": (said({"errcode": 4001, "description": "no route"}), TransientError, UncertainError),
    "too deep": (HttpReply(200, body=b"[" * 100_000), TransientError, UncertainError),
    "a lost session": (said(SHAPES["auth_error"]), AuthError, AuthError),
    "a lost session, wrapped": (said([[SHAPES["auth_error"]]]), AuthError, AuthError),
    "a refused signature": (HttpReply(401, body=b'{"message":"signature"}'), AuthError, AuthError),
    "a clock that is wrong": (HttpReply(403, body=b'{"message":"timestamp"}'), AuthError, AuthError),
    "too many calls": (HttpReply(429, {"retry-after": "7"}), TransientError, TransientError),
    "away": (HttpReply(503), TransientError, TransientError),
    "a fault inside": (HttpReply(500, body=b"Runtime Error"), TransientError, UncertainError),
    "not there": (HttpReply(404, body=b"<html>404</html>"), PermanentError, PermanentError),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("operation", READS)
def test_a_look_is_never_uncertain(operation: str, answer: str) -> None:
    start, before = READS[operation]
    reply, expected, _ = ANSWERS[answer]

    assert type(failure(start(kingdee()), *before, reply)) is expected


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_whose_answer_is_unclear_may_have_happened(operation: str, answer: str) -> None:
    start, before = CHANGES[operation]
    reply, _, expected = ANSWERS[answer]
    looked = (said([]),) if operation == "create" and expected is PermanentError else ()

    assert type(failure(start(kingdee(cancel="void")), *before, reply, *looked)) is expected


def test_a_row_of_another_width_is_none_of_what_was_asked() -> None:
    assert isinstance(failure(kingdee().find(SN), said([[NUMBER, "A"]])), TransientError)


def test_a_save_that_tells_no_number_is_known_by_ours_where_it_is_the_bill_s() -> None:
    silent = said({"Result": {"ResponseStatus": {"IsSuccess": True}}})

    assert run(kingdee().create(erp_order()), *CHECKED, silent)[0].erp_no == SN
    connector = kingdee(number_field="F_ECS_NO")
    document, _ = run(connector.create(erp_order()), *CHECKED, silent)
    assert document.erp_no == ""
    assert run(connector.confirm(document), found("C"))[0].erp_no == NUMBER
