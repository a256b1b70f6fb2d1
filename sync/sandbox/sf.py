"""Fengqiao's gateway: form post in, an envelope of JSON in JSON out, with its own check of the digest.

It issues one waybill for an orderId, ever; a repeat is refused with 8016 and has to be looked up, as SF does.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from sync.clock import BusinessClock, utc_now
from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.journeys import JourneyMix, Parcel, Scan, plan_journey, wire_time
from sync.sandbox.peer import Ask, Peer
from sync.sandbox.sf_label import draw_label
from sync.sandbox.sf_rules import PATH, Refusal, check_envelope, check_order, read_message

LABELS = "/labels/"
ACCEPTED, BY_HAND, REFUSED = 2, 1, 3

OPERATIONS = {
    "EXP_RECE_CREATE_ORDER": "book_waybill",
    "EXP_RECE_SEARCH_ORDER_RESP": "find_waybill",
    "EXP_RECE_UPDATE_ORDER": "cancel_waybill",
    "EXP_RECE_SEARCH_ROUTES": "query_tracking",
    "COM_RECE_CLOUD_PRINT_WAYBILLS": "print_label",
}
_OPCODES = {
    "10": "646",
    "1": "50",
    "2": "30",
    "201": "31",
    "205": "31",
    "202": "44",
    "211": "125",
    "301": "80",
    "302": "80",
    "304": "80",
    "404": "70",
    "407": "648",
    "416": "70",
    "419": "44",
}
"""SF's opCode for what a scan is. The signature on a return (406) comes under another number, so never here."""


@dataclass(slots=True)
class SfOrder:
    """What SF holds under an orderId; `parcel` is None until SF has accepted the order."""

    order: Mapping[str, Any]
    decision: int
    parcel: Parcel | None = None
    is_cancelled: bool = False


