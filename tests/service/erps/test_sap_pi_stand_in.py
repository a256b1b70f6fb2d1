"""The stand-in for SAP PI refuses what a real one would: else the tests with it would show nothing."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from mappings.wire import HttpCall, HttpReply
from sync.sandbox.faults import FaultInjector
from sync.sandbox.http import Request, Response
from sync.sandbox.ledger import Ledger
from sync.sandbox.sap_pi import SandboxSapPi
from tests.contract.erps.sap_pi.cases import (
    CANCEL,
    FIND,
    HTTP,
    NAMED,
    REST,
    SENDERS,
    SN,
    SOAP,
    document,
    erp,
    run,
    sent,
)


def pi(*, posts_after: int = 0, drops_repeats: bool = False) -> SandboxSapPi:
    return SandboxSapPi(
        Ledger(), FaultInjector(1), password=SOAP["password"], posts_after=posts_after, drops_repeats=drops_repeats
    )


def ask(peer: SandboxSapPi, call: HttpCall, *spoiled: tuple[str, str]) -> Response:
    """Send a call, with texts of its address, headers or body replaced; each must be there."""
    parts, text = urlsplit(call.url), call.body.decode()
    query, headers = unquote(parts.query), {name.lower(): value for name, value in call.headers.items()}
    for old, new in spoiled:
        places = (text, query, *headers.values())
        assert any(old in place for place in places), old
        text, query = text.replace(old, new), query.replace(old, new)
        headers = {name: value.replace(old, new) for name, value in headers.items()}
    pairs = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))
    return peer(Request(call.method, parts.path, pairs, headers, text.encode()))


def documents(peer: SandboxSapPi) -> list[str]:
    found: list[str] = peer.ledger.snapshot()["erp"]["orders"].get(SN, {}).get("documents", [])
    return found


@pytest.mark.parametrize("sender", SENDERS)
def test_what_the_connector_sends_is_taken(sender: str) -> None:
    peer = pi()

    assert ask(peer, sent(erp(SENDERS[sender]))).note == "created"
    assert len(documents(peer)) == 1


@pytest.mark.parametrize(
    ("base", "old", "new"),
    [
        (SOAP, "http://sap.com/xi/WebService/soap1.1", "http://sap.com/xi/WebService/soap1.2"),
        (SOAP, "text/xml", "application/xml"),
        (SOAP, ":BC_ECSHOP:SOAP_ORDERS", "SOAP_ORDERS"),
        (SOAP, "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"),
        (SOAP, "</ORDERS05>", "</ORDERS05><ORDERS05/>"),
        ({**SOAP, **NAMED, "channel": ""}, "SI_Orders_Out", ""),
        (HTTP, "SI_Orders_Out", ""),
        (HTTP, "qos=EO", "qos=BE"),
        (HTTP, "qos=EO", "qos=EOIO"),
        (HTTP, "msgguid=", "msgguid=-"),
        (HTTP, "</E1EDP01>", ""),
        (REST, "<ORDERS05>", "<ORDERS04>"),
        (REST, "<MESTYP>ORDERS", "<MESTYP>ORDCHG"),
        (REST, "<DIRECT>2", "<DIRECT>1"),
        (REST, '<E1EDS01 SEGMENT="1">', '<E1EDS01 SEGMENT="2">'),
        (REST, "E1EDS01", "E1EDK03"),
        (REST, "E1EDP20", "E1EDPT1"),
        (REST, "<PARVW>AG", "<PARVW>RE"),
        (REST, "<QUALF>008", "<QUALF>016"),
        (REST, "<QUALF>001", "<QUALF>002"),
        (REST, "<IDTNR>ECS000000", "<IDTNR>"),
        (REST, "1388.00", "1,388.00"),
        (REST, "<EDATU>20261123", "<EDATU>2026-11-23"),
        (REST, "<NAME1>张三", "<NAME1>" + "张" * 36),
        ({**REST, "payload": "json"}, '"2776.00"', '"2776"'),
        ({**REST, "payload": "json"}, '"sku"', '"material"'),
    ],
)
def test_a_message_that_is_not_as_agreed_makes_no_order(base: dict[str, str], old: str, new: str) -> None:
    peer = pi()
    response = ask(peer, sent(erp(base)), (old, new))

    assert (response.status, response.note) == (500, "refused ADAPTER.JAVA_EXCEPTION")
    assert documents(peer) == []


def test_who_does_not_know_the_password_is_not_let_in() -> None:
    peer = pi()

    assert ask(peer, sent(erp(HTTP, password="another"))).status == 401
    assert documents(peer) == []


def test_a_message_id_counts_once_and_a_reference_only_where_sap_checks_it() -> None:
    http, soap = sent(erp(HTTP)), sent(erp(SOAP))
    peer, checking = pi(), pi(drops_repeats=True)

    assert [ask(peer, http).note, ask(peer, http).note] == ["created", "adopted"]
    assert len(documents(peer)) == 1
    assert [ask(peer, soap).note, len(documents(peer))] == ["created", 2]
    assert [ask(checking, soap).note, ask(checking, soap).note] == ["created", "adopted"]


@pytest.mark.parametrize("form", ["", "?format=json"])
def test_a_number_is_shown_after_so_many_look_ups_and_read_as_it_was_given(form: str) -> None:
    peer, connector = pi(posts_after=2), erp(HTTP, find_url=FIND["find_url"] + form)
    ask(peer, sent(connector))
    shown = []
    for _ in range(3):
        exchange = connector.find(SN)
        response = ask(peer, next(exchange))
        found, _ = run(connector.find(SN), HttpReply(response.status, body=response.body))
        shown.append(found.erp_no if found else None)

    assert shown == [None, None, *documents(peer)]


def test_a_cancel_is_answered_at_once_and_only_until_the_goods_have_left() -> None:
    peer, connector = pi(), erp(HTTP, **CANCEL)
    call = next(connector.cancel(document()))

    assert ask(peer, call).status == 404
    ask(peer, sent(connector))
    assert ask(peer, call).note == "cancelled"
    peer.reset()
    ask(peer, sent(connector))
    peer.deliver(SN)
    assert ask(peer, call).status == 409
