"""Requests and replies made by hand from the protocols' texts, so that no code of ours vouches for itself."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import requests

from sync.sandbox.http import Request, Response

EBUSINESS_ID, APP_KEY = "test1617571", "sandbox-app-key"
ERP_TOKEN = "sandbox-erp-token"


def waybill_order(code: str = "2026112100001-1", **changes: Any) -> dict[str, Any]:
    """A 1007 order that KDNiao takes."""
    return {
        "CallBack": "sh:1001",
        "OrderCode": code,
        "ShipperCode": "ZTO",
        "PayType": 3,
        "ExpType": "1",
        "Sender": {
            "Name": "发货仓",
            "Mobile": "13800000001",
            "ProvinceName": "广东省",
            "CityName": "深圳市",
            "ExpAreaName": "南山区",
            "Address": "科技园路1号",
        },
        "Receiver": {
            "Name": "张三",
            "Mobile": "13900000002",
            "ProvinceName": "北京",
            "CityName": "北京市",
            "ExpAreaName": "海淀区",
            "Address": "中关村大街2号",
        },
        "Commodity": [{"GoodsName": "棉T恤", "Goodsquantity": 2, "GoodsWeight": 0.5}],
        "Weight": 1.0,
        "Quantity": 1,
        "StartDate": "2026-11-21 15:00:00",
        "EndDate": "2026-11-21 18:00:00",
        "IsReturnPrintTemplate": "1",
        **changes,
    }


def data_sign(text: str, key: str = APP_KEY) -> str:
    return base64.b64encode(hashlib.md5((text + key).encode("utf-8")).hexdigest().encode("ascii")).decode("ascii")


def signed(data: Any, request_type: str = "1007", **changes: str) -> dict[str, str]:
    """A form for the gateway; `changes` replace its fields after signing."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return {
        "RequestData": text,
        "EBusinessID": EBUSINESS_ID,
        "RequestType": request_type,
        "DataSign": data_sign(text),
        "DataType": "2",
        **changes,
    }


def ask(url: str, data: Any, request_type: str = "1007", **changes: str) -> dict[str, Any]:
    """One call on a fresh connection; the reply read as KDNiao's clients must, byte order mark or not."""
    with requests.post(url, signed(data, request_type, **changes), timeout=10) as reply:
        answer = json.loads(reply.content.decode("utf-8-sig"))
    assert isinstance(answer, dict)
    return answer


def erp_order(order_id: str = "SN1", **changes: Any) -> dict[str, Any]:
    """An order that the ERP takes."""
    return {
        "order_id": order_id,
        "customer_name": "张三",
        "total_amount": "118.00",
        "order_date": "20261121",
        "lines": [{"sku": "TS-01", "quantity": 2, "price": "59.00"}],
        **changes,
    }


@dataclass(slots=True)
class Receiver:
    """A receiver of pushes; `decide` says whether the n-th (from 1) is accepted."""

    decide: Callable[[int], bool] = lambda number: True
    arrived: queue.Queue[dict[str, str]] = field(default_factory=queue.Queue)
    _count: int = 0

    def __call__(self, request: Request) -> Response:
        self._count += 1
        self.arrived.put(dict(parse_qsl(request.body.decode("utf-8"), keep_blank_values=True)))
        return Response(body=json.dumps(self.answer(self.decide(self._count))).encode())

    def answer(self, accepted: bool) -> dict[str, Any]:
        """In KDNiao's words."""
        return {
            "EBusinessID": EBUSINESS_ID,
            "UpdateTime": "",
            "Success": accepted,
            "Reason": "" if accepted else "busy",
        }

    def take(self, count: int) -> list[dict[str, str]]:
        """The next pushes to arrive; fails the test when they do not within ten seconds."""
        return [self.arrived.get(timeout=10) for _ in range(count)]


def items(push: dict[str, str]) -> list[dict[str, Any]]:
    data = json.loads(push["RequestData"])["Data"]
    assert isinstance(data, list)
    return data
