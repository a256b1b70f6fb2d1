"""Everything that can come back instead of PI's answer, for an order: the class decides what happens next."""

from __future__ import annotations

import pytest

from mappings.erps.sap_pi.xml_reply import UnreadableXml, read_xml
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.wire import HttpReply
from tests.contract.erps.sap_pi.cases import (
    CANCEL,
    FIND,
    HTTP,
    NAME,
    PHONE,
    PROXY_200,
    PROXY_502,
    SENDERS,
    SOAP,
    STREET,
    TAKEN,
    document,
    erp,
    erp_order,
    failure,
    fault,
)

GBK = "<SOAP:Envelope xmlns:SOAP='x'><SOAP:Body>登录</SOAP:Body></SOAP:Envelope>".encode("gbk")
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<SOAP:Envelope xmlns:SOAP='x'><SOAP:Body>&b;</SOAP:Body></SOAP:Envelope>"
)
REACHES_OUT = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ORDRSP>&e;</ORDRSP>'
TYPED = b"<!DOCTYPE x SYSTEM 'http://127.0.0.1/x.dtd'><x/>"
DEEP = b"<a>" * 5000 + b"</a>" * 5000


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (PROXY_200, UncertainError, "garbled"),
        (HttpReply(200, body=b"<html><body>ok</body></html>"), UncertainError, "garbled"),
        (PROXY_502, UncertainError, "server_error"),
        (HttpReply(500, body=b"Internal Server Error"), UncertainError, "server_error"),
        (HttpReply(504), UncertainError, "server_error"),
        (HttpReply(200, body=TAKEN.body[: len(TAKEN.body) // 2]), UncertainError, "garbled"),
        (HttpReply(200, body=b'{"order_id": "20'), UncertainError, "garbled"),
        (HttpReply(200, body=b"\x00\xff\xfe}{not the protocol"), UncertainError, "garbled"),
        (HttpReply(200, body=GBK), UncertainError, "garbled"),
        (HttpReply(200, body=b'<?xml version="1.0" encoding="GBK"?>' + GBK), UncertainError, "garbled"),
        (HttpReply(200, body=BOMB), UncertainError, "garbled"),
        (HttpReply(200, body=REACHES_OUT), UncertainError, "garbled"),
        (HttpReply(200, body=DEEP), UncertainError, "garbled"),
        (HttpReply(200, body=b"[" * 100_000), UncertainError, "garbled"),
        (HttpReply(200, body=b"[]"), UncertainError, "garbled"),
        (HttpReply(429, {"retry-after": "7"}), TransientError, "unavailable"),
        (HttpReply(503), TransientError, "unavailable"),
        (HttpReply(408), TransientError, "unavailable"),
        (HttpReply(401, body=b"<html>Unauthorized</html>"), AuthError, "auth"),
        (HttpReply(403), AuthError, "auth"),
        (HttpReply(404, body=b"<html>Not Found</html>"), PermanentError, "refused"),
        (HttpReply(405), PermanentError, "refused"),
        (HttpReply(302, {"location": "https://login"}), PermanentError, "refused"),
    ],
)
def test_what_is_not_pi_s_answer_gets_the_class_it_deserves(
    sender: str, reply: HttpReply, error: type[PeerError], code: str
) -> None:
    problem = failure(erp(SENDERS[sender]).create(erp_order()), reply)

    assert (type(problem), problem.code) == (error, f"sap_pi.order.{code}")


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
