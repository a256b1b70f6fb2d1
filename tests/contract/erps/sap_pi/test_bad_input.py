"""Everything that can come back instead of PI's answer, for an order: the class decides what happens next."""

from __future__ import annotations

import json

import pytest

from mappings.erps.sap_pi.xml_reply import UnreadableXml, read_xml
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import HttpReply
from tests.contract.erps.sap_pi.cases import (
    CANCEL,
    FIND,
    HTTP,
    NAME,
    PHONE,
    PROXY_200,
    PROXY_502,
    REST,
    SENDERS,
    SN,
    SOAP,
    STREET,
    TAKEN,
    document,
    erp,
    erp_order,
    failure,
    fault,
    run,
)

GBK = "<SOAP:Envelope xmlns:SOAP='x'><SOAP:Body>登录</SOAP:Body></SOAP:Envelope>".encode("gbk")
SAYS_GBK = b'<?xml version="1.0" encoding="GBK"?>'
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<SOAP:Envelope xmlns:SOAP='x'><SOAP:Body>&b;</SOAP:Body></SOAP:Envelope>"
)
REACHES_OUT = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ORDRSP>&e;</ORDRSP>'
TYPED = b"<!DOCTYPE x SYSTEM 'http://127.0.0.1/x.dtd'><x/>"
JSON = f'{{"order_id": "{SN}", "erp_no": "1", "status": "cancelled", "note": "已建"}}'
DEEP = b"<a>" * 5000 + b"</a>" * 5000


def bad(status: int, body: bytes = b"", **headers: str) -> HttpReply:
    return HttpReply(status, headers, body)


