"""An ONEX OMS: orders by `ome.order.add`, which creates, updates and cancels; everything else by its open API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sync.clock import utc_now
from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import Ask, Peer, json_response
from sync.sandbox.shopex_oms_rules import (
    ORDER_PATH,
    QUERY_PATH,
    OrderRefused,
    QuestionRefused,
    check_new,
    check_node,
    check_question,
    check_signature,
    crash_answer,
    numbered,
    order_answer,
    page_of,
    period,
    question_refusal,
    queue_answer,
    read_form,
    read_objects,
    refusal,
    replay_answer,
    response,
)
from sync.sandbox.shopex_oms_store import Stored

REPLAY_S = 120
REPEAT_S = 3600
_OPERATIONS = {"orders.getList": "find_order", "sales.getDeliveryList": "poll_shipments"}


@dataclass(slots=True)
class SandboxShopexOms(Peer):
    """`token` signs orders, `key` questions. A SKU in `unknown_skus` is taken in silence and makes a failed order.

    `lock_s` is how long an order stays locked after a crash (60 there); `on_hand` what is in stock of a SKU that
    nobody `put`.
    """

    node_id: str = "2000000001"
    token: str = ""
    flag: str = "ecsync"
    key: str = ""
    shop_bn: str = "ecshop01"
    unknown_skus: frozenset[str] = frozenset()
    lock_s: float = 0.5
    on_hand: int = 1000
    queues: bool = False
    """Whether orders only go into a queue, unlooked at, until somebody works it off."""
    name: ClassVar[str] = "erp"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _orders: dict[str, Stored] = field(default_factory=dict, repr=False)
    _shelves: dict[str, int] = field(default_factory=dict, repr=False)
    _locked: dict[str, float] = field(default_factory=dict, repr=False)
    _crashing: set[str] = field(default_factory=set, repr=False)
    _queue: list[dict[str, str]] = field(default_factory=list, repr=False)
    _seen: dict[str, float] = field(default_factory=dict, repr=False)

    def understand(self, request: Request) -> Ask:
        form = read_form(request.body)
        if request.method == "POST" and request.path == ORDER_PATH:
            operation = "cancel_order" if form.get("status") == "dead" else "create_order"
            return Ask(operation, form.get("order_bn", ""), lambda _: self._take(form))
        if request.method == "POST" and request.path == QUERY_PATH:
            operation = _OPERATIONS.get(form.get("method", ""), "read_stock")
            return Ask(operation, form.get("order_bn", ""), lambda _: self._tell(form))
        return Ask("unknown", "", self._nothing_here)

    def refuse_business(self, code: str, reason: str) -> Response:
        return refusal(OrderRefused(reason, data={}))

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            for memory in (self._queue, self._orders, self._shelves, self._locked, self._crashing, self._seen):
                memory.clear()

    def put(self, sku: str, on_hand: int) -> None:
        """Say how much there is of a SKU before any order."""
        with self._lock:
            self._shelves[sku] = on_hand

    def crash_on(self, order_bn: str) -> None:
        """The next push of this order kills PHP before anything is kept, and leaves the order locked for `lock_s`."""
        with self._lock:
            self._crashing.add(order_bn)

    def unlock(self, order_bn: str) -> None:
        """The time of its lock is over."""
        with self._lock:
            self._locked.pop(order_bn, None)

    def ship(self, order_bn: str, logi_no: str, logi_name: str = "顺丰速运") -> None:
        """The warehouse sends the goods: from now on the order cannot be cancelled."""
        with self._lock:
            self._orders[order_bn].ship(logi_no, logi_name, utc_now())

    def work_off(self) -> None:
        """Do what is queued, whatever comes of it."""
        with self._lock:
            waiting, self._queue = self._queue, []
        for form in waiting:
            self._take_now(form)

    def _nothing_here(self, draw: Draw) -> Response:
        return json_response({"error": "not_found"}, 404)

    def _take(self, form: dict[str, str]) -> Response:
        if not self.queues:
            return self._take_now(form)
        with self._lock:
            self._queue.append(form)
        return queue_answer()

    def _take_now(self, form: Mapping[str, str]) -> Response:
        """As the OMS goes about it: signature, replay, node, lock, then the order."""
        try:
            check_signature(form, self.token)
            if self._is_repeat(form.get("task") or form["sign"], REPLAY_S):
                return replay_answer()
            check_node(form, self.node_id)
            with self._lock:
                return self._take_locked(form)
        except OrderRefused as refused:
            return refusal(refused)

    def _take_locked(self, form: Mapping[str, str]) -> Response:
        order_bn = form.get("order_bn", "")
        if self._locked.get(order_bn, 0) > time.monotonic():
            raise OrderRefused("订单正在处理，请稍后请求!", data={})
        if order_bn in self._crashing:
            self._crashing.remove(order_bn)
            self._locked[order_bn] = time.monotonic() + self.lock_s
            return crash_answer()
        objects = read_objects(form)
        held = self._orders.get(order_bn)
        return self._create(form, objects) if held is None else self._update(form, held)

    def _create(self, form: Mapping[str, str], objects: list[dict[str, Any]]) -> Response:
        check_new(form)
        order_bn = form["order_bn"]
        number = len(self._orders) + 1
        order = Stored.of(number, form, objects, is_fail=any(sold["bn"] in self.unknown_skus for sold in objects))
        for trade_no in order.trade_nos:
            if any(trade_no in other.trade_nos for other in self._orders.values()):
                raise OrderRefused(f"Duplicate entry '{trade_no}' for key 'ind_payment_bn_shop'", data={})
        self._orders[order_bn] = order
        self.ledger.record_document(order_bn, str(number))
        return order_answer(f"返回值：订单创建成功！订单ID：{number}", order_bn, note="created")

    def _update(self, form: Mapping[str, str], held: Stored) -> Response:
        refused = {
            "更新时间没变，无需更新": form.get("lastmodify", "") < held.lastmodify,
            "ERP取消订单，不做更新": held.status == "dead",
            "ERP订单已发货，不做更新": held.logi_no and form.get("ship_status") == "0",
        }
        for message, is_so in refused.items():
            if is_so:
                raise OrderRefused(message, data={"tid": held.order_bn})
        held.lastmodify = form.get("lastmodify", "")
        if form.get("status") != "dead":
            return order_answer("订单更新成功,影响行数:1", held.order_bn, note="adopted")
        held.status = "dead"
        self.ledger.record_document_cancel(held.order_bn)
        return order_answer("订单取消成功", held.order_bn, note="cancelled")

    def _tell(self, form: Mapping[str, str]) -> Response:
        methods: dict[str, Callable[[Mapping[str, str]], Response]] = {
            "orders.getList": self._orders_list,
            "sales.getDeliveryList": self._deliveries,
            "stock.getBnStock": self._stock_by_sku,
            "stock.getAll": self._stock_of_all,
        }
        try:
            check_question(form, self.flag, self.key, utc_now())
            if self._is_repeat(form["sign"], REPEAT_S):
                raise QuestionRefused("e000009")
            with self._lock:
                return methods[form["method"]](form)
        except QuestionRefused as refused:
            return question_refusal(refused)

    def _is_repeat(self, name: str, within_s: float) -> bool:
        now = time.monotonic()
        with self._lock:
            before = self._seen.get(name)
            if before is None or now - before > within_s:
                self._seen[name] = now
                return False
        return True

    def _orders_list(self, form: Mapping[str, str]) -> Response:
        """Failed orders are not among them."""
        start, end = period(form, "start_time", "end_time")
        wanted = form.get("order_bn", "")
        rows = {
            str(order.number): order.row(self.shop_bn)
            for order in self._orders.values()
            if not order.is_fail and wanted in ("", order.order_bn) and start <= order.lastmodify < end
        }
        said = {"lists": rows, "count": str(len(rows)), "cursor_id": "0", "has_more": False}
        return response(said, note="found" if rows else "not_found")

    def _deliveries(self, form: Mapping[str, str]) -> Response:
        start, end = period(form, "start_time", "end_time")
        sent = [order for order in self._orders.values() if order.logi_no and start <= order.shipped_at < end]
        rows = [order.delivery(self.shop_bn) for order in sent if form.get("shop_bn", self.shop_bn) == self.shop_bn]
        return response({"lists": page_of(rows, form), "count": len(rows)}, note="told")

    def _stock_by_sku(self, form: Mapping[str, str]) -> Response:
        asked = dict.fromkeys(form.get("product_bns", "").split(","))
        known = [sku for sku in asked if sku and sku not in self.unknown_skus]
        rows = [{"bn": sku, "barcode": None, **self._figure(sku)} for sku in known]
        return response({"lists": numbered(rows), "count": len(rows)}, note="told")

    def _stock_of_all(self, form: Mapping[str, str]) -> Response:
        rows = [{"bn": sku, "name": sku, **self._figure(sku)} for sku in self._shelves]
        return response({"lists": page_of(rows, form), "count": str(len(rows))}, note="told")

    def _figure(self, sku: str) -> dict[str, str]:
        held = sum(order.pieces(sku) for order in self._orders.values() if order.holds_stock)
        return {"store": str(self._shelves.get(sku, self.on_hand)), "store_freeze": str(held)}
