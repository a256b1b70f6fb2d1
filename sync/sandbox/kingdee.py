"""Kingdee's web API: signed calls in, `ResponseStatus` out; an order is saved, submitted and audited one by one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sync.clock import utc_now
from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.kingdee_rules import (
    BUSINESS,
    NO_SUCH_VALUE,
    Refusal,
    check_headers,
    done,
    find_problem,
    read_numbers,
    refusal_answer,
)
from sync.sandbox.peer import Ask, Peer, json_response

_VERB = re.compile(r".*/Kingdee\.BOS\.WebApi\.ServicesStub\.DynamicFormService\.(\w+)\.common\.kdsvc")
_MOVES = {"Submit": ("AD", "B"), "Audit": ("B", "C"), "UnAudit": ("C", "D")}
"""Verb -> the states that it takes an order from, and the one that it leaves it in."""
_MASTERS = {"BD_MATERIAL": "check_skus", "BD_Customer": "check_customer"}
_OPERATIONS = {
    "Save": "create_order",
    "Submit": "submit_order",
    "Audit": "audit_order",
    "UnAudit": "unaudit_order",
    "ExcuteOperation": "cancel_order",
}


@dataclass(slots=True)
class KingdeeOrder:
    """A sales order as Kingdee holds it."""

    number: str
    model: Mapping[str, Any]
    state: str = "A"
    is_void: bool = False

    def row(self) -> list[str]:
        return [self.number, self.state, "B" if self.is_void else "A"]


@dataclass(slots=True)
class SandboxKingdee(Peer):
    """`app_id`, `app_secret`, `acct_id`, `user`, `lcid` and `org` are what calls must be signed with.

    Materials in `unknown_skus` are not there, nor are customers but `customers`. `stock` maps material and warehouse to
    what lies there.
    """

    app_id: str = ""
    app_secret: str = ""
    acct_id: str = ""
    user: str = "ecsync"
    lcid: int = 2052
    org: str = "100"
    unknown_skus: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset({"C-ECSHOP"})
    stock: dict[tuple[str, str], float] = field(default_factory=dict)
    name: ClassVar[str] = "erp"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _orders: dict[str, KingdeeOrder] = field(default_factory=dict, repr=False)

    def understand(self, request: Request) -> Ask:
        named = _VERB.fullmatch(request.path)
        body = _object(request.body)
        if request.method != "POST" or named is None or body is None:
            return Ask("unknown", "", lambda _: Response(404, b"<html>404</html>", "text/html"))
        verb = named[1]
        if verb == "ExecuteBillQuery":
            return self._understand_query(request, body.get("data") or {})
        key = _number_in(body.get("data") or {})
        return Ask(_OPERATIONS.get(verb, "unknown"), key, self._guarded(request, lambda: self._do(verb, key, body)))

    def refuse_business(self, code: str, reason: str) -> Response:
        return refusal_answer(Refusal(BUSINESS, reason))

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._orders.clear()

    def void(self, number: str) -> None:
        """Somebody voids the order in Kingdee."""
        with self._lock:
            self._orders[number].is_void = True

    def state_of(self, number: str) -> str:
        with self._lock:
            return self._orders[number].state

    def total_fen_of(self, number: str) -> int:
        """What the order is worth to Kingdee."""
        with self._lock:
            entries = self._orders[number].model["FSaleOrderEntry"]
        return sum(round(100 * (one["FQty"] * one["FTaxPrice"] - one.get("FDiscount", 0))) for one in entries)

    def _understand_query(self, request: Request, asked: Mapping[str, Any]) -> Ask:
        form = str(asked.get("FormId"))
        if form == "STK_Inventory":
            return Ask(
                "read_stock", "", self._guarded(request, lambda: _rows(asked, self._stock_rows()), is_query=True)
            )
        if form in _MASTERS:
            masters = self._guarded(request, lambda: _rows(asked, self._master_rows(form, asked)), is_query=True)
            return Ask(_MASTERS[form], "", masters)
        wanted = re.fullmatch(r"FBillNo = '((?:[^']|'')*)'", str(asked.get("FilterString")))
        key = wanted[1].replace("''", "'") if wanted else ""
        return Ask("find_order", key, self._guarded(request, lambda: self._find(asked, key), is_query=True))

    def _guarded(
        self, request: Request, work: Callable[[], Response], *, is_query: bool = False
    ) -> Callable[[Draw], Response]:
        """The work, once the headers are right; a query wraps what is wrong."""

        def answer(_: Draw) -> Response:
            try:
                check_headers(request, self.app_id, self.app_secret, self._app_data(), utc_now())
                with self._lock:
                    return work()
            except Refusal as refused:
                return refusal_answer(refused, is_query=is_query)

        return answer

    def _app_data(self) -> str:
        return f"{self.acct_id},{self.user},{self.lcid},{self.org}"

    def _do(self, verb: str, number: str, body: Mapping[str, Any]) -> Response:
        if body.get("formid") != "SAL_SaleOrder":
            raise Refusal(BUSINESS, "业务对象不存在")
        if verb == "Save":
            return self._save(number, body["data"])
        order = self._orders.get(number)
        if order is None:
            raise Refusal(NO_SUCH_VALUE, f"单据 {number} 不存在")
        if verb in _MOVES:
            return self._move(order, verb)
        if verb != "ExcuteOperation" or body.get("opNumber") != "Cancel" or order.state not in "AD":
            raise Refusal(BUSINESS, "单据状态不允许此操作")
        order.is_void = True
        self.ledger.record_document_cancel(number)
        return done(number, "cancelled")

    def _save(self, number: str, data: Mapping[str, Any]) -> Response:
        problem = find_problem(data, self._knows)
        if problem:
            raise problem
        if number in self._orders:
            raise Refusal(BUSINESS, f"单据编号 {number} 已存在", "FBillNo")
        self._orders[number] = KingdeeOrder(number, data["Model"])
        self.ledger.record_document(number, number)
        return done(number, "created")

    def _move(self, order: KingdeeOrder, verb: str) -> Response:
        before, after = _MOVES[verb]
        if order.is_void or order.state not in before:
            raise Refusal(BUSINESS, f"单据状态 {order.state} 不允许 {verb}")
        order.state = after
        return done(order.number, verb)

    def _find(self, asked: Mapping[str, Any], number: str) -> Response:
        if asked.get("FieldKeys") != "FBillNo,FDocumentStatus,FCancelStatus":
            raise Refusal(NO_SUCH_VALUE, "字段不存在")
        order = self._orders.get(number)
        return _rows(asked, [order.row()] if order else [])

    def _knows(self, form: str, number: str) -> bool:
        return number in self.customers if form == "BD_Customer" else number not in self.unknown_skus

    def _master_rows(self, form: str, asked: Mapping[str, Any]) -> list[list[Any]]:
        """Those of the numbers asked for that are there."""
        numbers = read_numbers(asked)
        return [[place, number] for place, number in enumerate(numbers, 1) if self._knows(form, number)]

    def _stock_rows(self) -> list[list[Any]]:
        return [[f"{sku}/{place}", sku, place, pieces] for (sku, place), pieces in sorted(self.stock.items())]


def _rows(asked: Mapping[str, Any], rows: list[list[Any]]) -> Response:
    """One page: what lies beyond TopRowCount does not exist for the query."""
    start, limit = int(asked["StartRow"]), min(int(asked["Limit"]), 10_000)
    return json_response(
        rows[: int(asked["TopRowCount"])][start : start + limit], note="found" if rows else "not_found"
    )


def _number_in(data: Mapping[str, Any]) -> str:
    """The number that a call is about: of the order to save, or the only one of those to change."""
    model, numbers = data.get("Model"), data.get("Numbers")
    if isinstance(model, dict):
        return str(model.get("FBillNo", ""))
    return str(numbers[0]) if isinstance(numbers, list) and len(numbers) == 1 else ""


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