MAPPING = fault("ADAPTER.JAVA_EXCEPTION", "com.sap.aii.mapping.api.StreamTransformationException: E1EDP01", 200)
BAD: dict[str, tuple[HttpReply, type[PeerError], type[PeerError], str]] = {
    "a failure inside a 200": (MAPPING, PermanentError, PermanentError, "mapping_failed"),
    "a proxy's page": (PROXY_200, UncertainError, TransientError, "garbled"),
    "a page that is XML": (bad(200, b"<html><body>ok</body></html>"), UncertainError, TransientError, "garbled"),
    "a gateway's page": (PROXY_502, UncertainError, TransientError, "server_error"),
    "words with 500": (bad(500, b"Internal Server Error"), UncertainError, TransientError, "server_error"),
    "504": (bad(504), UncertainError, TransientError, "server_error"),
    "half an envelope": (bad(200, TAKEN.body[: len(TAKEN.body) // 2]), UncertainError, TransientError, "garbled"),
    "half of some JSON": (bad(200, b'{"order_id": "20'), UncertainError, TransientError, "garbled"),
    "no text": (bad(200, b"\x00\xff\xfe}{not the protocol"), UncertainError, TransientError, "garbled"),
    "XML in GBK": (bad(200, GBK), UncertainError, TransientError, "garbled"),
    "XML that says so": (bad(200, SAYS_GBK + GBK), UncertainError, TransientError, "garbled"),
    "JSON in GBK": (bad(200, JSON.encode("gbk")), UncertainError, TransientError, "garbled"),
    "a declared entity": (bad(200, BOMB), UncertainError, TransientError, "garbled"),
    "an entity that reaches out": (bad(200, REACHES_OUT), UncertainError, TransientError, "garbled"),
    "deep XML": (bad(200, DEEP), UncertainError, TransientError, "garbled"),
    "deep JSON": (bad(200, b"[" * 100_000), UncertainError, TransientError, "garbled"),
    "429": (bad(429, b"", **{"retry-after": "7"}), TransientError, TransientError, "unavailable"),
    "503": (bad(503), TransientError, TransientError, "unavailable"),
    "408": (bad(408), TransientError, TransientError, "unavailable"),
    "a password that has run out": (bad(401, b"<html>Unauthorized</html>"), AuthError, AuthError, "auth"),
    "403": (bad(403), AuthError, AuthError, "auth"),
    "nothing there": (bad(404, b"<html>Not Found</html>"), PermanentError, PermanentError, "refused"),
    "405": (bad(405), PermanentError, PermanentError, "refused"),
    "a redirect to a login": (bad(302, location="https://login"), PermanentError, PermanentError, "refused"),
}  # fmt: skip
"""What came, its class where something was to change and where it was a read, and the last word of the code."""
every_answer = pytest.mark.parametrize("answer", BAD)


@pytest.mark.parametrize("sender", SENDERS)
@every_answer
def test_an_order_that_is_not_answered_by_pi(sender: str, answer: str) -> None:
    reply, changing, _, code = BAD[answer]
    problem = failure(erp(SENDERS[sender]).create(erp_order()), reply)

    assert (type(problem), problem.code) == (changing, f"sap_pi.order.{code}")


@every_answer
def test_a_look_up_that_is_not_answered_is_never_uncertain(answer: str) -> None:
    reply, _, reading, code = BAD[answer]
    problem = failure(erp(SOAP, **FIND).find(SN), reply)

    assert (type(problem), problem.code) == (reading, f"sap_pi.find.{code}")


@every_answer
def test_a_cancel_that_is_not_answered_is_asked_for_again_and_never_taken_for_one(answer: str) -> None:
    reply, changing, _, code = BAD[answer]
    problem = failure(erp(SOAP, **CANCEL).cancel(document()), reply)

    assert (type(problem), problem.code) == (changing, f"sap_pi.cancel.{'not_found' if reply.status == 404 else code}")


@pytest.mark.parametrize("sender", SENDERS)
def test_a_list_is_no_answer_to_an_order(sender: str) -> None:
    assert failure(erp(SENDERS[sender]).create(erp_order()), bad(200, b"[]")).code == "sap_pi.order.garbled"


def test_that_json_is_good_until_it_is_spelled_otherwise() -> None:
    good = bad(200, JSON.encode())

    assert run(erp(REST).create(erp_order()), good)[0] == ErpDocument("1", SN)
    assert run(erp(SOAP, **FIND).find(SN), good)[0] == ErpDocument("1", SN, adopted=True)
    run(erp(SOAP, **CANCEL).cancel(document()), good)


@pytest.mark.parametrize("number", [True, ["1"], "1" * 36])
def test_a_number_that_is_none_is_not_kept(number: object) -> None:
    said = bad(200, json.dumps({"order_id": SN, "erp_no": number}).encode())

    assert run(erp(REST).create(erp_order()), said)[0] == ErpDocument("", SN)
    assert run(erp(SOAP, **FIND).find(SN), said)[0] == ErpDocument("", SN, adopted=True)


def test_a_busy_pi_says_when_to_come_back() -> None:
    problem = failure(erp().create(erp_order()), HttpReply(429, {"retry-after": "7"}))

    assert isinstance(problem, TransientError)
    assert problem.retry_after_s == 7


@pytest.mark.parametrize("body", [BOMB, REACHES_OUT, TYPED, DEEP, b"<a><b></a>", b"", b"<a/><b/>"])
def test_xml_that_declares_grows_or_breaks_is_not_read(body: bytes) -> None:
    with pytest.raises(UnreadableXml):
        read_xml(body)


def test_no_error_names_the_consignee_or_a_credential() -> None:
    replies = [
        PROXY_200,
        PROXY_502,
        HttpReply(401),
        HttpReply(404, body=b"<html/>"),
        fault("X", "Y"),
        fault("GENERAL", "z"),
    ]
    problems = [failure(erp(HTTP).create(erp_order()), reply) for reply in replies]
    problems += [failure(erp(SOAP, **CANCEL).cancel(document()), reply) for reply in replies]
    problems += [failure(erp(SOAP, **FIND).find("1"), reply) for reply in replies]

    for problem in problems:
        for private in (NAME, PHONE, STREET, "s3cret-word"):
            assert private not in str(problem)


def test_stock_is_not_to_be_had_from_pi() -> None:
    assert not erp().spec.reads_stock
    assert failure(erp().read_stock(None)).code == "sap_pi.stock.not_offered"
