"""Tryton's own words: what a running 8.0.12 said, and small answers in the same form."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mappings.erps.tryton import TrytonErp
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import SN, configured, said

RECORDED = {
    call["name"]: call
    for call in json.loads(
        (Path(__file__).parents[2] / "data/erps/tryton/recorded.json").read_text(encoding="utf-8")
    )["calls"]
}  # fmt: skip
KEY = "8f14e45fceea167a5a36dedd4bea2543"
SHOP = {
    "id": 1,
    "company": 1,
    "currency": {"id": 1, "code": "CNY"},
    "guest_party": None,
    "warehouses": [{"id": 5, "name": "Warehouse"}],
}
PARTY = {"id": 3, "addresses": [{"id": 3, "invoice": None, "delivery": None}]}
PRODUCT = {"id": 1, "code": "ECS000000", "default_uom": 1, "salable": True}
MASTERS = (said([SHOP]), said([PARTY]), said([PRODUCT]))


def tryton(**settings: str) -> TrytonErp:
    usual = {
        "base_url": "https://tryton.example.com",
        "database": "erp",
        "key": KEY,
        "web_shop": "ECShop",
        "party": "3",
    }
    return configured(TrytonErp, **{**usual, **settings})


def recorded(name: str) -> HttpReply:
    """An answer as it came."""
    reply = RECORDED[name]["reply"]
    body = reply["body"] if isinstance(reply["body"], str) else json.dumps(reply["body"], ensure_ascii=False)
    return HttpReply(reply["status"], {"content-type": reply["content_type"]}, body.encode())


def refusal(message: str) -> HttpReply:
    return said({"status": 400, "message": message, "description": ""}, 400)


def sale(state: str, number: str | None = "1") -> dict[str, Any]:
    return {"id": 3, "__name__": "sale.sale", "number": number, "state": state, "web_id": SN}


def asked(call: HttpCall, name: str) -> list[str]:
    """The values of a parameter of the query."""
    return parse_qs(urlsplit(call.url).query).get(name, [])


def domain(call: HttpCall) -> Any:
    return json.loads(urlsafe_b64decode(asked(call, "d")[0]))
