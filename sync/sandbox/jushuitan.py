"""Jushuitan's open platform: signed forms in, `code` and rows out, one order for a shop and number."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from sync.clock import utc_now
from sync.sandbox.http import Request, Response
from sync.sandbox.jushuitan_rules import (
    LONGEST_WINDOW,
    MOST_NUMBERS,
    MOST_ORDERS,
    MOST_PARCELS,
    MOST_SKUS,
    Refusal,
    check_form,
    find_problem,
    is_time,
    read_biz,
)
from sync.sandbox.peer import Ask, Peer, json_response
from sync.sandbox.shelves import Shelf, Shelves
from sync.sandbox.throttle import Throttle

CHINA = timezone(timedelta(hours=8))
TIME = "%Y-%m-%d %H:%M:%S"
REFRESH = "/openWeb/auth/refreshToken"

_OPERATIONS = {
    "/open/jushuitan/orders/upload": "create_order",
    "/open/orders/single/query": "find_order",
    "/open/jushuitan/orderbyoid/cancel": "cancel_order",
    "/open/inventory/query": "read_stock",
    "/open/logistic/query": "poll_shipments",
    REFRESH: "refresh_token",
}


@dataclass(slots=True)
class JushuitanOrder:
    """What Jushuitan holds under a number; `status` is the one that its staff and warehouse give it."""

    o_id: int
    row: Mapping[str, Any]
    status: str = "WaitConfirm"

    def pieces(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for item in self.row["items"]:
            counted[item["sku_id"]] += item["qty"]
        return counted


@dataclass(slots=True)
class SandboxJushuitan(Peer):
    """`per_second` and `per_minute` are the vendor's limits, 0 for none; SKUs in `unknown_skus` have no stock row."""

    app_key: str = "sandbox-jst-key"
    app_secret: str = "sandbox-jst-secret"  # noqa: S105 - opens nothing but the sandbox
    access_token: str = "sandbox-jst-token"  # noqa: S105 - as that
    refresh_token: str = ""
    shop_id: int = 10406394
    unknown_skus: frozenset[str] = frozenset()
    per_second: int = 5
    per_minute: int = 100
    name: ClassVar[str] = "erp"
    shelves: Shelves = field(init=False, repr=False)
    _throttles: tuple[tuple[Throttle, Refusal], ...] = field(init=False, repr=False)
    _is_expired: bool = field(default=False, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _orders: dict[str, JushuitanOrder] = field(default_factory=dict, init=False, repr=False)
    _sent: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.shelves = Shelves(unknown=self.unknown_skus)
        self._throttles = (
            (Throttle(self.per_second, 1), Refusal(199, "超过每秒调用频率")),
            (Throttle(self.per_minute, 60), Refusal(200, "超过每分钟调用频率")),
        )

    def understand(self, request: Request) -> Ask:
        form = dict(parse_qsl(request.body.decode("utf-8", errors="replace"), keep_blank_values=True))
        operation = _OPERATIONS.get(request.path, "") if request.method == "POST" else ""
        if not operation:
            return Ask("unknown", "", lambda _: Response(404, b"not found", "text/plain", note="refused 404"))
        return Ask(operation, _key(operation, form, self._orders), lambda _: self._perform(operation, form))

    def refuse_business(self, code: str, reason: str) -> Response:
        number = int(code) if code.lstrip("-").isdecimal() else -1
        return json_response({"code": number, "msg": reason, "data": None}, note=f"refused {number}")

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._orders.clear()
            self._sent.clear()
        self.shelves.clear()

    def expire_token(self) -> None:
        """The access token has run out: from now on it is refused until it was renewed."""
        self._is_expired = True

    def order(self, so_id: str) -> JushuitanOrder:
        """What is held under our number. Raises KeyError when there is none."""
        with self._lock:
            return self._orders[so_id]

    def ship(self, so_id: str, l_id: str, *, outer_oi_ids: tuple[str, ...] = (), name: str = "顺丰速运") -> None:
        """The warehouse sends an order, or the lines that `outer_oi_ids` name: an order of their own there."""
        with self._lock:
            held = self._orders[so_id]
            items = [item for item in held.row["items"] if not outer_oi_ids or item["outer_oi_id"] in outer_oi_ids]
            if not outer_oi_ids:
                held.status = "Sent"
            names = ("sku_id", "qty", "outer_oi_id")
            self._sent.append(
                {
                    "o_id": held.o_id + (len(self._sent) + 1 if outer_oi_ids else 0),
                    "shop_id": held.row["shop_id"],
                    "so_id": so_id,
                    "send_date": _now(),
                    "lc_id": "",
                    "l_id": l_id,
                    "logistics_company": name,
                    "items": [{**{field: item[field] for field in names}, "raw_so_id": so_id} for item in items],
                }
            )

    def _perform(self, operation: str, form: Mapping[str, str]) -> Response:
        try:
            for throttle, refusal in self._throttles:
                if not throttle.take():
                    raise refusal
            check_form(form, self.app_key, self.app_secret, utc_now(), wants_token=operation != "refresh_token")
            if operation == "refresh_token":
                return self._renew(form)
            if self._is_expired or form["access_token"] != self.access_token:
                raise Refusal(100, "无效的access_token")
            steps = {
                "create_order": self._upload,
                "find_order": self._find,
                "cancel_order": self._cancel,
                "read_stock": self._stock,
                "poll_shipments": self._shipments,
            }
            data, note = steps[operation](read_biz(form))
        except Refusal as refusal:
            return self.refuse_business(str(refusal.code), refusal.reason)
        return json_response({"code": 0, "msg": "", "data": data}, note=note)

    def _renew(self, form: Mapping[str, str]) -> Response:
        if form.get("grant_type") != "refresh_token" or not self.refresh_token:
            raise Refusal(150, "不允许刷新token")
        if form.get("refresh_token") != self.refresh_token:
            raise Refusal(100, "无效的refresh_token")
        with self._lock:
            self.access_token = hashlib.sha256(self.access_token.encode()).hexdigest()[:32]
            self.refresh_token = hashlib.sha256(self.refresh_token.encode()).hexdigest()[:32]
            self._is_expired = False
        data = {"access_token": self.access_token, "refresh_token": self.refresh_token, "expires_in": 2592000}
        return json_response({"code": 0, "msg": "", "data": data}, note="renewed")

    def _upload(self, rows: Any) -> tuple[dict[str, Any], str]:
        if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ORDERS:
            raise Refusal(-1, "biz 必须是 1 到 50 个订单")
        answers = [self._take(row) for row in rows]
        said = {note for _, note in answers}
        return {"datas": [answer for answer, _ in answers]}, said.pop() if len(said) == 1 else "mixed"

    def _take(self, row: Any) -> tuple[dict[str, Any], str]:
        problem = find_problem(row, self.shop_id) if isinstance(row, dict) else "订单格式不正确"
        so_id = str(row.get("so_id", "")) if isinstance(row, dict) else ""
        if problem:
            return {"so_id": so_id, "o_id": None, "issuccess": False, "msg": problem}, f"refused {problem}"
        with self._lock:
            known = self._orders.get(so_id)
            if known is None:
                known = self._orders[so_id] = JushuitanOrder(self._number(so_id), row)
                self.shelves.lock(known.pieces())
                self.ledger.record_document(so_id, str(known.o_id))
                note = "created"
            else:
                note = "adopted"
        return {"so_id": so_id, "o_id": known.o_id, "issuccess": True, "msg": ""}, note

    def _number(self, so_id: str) -> int:
        return 10**6 + int(hashlib.sha256(f"{self.injector.seed}:{so_id}".encode()).hexdigest()[:12], 16) % 10**9

    def _find(self, asked: Any) -> tuple[dict[str, Any], str]:
        numbers = asked.get("so_ids") if isinstance(asked, dict) else None
        if not isinstance(numbers, list) or not 0 < len(numbers) <= MOST_NUMBERS or asked.get("page_size", 0) > 50:
            raise Refusal(-1, "so_ids 与修改时间不能同时为空，最多20个")
        with self._lock:
            found = [(so_id, self._orders[so_id]) for so_id in numbers if so_id in self._orders]
        rows = [
            {"o_id": held.o_id, "so_id": so_id, "shop_id": held.row["shop_id"], "status": held.status}
            for so_id, held in found
        ]
        page = {"page_index": 1, "page_size": 50, "data_count": len(rows), "has_next": False, "orders": rows}
        return page, "found" if rows else "not_found"

    def _cancel(self, asked: Any) -> tuple[dict[str, Any], str]:
        numbers = asked.get("o_ids") if isinstance(asked, dict) else None
        if not isinstance(numbers, list) or not numbers or not asked.get("cancel_type"):
            raise Refusal(-1, "o_ids、cancel_type 不能为空")
        with self._lock:
            held = {order.o_id: (so_id, order) for so_id, order in self._orders.items()}
            for number in numbers:
                if number not in held or held[number][1].status in ("Sent", "Cancelled"):
                    raise Refusal(-1, "订单不存在或状态不允许取消")
            for number in numbers:
                so_id, order = held[number]
                order.status = "Cancelled"
                self.shelves.lock({sku: -pieces for sku, pieces in order.pieces().items()})
                self.ledger.record_document_cancel(so_id)
        return {}, "cancelled"

    def _stock(self, asked: Any) -> tuple[dict[str, Any], str]:
        skus = [sku for sku in str(asked.get("sku_ids") or "").split(",") if sku]
        size, index = int(asked.get("page_size") or 30), int(asked.get("page_index") or 1)
        if len(skus) > MOST_SKUS or not 0 < size <= 100 or index < 1:
            raise Refusal(-1, "sku_ids 最多100个，page_size 最大100")
        shelves = self.shelves.named(skus) if skus else self.shelves.changed(*_window(asked))
        start = (index - 1) * size
        rows = [_row(shelf) for shelf in shelves[start : start + size]]
        page = {"page_index": index, "page_size": size, "data_count": len(shelves)}
        return {**page, "has_next": start + size < len(shelves), "inventorys": rows}, "told"

    def _shipments(self, asked: Any) -> tuple[dict[str, Any], str]:
        size, index = int(asked.get("page_size") or 30), int(asked.get("page_index") or 1)
        if not 0 < size <= MOST_PARCELS or index < 1 or asked.get("date_type", 3) not in range(4):
            raise Refusal(-1, "page_size 最大50，date_type 不正确")
        since, until = (moment.strftime(TIME) for moment in _window(asked))
        with self._lock:
            found = [row for row in self._sent if since <= row["send_date"] <= until]
        start = (index - 1) * size
        page = {"page_index": index, "page_size": size, "data_count": len(found), "has_next": start + size < len(found)}
        return {**page, "orders": found[start : start + size]}, "told"


def _window(asked: Mapping[str, Any]) -> tuple[datetime, datetime]:
    begin, end = asked.get("modified_begin"), asked.get("modified_end")
    if not is_time(begin) or not is_time(end):
        raise Refusal(-1, "sku_ids 与修改时间不能同时为空")
    since, until = (datetime.fromisoformat(str(text)).replace(tzinfo=CHINA) for text in (begin, end))
    if not timedelta(0) <= until - since <= LONGEST_WINDOW:
        raise Refusal(-1, "时间间隔不能超过七天")
    return since, until + timedelta(seconds=1)  # the end is written without its fraction


def _row(shelf: Shelf) -> dict[str, Any]:
    return {
        "sku_id": shelf.sku,
        "qty": shelf.on_hand,
        "order_lock": shelf.locked,
        "pick_lock": 0,
        "virtual_qty": 0,
        "modified": shelf.changed_at.astimezone(CHINA).strftime(TIME),
    }


def _now() -> str:
    return utc_now().astimezone(CHINA).strftime(TIME)


def _key(operation: str, form: Mapping[str, str], orders: Mapping[str, JushuitanOrder]) -> str:
    """Our number of the order that a call is about."""
    try:
        biz = read_biz(form) if "biz" in form else {}
    except Refusal:
        return ""
    if operation == "create_order" and isinstance(biz, list) and biz and isinstance(biz[0], dict):
        return str(biz[0].get("so_id", ""))
    if not isinstance(biz, dict):
        return ""
    if operation == "cancel_order":
        wanted = biz.get("o_ids") or []
        return next((so_id for so_id, held in list(orders.items()) if held.o_id in wanted), "")
    return str((biz.get("so_ids") or [""])[0])
