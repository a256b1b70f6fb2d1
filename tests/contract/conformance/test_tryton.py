"""Tryton's connector; the ERP is played by hand, as a running 8.0.12 answered (the real one: tests/service/tryton)."""

from __future__ import annotations

import json
from typing import Any

from mappings.conformance import ErpCase, ErpConformance
from mappings.erps.tryton import TrytonErp
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import said
from tests.contract.erps.tryton.talk import PARTY, PRODUCT, SHOP, domain, refusal

CONFIG = {
    "base_url": "https://tryton.example.com",
    "database": "erp",
    "key": "8f14e45fceea167a5a36dedd4bea2543",
    "web_shop": "ECShop",
    "party": "3",
}
NEXT = {"quote": ("draft", "quotation"), "confirm": ("quotation", "confirmed"), "cancel": ("draft", "cancelled")}
"""A button, the state in which it does something, and the state that it brings."""


class ScriptedTryton:
    """One web shop, one party, the product TS-1; a second sale of a web ID is refused by the database."""

    def __init__(self) -> None:
        self.sales: list[dict[str, Any]] = []

    def __call__(self, call: HttpCall) -> HttpReply:
        button = call.operation.removesuffix("_order")
        if button in NEXT:
            return self._press(button, self.sales[-1])
        answers = {
            "find_web_shop": lambda call: said([SHOP]),
            "find_party": lambda call: said([PARTY]),
            "find_products": self._products,
            "find_order": self._find,
            "create_order": self._create,
            "read_stock": self._stock,
        }
        return answers[call.operation](call)

    def _products(self, call: HttpCall) -> HttpReply:
        [[_, _, codes]] = domain(call)
        return said([{**PRODUCT, "code": code} for code in codes if code == "TS-1"])

    def _find(self, call: HttpCall) -> HttpReply:
        web_id = domain(call)[1][2]
        return said([sale for sale in self.sales if sale["web_id"] == web_id])

    def _create(self, call: HttpCall) -> HttpReply:
        web_id = json.loads(call.body)["web_id"]
        if any(sale["web_id"] == web_id for sale in self.sales):
            return refusal("The web ID on the sale must be unique per shop.")
        self.sales.append({"id": 3, "__name__": "sale.sale", "number": None, "state": "draft", "web_id": web_id})
        return said(self.sales[-1])

    def _press(self, button: str, sale: dict[str, Any]) -> HttpReply:
        """A button that does not fit leaves the sale as it is; the first gives it its number."""
        fits, brings = NEXT[button]
        if sale["state"] == fits:
            sale["state"], sale["number"] = brings, "1"
        return said(sale)

    def _stock(self, call: HttpCall) -> HttpReply:
        return said([] if "stock.move" in call.url else [{"id": 1, "code": "TS-1", "quantity": 5.0}])


class TestTryton(ErpConformance):
    case = ErpCase(TrytonErp, CONFIG, ScriptedTryton)
