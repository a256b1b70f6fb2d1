"""What Wangdiantong's gateway demands of a call: account, time, a signature over the body, the fields of a raw trade.

Source: the vendor's public documents of the flagship edition. Written apart from our own connector on purpose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

CHINA = timezone(timedelta(hours=8))
EPOCH = datetime(2012, 1, 1, tzinfo=CHINA)
CLOCK_TOLERANCE_S = 120
LONGEST_WINDOW = timedelta(days=30)
MOST_ROWS = 1000

_TRADE = (
    "tid", "process_status", "trade_status", "refund_status", "pay_status", "order_count", "goods_count", "pay_method",
    "trade_time", "end_time", "buyer_nick", "receiver_name", "receiver_area", "receiver_address", "receiver_mobile",
    "post_amount", "discount", "receivable", "delivery_term", "is_auto_wms", "warehouse_no",
)  # fmt: skip
_LINE = (
    "tid", "oid", "status", "refund_status", "goods_id", "spec_id", "goods_no", "spec_no", "goods_name", "num", "price",
    "discount", "share_discount", "total_amount", "adjust_amount", "refund_amount", "remark", "json",
)  # fmt: skip
_LENGTHS = {"tid": 40, "oid": 40, "receiver_area": 40, "receiver_address": 256, "receiver_name": 100, "spec_no": 40}
_TRADE_STATES = (10, 20, 30, 40, 50, 60, 70, 80, 90)
_SYSTEM = ("sid", "key", "salt", "method", "timestamp", "v", "sign")


@dataclass
class Refusal(Exception):
    """A call that is refused as a whole."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Account:
    """Who may call."""

    sid: str
    key: str
    secret: str
    salt: str


def check_query(query: Mapping[str, str], body: bytes, account: Account, now: datetime) -> None:
    """Raise the refusal that a call gets before anybody looks into it."""
    for name in _SYSTEM:
        if name not in query:
            raise Refusal(2, name)
    if query["sid"] != account.sid:
        raise Refusal(1, "sid is not exists")
    if (query["key"], query["salt"]) != (account.key, account.salt):
        raise Refusal(1, "app auth fail")
    if query["v"] != "1.0":
        raise Refusal(8, "版本错误")
    if not query["timestamp"].lstrip("-").isdecimal() or len(query["timestamp"]) > 10:
        raise Refusal(1, f'For input string: "{query["timestamp"]}"')
    if abs(int(query["timestamp"]) - (now - EPOCH).total_seconds()) > CLOCK_TOLERANCE_S:
        raise Refusal(7, "时间戳错误")
    signed = {name: value for name, value in query.items() if name != "sign"} | {"body": body.decode("utf-8")}
    text = account.secret
    for name in sorted(signed):
        text += name + signed[name]
    if hashlib.md5((text + account.secret).encode()).hexdigest() != query["sign"]:
        raise Refusal(1, "验证失败")


def read_arguments(body: bytes, count: int) -> list[Any]:
    """The positional arguments of a method that takes so many."""
    try:
        found = json.loads(body, parse_float=Decimal)
    except ValueError:
        found = None
    if not isinstance(found, list) or len(found) != count:
        raise Refusal(1, "invalid argument count")
    return found


def read_page(query: Mapping[str, str], method: str) -> tuple[int, int]:
    """First row and number of rows of the page that is asked for."""
    size, number = query.get("page_size", ""), query.get("page_no", "")
    if not size.isdecimal() or not number.isdecimal():
        raise Refusal(100, f"此方法仅支持分页查询：{method}")
    if not 0 < int(size) <= MOST_ROWS:
        raise Refusal(100, "page_size 不正确")
    return int(size) * int(number), int(size)


def read_window(asked: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """The time of change that is asked for; its end is written without its fraction."""
    if not asked.get("start_time") or not asked.get("end_time"):
        raise Refusal(100, "参数中必须包含起止时间")
    begin, end = read_time(asked["start_time"]), read_time(asked["end_time"])
    if end - begin > LONGEST_WINDOW:
        raise Refusal(100, "您的查询时间过宽,查询时间不能大于30天")
    return begin, end + timedelta(seconds=1)


def read_time(text: Any) -> datetime:
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        raise Refusal(100, f"Unparseable date: {text}") from None


def find_problem(trade: Mapping[str, Any], lines: list[Mapping[str, Any]], now: datetime) -> str:
    """Why a raw trade is refused; empty when it is taken."""
    for fields, wanted in ((trade, _TRADE), *((line, _LINE) for line in lines)):
        for name in wanted:
            if name not in fields or (fields[name] is None and name != "end_time"):
                return f"{name}must not be null"
        for name, most in _LENGTHS.items():
            if len(str(fields.get(name, ""))) > most:
                return f"Data truncation: Data too long for column {name}"
    return _contact_problem(trade) or _state_problem(trade, now) or _money_problem(trade, lines)


def _contact_problem(trade: Mapping[str, Any]) -> str:
    if "*" in f"{trade['receiver_mobile']}{trade.get('receiver_telno', '')}":
        return "电话号码不能包含*"
    if not (trade["receiver_mobile"] or trade.get("receiver_telno")):
        return "receiver_mobile不能为空"
    if trade["receiver_mobile"] and not (trade["receiver_mobile"].isdecimal() and len(trade["receiver_mobile"]) == 11):
        return "receiver_mobile格式错误"
    if not all(str(trade[name]).strip() for name in ("buyer_nick", "receiver_name", "receiver_address")):
        return f"昵称/收件人姓名/收件人地址/买家留言包含非法字符或为空,原始单号为：{trade['tid']}"
    return "" if len(trade["receiver_area"].split(" ")) == 3 else "省市区格式错误"


def _state_problem(trade: Mapping[str, Any], now: datetime) -> str:
    if trade["trade_status"] not in _TRADE_STATES or trade["pay_status"] not in (0, 1, 2):
        return "状态不正确"
    try:
        placed_at = read_time(trade["trade_time"])
    except Refusal as refusal:
        return refusal.message
    return f"下单时间非法,原始单号为：{trade['tid']}" if placed_at > now else ""


def _money_problem(trade: Mapping[str, Any], lines: list[Mapping[str, Any]]) -> str:
    """Counts and sums that agree: lines - discount + post + other = receivable, shares = discount."""
    if trade["order_count"] != len(lines) or trade["goods_count"] != sum(line["num"] for line in lines):
        return "数量不合法"
    amounts = sum(Decimal(line["total_amount"]) for line in lines)
    shares = sum(Decimal(line["share_discount"]) for line in lines)
    fees = Decimal(trade["post_amount"]) + Decimal(trade.get("other_amount") or 0)
    if shares != Decimal(trade["discount"]) or amounts - shares + fees != Decimal(trade["receivable"]):
        return "金额不合法"
    return ""
