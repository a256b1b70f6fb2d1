"""What an ONEX OMS demands of a call: signature, time, no repeats, an order's shape; and how it words its answers.

Sources: a running OMS 8.0.0 and its public source. Written apart from our own connector on purpose.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from sync.sandbox.http import Response

ORDER_PATH = "/index.php/api"
QUERY_PATH = "/index.php/openapi/rpc/service"
CLOCK_TOLERANCE = timedelta(hours=1)
METHODS = ("stock.getBnStock", "stock.getAll", "orders.getList", "sales.getDeliveryList")
MOST_ROWS = {"stock.getAll": 100}
"""Rows a page; 1000 for the other methods."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REFUNDED = ("4", "5", "7", "8")
_WORDS = {
    "e000001": "system params lost or error",
    "e000002": "sign error",
    "e000003": "class or method not exist",
    "e000006": "application params error",
    "e000008": "refer server time invalid",
    "e000009": "repeat request invalid",
}


@dataclass
class OrderRefused(Exception):
    """What the matrix RPC refuses: `res`, the message, and the order it names."""

    message: str
    res: str = "4007"
    data: Any = None


@dataclass
class QuestionRefused(Exception):
    """What the open API refuses."""

    code: str
    sub_msg: str = ""


def read_form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))


def signature(fields: Mapping[str, str], secret: str) -> str:
    """Of a form, whose values are all texts."""
    whole = "".join(name + fields[name] for name in sorted(fields) if name != "sign")
    inner = hashlib.md5(whole.encode()).hexdigest().upper()
    return hashlib.md5((inner + secret).encode()).hexdigest().upper()


def check_signature(form: Mapping[str, str], token: str) -> None:
    if form.get("sign") != signature(form, token):
        raise OrderRefused("sign error", "4003", [])
    if form.get("method") != "ome.order.add":
        raise OrderRefused("error method", "4001", [])


def check_node(form: Mapping[str, str], node_id: str) -> None:
    if form.get("node_id") != node_id:
        raise OrderRefused("节点不存在", data={})


def read_objects(form: Mapping[str, str]) -> list[dict[str, Any]]:
    """The order's lines; an order without a number or without lines is incomplete."""
    try:
        objects = json.loads(form.get("order_objects", ""))
    except ValueError:
        objects = None
    if not form.get("order_bn") or not isinstance(objects, list) or not objects:
        raise OrderRefused("接收数据不完整", data={"tid": form.get("order_bn")})
    return objects


def check_new(form: Mapping[str, str]) -> None:
    """What is refused of an order that is not there yet."""
    reasons = {
        "已发货订单不接收": form.get("ship_status") != "0",
        "完成订单不接收": form.get("status") != "active",
        "退款订单不接收": form.get("pay_status") in _REFUNDED,
    }
    for message, is_so in reasons.items():
        if is_so:
            raise OrderRefused(message, data={"tid": form["order_bn"]})


def check_question(form: Mapping[str, str], flag: str, key: str, now: datetime) -> None:
    """Everything but the repeat, which needs a memory."""
    if not all(form.get(name) for name in ("method", "flag", "sign", "timestamp")):
        raise QuestionRefused("e000001")
    stamp = form["timestamp"]
    if not stamp.isdecimal() or abs(int(stamp) - now.timestamp()) > CLOCK_TOLERANCE.total_seconds():
        raise QuestionRefused("e000008")
    if form["flag"] != flag or form["sign"] != signature(form, key):
        said = "".join(name + form[name] for name in sorted(form) if name != "sign")
        raise QuestionRefused("e000002", json.dumps({"request_sign": form["sign"], "assemble_str": said}))
    if form["method"] not in METHODS:
        raise QuestionRefused("e000003")


def period(form: Mapping[str, str], start: str, end: str) -> tuple[str, str]:
    """Two times as texts, which compare as they are; the method cannot do without them."""
    if not _DATE.match(form.get(start, "")) or not _DATE.match(form.get(end, "")):
        raise QuestionRefused("e000006")
    return form[start], form[end]


def page_of(rows: list[Any], form: Mapping[str, str]) -> list[Any]:
    most = MOST_ROWS.get(form["method"], 1000)
    size, page = (int(form.get(name, "0") or 0) for name in ("page_size", "page_no"))
    size = size if 0 < size <= most else 100
    return rows[(max(page, 1) - 1) * size :][:size]


def numbered(rows: list[Any]) -> dict[str, Any]:
    """A list as most methods write it: an object with numbers for names."""
    return {str(place): row for place, row in enumerate(rows, 1)}


def order_answer(message: str, order_bn: str, *, note: str) -> Response:
    said = {"rsp": "succ", "msg": message, "data": {"tid": order_bn}}
    return _written({"rsp": "succ", "data": said, "res": ""}, note)


def queue_answer() -> Response:
    return _written({"rsp": "succ", "data": {"msg": "the order rpc is into mq now !!!"}, "res": ""}, "queued")


def replay_answer() -> Response:
    return _written({"rsp": "succ", "data": None, "res": "该请求已经处理，不能在处理了！"}, "replayed")


def crash_answer() -> Response:
    """PHP died: what its last hook could still write."""
    return _written({"rsp": "fail", "res": "", "data": None}, "crashed")


def refusal(refused: OrderRefused) -> Response:
    said = {"rsp": "fail", "res": refused.res, "data": refused.data, "msg": refused.message}
    return _written(said, f"refused {refused.res} {refused.message}")


def response(value: Any, *, note: str) -> Response:
    return _written({"response": value}, note)


def question_refusal(refused: QuestionRefused) -> Response:
    """Pieced together by hand there, so that quotes inside `sub_msg` make it no JSON."""
    words = f'"code":"{refused.code}","msg":"{_WORDS[refused.code]}","sub_msg":"{refused.sub_msg}"'
    body = f'{{"error_response":{{{words}}}}}'
    return Response(200, body.encode(), "text/html; charset=UTF-8", note=f"refused {refused.code}")


def _written(value: Any, note: str) -> Response:
    return Response(200, json.dumps(value).encode(), "text/html; charset=UTF-8", note=note)
