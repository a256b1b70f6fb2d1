"""The sandbox SAP is as strict as SAP where that protects an order, and as easy where SAP is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sync.sandbox.faults import FaultInjector
from sync.sandbox.http import Request, Response
from sync.sandbox.ledger import Ledger
from sync.sandbox.sap import ORDERS, SandboxSap
from sync.sandbox.sap_filter import read_filter

PASSWORD = "sandbox-sap-password"


BASIC = {"authorization": "Basic " + base64.b64encode(f"ecsync:{PASSWORD}".encode()).decode()}


def door(peer: SandboxSap) -> dict[str, str]:
    """What lets a change in: credentials, a session's cookie and its token."""
    opened = peer(Request("GET", f"{ORDERS}/", {"sap-client": "100"}, BASIC | {"x-csrf-token": "fetch"}, b""))
    cookie = next(value for name, value in opened.headers if name == "Set-Cookie")
    return BASIC | {"x-csrf-token": dict(opened.headers)["x-csrf-token"], "cookie": cookie.partition(";")[0]}


def post(peer: SandboxSap, body: Any, headers: dict[str, str], client: str = "100") -> Response:
    sent = json.dumps(body).encode()
    return peer(Request("POST", f"{ORDERS}/A_SalesOrder", {"sap-client": client}, headers, sent))


def create(peer: SandboxSap, body: Any) -> tuple[int, Any]:
    response = post(peer, body, door(peer))
    return response.status, json.loads(response.body)


GOOD: dict[str, Any] = {
    "SalesOrderType": "OR",
    "SalesOrganization": "1010",
    "DistributionChannel": "10",
    "OrganizationDivision": "00",
    "SoldToParty": "10100001",
    "PurchaseOrderByCustomer": "1",
    "CustomerPurchaseOrderDate": "/Date(1795219200000)/",
    "to_Item": [{"Material": "TEA", "RequestedQuantity": "2"}],
}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ExternalDocumentID": "1"}, "/IWBEP/CM_MGW_RT/198"),
        ({"OrderSn": "1"}, "/IWFND/CM_MGW/096"),
        ({"SoldToParty": ""}, "VP/112"),
        ({"SoldToParty": "10109999"}, "VP/199"),
        ({"PurchaseOrderByCustomer": "9" * 36}, "CX_SXML_PARSE_ERROR/001"),
        ({"CustomerPurchaseOrderDate": "2026-11-21"}, "CX_SXML_PARSE_ERROR/001"),
        ({"CustomerPurchaseOrderDate": "/Date(1795190400000)/"}, "CX_SXML_PARSE_ERROR/001"),
        ({"to_Item": []}, "V1/555"),
        ({"to_Item": [{"Material": "TEA", "RequestedQuantity": 2}]}, "CX_SXML_PARSE_ERROR/001"),
        ({"PurchaseOrderByCustomer": "𠮷" * 18}, "CX_SXML_PARSE_ERROR/001"),
        ({"CompleteDeliveryIsDefined": "X"}, "CX_SXML_PARSE_ERROR/001"),
        ({"to_Item": [{"Material": "TEA", "RequestedQuantity": "2.0001"}]}, "CX_SXML_PARSE_ERROR/001"),
        ({"to_Item": [{"Material": "TEA", "RequestedQuantity": "1e3"}]}, "CX_SXML_PARSE_ERROR/001"),
        ({"to_Item": [{"Material": "X" * 41, "RequestedQuantity": "2"}]}, "CX_SXML_PARSE_ERROR/001"),
        ({"to_Item": [{"Material": "TEA"}]}, "VP/112"),
        ({"to_PricingElement": [{"ConditionType": "HD00", "ConditionAmount": "1.00"}]}, "/IWBEP/CM_MGW_RT/198"),
        ({"to_PricingElement": [{"ConditionType": "HD00", "ConditionRateValue": 1.5}]}, "CX_SXML_PARSE_ERROR/001"),
        ({"to_Partner": {"PartnerFunction": "SH"}}, "/IWBEP/CM_MGW_RT/176"),
        ({"to_Partner": [{"PartnerFunction": "SH", "Customer": "10109999"}]}, "VP/199"),
        ({"to_Text": [{"Language": "ZHO", "LongTextID": "TX01", "LongText": "x"}]}, "CX_SXML_PARSE_ERROR/001"),
    ],
)
def test_what_sap_would_not_take_the_sandbox_does_not_take_either(change: dict[str, Any], code: str) -> None:
    peer = SandboxSap(Ledger(), FaultInjector(1), password=PASSWORD)

    assert create(peer, GOOD)[0] == 201
    status, body = create(peer, GOOD | change)
    assert (status, body["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    "spoiled",
    [{"x-csrf-token": ""}, {"x-csrf-token": "guessed"}, {"cookie": ""}, {"cookie": "SAP_SESSIONID_S4H_100=guessed"}],
    ids=["no token", "another token", "no cookie", "another session"],
)
def test_a_change_wants_a_token_with_the_cookie_of_its_session(spoiled: dict[str, str]) -> None:
    peer = SandboxSap(Ledger(), FaultInjector(1), password=PASSWORD)
    refused = post(peer, GOOD, door(peer) | spoiled)

    assert (refused.status, dict(refused.headers)["x-csrf-token"]) == (403, "Required")
    assert peer.ledger.snapshot()["erp"]["documents"] == 0


def test_a_token_is_good_in_its_own_session_only_and_until_sap_forgets_it() -> None:
    peer = SandboxSap(Ledger(), FaultInjector(1), password=PASSWORD)
    first, second = door(peer), door(peer)

    assert post(peer, GOOD, first | {"cookie": second["cookie"]}).status == 403
    assert post(peer, GOOD, first).status == 201
    peer.forget_sessions()
    assert post(peer, GOOD, first).status == 403


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({}, "100"),
        ({"authorization": "Basic eDp5"}, "100"),
        ({"authorization": "Bearer guessed"}, "100"),
        (BASIC, "200"),
    ],
)
def test_who_is_not_known_in_that_client_is_not_let_in(headers: dict[str, str], client: str) -> None:
    peer = SandboxSap(Ledger(), FaultInjector(1), password=PASSWORD)
    entered = {name: text for name, text in door(peer).items() if name != "authorization"} | headers

    assert post(peer, GOOD, entered, client).status == 401


