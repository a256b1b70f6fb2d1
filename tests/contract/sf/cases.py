"""Recorded Fengqiao material and the means to ask the connector about it."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from mappings.carriers.sf import SfCarrier
from mappings.errors import PeerError
from mappings.model import Address, Callback, Consignee, Consignor, Order, OrderLine, Queue, WaybillRequest
from mappings.wire import HttpCall, HttpReply, Stamp

DATA = Path(__file__).parents[1] / "data" / "sf"
T = TypeVar("T")


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


_PAYLOADS = load("payloads.json")
CHECKWORD: str = _PAYLOADS["checkword"]
PARTNER_ID = "TESTPID"
EXAMPLES: dict[str, dict[str, Any]] = {example["id"]: example for example in _PAYLOADS["examples"]}

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
STAMP = Stamp(NOW, "6f0a9f0e-1111-4222-8333-444455556666")
JSON = "application/json;charset=UTF-8"
FORM = "application/x-www-form-urlencoded"
ORDER_CODE, NUMBER = "2026112100001-1", "SF1000000000001"


def carrier(**settings: Any) -> SfCarrier:
    return SfCarrier({"partner_id": PARTNER_ID, "checkword": CHECKWORD} | settings)


def shenzhen() -> Address:
    return Address("广东", "深圳", "南山区", "科技园路1号")


def beijing() -> Address:
    return Address("北京", "北京", "海淀区", "中关村大街2号")


def an_order(**changes: Any) -> Order:
    line = OrderLine("1", "TS-1", "棉T恤", quantity=2, price_fen=11800, weight_g=500)
    words: dict[str, Any] = {
        "shop": "main",
        "shop_order_id": "1001",
        "order_sn": "2026112100001",
        "queue": Queue.AWAIT_SHIP,
        "consignee": Consignee("张三", "13900000002", beijing()),
        "lines": (line,),
        "total_fen": 23600,
        "cod_fen": 0,
        "shipping_code": "sf_express",
        "shipping_name": "顺丰速运",
        "placed_at": NOW,
        "paid_at": NOW,
        "content_hash": "0",
    }
    return Order(**words | changes)


def a_request(**changes: Any) -> WaybillRequest:
    words: dict[str, Any] = {
        "order_code": ORDER_CODE,
        "reference": "sh:1001",
        "shipper_code": "SF",
        "order": an_order(),
        "consignor": Consignor("发货仓", "13800000001", shenzhen()),
    }
    return WaybillRequest(**words | changes)


def form_of(call: HttpCall) -> dict[str, str]:
    """The fields of a call as it leaves."""
    return dict(parse_qsl(call.sealed(STAMP).body.decode(), keep_blank_values=True))


def message_of(call: HttpCall) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(form_of(call)["msgData"])
    return message


class Talk:
    """An exchange played by hand: what it asks in turn, and what it makes of the answers."""

    def __init__(self, exchange: Generator[HttpCall, HttpReply, Any], *answers: HttpReply | PeerError) -> None:
        self.calls: list[HttpCall] = []
        self.result: Any = None
        self.is_over = False
        try:
            self.calls.append(next(exchange))
            for answer in answers:
                self.calls.append(exchange.throw(answer) if isinstance(answer, PeerError) else exchange.send(answer))
        except StopIteration as end:
            self.result, self.is_over = end.value, True

    @property
    def asked(self) -> list[str]:
        return [call.operation for call in self.calls]


def outcome(exchange: Generator[HttpCall, HttpReply, T], *answers: HttpReply | PeerError) -> T:
    """What an exchange makes of these answers."""
    talk = Talk(exchange, *answers)
    assert talk.is_over, f"the exchange wants another call: {talk.asked}"
    result: T = talk.result
    return result


def reply_of(example: dict[str, Any]) -> HttpReply:
    return HttpReply(example["http"]["status"], {}, example["http"]["body"].encode())


def gateway(code: str, text: str = "") -> HttpReply:
    """The gateway's own word; no service was asked."""
    return _json({"apiErrorMsg": text, "apiResponseID": "0", "apiResultCode": code, "apiResultData": None})


def service(code: str = "S0000", text: str | None = None, **data: Any) -> HttpReply:
    """What a service said, as text within the gateway's envelope."""
    return inner({"success": code == "S0000", "errorCode": code, "errorMsg": text, "msgData": data or None})


def inner(result: Any) -> HttpReply:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return _json({"apiErrorMsg": "", "apiResponseID": "0", "apiResultCode": "A1000", "apiResultData": text})


def _json(fields: dict[str, Any]) -> HttpReply:
    return HttpReply(200, {}, json.dumps(fields, ensure_ascii=False).encode())


def ordered(decision: Any = 2, *numbers: tuple[int, str], **more: Any) -> HttpReply:
    """The answer to an order or to the search for one."""
    listed = [{"waybillType": kind, "waybillNo": number} for kind, number in numbers]
    return service(orderId=ORDER_CODE, filterResult=decision, waybillNoInfoList=listed, **more)


def route(opcode: str = "50", time: str = "2026-11-23 09:00:00", **fields: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "mailno": NUMBER,
        "orderid": ORDER_CODE,
        "acceptTime": time,
        "acceptAddress": "深圳市",
        "remark": "路由",
        "opCode": opcode,
    } | fields


def push(*routes: Any, encoding: str = "utf-8") -> bytes:
    return json.dumps({"Body": {"WaybillRoute": list(routes)}}, ensure_ascii=False).encode(encoding)


def take(body: bytes, content_type: str = JSON, **settings: Any) -> Callback:
    """Verify and read a push."""
    ours = carrier(**settings)
    ours.verify_callback(body, content_type)
    return ours.read_callback(body, content_type, NOW)
