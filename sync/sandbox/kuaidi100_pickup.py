"""What Kuaidi100 demands of a merchant pickup (`order/borderapi.do`), and how it tells of the ordered courier.

Source: the vendor's own demo code, the public list of states. Written apart from our own connector on purpose.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync.sandbox.kuaidi100_rules import COMPANIES, PROVINCE, Refusal

PICKUP_PATH = "/order/borderapi.do"

STATES = {"10": "1", "1": "10", "2": "101", "202": "400", "301": "13"}
"""The stations of a journey (KDNiao's words) that are told as states of the order; the others come by tracking."""

_DAYS = frozenset({"", "今天", "明天", "后天"})
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MOST = {"callBackUrl": 200, "pollCallBackUrl": 200, "salt": 32, "remark": 100}


def check_order(order: Mapping[str, Any]) -> None:
    """Check the param of a bOrder; raises Refusal 400."""
    fault = next(_faults(order), "")
    if fault:
        raise Refusal("400", f"参数错误：{fault}")


def _faults(order: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name, value in order.items() if not isinstance(value, str))
    if order.get("kuaidicom") not in COMPANIES:
        yield "kuaidicom"
    for side in ("recMan", "sendMan"):
        if not order.get(f"{side}Name"):
            yield f"{side}Name"
        if not re.search(r"\d{7}", str(order.get(f"{side}Mobile") or "").replace("-", "")):
            yield f"{side}Mobile"
        if not PROVINCE.match(str(order.get(f"{side}PrintAddr") or "")):
            yield f"{side}PrintAddr"
    for name in ("cargo", "callBackUrl", "payment"):
        if not order.get(name):
            yield name
    yield from (name for name, most in _MOST.items() if len(str(order.get(name) or "")) > most)
    if not re.fullmatch(r"\d+(\.\d+)?", str(order.get("weight") or "1")):
        yield "weight"
    yield from _faults_of_window(order)


def _faults_of_window(order: Mapping[str, Any]) -> Iterator[str]:
    begins, ends = (str(order.get(name) or "") for name in ("pickupStartTime", "pickupEndTime"))
    if order.get("dayType", "") not in _DAYS:
        yield "dayType"
    if not begins and not ends:
        return
    if not _CLOCK.fullmatch(begins) or not _CLOCK.fullmatch(ends) or _minutes(ends) - _minutes(begins) < 60:
        yield "pickupStartTime"


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def as_label_order(order: Mapping[str, Any]) -> dict[str, Any]:
    """The same order in the words of `label/order`."""
    people = {
        side: {"name": order[f"{side}Name"], "mobile": order[f"{side}Mobile"], "printAddr": order[f"{side}PrintAddr"]}
        for side in ("recMan", "sendMan")
    }
    code = str(order.get("thirdOrderId") or "")
    return {**people, "kuaidicom": order["kuaidicom"], "orderId": code, "printType": "NON"}


def names_of(waybill_no: str) -> tuple[str, str]:
    """What an order is called there: its orderId and its taskId."""
    digest = hashlib.sha256(f"border:{waybill_no}".encode()).hexdigest()
    return f"2{int(digest, 16) % 10**8:08d}", digest[:32].upper()


def order_push(com: str, number: str, order_id: str, state: str) -> dict[str, Any]:
    """The param of a push about an order; it carries no time."""
    order = {"orderId": order_id, "status": state, "courierName": "", "courierMobile": "", "weight": "", "freight": ""}
    return {"kuaidicom": com, "kuaidinum": number, "status": "200", "message": "成功", "data": order}
