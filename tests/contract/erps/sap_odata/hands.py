"""What the tests of the SAP connector share: its settings, the recorded exchanges, and a session that is open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mappings.erps.sap_odata import SapOdataErp
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import SN, configured, run, said

HOST = "https://s4.example.com:44300"
BASE = {
    "base_url": HOST,
    "sap_client": "100",
    "username": "ECSHOP",
    "password": "s3cret-Pass",
    "sales_organization": "1010",
    "distribution_channel": "10",
    "division": "00",
    "sold_to": "10100001",
}
DATA = Path(__file__).parents[2] / "data/erps/sap_odata/exchanges.json"
RECORDED: dict[str, dict[str, Any]] = json.loads(DATA.read_text("utf-8"))["exchanges"]

TOKEN, SESSION = "9nzKMbmTGJcoe0d3NMRVFldO", "920ca25ddebf500771829bd30cd6d9e5"
STALE = HttpReply(403, {"x-csrf-token": "Required"}, b"CSRF token validation failed")
NOTHING_FOUND = said({"d": {"results": []}})


def erp(**settings: str) -> SapOdataErp:
    return configured(SapOdataErp, **{**BASE, **settings})


def opened(**settings: str) -> SapOdataErp:
    """A connector that has a token and a session already: a look-up brought them."""
    connector = erp(**settings)
    run(connector.find(SN), replied("look_up_before", token=TOKEN))
    return connector


def replied(name: str, *, token: str = "") -> HttpReply:
    """A recorded answer; cookies as the gateway reads them."""
    recorded = RECORDED[name]
    headers = dict(recorded["headers"]) | ({"x-csrf-token": token} if token else {})
    crumbs = headers.pop("set-cookie", "") or (f"SAP_SESSIONID_S4H_100={SESSION}" if token else "")
    answer = recorded["answer"]
    body = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return HttpReply(recorded["status"], headers, body.encode(), cookies(crumbs))


def cookies(header: str) -> dict[str, str]:
    """Several Set-Cookie headers, joined by commas as the record has them."""
    read = [SimpleCookie(part) for part in header.split(", ")]
    return {name: crumb.value for part in read for name, crumb in part.items()}


def fresh_token(token: str = "another-token", session: str = "f" * 32) -> HttpReply:
    crumbs = {"SAP_SESSIONID_S4H_100": session, "sap-usercontext": "sap-client=100"}
    return HttpReply(200, {"x-csrf-token": token}, b'{"d":{"EntitySets":[]}}', crumbs)


def refusal(code: str, text: str, *details: dict[str, Any], status: int = 400) -> HttpReply:
    """SAP's error envelope, with its details as SAP writes them."""
    error = {
        "code": code,
        "message": {"lang": "en", "value": text},
        "innererror": {"transactionid": "5F0A", "timestamp": "20261121023000", "errordetails": list(details)},
    }
    return said({"error": error}, status)


def an_order(items: list[dict[str, Any]], **header: Any) -> HttpReply:
    """A sales order as it is read before it is cancelled."""
    return said({"d": {"SalesOrder": "100001", "OverallDeliveryStatus": "A", **header, "to_Item": {"results": items}}})


def an_item(number: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"SalesOrderItem": number, "SalesDocumentRjcnReason": reason, "DeliveryStatus": "A", **more}


@dataclass(frozen=True)
class Asked:
    """A call's address, taken apart."""

    path: str
    options: dict[str, str]

    @classmethod
    def of(cls, url: str) -> Asked:
        parts = urlsplit(url)
        return cls(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})


def asked(call: HttpCall) -> Asked:
    return Asked.of(call.url)


def body_of(call: HttpCall) -> Any:
    return json.loads(call.body)
