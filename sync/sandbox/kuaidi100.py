"""Kuaidi100: waybills, ordered couriers, cancels, queries and subscriptions on the paths it offers them at.

With `reorder` false an orderId brings the first waybill again for 48 hours of machine time; otherwise every call issues
a new number, as the documents say; an ordered courier (merchant pickup) always does. Sources: public field tables, the
vendor's demo code.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from sync.clock import BusinessClock
from sync.sandbox import kuaidi100_pickup
from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.journeys import JourneyMix, Parcel, Scan, plan_journey, wire_time
from sync.sandbox.kuaidi100_rules import (
    COMPANIES,
    PREFIXES,
    STATES,
    WANT_PHONE,
    Refusal,
    check_order,
    check_sign,
    city_of,
    phone_tails,
    read_param,
)
from sync.sandbox.peer import Ask, Peer, json_response

ORDER_PATH, QUERY_PATH, SUBSCRIBE_PATH = "/label/order", "/poll/query.do", "/poll"
QUERIES_A_DAY = 48


@dataclass(slots=True)
class Kuaidi100Parcel(Parcel):
    """A parcel of Kuaidi100's. `callback` is where its pushes go, `salt` what they are signed with."""

    salt: str = ""
    issued_s: float = 0.0
    ordered_as: tuple[str, str] | None = None
    """orderId and taskId of an ordered courier."""

    def result(self, scans: tuple[Scan, ...], *, com: str = "") -> dict[str, Any]:
        """lastResult of a push and the reply of a query: the full history, newest first."""
        rows = [_row(scan) for scan in reversed(scans)]
        state = rows[0]["statusCode"] if rows else "0"
        return {
            "message": "ok",
            "state": state,
            "status": "200",
            "condition": "F00",
            "ischeck": "1" if state.startswith("3") else "0",
            "com": com or self.shipper_code,
            "nu": self.waybill_no,
            "data": rows,
        }


def _row(scan: Scan) -> dict[str, str]:
    code, word = STATES[scan.action]
    at = wire_time(scan.at)
    return {
        "time": at,
        "ftime": at,
        "context": scan.text,
        "status": word,
        "statusCode": code,
        "areaCode": "",
        "areaName": scan.location,
        "location": "",
    }


