"""A generic REST ERP: `POST /api/orders`, look-ups by order id, idempotency keys honoured.

In JSON or, by Content-Type and Accept, in XML; with Bearer, Basic, or tokens of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from sync.sandbox.erp_stock import StockRoom
from sync.sandbox.erp_tokens import PATH as _TOKENS
from sync.sandbox.erp_tokens import TokenOffice
from sync.sandbox.erp_xml import is_xml, read_order, spell, wants_xml
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import Ask, Peer, json_response

_ORDERS = "/api/orders"
_STOCK = "/api/stock"
_GOODS = "/api/goods/"
_MONEY_TEXT = re.compile(r"-?\d{1,12}\.\d{2}")


@dataclass(slots=True)
class Document:
    """One order as the ERP holds it, with the key and the bytes it came with."""

    erp_no: str
    key: str
    digest: bytes
    order: dict[str, Any]
    status: str = "open"
    """Or `shipped`, or `cancelled`."""

    def reply(self) -> dict[str, Any]:
        return {"erp_no": self.erp_no, "order_id": self.order["order_id"], "status": self.status}


@dataclass(slots=True)
class SandboxErp(Peer):
    """`token` is both the Bearer token and the password of Basic; SKUs in `unknown_skus` are refused with 422.

    `tokens` gives further Bearer tokens to the client that it names.
    """

    token: str = ""
    user: str = "ecsync"
    unknown_skus: frozenset[str] = frozenset()
    stock: StockRoom = field(default_factory=StockRoom, repr=False)
    tokens: TokenOffice = field(default_factory=TokenOffice, repr=False)
    name: ClassVar[str] = "erp"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _by_order: dict[str, Document] = field(default_factory=dict, repr=False)
    _by_key: dict[str, Document] = field(default_factory=dict, repr=False)

    def understand(self, request: Request) -> Ask:
        ask = self._understand(request)
        if not wants_xml(request):
            return ask
        return Ask(ask.operation, ask.key, lambda draw: spell(ask.answer(draw)))

    def _understand(self, request: Request) -> Ask:
        path = request.path.rstrip("/")
        if path == _TOKENS:
            return Ask("ask_token", "", lambda _: self.tokens.answer(request))
        if request.method == "POST" and path == _ORDERS:
            return self._understand_create(request)
        if request.method == "POST" and path.startswith(f"{_ORDERS}/") and path.endswith("/cancel"):
            order_id = path.removeprefix(f"{_ORDERS}/").removesuffix("/cancel")
            return Ask("cancel_order", order_id, lambda _: self._cancel(request, order_id))
        if request.method == "GET" and path.startswith(_GOODS):
            return Ask("check_skus", "", lambda _: self._find_goods(request, path.removeprefix(_GOODS)))
        if request.method == "GET" and path == _STOCK:
            return Ask("read_stock", "", lambda _: self._read_stock(request))
        if request.method == "GET" and path.startswith(_ORDERS):
            order_id = request.query.get("order_id", path[len(_ORDERS) + 1 :])
            return Ask("find_order", order_id, lambda _: self._find(request, order_id))
        return Ask("unknown", "", lambda _: _problem(404, "not_found", f"{request.method} {request.path}"))

    def refuse_business(self, code: str, reason: str) -> Response:
        status = int(code) if code.isdecimal() and 400 <= int(code) <= 599 else 422
        return _problem(status, "business", reason)

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._by_order.clear()
            self._by_key.clear()
        self.stock.clear()

    def _understand_create(self, request: Request) -> Ask:
        try:
            order = read_order(request.body) if is_xml(request) else json.loads(request.body, parse_float=Decimal)
        except ValueError:
            order = None
        if not isinstance(order, dict):
            return Ask("create_order", "", lambda _: _problem(400, "malformed", "one order in JSON or XML is expected"))
        key = request.headers.get("idempotency-key", "")
        return Ask("create_order", str(order.get("order_id", "")), lambda _: self._create(request, order, key))

    def _create(self, request: Request, order: dict[str, Any], key: str) -> Response:
        if not self._is_authorised(request):
            return _unauthorised()
        problem = find_problem(order)
        if problem:
            return _problem(422, "invalid", problem)
        unknown = sorted({line["sku"] for line in order["lines"]} & self.unknown_skus)
        if unknown:
            return _problem(422, "unknown_sku", f"unknown SKU: {', '.join(unknown)}")
        if key:
            self.ledger.record_idempotency_key(order["order_id"], key)
        with self._lock:
            return self._create_once(order, key, hashlib.sha256(request.body).digest())

    def _create_once(self, order: dict[str, Any], key: str, digest: bytes) -> Response:
        earlier = self._by_key.get(key)
        if earlier and earlier.digest != digest:
            return _problem(422, "idempotency_key_reused", "this Idempotency-Key came with another body before")
        if earlier:
            return json_response(earlier.reply(), 201, note="adopted", headers=(("Idempotent-Replayed", "true"),))
        order_id = order["order_id"]
        if order_id in self._by_order:
            return _problem(409, "duplicate", f"order {order_id} exists")
        number = int(hashlib.sha256(f"{self.injector.seed}:{order_id}".encode()).hexdigest()[:12], 16) % 10**10
        document = Document(f"SO{number:010d}", key, digest, order)
        self._by_order[order_id] = document
        if key:
            self._by_key[key] = document
        self.ledger.record_document(order_id, document.erp_no)
        return json_response(document.reply(), 201, note="created")

    def _cancel(self, request: Request, order_id: str) -> Response:
        if not self._is_authorised(request):
            return _unauthorised()
        with self._lock:
            document = self._by_order.get(order_id)
            if document is None:
                return _problem(404, "not_found", f"no order {order_id}")
            if document.status != "open":
                return _problem(409, document.status, f"order {order_id} is {document.status}", document.status)
            document.status = "cancelled"
        self.ledger.record_document_cancel(order_id)
        return json_response(document.reply(), note="cancelled")

    def ship(self, order_id: str) -> None:
        """The warehouse sends the goods: from now on the order cannot be cancelled."""
        with self._lock:
            self._by_order[order_id].status = "shipped"

    def _find(self, request: Request, order_id: str) -> Response:
        if not self._is_authorised(request):
            return _unauthorised()
        with self._lock:
            document = self._by_order.get(order_id)
        if document is None:
            return json_response({"error": "not_found", "message": f"no order {order_id}"}, 404, note="not_found")
        return json_response(document.reply(), note="found")

    def _find_goods(self, request: Request, sku: str) -> Response:
        if not self._is_authorised(request):
            return _unauthorised()
        if sku in self.unknown_skus:
            return json_response({"error": "not_found", "message": f"no SKU {sku}"}, 404, note="not_found")
        return json_response({"sku": sku}, note="found")

    def _read_stock(self, request: Request) -> Response:
        """Orders reserve what they ask for until they are cancelled; what is shipped is gone as well."""
        if not self._is_authorised(request):
            return _unauthorised()
        with self._lock:
            orders = [document.order for document in self._by_order.values() if document.status != "cancelled"]
        return self.stock.answer(request, orders)

    def _is_authorised(self, request: Request) -> bool:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return bool(self.token and credentials == self.token) or self.tokens.accepts(credentials)
        try:
            plain = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and plain == f"{self.user}:{self.token}"


def find_problem(order: dict[str, Any]) -> str:
    """The first thing wrong with an order's fields as a sentence; empty when nothing is."""
    for name in ("order_id", "customer_name", "order_date"):
        if not isinstance(order.get(name), str) or not order[name].strip():
            return f"{name} is required and must be a text"
    if not _is_money(order.get("total_amount")):
        return "total_amount must be a number or text with at most two decimals"
    if not _is_date(order["order_date"]):
        return "order_date must be a date as YYYYMMDD"
    lines = order.get("lines")
    if not isinstance(lines, list) or not lines:
        return "lines must hold at least one line"
    problems = (_line_problem(number, line) for number, line in enumerate(lines, 1))
    return next((problem for problem in problems if problem), "")


def _line_problem(number: int, line: Any) -> str:
    if not isinstance(line, dict) or not isinstance(line.get("sku"), str) or not line["sku"]:
        return f"line {number}: sku is required"
    quantity = line.get("quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
        return f"line {number}: quantity must be a whole number from 1"
    if "price" in line and not _is_money(line["price"]):
        return f"line {number}: price must have at most two decimals"
    return ""


def _is_money(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_MONEY_TEXT.fullmatch(value))
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return isinstance(exponent, int) and exponent >= -2
    return isinstance(value, int) and not isinstance(value, bool)


def _is_date(text: str) -> bool:
    try:
        return datetime.strptime(text, "%Y%m%d").strftime("%Y%m%d") == text  # noqa: DTZ007 - a calendar date
    except ValueError:
        return False


def _problem(status: int, error: str, message: str, state: str = "") -> Response:
    """A refusal; `state` is how the order stands, where that is why."""
    said = {"error": error, "message": message} | ({"status": state} if state else {})
    return json_response(said, status, note=f"refused {status} {error}")


def _unauthorised() -> Response:
    return _problem(401, "unauthorised", "the credentials are not accepted")
