"""A running OMS's recorded exchanges, and the means to ask the connector about them. No socket: replies are values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import pytest

from mappings.erps.shopex_oms import ShopexOms
from mappings.errors import PeerError
from mappings.model import Address, Consignee, ErpOrder, Order, OrderLine, Queue
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp

T = TypeVar("T")
DATA = Path(__file__).parents[2] / "data" / "erps" / "shopex_oms"


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


RECORDED = load("exchanges.json")
TOKEN: str = RECORDED["token"]
ORDERS: dict[str, Any] = {exchange["name"]: exchange for exchange in RECORDED["orders"]}
QUESTIONS: dict[str, Any] = {exchange["name"]: exchange for exchange in RECORDED["questions"]}
ANSWERS: dict[str, Any] = {exchange["name"]: exchange["answer"] for exchange in RECORDED["more_answers"]}

REF = "20261121230445"
STAMP = Stamp(datetime(2026, 11, 21, 15, 4, 51, tzinfo=UTC), "6f0a9f0e-1111-4222-8333-444455556666")
BASE = {
    "base_url": "https://oms.example.com",
    "node_id": "2000000001",
    "token": TOKEN,
    "shop_bn": "ecshop01",
    "flag": "ecshop",
    "key": "0penApiKey",
}


def recorded_form(exchange: Mapping[str, Any]) -> dict[str, str]:
    """The form of a recorded push: what all of them share, with what this one says instead."""
    number = exchange["order_bn"]
    shared = {name: value.replace("{bn}", number or "") for name, value in RECORDED["form"].items()}
    form: dict[str, str] = {name: value for name, value in shared.items() if name not in exchange["without"]}
    form |= exchange["other"]
    return form | ({"order_bn": number} if number else {})


def erp(**settings: str) -> ShopexOms:
    """A connector configured as from the environment: every text goes through its setting's parse."""
    parse = {setting.name: setting.parse for setting in ShopexOms.spec.settings}
    return ShopexOms({name: parse[name](text) for name, text in {**BASE, **settings}.items()})


def line(**changes: Any) -> OrderLine:
    whole = OrderLine(
        shop_line_id="1",
        sku="ECS000000",
        name="KD876 手机",
        quantity=2,
        price_fen=138800,
        weight_g=0,
        goods_id=24,
        product_id=24,
    )
    return replace(whole, **changes)


def erp_order(**changes: Any) -> ErpOrder:
    """The order that was recorded, as our shop's reader would give it."""
    address = Address(province="北京", city="北京", district="海淀区", street="海淀路1号", postcode="100000")
    order = Order(
        shop="main",
        shop_order_id="1002",
        order_sn=REF,
        queue=Queue.AWAIT_SHIP,
        consignee=Consignee(name="张三", phone="13800138000", address=address),
        lines=(line(),),
        total_fen=278600,
        cod_fen=0,
        shipping_code="express",
        shipping_name="快递",
        placed_at=datetime(2026, 11, 21, 15, 4, 45, tzinfo=UTC),
        paid_at=datetime(2026, 11, 21, 15, 4, 45, tzinfo=UTC),
        content_hash="x",
        shipping_fee_fen=1000,
    )
    bought = replace(order, **changes)
    return ErpOrder(bought, external_ref=bought.order_sn, idempotency_key="main-1002", order_date="20261121")


def answer(value: Any, status: int = 200) -> HttpReply:
    """As the OMS sends it: JSON, or text that only looks like it, always called HTML."""
    body = value if isinstance(value, str) else json.dumps(value)
    return HttpReply(status, {"content-type": "text/html; charset=UTF-8"}, body.encode())


KNOWN = answer({"response": {"lists": {"1": {"bn": "ECS000000", "store": "50", "store_freeze": "16"}}, "count": 1}})
CREATED = answer(ORDERS["created"]["answer"])
UPDATED = answer(ORDERS["updated"]["answer"])
CANCELLED = answer(ORDERS["cancelled"]["answer"])
SHOWN = answer(QUESTIONS["read_back"]["answer"])
NOT_SHOWN = answer({"response": {"lists": [], "count": 0, "cursor_id": 0, "has_more": False}})


def shown(**changes: Any) -> HttpReply:
    """The recorded order read back, with other words in its row."""
    [(number, row)] = QUESTIONS["read_back"]["answer"]["response"]["lists"].items()
    return answer({"response": {"lists": {number: {**row, **changes}}, "count": "1"}})


DEAD = shown(status="已作废", process_status="取消")


def run(exchange: Exchange[T], *replies: HttpReply | Exception) -> tuple[T, list[HttpCall]]:
    """Feed the replies; the result and the calls as they left. Every reply must be used."""
    calls, waiting = [next(exchange).sealed(STAMP)], list(replies)
    while True:
        reply = waiting.pop(0)
        try:
            call = exchange.throw(reply) if isinstance(reply, Exception) else exchange.send(reply)
            calls.append(call.sealed(STAMP))
        except StopIteration as end:
            assert not waiting, "the exchange ended before it read every reply"
            return end.value, calls


def failure(exchange: Exchange[Any], *replies: HttpReply | Exception) -> PeerError:
    with pytest.raises(PeerError) as caught:
        run(exchange, *replies)
    return caught.value


def form_of(call: HttpCall) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode(), keep_blank_values=True))