@dataclass(slots=True)
class SandboxKuaidi100(Peer):
    """`follow` is told of every parcel that is to be tracked by pushes.

    `numbers_later`: the answer to an ordered courier names the order and no waybill number yet.
    """

    clock: BusinessClock
    key: str
    secret: str
    customer: str
    mix: JourneyMix = field(default_factory=JourneyMix)
    follow: Callable[[Kuaidi100Parcel], None] = lambda parcel: None
    repeat_window_s: float = 48 * 3600
    numbers_later: bool = False
    name: ClassVar[str] = "kuaidi100"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _by_order: dict[str, Kuaidi100Parcel] = field(default_factory=dict, repr=False)
    _by_waybill: dict[str, Kuaidi100Parcel] = field(default_factory=dict, repr=False)
    _subscribed: set[tuple[str, str]] = field(default_factory=set, repr=False)
    _queries: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)

    def understand(self, request: Request) -> Ask:
        form = dict(parse_qsl(request.body.decode("utf-8", errors="replace"), keep_blank_values=True))
        operation = _operation(request, form)
        try:
            param = read_param(form.get("param", ""))
        except Refusal:
            param = {}
        key = next(
            (str(param[name]) for name in ("kuaidinum", "num", "number", "thirdOrderId", "orderId") if param.get(name)),
            "",
        )
        is_pickup = request.path == kuaidi100_pickup.PICKUP_PATH
        way = f"{operation} by courier" if is_pickup else operation
        return Ask(operation, key, lambda draw: self._perform(way, form, draw))

    def refuse_business(self, code: str, reason: str) -> Response:
        return json_response({"result": False, "returnCode": code, "message": reason}, note=f"refused {code}")

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            for memory in (self._by_order, self._by_waybill, self._subscribed, self._queries):
                memory.clear()

    def _perform(self, operation: str, form: Mapping[str, str], draw: Draw) -> Response:
        perform = {
            "book_waybill": self._book,
            "cancel_waybill": self._cancel,
            "query_tracking": self._query,
            "subscribe": self._subscribe,
            "book_waybill by courier": self._order_courier,
            "cancel_waybill by courier": self._cancel_courier,
        }.get(operation)
        try:
            if perform is None:
                raise Refusal("400", "参数错误：method")
            return perform(form)
        except Refusal as refusal:
            if operation in ("book_waybill", "cancel_waybill"):
                body = {"code": int(refusal.code), "success": False, "message": refusal.message, "data": None}
                return json_response(body, note=f"refused {refusal.code}")
            return self.refuse_business(refusal.code, refusal.message)

    def _signed_param(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The param of a `label/order` call that is signed with key, secret and a time in milliseconds."""
        if form.get("key") != self.key:
            raise Refusal("600", "您不是合法的用户")
        t = form.get("t", "")
        if len(t) != 13 or not t.isdecimal():
            raise Refusal("400", "参数错误：t")
        check_sign(form.get("sign", ""), form.get("param", ""), t, self.key, self.secret)
        return read_param(form["param"])

    def _book(self, form: Mapping[str, str]) -> Response:
        order = self._signed_param(form)
        check_order(order)
        with self._lock:
            known = self._known(order)
            parcel = known or self._issue(order)
        if known is None and order.get("needSubscribe"):
            self._start_following(parcel, str(order["pollCallBackUrl"]), str(order.get("salt") or ""))
        body = {"code": 200, "success": True, "message": "success", "time": 120, "data": parcel.answer}
        return json_response(body, note="adopted" if known else "issued")

    def _order_courier(self, form: Mapping[str, str]) -> Response:
        """Every call orders another courier: nothing promises that a repeat is known."""
        order = self._signed_param(form)
        kuaidi100_pickup.check_order(order)
        with self._lock:
            parcel = self._issue(kuaidi100_pickup.as_label_order(order))
            parcel.ordered_as = order_id, task_id = kuaidi100_pickup.names_of(parcel.waybill_no)
        self._start_following(parcel, order["callBackUrl"], order.get("salt", ""))
        number = "" if self.numbers_later else parcel.waybill_no
        data = {"kuaidinum": number, "orderId": order_id, "attach": None, "taskId": task_id}
        body = {"data": data, "message": "提交成功", "result": True, "returnCode": "200"}
        return json_response(body, note="issued")

    def _cancel_courier(self, form: Mapping[str, str]) -> Response:
        param = self._signed_param(form)
        names = (param.get("orderId"), param.get("taskId"))
        with self._lock:
            parcel = next((one for one in self._by_waybill.values() if one.ordered_as == names), None)
            if parcel is None:
                raise Refusal("500", "取消失败，订单不存在")
            self._void(parcel)
        self.ledger.record_cancel(parcel.order_code)
        return json_response({"data": {}, "message": "取消成功", "result": True, "returnCode": "200"}, note="cancelled")

    def _known(self, order: Mapping[str, Any]) -> Kuaidi100Parcel | None:
        if order.get("reorder", True) or not order.get("orderId"):
            return None
        parcel = self._by_order.get(str(order["orderId"]))
        is_fresh = parcel is not None and time.monotonic() - parcel.issued_s < self.repeat_window_s
        return parcel if is_fresh else None

    def _issue(self, order: Mapping[str, Any]) -> Kuaidi100Parcel:
        """Issue a waybill; called with the lock held."""
        code, com = str(order.get("orderId") or ""), order["kuaidicom"]
        number = self._number(com, code)
        dice = random.Random(f"{self.injector.seed}:journey:{code}")  # noqa: S311 - not a secret
        kind = self.mix.choose(len(self._by_waybill) + 1, dice)
        issued_at = self.clock.now()
        parcel = Kuaidi100Parcel(
            order_code=code,
            shipper_code=com,
            waybill_no=number,
            callback="",
            kind=kind,
            scans=plan_journey(kind, issued_at, dice, city_of(order["sendMan"]), city_of(order["recMan"])),
            answer=_answer(order, number),
            phone_tails=phone_tails(order),
            issued_s=time.monotonic(),
        )
        self._by_order[code] = self._by_waybill[number] = parcel
        at = issued_at.isoformat(timespec="seconds")
        self.ledger.record_waybill(code, number, shipper_code=com, callback="", journey=kind.value, at=at)
        return parcel

    def _number(self, com: str, order_id: str) -> str:
        """A free number in the courier's format; it follows from seed and orderId, so a restart repeats none."""
        prefix, digits = PREFIXES.get(com, (com[:2].upper(), 12))
        for salt in range(1000):
            digest = hashlib.sha256(f"{self.injector.seed}:k100:{order_id}:{salt}".encode()).hexdigest()
            number = f"{prefix}{int(digest, 16) % 10**digits:0{digits}d}"
            if number not in self._by_waybill:
                return number
        raise RuntimeError("no free waybill number")

    def _start_following(self, parcel: Kuaidi100Parcel, url: str, salt: str) -> None:
        with self._lock:
            is_new, parcel.is_followed = not parcel.is_followed, True
            parcel.callback, parcel.salt = url, salt
        if is_new:
            self.follow(parcel)

    def _cancel(self, form: Mapping[str, str]) -> Response:
        param = self._signed_param(form)
        with self._lock:
            parcel = self._by_waybill.get(str(param.get("kuaidinum") or ""))
            if parcel is None or parcel.shipper_code != param.get("kuaidicom"):
                raise Refusal("500", "取消失败，单号不存在")
            if param.get("orderId") != parcel.answer["kdComOrderNum"]:
                raise Refusal("400", "参数错误：orderId")
            self._void(parcel)
        self.ledger.record_cancel(parcel.order_code)
        return json_response({"code": 200, "success": True, "message": "取消成功", "data": {}}, note="cancelled")

    def _void(self, parcel: Kuaidi100Parcel) -> None:
        """Called with the lock held; raises Refusal."""
        if parcel.is_cancelled:
            raise Refusal("500", "取消失败，订单已取消")
        if any(scan.action == "1" for scan in parcel.scans_until(self.clock.now())):
            raise Refusal("201", "取消失败，快件已揽收")
        parcel.is_cancelled = True

    def _query(self, form: Mapping[str, str]) -> Response:
        check_sign(form.get("sign", ""), form.get("param", ""), self.key, self.customer)
        if form.get("customer") != self.customer:
            raise Refusal("600", "您不是合法的用户")
        param = read_param(form["param"])
        com, number = str(param.get("com") or ""), str(param.get("num") or "")
        if not com or not number:
            raise Refusal("400", "参数错误：com")
        day = wire_time(self.clock.now())[:10]
        with self._lock:
            self._queries[(number, day)] += 1
            if self._queries[(number, day)] > QUERIES_A_DAY:
                raise Refusal("500", "同一单号查询过于频繁，已锁定24小时")
            parcel = self._by_waybill.get(number)
        if parcel is None or parcel.shipper_code != com:
            raise Refusal("500", "查询无结果，请隔段时间再查")
        if com in WANT_PHONE and str(param.get("phone") or "")[-4:] not in parcel.phone_tails:
            raise Refusal("400", "参数错误：phone 电话号码校验失败")
        scans = parcel.scans_until(self.clock.now())
        if not scans:
            raise Refusal("500", "查询无结果，请隔段时间再查")
        return json_response(parcel.result(scans), note="traces")

    def _subscribe(self, form: Mapping[str, str]) -> Response:
        if form.get("schema") != "json":
            raise Refusal("400", "参数错误：schema")
        param = read_param(form.get("param", ""))
        if param.get("key") != self.key:
            raise Refusal("600", "您不是合法的用户")
        com, number, wishes = param.get("company"), str(param.get("number") or ""), param.get("parameters")
        if com not in COMPANIES:
            raise Refusal("701", "拒绝订阅的快递公司")
        if not number or not isinstance(wishes, dict) or not str(wishes.get("callbackurl", "")).startswith("http"):
            raise Refusal("700", "订阅数据错误")
        with self._lock:
            is_new = (com, number) not in self._subscribed
            self._subscribed.add((com, number))
            parcel = self._by_waybill.get(number)
        if not is_new or (parcel is not None and parcel.is_followed):
            raise Refusal("501", "POLL:重复订阅")
        # A subscription says nothing about a right pair of courier and number: the answer is the same.
        if parcel is not None and parcel.shipper_code == com:
            self._start_following(parcel, wishes["callbackurl"], str(wishes.get("salt") or ""))
        return json_response({"result": True, "returnCode": "200", "message": "提交成功"}, note="subscribed")


def _operation(request: Request, form: Mapping[str, str]) -> str:
    if request.method != "POST":
        return "unknown"
    if request.path == QUERY_PATH:
        return "query_tracking"
    if request.path == SUBSCRIBE_PATH:
        return "subscribe"
    methods = {
        ORDER_PATH: {"order": "book_waybill", "cancel": "cancel_waybill"},
        kuaidi100_pickup.PICKUP_PATH: {"bOrder": "book_waybill", "cancel": "cancel_waybill"},
    }
    return methods.get(request.path, {}).get(form.get("method", ""), "unknown")


def _answer(order: Mapping[str, Any], number: str) -> dict[str, Any]:
    digest = hashlib.sha256(number.encode()).hexdigest()
    wants_label = order["printType"] in ("IMAGE", "HTML")
    kind = "png" if order["printType"] == "IMAGE" else "html"
    return {
        "taskId": digest[:32].upper(),
        "kuaidinum": number,
        "childNum": "",
        "returnNum": "",
        "label": f"https://label.example.test/{digest[:8]}.{kind}" if wants_label else "",
        "kdComOrderNum": f"K{digest[:12].upper()}",
        "bulkpen": city_of(order["recMan"]),
    }
