"""KDNiao's pickup bookings: one for an OrderCode, ever; found again by 1804, cancelled by 1802 and 1004.

Sources: public field tables of 1801 and 1001, vendor samples. Written apart from our own connector on purpose.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.sandbox.kdniao_rules import SHIPPER_CODES, Refusal, check_region

OPERATIONS = {
    "1001": "book_pickup",
    "1801": "book_pickup",
    "1804": "find_pickup",
    "1004": "cancel_pickup",
    "1802": "cancel_pickup",
}
_REQUIRED = (
    "OrderCode",
    "ShipperCode",
    "PayType",
    "ExpType",
    "Sender",
    "Receiver",
    "Commodity",
    "StartDate",
    "EndDate",
)

Answer = tuple[dict[str, Any], str]


@dataclass(slots=True)
class Booking:
    """One booked courier."""

    data: Mapping[str, Any]
    order_no: str
    is_cancelled: bool = False

    def order(self) -> dict[str, Any]:
        shown = {name: self.data[name] for name in ("OrderCode", "ShipperCode", "StartDate", "EndDate")}
        return {**shown, "LogisticCode": "", "KDNOrderCode": self.order_no}


@dataclass(slots=True)
class PickupDesk:
    """All bookings. `is_picked_up` tells of a waybill number whether its courier has been."""

    is_picked_up: Callable[[str], bool]
    bookings: dict[str, Booking] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request_type: str, data: Mapping[str, Any]) -> Answer:
        """Do what is asked; raises Refusal."""
        operation = OPERATIONS[request_type]
        if not data.get("OrderCode"):
            raise Refusal("101", "缺少必要参数：OrderCode")
        with self._lock:
            if operation == "book_pickup":
                return self._book(request_type, data)
            booking = self.bookings.get(str(data["OrderCode"]))
            if booking is None:
                raise Refusal("105", "订单不存在")
            return self._find(booking) if operation == "find_pickup" else self._cancel(booking)

    def _book(self, request_type: str, data: Mapping[str, Any]) -> Answer:
        required = (*_REQUIRED, *(("ShipperType", "TransportType") if request_type == "1801" else ()))
        if missing := next((name for name in required if data.get(name) in (None, "", [], {})), ""):
            raise Refusal("101", f"缺少必要参数：{missing}")
        if data["ShipperCode"] not in SHIPPER_CODES:
            raise Refusal("105", f"快递公司编码错误：{data['ShipperCode']}")
        if not all(item.get("GoodsName") and item.get("GoodsQuantity") for item in data["Commodity"]):
            raise Refusal("101", "缺少必要参数：GoodsQuantity")
        if data["StartDate"] >= data["EndDate"]:
            raise Refusal("103", "格式问题：EndDate 早于 StartDate")
        for side in ("Sender", "Receiver"):
            check_region(side, data[side])
        known = self.bookings.get(data["OrderCode"])
        if known is not None and known.is_cancelled:
            raise Refusal("105", "该订单号已取消，不能重复使用")
        if known is not None:
            return {
                "Success": True,
                "ResultCode": "106",
                "Reason": "该订单号已下单成功",
                "Order": known.order(),
            }, "adopted"
        number = hashlib.sha256(f"pickup:{data['OrderCode']}".encode()).hexdigest()[:16].upper()
        booking = self.bookings[data["OrderCode"]] = Booking(dict(data), f"KDNP{number}")
        return {"Success": True, "ResultCode": "100", "Reason": "成功", "Order": booking.order()}, "booked"

    def _find(self, booking: Booking) -> Answer:
        if booking.is_cancelled:
            raise Refusal("105", "订单已取消")
        return {"Success": True, "ResultCode": "100", "Reason": "成功", "Order": booking.order()}, "found"

    def _cancel(self, booking: Booking) -> Answer:
        if booking.is_cancelled:
            raise Refusal("105", "取消失败，订单已取消")
        if self.is_picked_up(str(booking.data.get("LogisticCode") or "")):
            raise Refusal("105", "取消失败，快递员已揽收")
        booking.is_cancelled = True
        return {"Success": True, "ResultCode": "100", "Reason": "取消成功"}, "cancelled"