@dataclass(slots=True)
class SandboxSf(Peer):
    """`decide` says what SF thinks of an order's address; `follow` is told of every parcel that it issues."""

    clock: BusinessClock
    partner_id: str
    checkword: str
    monthly_cards: frozenset[str] = frozenset()
    mix: JourneyMix = field(default_factory=JourneyMix)
    follow: Callable[[Parcel], None] = lambda parcel: None
    decide: Callable[[Mapping[str, Any]], int] = lambda order: ACCEPTED
    name: ClassVar[str] = "carrier"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _orders: dict[str, SfOrder] = field(default_factory=dict, repr=False)
    _by_waybill: dict[str, Parcel] = field(default_factory=dict, repr=False)
    _seen: set[str] = field(default_factory=set, repr=False)

    def understand(self, request: Request) -> Ask:
        if request.method == "GET" and request.path.startswith(LABELS):
            return Ask("fetch_label", request.path.removeprefix(LABELS), lambda _: self._label(request))
        if request.method != "POST" or request.path != PATH:
            return Ask("unknown", "", lambda _: Response(404, b"not found", "text/plain", note="refused 404"))
        form = dict(parse_qsl(request.body.decode("utf-8", errors="replace"), keep_blank_values=True))
        operation = OPERATIONS.get(form.get("serviceCode", ""), "unknown")
        return Ask(operation, _key(form), lambda draw: self._perform(operation, form, request, draw))

    def refuse_business(self, code: str, reason: str) -> Response:
        note = f"refused {code}"
        if code.startswith("A"):
            return _envelope(code, reason, None, note)
        return _envelope("A1000", "", {"success": False, "errorCode": code, "errorMsg": reason, "msgData": None}, note)

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._orders.clear()
            self._by_waybill.clear()
            self._seen.clear()

    def settle(self, order_code: str, decision: int) -> None:
        """SF's people have decided about an order that waited for them."""
        with self._lock:
            found = self._orders[order_code]
            found.decision = decision
            if decision == ACCEPTED:
                self._issue(order_code, found)
        if found.parcel:
            self.follow(found.parcel)

    def parcel_of(self, order_code: str) -> Parcel:
        """The parcel issued under an orderId. Raises KeyError when there is none."""
        with self._lock:
            parcel = self._orders[order_code].parcel
        if parcel is None:
            raise KeyError(order_code)
        return parcel

    def _perform(self, operation: str, form: Mapping[str, str], request: Request, draw: Draw) -> Response:
        try:
            check_envelope(form, self.partner_id, self.checkword, utc_now())
            self._take_request_id(form["requestID"])
            message = read_message(form)
            if operation == "print_label":
                return self._print(message, request)
            steps = {
                "book_waybill": self._book,
                "find_waybill": self._find,
                "cancel_waybill": self._cancel,
                "query_tracking": self._query,
            }
            if operation not in steps:
                raise Refusal("A1004", "无对应服务权限")
            data, note = steps[operation](message)
        except Refusal as refusal:
            return self.refuse_business(refusal.code, refusal.reason)
        result = {"success": True, "errorCode": "S0000", "errorMsg": None, "msgData": data}
        return _envelope("A1000", "", result, note, bom=draw.bom)

    def _take_request_id(self, request_id: str) -> None:
        with self._lock:
            if request_id in self._seen:
                raise Refusal("A1007", "重复请求")
            self._seen.add(request_id)

    def _book(self, order: dict[str, Any]) -> tuple[dict[str, Any], str]:
        check_order(order, self.monthly_cards)
        code = order["orderId"]
        with self._lock:
            known = self._orders.get(code)
            if known is not None:
                raise Refusal("8037", "订单已取消") if known.is_cancelled else Refusal("8016", "重复下单")
            held = self._orders[code] = SfOrder(order, self.decide(order))
            if held.decision == ACCEPTED:
                self._issue(code, held)
        if held.parcel is None:
            return _told(code, held), "held" if held.decision == BY_HAND else "undeliverable"
        self.follow(held.parcel)
        return _told(code, held), "issued"

    def _issue(self, code: str, held: SfOrder) -> None:
        """Issue the waybill; called with the lock held, so that one orderId never gets two."""
        dice = random.Random(f"{self.injector.seed}:journey:{code}")  # noqa: S311 - not a secret
        issued_at, kind = self.clock.now(), self.mix.choose(len(self._by_waybill) + 1, dice)
        sender, receiver = (_contact(held.order, contact_type) for contact_type in (1, 2))
        parcel = Parcel(
            order_code=code,
            shipper_code="SF",
            waybill_no=self._number(code),
            callback="",
            kind=kind,
            scans=plan_journey(kind, issued_at, dice, sender["city"], receiver["city"]),
            answer={},
            phone_tails=frozenset((who.get("mobile") or who.get("tel") or "")[-4:] for who in (sender, receiver)),
        )
        held.parcel = self._by_waybill[parcel.waybill_no] = parcel
        self.ledger.record_waybill(
            code,
            parcel.waybill_no,
            shipper_code="SF",
            callback="",
            journey=kind.value,
            at=issued_at.isoformat(timespec="seconds"),
        )

    def _number(self, code: str) -> str:
        """A free number; it follows from seed and orderId, so a restart repeats none."""
        for salt in range(1000):
            taken = hashlib.sha256(f"{self.injector.seed}:{code}:{salt}".encode()).hexdigest()
            number = f"SF{int(taken, 16) % 10**13:013d}"
            if number not in self._by_waybill:
                return number
        raise RuntimeError("no free waybill number")

    def _find(self, message: dict[str, Any]) -> tuple[dict[str, Any], str]:
        code = str(message.get("orderId") or "")
        with self._lock:
            held = self._orders.get(code)
            if held is None:
                raise Refusal("6150", "找不到该订单")
            return _told(code, held), "found"

    def _cancel(self, message: dict[str, Any]) -> tuple[dict[str, Any], str]:
        if message.get("dealType") != 2:
            raise Refusal("S0002", "必填参数为空：dealType")
        code = str(message.get("orderId") or "")
        numbers = [str(item.get("waybillNo")) for item in message.get("waybillNoInfoList") or ()]
        with self._lock:
            held = self._orders.get(code)
            if held is None:
                raise Refusal("8018", "未获取到订单信息")
            if held.is_cancelled:
                raise Refusal("8037", "订单已取消")
            if held.parcel and any(number != held.parcel.waybill_no for number in numbers):
                return {"orderId": code, "waybillNoInfoList": [], "resStatus": 1}, "mismatched"
            if held.parcel and any(scan.action == "1" for scan in held.parcel.scans_until(self.clock.now())):
                raise Refusal("8252", "订单已确认")
            held.is_cancelled = True
            if held.parcel:
                held.parcel.is_cancelled = True
        self.ledger.record_cancel(code)
        return {"orderId": code, "waybillNoInfoList": [], "resStatus": 2}, "cancelled"

    def _query(self, message: dict[str, Any]) -> tuple[dict[str, Any], str]:
        numbers = message.get("trackingNumber")
        if not isinstance(numbers, list) or not numbers:
            raise Refusal("S0007", "参数数据类型错误：trackingNumber")
        tail = str(message.get("checkPhoneNo") or "")
        found = [{"mailNo": number, "routes": self._routes(str(number), tail)} for number in numbers]
        return {"routeResps": found}, "traces" if any(item["routes"] for item in found) else "no_traces"

    def _routes(self, number: str, tail: str) -> list[dict[str, str]]:
        with self._lock:
            parcel = self._by_waybill.get(number)
        if parcel is None or (tail and tail not in parcel.phone_tails):
            return []
        scans = parcel.scans_until(self.clock.now())
        return [route for scan in scans if (route := wire_route(scan))]

    def _print(self, message: dict[str, Any], request: Request) -> Response:
        number = str((message.get("documents") or [{}])[0].get("masterWaybillNo") or "")
        with self._lock:
            is_known = number in self._by_waybill
        if not is_known or not message.get("templateCode"):
            raise Refusal("S0002", "必填参数为空")
        url = f"http://{request.headers['host']}{LABELS}{number}"
        file = {"url": url, "token": self._label_token(number), "waybillNo": number, "pageCount": 1, "pageNo": 1}
        result = {"success": True, "requestId": "", "obj": {"templateCode": message["templateCode"], "files": [file]}}
        return _envelope("A1000", "", result, "printed")

    def _label(self, request: Request) -> Response:
        number = request.path.removeprefix(LABELS)
        if request.headers.get("x-auth-token") != self._label_token(number):
            return Response(403, b"no token", "text/plain", note="refused 403")
        return Response(200, draw_label(number), "application/pdf", note="fetched")

    def _label_token(self, number: str) -> str:
        return hashlib.sha256(f"{self.checkword}:{number}".encode()).hexdigest()[:32]


