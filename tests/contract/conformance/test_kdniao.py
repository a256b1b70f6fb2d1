from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

from mappings.carriers.kdniao import KdniaoCarrier
from mappings.conformance import CarrierCase, CarrierConformance, Scan
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import FORM, json_reply, push

CONFIG = {"ebusiness_id": "1237100", "app_key": "56da2cf8-c8a2-44b2+b6fa", "customer_pwd": "pass word/0123456789"}


class ScriptedKdniao:
    """A repeated OrderCode brings its waybill again, with ResultCode 106; so documented."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        self.cancelled: set[str] = set()

    def __call__(self, call: HttpCall) -> HttpReply:
        data = json.loads(parse_qs(call.body.decode())["RequestData"][0])
        if call.operation == "book_waybill":
            return self._book(data["OrderCode"])
        if call.operation == "cancel_waybill":
            return self._cancel(data["OrderCode"])
        if call.operation == "find_courier":
            return json_reply(Success=True, ResultCode="100", Shippers=[{"ShipperCode": "ZTO", "ShipperName": "中通"}])
        if call.operation == "query_tracking":
            return json_reply(Success=True, ResultCode="100", LogisticCode=data["LogisticCode"], State="0", Traces=[])
        return json_reply(Success=True, ResultCode="100", Reason="成功")

    def _book(self, order_code: str) -> HttpReply:
        is_known = order_code in self.numbers
        number = self.numbers.setdefault(order_code, f"73100000000{len(self.numbers) + 1:03d}")
        order = {"OrderCode": order_code, "ShipperCode": "ZTO", "LogisticCode": number}
        return json_reply(Success=True, ResultCode="106" if is_known else "100", Order=order)

    def _cancel(self, order_code: str) -> HttpReply:
        if order_code in self.cancelled:
            return json_reply(Success=False, ResultCode="105", Reason="该订单已取消")
        self.cancelled.add(order_code)
        return json_reply(Success=True, ResultCode="100", Reason="成功")


def kdniao_push(scans: Sequence[Scan]) -> bytes:
    """Push 102: each item is one parcel with one trace of its own."""

    def item(scan: Scan) -> dict[str, Any]:
        at = (scan.at + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
        trace = {"AcceptTime": "soon" if scan.is_broken else at, "AcceptStation": "已到达", "Action": scan.code}
        return {
            "EBusinessID": CONFIG["ebusiness_id"],
            "LogisticCode": scan.waybill_no,
            "ShipperCode": "ZTO",
            "State": "2" if scan.code == "202" else "",
            "StateEx": scan.code,
            "Success": True,
            "Traces": [trace],
        }

    text = json.dumps(
        {
            "PushTime": "2026-12-01 11:59:00",
            "EBusinessID": CONFIG["ebusiness_id"],
            "Count": str(len(scans)),
            "Data": [item(scan) for scan in scans],
        },
        ensure_ascii=False,
    )
    return push("102", text, key=CONFIG["app_key"])


class TestKdniao(CarrierConformance):
    case = CarrierCase(
        KdniaoCarrier, CONFIG, ScriptedKdniao, kdniao_push, known_code="202", unknown_code="9876", content_type=FORM
    )
