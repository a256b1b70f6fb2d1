"""KDNiao's gateway: form post in, JSON out, with its own signature check and its own idea of a good order.

It issues one waybill for an OrderCode, ever: a repeat is answered 106 with the whole first answer, as a captured
reply of the real gateway shows. Sources: public field tables, vendor samples, a captured 106 of 2019.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from sync.clock import BusinessClock
from sync.sandbox import kdniao_pickup
from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.journeys import JourneyKind, JourneyMix, Parcel, plan_journey, wire_time
from sync.sandbox.kdniao_pickup import PickupDesk
from sync.sandbox.kdniao_rules import FREE_QUERY, Refusal, check_order, has_forbidden, sign
from sync.sandbox.peer import Ask, Peer, json_response

_BOM = b"\xef\xbb\xbf"
_ENVELOPE = ("RequestData", "EBusinessID", "RequestType", "DataSign", "DataType")
_OPERATIONS = {
    "1007": "book_waybill",
    "1147": "cancel_waybill",
    "8001": "query_tracking",
    "8002": "query_tracking",
    "1002": "query_tracking",
    "8008": "subscribe_tracking",
    "1008": "subscribe_tracking",
    "2002": "recognise",
    **kdniao_pickup.OPERATIONS,
}
_PREFIXES = {
    "SF": ("SF", 13),
    "ZTO": ("7", 13),
    "YTO": ("YT", 13),
    "STO": ("77", 13),
    "YD": ("46", 13),
    "JTSD": ("JT", 13),
    "EMS": ("1", 12),
    "YZPY": ("98", 11),
    "JD": ("JDVA", 11),
    "DBL": ("DPK", 12),
    "HTKY": ("5", 14),
}


@dataclass(slots=True)
class SandboxKdniao(Peer):
    """`follow` is told of every parcel that is to be tracked by pushes."""

    clock: BusinessClock
    ebusiness_id: str
    app_key: str
    mix: JourneyMix = field(default_factory=JourneyMix)
    follow: Callable[[Parcel], None] = lambda parcel: None
    name: ClassVar[str] = "carrier"
    free_queries: int = 500
    """How many calls of the free query a day's quota holds; the sandbox's day never ends."""
    pickups: PickupDesk = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _by_order: dict[str, Parcel] = field(default_factory=dict, repr=False)
    _by_waybill: dict[str, Parcel] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.pickups = PickupDesk(self._is_picked_up)

    def understand(self, request: Request) -> Ask:
        if request.method != "POST":
            return Ask("unknown", "", lambda _: json_response({"error": "POST only"}, 405, note="refused 405"))
        form = dict(parse_qsl(request.body.decode("utf-8", errors="replace"), keep_blank_values=True))
        operation = _OPERATIONS.get(form.get("RequestType", ""), "unknown")
        data = _read_object(form.get("RequestData", ""))
        names = (
            ("OrderCode",) if operation in ("book_waybill", "book_pickup") else ("LogisticCode", "ExpNo", "OrderCode")
        )
        key = next((str(data[name]) for name in names if data and data.get(name)), "")
        return Ask(operation, key, lambda draw: self._perform(form, data, draw))

    def refuse_business(self, code: str, reason: str) -> Response:
        return self._reply({"Success": False, "ResultCode": code, "Reason": reason}, note=f"refused {code}")

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._by_order.clear()
            self._by_waybill.clear()
            self.pickups = PickupDesk(self._is_picked_up)

    def _perform(self, form: Mapping[str, str], data: dict[str, Any] | None, draw: Draw) -> Response:
        try:
            self._check_envelope(form, data)
            if data is None:
                raise Refusal(
                    "401" if form["RequestType"] in ("8001", "8002", "1002") else "103", "RequestData 格式有误"
                )
            body, note = self._dispatch(form["RequestType"], data, draw)
        except Refusal as refusal:
            return self.refuse_business(refusal.code, refusal.reason)
        return self._reply(body, note=note, bom=draw.bom)

    def _check_envelope(self, form: Mapping[str, str], data: dict[str, Any] | None) -> None:
        missing = next((name for name in _ENVELOPE if not form.get(name)), "")
        if missing:
            raise Refusal("101", f"缺少必要参数：{missing}")
        if form["EBusinessID"] != self.ebusiness_id:
            raise Refusal("104", "用户ID不存在")
        if form["DataType"] != "2":
            raise Refusal("103", "格式问题：DataType 应为2")
        if not hmac.compare_digest(form["DataSign"].encode(), sign(form["RequestData"], self.app_key).encode()):
            raise Refusal("102", "验证数据签名失败")
        # The real gateway reports these characters as a bad signature, not as a bad field.
        if has_forbidden(form["RequestData"], data):
            raise Refusal("102", "验证数据签名失败")

    def _dispatch(self, request_type: str, data: dict[str, Any], draw: Draw) -> tuple[dict[str, Any], str]:
        operation = _OPERATIONS.get(request_type)
        if request_type in ("1002", "1008") and data.get("ShipperCode") not in FREE_QUERY:
            raise Refusal("105", "没有可用套餐")
        if request_type == "1002":
            self._use_quota()
        if operation == "book_waybill":
            return self._book(data, draw)
        if operation == "cancel_waybill":
            return self._cancel(data)
        if operation == "query_tracking":
            return self._query(data, request_type)
        if operation == "subscribe_tracking":
            return self._subscribe(data)
        if operation == "recognise":
            return self._recognise(data)
        if request_type in kdniao_pickup.OPERATIONS:
            return self.pickups.answer(request_type, data)
        raise Refusal("105", "没有可用套餐")

    def _use_quota(self) -> None:
        with self._lock:
            self.free_queries -= 1
            if self.free_queries < 0:
                raise Refusal("405", "超出查询次数限制")

    def _book(self, order: dict[str, Any], draw: Draw) -> tuple[dict[str, Any], str]:
        check_order(order)
        with self._lock:
            known = self._by_order.get(order["OrderCode"])
            parcel = known or self._issue(order)
        if known is None:
            if order.get("IsSubscribe") != "0":
                self._start_following(parcel)
            return self._waybill_answer(parcel, order, "100", "成功"), "issued"
        if known.is_cancelled:
            raise Refusal("105", "该订单号已取消，不能重复使用")
        if draw.bare_duplicate:
            return {"ResultCode": "106", "Success": False, "Reason": "该订单号已下单成功"}, "adopted"
        return self._waybill_answer(known, order, "106", "该订单号已下单成功"), "adopted"

    def _issue(self, order: dict[str, Any]) -> Parcel:
        """Issue a waybill; called with the lock held, so that one OrderCode never gets two."""
        code, shipper_code = order["OrderCode"], order["ShipperCode"]
        dice = random.Random(f"{self.injector.seed}:journey:{code}")  # noqa: S311 - not a secret
        issued_at = self.clock.now()
        kind = self.mix.choose(len(self._by_order) + 1, dice)
        origin, destination = order["Sender"]["CityName"], order["Receiver"]["CityName"]
        waybill_no = self._number(shipper_code, code)
        parcel = Parcel(
            order_code=code,
            shipper_code=shipper_code,
            waybill_no=waybill_no,
            callback=str(order.get("CallBack") or ""),
            kind=kind,
            scans=plan_journey(kind, issued_at, dice, origin, destination),
            answer=_first_answer(order, waybill_no, wire_time(issued_at + timedelta(days=2))[:10]),
            phone_tails=_phone_tails(order),
        )
        self._by_order[code] = self._by_waybill[waybill_no] = parcel
        self.ledger.record_waybill(
            code,
            waybill_no,
            shipper_code=shipper_code,
            callback=parcel.callback,
            journey=kind.value,
            at=issued_at.isoformat(timespec="seconds"),
        )
        return parcel

    def _number(self, shipper_code: str, order_code: str) -> str:
        """A free number in the courier's format; it follows from seed and OrderCode, so a restart repeats none."""
        prefix, digits = _PREFIXES.get(shipper_code, (shipper_code[:3].replace("_", ""), 12))
        for salt in range(1000):
            digest = hashlib.sha256(f"{self.injector.seed}:{order_code}:{salt}".encode()).hexdigest()
            number = f"{prefix}{int(digest, 16) % 10**digits:0{digits}d}"
            if number not in self._by_waybill:
                return number
        raise RuntimeError("no free waybill number")

    def _start_following(self, parcel: Parcel) -> None:
        with self._lock:
            is_new, parcel.is_followed = not parcel.is_followed, True
        if is_new:
            self.follow(parcel)

    def _waybill_answer(self, parcel: Parcel, order: Mapping[str, Any], code: str, reason: str) -> dict[str, Any]:
        answer = {**parcel.answer, "Success": True, "ResultCode": code, "Reason": reason}
        answer["UniquerRequestNumber"] = str(uuid.uuid4())
        if order.get("IsReturnPrintTemplate") == "1":
            answer["PrintTemplate"] = _label(parcel, order)
        return answer

    def _cancel(self, data: dict[str, Any]) -> tuple[dict[str, Any], str]:
        for name in ("ShipperCode", "OrderCode", "ExpNo"):
            if not data.get(name):
                raise Refusal("101", f"缺少必要参数：{name}")
        with self._lock:
            parcel = self._by_order.get(data["OrderCode"])
            if parcel is None or (parcel.waybill_no, parcel.shipper_code) != (data["ExpNo"], data["ShipperCode"]):
                raise Refusal("105", "取消失败，订单不存在")
            if parcel.is_cancelled:
                raise Refusal("105", "取消失败，订单已取消")
            if self._is_picked_up(parcel.waybill_no):
                raise Refusal("105", "取消失败，快递员已揽收")
            parcel.is_cancelled = True
        self.ledger.record_cancel(parcel.order_code)
        return {"Success": True, "ResultCode": "100", "Reason": "取消成功"}, "cancelled"

    def _is_picked_up(self, waybill_no: str) -> bool:
        parcel = self._by_waybill.get(waybill_no)
        scans = parcel.scans_until(self.clock.now()) if parcel is not None else ()
        return any(scan.action == "1" for scan in scans)

    def _recognise(self, data: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """By the look of the number; of digits alone, several companies come into question."""
        number = str(data.get("LogisticCode") or "")
        if not number:
            raise Refusal("402", "缺少快递单号")
        fits = [
            code
            for code, (prefix, digits) in _PREFIXES.items()
            if number.startswith(prefix) and len(number) == len(prefix) + digits
        ]
        shippers = [{"ShipperCode": code, "ShipperName": code} for code in fits]
        return {"Success": bool(fits), "Code": "100", "LogisticCode": number, "Shippers": shippers}, f"{len(fits)} fit"

    def _query(self, data: dict[str, Any], request_type: str) -> tuple[dict[str, Any], str]:
        waybill_no = str(data.get("LogisticCode") or "")
        if not waybill_no:
            raise Refusal("402", "缺少快递单号")
        if not waybill_no.isalnum():
            raise Refusal("403", "快递单号有特殊字符")
        if not 6 <= len(waybill_no) <= 30:
            raise Refusal("404", "快递单号长度不符")
        shipper_code = str(data.get("ShipperCode") or "")
        if not shipper_code and request_type != "8002":
            raise Refusal("101", "缺少必要参数：ShipperCode")
        with self._lock:
            parcel = self._by_waybill.get(waybill_no)
        if parcel is None or shipper_code not in ("", parcel.shipper_code):
            empty = {"ShipperCode": shipper_code, "LogisticCode": waybill_no, "Traces": [], "State": "0"}
            return {**empty, "Success": False, "Reason": "暂无轨迹信息"}, "no_traces"
        if parcel.shipper_code == "SF" and str(data.get("CustomerName") or "") not in parcel.phone_tails:
            raise Refusal("105", "CustomerName 应为寄件人或收件人手机号后四位")
        scans = parcel.scans_until(self.clock.now())
        return parcel.snapshot(self.ebusiness_id, scans), "traces" if scans else "no_traces"

    def _subscribe(self, data: dict[str, Any]) -> tuple[dict[str, Any], str]:
        for name in ("ShipperCode", "LogisticCode"):
            if not data.get(name):
                raise Refusal("101", f"缺少必要参数：{name}")
        with self._lock:
            number = str(data["LogisticCode"])
            parcel = self._by_waybill.get(number) or self._by_waybill.setdefault(number, self._foreign(number, data))
        # A subscription says nothing about a right pair of courier and number: the answer is the same.
        if parcel.shipper_code == data["ShipperCode"]:
            parcel.callback = str(data.get("CallBack") or parcel.callback)
            self._start_following(parcel)
        now = wire_time(self.clock.now())
        return {"UpdateTime": now, "Success": True, "Reason": "", "EstimatedDeliveryTime": ""}, "subscribed"

    def _foreign(self, number: str, data: Mapping[str, Any]) -> Parcel:
        """A number that somebody else issued: it is on its way from now on, and nothing was issued by us."""
        dice = random.Random(f"{self.injector.seed}:journey:{number}")  # noqa: S311 - not a secret
        return Parcel(
            order_code=str(data.get("OrderCode") or ""),
            shipper_code=str(data["ShipperCode"]),
            waybill_no=number,
            callback="",
            kind=JourneyKind.NORMAL,
            scans=plan_journey(JourneyKind.NORMAL, self.clock.now(), dice, "深圳市", "北京市"),
            answer={"Order": {"KDNOrderCode": ""}},
            phone_tails=frozenset({str(data.get("CustomerName") or "")}),
        )

    def _reply(self, body: Mapping[str, Any], *, note: str, bom: bool = False) -> Response:
        text = json.dumps({"EBusinessID": self.ebusiness_id, **body}, ensure_ascii=False).encode()
        return Response(200, _BOM + text if bom else text, "text/html; charset=utf-8", note=note)


def _read_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _first_answer(order: Mapping[str, Any], waybill_no: str, estimated: str) -> dict[str, Any]:
    receiver = order["Receiver"]
    children = [f"{waybill_no}{number:03d}" for number in range(1, order["Quantity"])]
    return {
        "Order": {
            "OrderCode": order["OrderCode"],
            "ShipperCode": order["ShipperCode"],
            "LogisticCode": waybill_no,
            "KDNOrderCode": f"KDN{hashlib.sha256(waybill_no.encode()).hexdigest()[:16].upper()}",
            "MarkDestination": f"{receiver['CityName']}-{receiver['ExpAreaName']}",
            "OriginName": order["Sender"]["CityName"],
            "DestinatioName": receiver["CityName"],
            "PackageName": f"{receiver['CityName']}分拨",
            "SortingCode": f"A{int(waybill_no[-2:]) % 30:02d}",
        },
        "EstimatedDeliveryTime": estimated,
        "Callback": str(order.get("CallBack") or ""),
        "SubCount": len(children),
        "SubOrders": children,
    }


def _phone_tails(order: Mapping[str, Any]) -> frozenset[str]:
    phones = (order[side].get(name) or "" for side in ("Sender", "Receiver") for name in ("Mobile", "Tel"))
    return frozenset(phone[-4:] for phone in phones if phone)


def _label(parcel: Parcel, order: Mapping[str, Any]) -> str:
    """The printable label. Text needs no escaping: the gateway has refused every character that would."""
    sender, receiver = order["Sender"], order["Receiver"]
    places = "".join(
        f"<div>{title}：{who['Name']} {who.get('Mobile') or who.get('Tel')}<br>"
        f"{who['ProvinceName']}{who['CityName']}{who['ExpAreaName']}{who['Address']}</div>"
        for title, who in (("收", receiver), ("寄", sender))
    )
    mark = parcel.answer["Order"]["MarkDestination"]
    return (
        '<html><head><meta charset="utf-8"><title>面单</title></head><body style="width:100mm">'
        f"<h1>{mark}</h1><h2>{parcel.shipper_code} {parcel.waybill_no}</h2>{places}<div>{parcel.order_code}</div>"
        "</body></html>"
    )
