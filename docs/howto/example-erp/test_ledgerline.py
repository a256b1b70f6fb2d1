"""Ledgerline obeys what every ERP's connector must, and each of its own answers has its class. No socket is opened."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pytest
from ecsync_ledgerline import PAGE, LedgerlineErp

from mappings.conformance import ErpCase, ErpConformance
from mappings.errors import DuplicateError, PeerError, PermanentError, UncertainError
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange, HttpCall, HttpReply

T = TypeVar("T")
CONFIG = {"base_url": "https://erp.example", "token": "t0ken-0123456789", "customer": "WEB"}
ERP = LedgerlineErp(CONFIG)
DOCUMENT = ErpDocument("L-1", "2026112100001")


class ScriptedLedgerline:
    """Plays the ERP, as its documents say: it remembers what it was told, and knows one SKU."""

    def __init__(self) -> None:
        self.orders: dict[str, str] = {}
        self.cancelled: set[str] = set()

    def __call__(self, call: HttpCall) -> HttpReply:
        if call.operation == "create_order":
            return self._create(json.loads(call.body))
        if call.operation == "find_order":
            reference = call.url.rpartition("=")[2]
            return held(*(number for known, number in self.orders.items() if known == reference))
        if call.operation == "read_stock":
            return answer({"stock": [{"sku": "TS-1", "free": 5}]})
        reference = call.url.split("/")[-2]
        if reference in self.cancelled:
            return answer({"error": "cancelled"}, 409)
        self.cancelled.add(reference)
        return answer({})

    def _create(self, order: dict[str, Any]) -> HttpReply:
        if any(line["sku"] != "TS-1" for line in order["lines"]):
            return answer({"error": "unknown_sku"}, 422)
        if order["reference"] in self.orders:
            return HttpReply(409)
        self.orders[order["reference"]] = f"L-{len(self.orders) + 1}"
        return answer({"number": self.orders[order["reference"]]}, 201)


def run(exchange: Exchange[T], *replies: HttpReply) -> tuple[T, list[HttpCall]]:
    """Feed the replies; the result and the calls made."""
    calls, waiting = [next(exchange)], list(replies)
    while True:
        try:
            calls.append(exchange.send(waiting.pop(0)))
        except StopIteration as end:
            return end.value, calls


def answer(value: Any, status: int = 200) -> HttpReply:
    return HttpReply(status, body=json.dumps(value).encode())


def held(*numbers: str) -> HttpReply:
    return answer({"orders": [{"reference": DOCUMENT.external_ref, "number": number} for number in numbers]})


CASE = ErpCase(LedgerlineErp, CONFIG, peer=ScriptedLedgerline)


class TestLedgerline(ErpConformance):
    case = CASE


def erp_order() -> ErpOrder:
    return CASE.order()


def test_the_order_that_is_sent() -> None:
    document, [call] = run(ERP.create(erp_order()), answer({"number": "L-1"}, 201))

    assert document == DOCUMENT
    assert json.loads(call.body) == {
        "reference": "2026112100001",
        "customer": "WEB",
        "date": "2026-12-01",
        "total": "119.80",
        "lines": [{"sku": "TS-1", "count": 2, "price": "59.90"}],
    }


def test_a_reference_that_it_holds_is_adopted() -> None:
    document, calls = run(ERP.create(erp_order()), HttpReply(409), held("L-1"))

    assert document.adopted
    assert [call.operation for call in calls] == ["create_order", "find_order"]


def test_stock_is_read_to_its_last_page() -> None:
    rows = [{"sku": f"S{n}", "free": n} for n in range(PAGE + 1)]
    figures, calls = run(ERP.read_stock(None), answer({"stock": rows[:PAGE]}), answer({"stock": rows[PAGE:]}))

    assert figures[-1] == StockFigure(f"S{PAGE}", PAGE)
    assert [call.url.rpartition("=")[2] for call in calls] == ["0", str(PAGE)]


@pytest.mark.parametrize(
    ("exchange", "replies", "error"),
    [
        (lambda: ERP.create(erp_order()), [answer({}, 201)], UncertainError),
        (lambda: ERP.create(erp_order()), [HttpReply(409), held()], DuplicateError),
        (lambda: ERP.find("2026112100001"), [held("L-1", "L-2")], PermanentError),
        (lambda: ERP.find("2026112100001"), [answer({"items": []})], PermanentError),
        (lambda: ERP.cancel(DOCUMENT), [answer({"error": "shipped"}, 409)], PermanentError),
        (lambda: ERP.read_stock(None), [answer({"stock": [{"sku": "A", "free": "many"}]})], PermanentError),
    ],
)
def test_its_own_answers_have_their_class(exchange: Any, replies: list[HttpReply], error: type[PeerError]) -> None:
    with pytest.raises(PeerError) as caught:
        run(exchange(), *replies)

    assert type(caught.value) is error
