from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import parse_qs

from mappings.carriers.kuaidi100 import Kuaidi100Carrier
from mappings.conformance import CarrierCase, CarrierConformance, Scan
from mappings.wire import HttpCall, HttpReply
from tests.contract.kuaidi100.cases import FORM, a_scan, push

SALT = "salt0123456789"
CONFIG = {
    "environment": "production",
    "key": "k100 key/0123456789",
    "secret": "secret+0123456789",
    "customer": "CUSTOMER0123456789ABCDEF01234567",
    "salt": SALT,
    "callback_url": "https://hooks.example.test/k100/1001?token=0123456789abcdef",
}


ORDERED = {"kuaidinum": "YT2213099035201", "orderId": "20066771", "taskId": "9FC293CA417E431F33046E64F4C4EC20"}


class ScriptedKuaidi100:
    """For 48 hours the same orderId brings the same number; a second cancel and a second subscription are refused."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        self.done: set[str] = set()

    def __call__(self, call: HttpCall) -> HttpReply:
        param = json.loads(parse_qs(call.body.decode())["param"][0])
        if call.operation == "book_waybill" and "thirdOrderId" in param:
            return _json(result=True, returnCode="200", message="提交成功", data=ORDERED)
        if call.operation == "book_waybill":
            number = self.numbers.setdefault(param["orderId"], f"73100000000{len(self.numbers) + 1:03d}")
            return _json(success=True, code=200, message="请求成功", data={"taskId": "T", "kuaidinum": number})
        if call.operation == "query_tracking":
            return _json(result=False, returnCode="500", message="查询无结果，请隔段时间再查")
        if call.operation in self.done:
            return {
                "cancel_waybill": _json(success=False, code=500, message="运单已取消，请勿重复操作"),
                "subscribe": _json(result=False, returnCode="501", message="重复订阅"),
            }[call.operation]
        self.done.add(call.operation)
        return _json(success=True, result=True, returnCode="200", code=200, message="成功")


def _json(**fields: object) -> HttpReply:
    return HttpReply(200, {}, json.dumps(fields, ensure_ascii=False).encode())


def kuaidi100_push(scans: Sequence[Scan]) -> bytes:
    """A push is about one parcel, its scans newest first."""
    rows = [
        a_scan("soon" if scan.is_broken else f"{scan.at + timedelta(hours=8):%Y-%m-%d %H:%M:%S}", scan.code)
        for scan in reversed(scans)
    ]
    last = {"state": "0", "status": "200", "com": "zhongtong", "nu": scans[0].waybill_no, "data": rows}
    return push({"status": "polling", "message": "", "comOld": "", "comNew": "", "lastResult": last}, salt=SALT)


class TestKuaidi100(CarrierConformance):
    case = CarrierCase(
        Kuaidi100Carrier,
        CONFIG,
        ScriptedKuaidi100,
        kuaidi100_push,
        known_code="1002",
        unknown_code="9876",
        content_type=FORM,
    )


class TestMerchantPickup(CarrierConformance):
    """The same platform, where a courier is ordered: that it says nothing about repeats follows from the setting."""

    case = CarrierCase(
        Kuaidi100Carrier,
        CONFIG | {"book_by": "merchant_pickup", "pickup_hours": "09:00-18:00"},
        ScriptedKuaidi100,
        kuaidi100_push,
        known_code="1002",
        unknown_code="9876",
        content_type=FORM,
        carrier_order_no=f"{ORDERED['orderId']} {ORDERED['taskId']}",
    )
