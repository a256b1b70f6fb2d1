"""An ERP that is asked and answered by hand: no socket, an exchange is fed replies as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from mappings.connector import ErpConnector
from mappings.errors import PeerError
from mappings.model import Address, Consignee, ErpOrder, Order, OrderLine, Queue
from mappings.wire import Exchange, HttpCall, HttpReply

T = TypeVar("T")
C = TypeVar("C", bound=ErpConnector)

SN = "2026112100001"
NAME, PHONE = "王小明", "13800138000"

PROXY_200 = HttpReply(200, {"content-type": "text/html"}, "<html><body>登录</body></html>".encode())
PROXY_502 = HttpReply(502, {"content-type": "text/html"}, b"<html><body>Bad Gateway</body></html>")


def configured(connector: type[C], **settings: str) -> C:
    """A connector as from the environment: every text goes through its setting's parse."""
    parse = {setting.name: setting.parse for setting in connector.spec.settings}
    return connector({name: parse[name](text) for name, text in settings.items()})


def run(exchange: Exchange[T], *replies: HttpReply) -> tuple[T, list[HttpCall]]:
    """Feed the replies; the result and the calls made. Every reply must be used."""
    calls, waiting = [next(exchange)], list(replies)
    while True:
        try:
            calls.append(exchange.send(waiting.pop(0)))
        except StopIteration as end:
            assert not waiting, "the exchange ended before it read every reply"
            return end.value, calls


def failure(exchange: Exchange[Any], *replies: HttpReply) -> PeerError:
    """What the exchange raises in the end."""
    with pytest.raises(PeerError) as caught:
        run(exchange, *replies)
    return caught.value


def said(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpReply:
    """An answer in JSON."""
    return HttpReply(status, headers or {}, json.dumps(value, ensure_ascii=False).encode())


def erp_order(*lines: OrderLine, order_date: str = "20261121", **changes: Any) -> ErpOrder:
    """An order of two pieces of ECS000000, or of other lines."""
    usual = OrderLine("7", sku="ECS000000", name="KD876", quantity=2, price_fen=138800, weight_g=110)
    address = Address(province="北京", city="北京", district="海淀区", street="海淀路1号")
    order = Order(
        shop="main",
        shop_order_id="42",
        order_sn=SN,
        queue=Queue.AWAIT_SHIP,
        consignee=Consignee(name=NAME, phone=PHONE, address=address),
        lines=lines or (usual,),
        total_fen=277600,
        cod_fen=0,
        shipping_code="sf",
        shipping_name="顺丰速运",
        placed_at=datetime(2026, 11, 21, 2, 30, tzinfo=UTC),
        paid_at=None,
        content_hash="x",
    )
    return ErpOrder(replace(order, **changes), external_ref=SN, idempotency_key="main-42", order_date=order_date)
