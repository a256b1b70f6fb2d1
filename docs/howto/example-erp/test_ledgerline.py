"""Ledgerline's answers, one by one. No socket: an exchange is fed replies as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from ecsync_ledgerline import PAGE, LedgerlineErp

from mappings.errors import AuthError, DuplicateError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import Address, Consignee, ErpDocument, ErpOrder, Order, OrderLine, Queue, StockFigure
from mappings.wire import Exchange, HttpCall, HttpReply

T = TypeVar("T")
ERP = LedgerlineErp({"base_url": "https://erp.example", "token": "t0ken-123", "customer": "WEB"})
DOCUMENT = ErpDocument("L-1", "2026112200042")
HTML = HttpReply(200, body=b"<html>log in</html>")


def erp_order(sku: str = "TEA-01") -> ErpOrder:
    bought = Order(
        shop="main",
        shop_order_id="42",
        order_sn="2026112200042",
        queue=Queue.AWAIT_SHIP,
        consignee=Consignee("王小明", "13800138000", Address("浙江", "杭州", "西湖区", "龙井路 1 号")),
        lines=(OrderLine("7", sku, "龙井茶", quantity=2, price_fen=1388, weight_g=250),),
        total_fen=2776,
        cod_fen=0,
        shipping_code="sf",
        shipping_name="顺丰速运",
        placed_at=datetime(2026, 11, 21, 16, 30, tzinfo=UTC),
        paid_at=None,
        content_hash="x",
    )
    return ErpOrder(bought, external_ref=bought.order_sn, idempotency_key="main-42", order_date="20261122")


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


def test_the_order_that_is_sent() -> None:
    document, [call] = run(ERP.create(erp_order()), answer({"number": "L-1"}, 201))

    assert document == DOCUMENT
    assert json.loads(call.body) == {
        "reference": "2026112200042",
        "customer": "WEB",
        "date": "2026-11-22",
        "total": "27.76",
        "lines": [{"sku": "TEA-01", "count": 2, "price": "13.88"}],
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


def test_an_order_without_sku_never_leaves() -> None:
    with pytest.raises(PermanentError, match="no SKU"):
        next(ERP.create(erp_order(sku="")))


@pytest.mark.parametrize("reply", [HttpReply(200, body=b"{}"), answer({"error": "cancelled"}, 409)])
def test_a_cancelled_order_is_a_success_each_time(reply: HttpReply) -> None:
    run(ERP.cancel(DOCUMENT), reply)


@pytest.mark.parametrize(
    ("exchange", "replies", "error"),
    [
        (lambda: ERP.create(erp_order()), [HTML], UncertainError),
        (lambda: ERP.create(erp_order()), [HttpReply(502)], UncertainError),
        (lambda: ERP.create(erp_order()), [answer({}, 201)], UncertainError),
        (lambda: ERP.create(erp_order()), [HttpReply(429)], TransientError),
        (lambda: ERP.create(erp_order()), [HttpReply(401)], AuthError),
        (lambda: ERP.create(erp_order()), [answer({"error": "unknown_sku"}, 422)], PermanentError),
        (lambda: ERP.create(erp_order()), [HttpReply(409), held()], DuplicateError),
        (lambda: ERP.find("2026112200042"), [HTML], TransientError),
        (lambda: ERP.find("2026112200042"), [HttpReply(502)], TransientError),
        (lambda: ERP.find("2026112200042"), [held("L-1", "L-2")], PermanentError),
        (lambda: ERP.find("2026112200042"), [answer({"items": []})], PermanentError),
        (lambda: ERP.cancel(DOCUMENT), [answer({"error": "shipped"}, 409)], PermanentError),
        (lambda: ERP.cancel(DOCUMENT), [HttpReply(504)], UncertainError),
        (lambda: ERP.read_stock(None), [HTML], TransientError),
        (lambda: ERP.read_stock(None), [answer({"stock": [{"sku": "A", "free": "many"}]})], PermanentError),
    ],
)
def test_every_other_answer_has_its_class(exchange: Any, replies: list[HttpReply], error: type[PeerError]) -> None:
    with pytest.raises(PeerError) as caught:
        run(exchange(), *replies)

    assert type(caught.value) is error
    assert not any(private in str(caught.value) for private in ("王小明", "13800138000", "t0ken-123"))
