"""Recorded KDNiao material and the means to ask the connector about it."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from mappings.carriers.kdniao import KdniaoCarrier
from mappings.carriers.kdniao.signing import sign
from mappings.model import Address, Callback, Consignee, Consignor, Order, OrderLine, Queue, WaybillRequest
from mappings.wire import HttpCall, HttpReply

DATA = Path(__file__).parents[1] / "data" / "kdniao"
T = TypeVar("T")


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / name).read_text("utf-8"))
    return found


_PAYLOADS = load("payloads.json")
APP_KEY: str = _PAYLOADS["app_key"]
EBUSINESS_ID: str = _PAYLOADS["ebusiness_id"]
EXAMPLES: dict[str, dict[str, Any]] = {example["id"]: example for example in _PAYLOADS["examples"]}

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded;charset=utf-8"


def carrier(**settings: Any) -> KdniaoCarrier:
    return KdniaoCarrier({"ebusiness_id": EBUSINESS_ID, "app_key": APP_KEY} | settings)


def shenzhen() -> Address:
    return Address("广东", "深圳", "南山区", "科技园路1号", postcode="518000")


def beijing() -> Address:
    return Address("北京", "北京", "海淀区", "中关村大街2号", postcode="100080")


def an_order(**changes: Any) -> Order:
    line = OrderLine("1", "TS-1", "棉T恤", quantity=2, price_fen=5990, weight_g=500)
    words: dict[str, Any] = {
        "shop": "main",
        "shop_order_id": "1001",
        "order_sn": "2026112100001",
        "queue": Queue.AWAIT_SHIP,
        "consignee": Consignee("张三", "13900000002", beijing()),
        "lines": (line,),
        "total_fen": 11980,
        "cod_fen": 0,
        "shipping_code": "zto",
        "shipping_name": "中通",
        "placed_at": NOW,
        "paid_at": NOW,
        "content_hash": "0",
        "buyer_note": "轻放",
    }
    return Order(**words | changes)


def a_request(**changes: Any) -> WaybillRequest:
    words: dict[str, Any] = {
        "order_code": "2026112100001-1",
        "reference": "sh:1001",
        "shipper_code": "ZTO",
        "order": an_order(),
        "consignor": Consignor("发货仓", "13800000001", shenzhen()),
    }
    return WaybillRequest(**words | changes)


def start(exchange: Generator[HttpCall, HttpReply, T]) -> HttpCall:
    """The call an exchange wants sent."""
    return next(exchange)


def finish(exchange: Generator[HttpCall, HttpReply, T], reply: HttpReply) -> T:
    """What a one-step exchange makes of a reply."""
    next(exchange)
    try:
        exchange.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("the exchange wanted a second call")


def reply_of(example: dict[str, Any]) -> HttpReply:
    return HttpReply(example["http"]["status"], {}, example["http"]["body"].encode())


def json_reply(**fields: Any) -> HttpReply:
    return HttpReply(200, {}, json.dumps(fields, ensure_ascii=False).encode())


def push(request_type: str, data: object, *, key: str = APP_KEY) -> bytes:
    """A signed push; `data` is the list of items, or the whole RequestData as text."""
    text = data
    if not isinstance(text, str):
        text = json.dumps(
            {"PushTime": "2026-11-23 11:03:00", "EBusinessID": EBUSINESS_ID, "Count": "1", "Data": data},
            ensure_ascii=False,
        )
    return urlencode({"RequestData": text, "RequestType": request_type, "DataSign": sign(text, key)}).encode()


def take(body: bytes, **settings: Any) -> Callback:
    """Verify and read a push."""
    ours = carrier(**settings)
    ours.verify_callback(body, FORM)
    return ours.read_callback(body, FORM, NOW)