def test_the_same_order_twice_is_two_sales_orders_so_the_look_up_is_what_keeps_it_one() -> None:
    peer = SandboxSap(Ledger(), FaultInjector(1), password=PASSWORD)

    assert [create(peer, GOOD)[1]["d"]["SalesOrder"] for _ in range(2)] == ["100001", "100002"]
    assert peer.ledger.snapshot()["erp"]["documents"] == 2


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("", [1, 2, 3]),
        ("A eq 'x'", [1, 2]),
        ("A eq 'x' and B eq 'o''k'", [2]),
        ("A eq 'y' or A eq 'x' and B eq ''", [1, 3]),
        ("(A eq 'y' or A eq 'x') and B eq ''", [1, 3]),
        ("(A eq 'y' or A eq 'x') and (B eq 'o''k')", [2]),
    ],
)
def test_a_filter_takes_what_it_says(text: str, takes: list[int]) -> None:
    rows = [{"A": "x", "B": "", "n": 1}, {"A": "x", "B": "o'k", "n": 2}, {"A": "y", "B": "", "n": 3}]
    test = read_filter(text, frozenset("AB"))

    assert [row["n"] for row in rows if test(row)] == takes


@pytest.mark.parametrize("text", ["A", "A eq x", "C eq 'x'", "A eq 'x' and", "(A eq 'x'", "A eq 'x')", "A ne 'x'"])
def test_a_filter_that_nobody_understands_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\$filter|not found"):
        read_filter(text, frozenset("AB"))
