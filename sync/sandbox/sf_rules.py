"""What Fengqiao's gateway demands of a request: digest, time, requestID, fields of an order, the monthly card.

Sources: public clients of Fengqiao and the demo order of SF's own sample. Written apart from our own connector on
purpose.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

PATH = "/std/service"
CLOCK_TOLERANCE = timedelta(minutes=15)
_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*")
_ENVELOPE = ("partnerID", "requestID", "serviceCode", "timestamp", "msgDigest", "msgData")
_CONTACT = ("contact", "province", "city", "county", "address")
_EMPTY = {1: ("1010", "寄件信息为空"), 2: ("1014", "收件信息为空")}


@dataclass
class Refusal(Exception):
    """A request that SF refuses: a gateway's code begins with A, a service's does not."""

    code: str
    reason: str


def java_urlencode(text: str) -> str:
    """What java.net.URLEncoder makes of a text in UTF-8, byte by byte."""
    return "".join(
        chr(byte) if byte in _KEPT else "+" if byte == 0x20 else f"%{byte:02X}" for byte in text.encode("utf-8")
    )


def digest(text: str) -> str:
    return base64.b64encode(hashlib.md5(java_urlencode(text).encode()).digest()).decode()


def check_envelope(form: Mapping[str, str], partner_id: str, checkword: str, now: datetime) -> None:
    for name in _ENVELOPE:
        if not form.get(name):
            raise Refusal("A1001", f"必传参数为空：{name}")
    if form["partnerID"] != partner_id:
        raise Refusal("A1004", "无对应服务权限")
    timestamp = form["timestamp"]
    if not timestamp.isdecimal() or abs(int(timestamp) / 1000 - now.timestamp()) > CLOCK_TOLERANCE.total_seconds():
        raise Refusal("A1002", "请求时效已过期")
    if form["msgDigest"] != digest(form["msgData"] + timestamp + checkword):
        raise Refusal("A1006", "数字签名无效")


def read_message(form: Mapping[str, str]) -> dict[str, Any]:
    try:
        message = json.loads(form["msgData"])
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise Refusal("S0001", "非法的JSON格式")
    return message


def check_order(order: Mapping[str, Any], monthly_cards: frozenset[str]) -> None:
    """Raise the refusal that a bad order gets."""
    for name in ("orderId", "cargoDetails", "contactInfoList", "expressTypeId", "language"):
        if not order.get(name):
            raise Refusal("S0002", f"必填参数为空：{name}")
    if len(order["orderId"]) > 64:
        raise Refusal("S0004", "参数超过最大长度：orderId")
    if any(not cargo.get("name") for cargo in order["cargoDetails"]):
        raise Refusal("S0002", "必填参数为空：cargoDetails.name")
    for contact_type in (1, 2):
        found = [who for who in order["contactInfoList"] if who.get("contactType") == contact_type]
        if len(found) != 1 or any(not found[0].get(name) for name in _CONTACT):
            raise Refusal(*_EMPTY[contact_type])
        if not (found[0].get("mobile") or found[0].get("tel")):
            raise Refusal("1012" if contact_type == 1 else "1016", "电话为空")
    if order.get("monthlyCard") not in (None, "", *monthly_cards):
        raise Refusal("8119", "月结卡号不存在或已失效")
    for service in order.get("serviceList") or ():
        if service.get("name") == "COD" and not (service.get("value") and service.get("value1")):
            raise Refusal("S0002", "必填参数为空：代收货款")
