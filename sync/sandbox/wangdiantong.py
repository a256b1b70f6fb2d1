"""Wangdiantong's gateway: signed addresses and positional arguments in, `status` and `data` out."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from sync.clock import BusinessClock, utc_now
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import Ask, Peer, json_response
from sync.sandbox.shelves import Shelf, Shelves
from sync.sandbox.throttle import Throttle
from sync.sandbox.wangdiantong_rules import (
    CHINA,
    Account,
    Refusal,
    check_query,
    find_problem,
    read_arguments,
    read_page,
    read_window,
)

PATH = "/openapi"
CLOSED = (80, 90)

_OPERATIONS = {
    "sales.RawTrade.pushSelf2": "create_order",
    "sales.RawTrade.searchSelfOrder": "find_order",
    "wms.StockSpec.search2": "read_stock",
    "wms.StockSpec.queryAvailableStock": "read_stock",
    "sales.LogisticsSync.getSyncListExt": "poll_shipments",
    "sales.LogisticsSync.update": "settle_shipments",
}


@dataclass(slots=True)
class RawTrade:
    """A raw trade with its lines, as it was pushed last."""

    shop_no: str
    fields: dict[str, Any]
    lines: list[dict[str, Any]]

    @property
    def is_closed(self) -> bool:
        return self.fields["trade_status"] in CLOSED

    def pieces(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        for line in self.lines:
            counted[line["spec_no"]] += int(line["num"])
        return counted

    def told(self) -> dict[str, Any]:
        """As a look-up tells it."""
        lines = [line | {"share_amount": line["total_amount"] - line["share_discount"]} for line in self.lines]
        return self.fields | {"shop_no": self.shop_no, "trade_orders": lines}


@dataclass(slots=True)
class SandboxWangdiantong(Peer):
    """`per_minute` is a limit of calls, 0 for none (the vendor's number is not public); `clock` is the shop's.

    SKUs in `unknown_skus` have no stock row.
    """

    clock: BusinessClock = field(default_factory=BusinessClock)
    sid: str = "sandbox"
    app_key: str = "sandbox-wdt-key"
    app_secret: str = "sandbox-wdt-secret:sandbox-wdt-salt"  # noqa: S105 - opens nothing but the sandbox
    shop_no: str = "ecshop"
    warehouse_no: str = "main"
    unknown_skus: frozenset[str] = frozenset()
    per_minute: int = 0
    name: ClassVar[str] = "erp"
    shelves: Shelves = field(init=False, repr=False)
    _throttle: Throttle = field(init=False, repr=False)
    _account: Account = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _trades: dict[str, RawTrade] = field(default_factory=dict, init=False, repr=False)
    _waiting: dict[int, dict[str, Any]] = field(default_factory=dict, init=False, repr=False)
    answers: dict[int, tuple[str, str]] = field(default_factory=dict, init=False)
    """What we were told of each shipment: status and reason by sync_id."""

    def __post_init__(self) -> None:
        self.shelves = Shelves(unknown=self.unknown_skus)
        self._throttle = Throttle(self.per_minute, 60)
        secret, _, salt = self.app_secret.partition(":")
        self._account = Account(self.sid, self.app_key, secret, salt)

    def understand(self, request: Request) -> Ask:
        method = request.query.get("method", "")
        operation = _OPERATIONS.get(method, "unknown")
        if request.method != "POST" or request.path != PATH:
            return Ask("unknown", "", lambda _: Response(404, b"not found", "text/plain", note="refused 404"))
        key, is_closing = _key(request.body)
        if is_closing and operation == "create_order":
            operation = "cancel_order"
        return Ask(operation, key, lambda _: self._perform(method, request))

    def refuse_business(self, code: str, reason: str) -> Response:
        status = int(code) if code.isdecimal() else 100
        return json_response({"status": status, "message": reason}, note=f"refused {status}")

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._trades.clear()
            self._waiting.clear()
            self.answers.clear()
        self.shelves.clear()

    def ship(
        self, tid: str, logistics_no: str, *, oids: tuple[str, ...] = (), name: str = "申通快递", code: str = "STO1"
    ) -> int:
        """The warehouse sends an order, or the lines that `oids` name; returns the entry's sync_id."""
        with self._lock:
            trade = self._trades[tid]
            trade.fields["process_status"] = 30 if oids else 40
            sync_id = 150_000 + len(self._waiting) + len(self.answers)
            self._waiting[sync_id] = {
                "sync_id": sync_id,
                "tid": tid,
                "logistics_no": logistics_no,
                "logistics_code": code,
                "logistics_name": name,
                "is_part_sync": int(bool(oids)),
                "oids": ",".join(oids),
                "created": self.clock.now().astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
            }
        return sync_id

    def trade(self, tid: str) -> RawTrade:
        """What is held under our number. Raises KeyError when there is none."""
        with self._lock:
            return self._trades[tid]

    def _perform(self, method: str, request: Request) -> Response:
        methods: dict[str, Callable[[Request], tuple[dict[str, Any], str]]] = {
            "sales.RawTrade.pushSelf2": self._push,
            "sales.RawTrade.searchSelfOrder": self._search,
            "wms.StockSpec.search2": self._stock_by_spec,
            "wms.StockSpec.queryAvailableStock": self._available,
            "sales.LogisticsSync.getSyncListExt": self._shipments,
            "sales.LogisticsSync.update": self._settle,
        }
        try:
            check_query(request.query, request.body, self._account, utc_now())
            if not self._throttle.take():
                raise Refusal(100, "超过每分钟最大调用频率限制，请稍后重试")
            if method not in methods:
                raise Refusal(100, "权限不足")
            answer, note = methods[method](request)
        except Refusal as refusal:
            return self.refuse_business(str(refusal.status), refusal.message)
        return json_response(_plain({"status": 0, **answer}), note=note)

    def _push(self, request: Request) -> tuple[dict[str, Any], str]:
        shop_no, trades, lines = read_arguments(request.body, 3)
        if shop_no != self.shop_no:
            raise Refusal(100, "店铺编号不存在或已停用")
        made = changed = 0
        errors = []
        for fields in trades:
            own = [line for line in lines if line.get("tid") == fields.get("tid")]
            with self._lock:
                problem = find_problem(fields, own, self.clock.now()) or self._clash(fields["tid"], own)
                if problem:
                    errors.append({"no": fields.get("tid", ""), "error": problem})
                    continue
                is_new = self._take(RawTrade(shop_no, fields, own))
            made, changed = made + is_new, changed + (not is_new)
        note = f"refused {errors[0]['error']}" if errors else "created" if made else "adopted"
        return {"data": {"new_count": made, "chg_count": changed, "error_list": errors}}, note

    def _clash(self, tid: str, lines: list[dict[str, Any]]) -> str:
        """An oid belongs to one trade in all of the account."""
        others = {line["oid"] for trade in self._trades.values() if trade.fields["tid"] != tid for line in trade.lines}
        mine = [line["oid"] for line in lines]
        return "oid重复" if len(set(mine)) < len(mine) or others & set(mine) else ""

    def _take(self, trade: RawTrade) -> bool:
        """Keep a trade or change the one that is there; returns whether it is new. Called with the lock held."""
        tid = trade.fields["tid"]
        known = self._trades.get(tid)
        self._trades[tid] = trade
        if known is None:
            self.shelves.lock(trade.pieces())
            self.ledger.record_document(tid, tid)
        else:
            trade.fields["process_status"] = max(known.fields["process_status"], trade.fields["process_status"])
            if trade.is_closed and not known.is_closed:
                self.shelves.lock({sku: -pieces for sku, pieces in known.pieces().items()})
                self.ledger.record_document_cancel(tid)
        return known is None

    def _search(self, request: Request) -> tuple[dict[str, Any], str]:
        [asked] = read_arguments(request.body, 1)
        start, size = read_page(request.query, "sales.RawTrade.searchSelfOrder")
        if not asked.get("tid"):
            read_window(asked)
        with self._lock:
            found = [trade.told() for tid, trade in self._trades.items() if asked.get("tid") in (None, tid)]
        page = {"total_count": len(found), "order": found[start : start + size]}
        return {"data": page}, "found" if found else "not_found"

    def _stock_by_spec(self, request: Request) -> tuple[dict[str, Any], str]:
        [asked] = read_arguments(request.body, 1)
        shelves = self._shelves_of(asked, asked.get("spec_nos") or [])
        return self._stock(request, shelves, "detail_list", self._spec_row), "told"

    def _available(self, request: Request) -> tuple[dict[str, Any], str]:
        [asked] = read_arguments(request.body, 1)
        shelves = self._shelves_of(asked, [asked["spec_no"]] if asked.get("spec_no") else [])
        return self._stock(request, shelves, "stocks", self._available_row), "told"

    def _shelves_of(self, asked: Mapping[str, Any], skus: list[str]) -> list[Shelf]:
        return self.shelves.named(skus) if skus else self.shelves.changed(*read_window(asked))

    def _stock(
        self, request: Request, shelves: list[Shelf], name: str, row: Callable[[Shelf], dict[str, Any]]
    ) -> dict[str, Any]:
        start, size = read_page(request.query, request.query["method"])
        rows = [row(shelf) for shelf in shelves[start : start + size]]
        return {"data": {"total_count": len(shelves), name: rows}}

    def _spec_row(self, shelf: Shelf) -> dict[str, Any]:
        none = dict.fromkeys(("unpay_num", "subscribe_num", "sending_num", "lock_num"), 0)
        return self._row(shelf) | none | {"stock_num": shelf.on_hand, "order_num": shelf.locked}

    def _available_row(self, shelf: Shelf) -> dict[str, Any]:
        return self._row(shelf) | {"num": shelf.on_hand - shelf.locked}

    def _row(self, shelf: Shelf) -> dict[str, Any]:
        changed_ms = int(shelf.changed_at.timestamp() * 1000)
        return {"spec_no": shelf.sku, "warehouse_no": self.warehouse_no, "defect": False, "modified": changed_ms}

    def _shipments(self, request: Request) -> tuple[dict[str, Any], str]:
        [asked] = read_arguments(request.body, 1)
        start, size = read_page(request.query, "sales.LogisticsSync.getSyncListExt")
        with self._lock:
            waiting = list(self._waiting.values()) if asked.get("is_own_platform") is True else []
        return {"total": len(waiting), "data": waiting[start : start + size]}, "told"

    def _settle(self, request: Request) -> tuple[dict[str, Any], str]:
        [entries] = read_arguments(request.body, 1)
        problems = []
        with self._lock:
            for entry in entries:
                if str(entry.get("status")) not in ("0", "2", "-100"):
                    problems.append("同步结果状态为空!")
                elif self._waiting.pop(entry["sync_id"], None):
                    self.answers[entry["sync_id"]] = str(entry["status"]), entry.get("error_msg", "")
        return {"data": problems}, "settled"


def _key(body: bytes) -> tuple[str, bool]:
    """Our number of the order that a call is about, and whether the call closes it."""
    try:
        arguments = json.loads(body)
        asked = arguments[1][0] if len(arguments) == 3 else arguments[0]
        return str(asked.get("tid", "")), asked.get("trade_status") in CLOSED
    except (ValueError, LookupError, AttributeError, TypeError):
        return "", False


def _plain(value: Any) -> Any:
    """Decimals as JSON numbers."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
