"""What Jushuitan demands of a call: the signed form, its time, the token, the fields and sums of an order.

Sources: public clients of the platform and their notes. Written apart from our own connector on purpose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

CLOCK_TOLERANCE = timedelta(minutes=15)
LONGEST_WINDOW = timedelta(days=7)
MOST_ORDERS, MOST_SKUS, MOST_NUMBERS, MOST_PARCELS = 50, 100, 20, 50

_SYSTEM = ("app_key", "access_token", "timestamp", "charset", "version", "biz", "sign")
_HEADER = (
    "shop_id", "so_id", "order_date", "shop_status", "shop_buyer_id", "receiver_state", "receiver_city",
    "receiver_district", "receiver_address", "receiver_name", "receiver_mobile", "pay_amount", "freight",
    "shop_modified", "items",
)  # fmt: skip
_ITEM = ("sku_id", "shop_sku_id", "name", "qty", "base_price", "amount", "outer_oi_id")
_PAY = ("outer_pay_id", "pay_date", "payment", "seller_account", "buyer_account", "amount")
_STATES = ("WAIT_BUYER_PAY", "WAIT_SELLER_SEND_GOODS", "TRADE_FINISHED", "TRADE_CLOSED")


@dataclass
class Refusal(Exception):
    """A call that Jushuitan refuses as a whole."""

    code: int
    reason: str


def check_form(form: Mapping[str, str], app_key: str, app_secret: str, now: datetime, *, wants_token: bool) -> None:
    """Raise the refusal that a form gets before anybody looks into it."""
    wanted = _SYSTEM if wants_token else ("app_key", "timestamp", "charset", "sign")
    for name in wanted:
        if not form.get(name):
            raise Refusal(-1, f"参数缺失：{name}")
    parts = sorted((name, value) for name, value in form.items() if name != "sign")
    text = app_secret + "".join(name + value for name, value in parts)
    if form["app_key"] != app_key or form["sign"] != hashlib.md5(text.encode("utf-8")).hexdigest():
        raise Refusal(10, "签名错误")
    if not form["timestamp"].isdecimal() or abs(int(form["timestamp"]) - now.timestamp()) > CLOCK_TOLERANCE.seconds:
        raise Refusal(140, "时间戳与服务器相差超过15分钟")
    if wants_token and form["version"] != "2":
        raise Refusal(-1, "version")


def read_biz(form: Mapping[str, str]) -> Any:
    try:
        return json.loads(form["biz"], parse_float=Decimal)
    except ValueError:
        raise Refusal(-1, "biz 不是合法的 JSON") from None


def find_problem(row: Mapping[str, Any], shop_id: int) -> str:
    """The first thing wrong with one order of an upload; empty when nothing is."""
    missing = [name for name in _HEADER if row.get(name) in (None, "", [])]
    if missing:
        return f"{missing[0]} 不能为空"
    if not isinstance(row["shop_id"], int) or row["shop_id"] != shop_id:
        return "店铺不存在或未授权"
    if not isinstance(row["so_id"], str) or len(row["so_id"]) > 50:
        return "so_id 长度不能超过50"
    if row["shop_status"] not in _STATES:
        return "shop_status 不正确"
    for name in ("order_date", "shop_modified"):
        if not is_time(row[name]):
            return f"{name} 格式不正确"
    problems = (_item_problem(item) for item in row["items"])
    return next((problem for problem in problems if problem), "") or _money_problem(row)


def _item_problem(item: Any) -> str:
    if not isinstance(item, dict) or any(item.get(name) in (None, "") for name in _ITEM):
        return "商品明细缺少必填字段"
    if not isinstance(item["qty"], int) or item["qty"] < 1:
        return "qty 必须为正整数"
    return "" if all(_is_money(item[name]) for name in ("base_price", "amount")) else "金额格式不正确"


def _money_problem(row: Mapping[str, Any]) -> str:
    """sum(items) + freight = pay_amount = sum(pay); an unpaid order carries no payment, a paid one does."""
    if not all(_is_money(row[name]) for name in ("pay_amount", "freight")):
        return "金额格式不正确"
    if sum(Decimal(item["amount"]) for item in row["items"]) + Decimal(row["freight"]) != Decimal(row["pay_amount"]):
        return "应付金额与明细金额不一致"
    pay = row.get("pay")
    if row["shop_status"] == "WAIT_BUYER_PAY" or row.get("is_cod"):
        return "" if pay is None else "未付款订单不能有支付信息"
    if not isinstance(pay, dict) or any(pay.get(name) in (None, "") for name in _PAY):
        return "已付款订单缺少支付信息"
    return "" if Decimal(pay["amount"]) == Decimal(row["pay_amount"]) else "支付金额与应付金额不一致"


def _is_money(value: Any) -> bool:
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and exponent >= -2
    return isinstance(value, int) and not isinstance(value, bool)


def is_time(text: Any) -> bool:
    try:
        datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - only its form is looked at
    except ValueError:
        return False
    return True