def wire_route(scan: Scan) -> dict[str, str] | None:
    """One route as SF tells it; None for what SF tells nobody under this number."""
    code = _OPCODES.get(scan.action)
    if code is None:
        return None
    return {"acceptTime": wire_time(scan.at), "acceptAddress": scan.location, "remark": scan.text, "opCode": code}


def _contact(order: Mapping[str, Any], contact_type: int) -> dict[str, Any]:
    return next(dict(who) for who in order["contactInfoList"] if who["contactType"] == contact_type)


def _told(code: str, held: SfOrder) -> dict[str, Any]:
    numbers = [{"waybillType": 1, "waybillNo": held.parcel.waybill_no}] if held.parcel else []
    return {
        "orderId": code,
        "originCode": "755",
        "destCode": "010",
        "filterResult": held.decision,
        "remark": "2" if held.decision == REFUSED else "",
        "waybillNoInfoList": numbers,
    }


def _key(form: Mapping[str, str]) -> str:
    try:
        message = json.loads(form.get("msgData", ""))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(message, dict):
        return ""
    return str(message.get("orderId") or (message.get("trackingNumber") or [""])[0])


def _envelope(code: str, reason: str, result: Mapping[str, Any] | None, note: str, *, bom: bool = False) -> Response:
    inner = None if result is None else json.dumps(result, ensure_ascii=False)
    outer = {"apiErrorMsg": reason, "apiResponseID": "0" * 32, "apiResultCode": code, "apiResultData": inner}
    text = json.dumps(outer, ensure_ascii=False).encode()
    return Response(200, b"\xef\xbb\xbf" + text if bom else text, note=note)
