"""SAP Gateway with the two OData V2 services: deep inserts, filters, rejected items, physical stock, CSRF tokens.

Like SAP it takes the same order twice without a word, with a warning at most: who sends it twice has it twice.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import Any, ClassVar

from sync.sandbox.erp_tokens import PATH as TOKENS
from sync.sandbox.erp_tokens import TokenOffice
from sync.sandbox.faults import Draw
from sync.sandbox.http import Request, Response
from sync.sandbox.peer import Ask, Peer, json_response
from sync.sandbox.sap_filter import read_filter
from sync.sandbox.sap_rules import ENTITIES, Refused, check_deep_insert
from sync.sandbox.sap_stock import SapShelves

ORDERS = "/sap/opu/odata/sap/API_SALES_ORDER_SRV"
STOCK = "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV"
PRODUCTS = "/sap/opu/odata/sap/API_PRODUCT_SRV"
INNER_HOST = "http://s4hana.internal:44300"
"""How SAP names itself in links, which nobody outside can reach."""

_SALES_AREA = {"ProductSalesOrg": "1010", "ProductDistributionChnl": "10"}
_ITEM = re.compile(r"A_SalesOrderItem\(SalesOrder='([^']*)',SalesOrderItem='(\d+)'\)")
_ORDER = re.compile(r"A_SalesOrder\('([^']*)'\)")
_PRODUCT = re.compile(r"Product eq '((?:[^']|'')*)'")
_REFERENCE = re.compile(r"PurchaseOrderByCustomer eq '((?:[^']|'')*)'")


@dataclass(slots=True)
class SapDocument:
    """One sales order; `version` is what its ETag says."""

    number: str
    header: dict[str, Any]
    items: list[dict[str, Any]]
    version: int = 1

    @property
    def reference(self) -> str:
        return str(self.header.get("PurchaseOrderByCustomer", ""))

    @property
    def rejection(self) -> str:
        """OverallSDDocumentRejectionSts: A nothing, B some, C every item is rejected."""
        count = sum(bool(item["SalesDocumentRjcnReason"]) for item in self.items)
        return "A" if not count else "C" if count == len(self.items) else "B"

    def shown(self) -> dict[str, Any]:
        return {
            **dict.fromkeys(name for name, words in ENTITIES["A_SalesOrder"].items() if not words.startswith("-> ")),
            **self.header,
            "SalesOrder": self.number,
            "OverallDeliveryStatus": max((item["DeliveryStatus"] for item in self.items), default="A"),
            "OverallSDDocumentRejectionSts": self.rejection,
            "__metadata": {"type": "API_SALES_ORDER_SRV.A_SalesOrder", "etag": f'W/"{self.version}"'},
        }


@dataclass(slots=True)
class SandboxSap(Peer):
    """`user` and `password` for Basic, `tokens` for a bearer; orders of other customers than `customers` and with SKUs
    in `unknown_skus` are refused. `remark` is a warning that it gives with every order. `shelves` is what lies in its
    plants."""

    user: str = "ecsync"
    password: str = ""
    client: str = "100"
    customers: frozenset[str] = frozenset({"10100001"})
    unknown_skus: frozenset[str] = frozenset()
    remark: str = ""
    tokens: TokenOffice = field(default_factory=TokenOffice, repr=False)
    shelves: SapShelves = field(default_factory=SapShelves, repr=False)
    name: ClassVar[str] = "erp"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _documents: dict[str, SapDocument] = field(default_factory=dict, repr=False)
    _by_reference: dict[str, list[SapDocument]] = field(default_factory=dict, repr=False)
    _sessions: dict[str, str] = field(default_factory=dict, repr=False)
    _opened: int = 0

    def understand(self, request: Request) -> Ask:
        if request.path == TOKENS:
            return Ask("fetch_bearer", "", lambda _: self.tokens.answer(request))
        service, _, entity = request.path.rpartition("/") if "(" not in request.path else _cut(request.path)
        by_method = {"GET": self._understand_read, "POST": self._understand_create, "PATCH": self._understand_reject}
        if service in (ORDERS, STOCK, PRODUCTS) and request.method in by_method:
            return by_method[request.method](service, entity, request)
        return Ask("unknown", "", self._behind_door(request, lambda: _missing(entity)))

    def refuse_business(self, code: str, reason: str) -> Response:
        return _envelope(Refused(code, reason))

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._documents.clear()
            self._by_reference.clear()
            self._sessions.clear()
        self.shelves.clear()

    def forget_sessions(self) -> None:
        """SAP was restarted, or nobody called for half an hour: every token is stale."""
        with self._lock:
            self._sessions.clear()

    def document(self, reference: str) -> SapDocument:
        """The newest document under a reference. Raises KeyError when there is none."""
        with self._lock:
            return self._by_reference[reference][-1]

    def deliver(self, reference: str) -> None:
        """The warehouse has made a delivery and posted its goods issue: the goods are off the shelves."""
        for item in self.document(reference).items:
            item["DeliveryStatus"] = "C"
            self.shelves.take(item["Material"], item["RequestedQuantity"])

    def _understand_read(self, service: str, entity: str, request: Request) -> Ask:
        if entity == "":
            return Ask("fetch_token", "", self._behind_door(request, lambda: _odata({"EntitySets": list(ENTITIES)})))
        if service == STOCK and entity == "A_MatlStkInAcctMod":
            return Ask("read_stock", "", self._behind_door(request, lambda: self._read_stock(request)))
        if service == PRODUCTS and entity == "A_ProductSalesDelivery":
            return Ask("check_skus", "", self._behind_door(request, lambda: self._read_products(request)))
        if service == ORDERS and entity == "A_SalesOrder":
            return Ask("find_order", _reference_in(request), self._behind_door(request, lambda: self._find(request)))
        if service == ORDERS and (single := _ORDER.fullmatch(entity)):
            key = self._reference_of(single[1])
            return Ask("read_order", key, self._behind_door(request, lambda: self._read_order(single[1], request)))
        return Ask("unknown", "", self._behind_door(request, lambda: _missing(entity)))

    def _understand_create(self, service: str, entity: str, request: Request) -> Ask:
        body = _json(request.body)
        key = str(body.get("PurchaseOrderByCustomer", "")) if isinstance(body, Mapping) else ""
        is_create = service == ORDERS and entity == "A_SalesOrder"
        work = (lambda: self._create(body)) if is_create else (lambda: _missing(entity))
        operation = "create_order" if is_create else "unknown"
        return Ask(operation, key, self._behind_door(request, work, is_change=True))

    def _understand_reject(self, service: str, entity: str, request: Request) -> Ask:
        single = _ITEM.fullmatch(entity)
        if service != ORDERS or single is None:
            return Ask("unknown", "", self._behind_door(request, lambda: _missing(entity), is_change=True))
        number, item_no = single.groups()
        work = self._behind_door(request, lambda: self._reject(number, item_no, request), is_change=True)
        return Ask("cancel_order", self._reference_of(number), work)

    def _behind_door(
        self, request: Request, work: Callable[[], Response], *, is_change: bool = False
    ) -> Callable[[Draw], Response]:
        """What SAP looks at before it looks at the request: credentials, client, and the token of a change."""

        def answer(_: Draw) -> Response:
            if not self._is_authorised(request):
                page = b"<html><body><h1>Anmeldung fehlgeschlagen</h1></body></html>"
                return Response(401, page, "text/html; charset=utf-8", note="refused 401")
            session = self._session_of(request)
            if is_change and (session is None or request.headers.get("x-csrf-token") != self._sessions[session]):
                required = (("x-csrf-token", "Required"),)
                body = b"CSRF token validation failed"
                return Response(403, body, "text/plain; charset=utf-8", required, note="refused 403 csrf")
            try:
                response = work()
            except Refused as refusal:
                response = _envelope(refusal)
            return self._with_session(request, response, session)

        return answer

    def _is_authorised(self, request: Request) -> bool:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        is_known = credentials == wanted if scheme == "Basic" else self.tokens.accepts(credentials)
        return is_known and request.query.get("sap-client", "") == self.client

    @property
    def _cookie(self) -> str:
        return f"SAP_SESSIONID_S4H_{self.client}"

    def _session_of(self, request: Request) -> str | None:
        try:
            crumbs = SimpleCookie(request.headers.get("cookie", ""))
        except CookieError:
            return None
        session = crumbs[self._cookie].value if self._cookie in crumbs else ""
        return session if session in self._sessions else None

    def _with_session(self, request: Request, response: Response, session: str | None) -> Response:
        """A caller without a session gets one; who asks for the token is told it."""
        headers = list(response.headers)
        if session is None:
            with self._lock:
                self._opened += 1
                session = sha256(f"{self.injector.seed}:session:{self._opened}".encode()).hexdigest()[:32]
                self._sessions[session] = sha256(f"{session}:token".encode()).hexdigest()[:24]
            headers.append(("Set-Cookie", f"{self._cookie}={session}; path=/; HttpOnly"))
            headers.append(("Set-Cookie", f"sap-usercontext=sap-client={self.client}; path=/"))
        if request.method == "GET" and request.headers.get("x-csrf-token", "").lower() == "fetch":
            headers.append(("x-csrf-token", self._sessions[session]))
        return replace(response, headers=tuple(headers))

    def _create(self, body: object) -> Response:
        check_deep_insert("A_SalesOrder", body)
        order: dict[str, Any] = body  # type: ignore[assignment]  # the check has refused all else
        customers = {order["SoldToParty"], *(row.get("Customer") for row in order.get("to_Partner", ()))}
        if unknown := sorted(map(str, customers - self.customers)):
            raise Refused("VP/199", f"Sold-to party {unknown[0]} is not maintained for this sales area", "SoldToParty")
        if strange := sorted({item["Material"] for item in order["to_Item"]} & self.unknown_skus):
            raise Refused(
                "V1/382", f"Material {strange[0]} is not defined for sales org.1010, distr.chan.10", "Material"
            )
        with self._lock:
            document = self._keep(order)
            is_second = len(self._by_reference[document.reference]) > 1
        self.ledger.record_document(document.reference, document.number)
        remark = f"PO number {document.reference} exists" if is_second else self.remark
        said = json.dumps({"code": "V4/115", "message": remark, "severity": "warning", "details": []})
        response = _odata(document.shown(), 201, note="created")
        return replace(response, headers=(("sap-message", said),) if remark else ())

    def _keep(self, order: dict[str, Any]) -> SapDocument:
        number = str(100001 + len(self._documents))
        header = {name: value for name, value in order.items() if not name.startswith("to_")}
        items = [
            {
                **item,
                "SalesOrder": number,
                "SalesOrderItem": str(10 * n),
                "SalesDocumentRjcnReason": "",
                "DeliveryStatus": "A",
            }
            for n, item in enumerate(order["to_Item"], 1)
        ]
        document = self._documents[number] = SapDocument(number, header, items)
        self._by_reference.setdefault(document.reference, []).append(document)
        return document

    def _find(self, request: Request) -> Response:
        test, reference = _read_filter(request, "A_SalesOrder"), _reference_in(request)
        with self._lock:
            near = self._by_reference.get(reference, []) if reference else self._documents.values()
            rows = [row for document in near if test(row := document.shown())]
        return _odata({"results": [_selected(row, request) for row in rows]}, note="found" if rows else "not_found")

    def _read_order(self, number: str, request: Request) -> Response:
        document = self._documents.get(number)
        if document is None:
            return _missing(number)
        shown = document.shown()
        if request.query.get("$expand") == "to_Item":
            shown["to_Item"] = {"results": [dict(item) for item in document.items]}
        return _odata(shown, note="found")

    def _reject(self, number: str, item_no: str, request: Request) -> Response:
        document, change = self._documents.get(number), _json(request.body)
        item = next((row for row in document.items if row["SalesOrderItem"] == item_no), None) if document else None
        if document is None or item is None:
            return _missing(number)
        if "if-match" not in request.headers:
            raise Refused("/IWFND/CM_MGW/428", "A precondition is required for this request", status=428)
        if request.headers["if-match"] not in ("*", f'W/"{document.version}"'):
            raise Refused("/IWFND/CM_MGW/412", "Precondition failed", status=412)
        reason = change.get("SalesDocumentRjcnReason") if isinstance(change, Mapping) else None
        if not isinstance(reason, str) or not 1 <= len(reason) <= 2 or len(change) != 1:
            raise Refused("/IWFND/CM_MGW/096", "Property is invalid", "SalesDocumentRjcnReason")
        if item["DeliveryStatus"] != "A":
            raise Refused("V4/083", f"Item {item_no} has subsequent documents and cannot be rejected")
        item["SalesDocumentRjcnReason"], document.version = reason, document.version + 1
        if document.rejection == "C":
            self.ledger.record_document_cancel(document.reference)
        return Response(204, note="cancelled")

    def _read_stock(self, request: Request) -> Response:
        test = _read_filter(request, "A_MatlStkInAcctMod")
        rows = [row for row in self.shelves.rows() if test(row)]
        page, link = self.shelves.page(rows, request.query)
        shown: dict[str, Any] = {"results": [_selected(row, request) for row in page]}
        if link:
            shown["__next"] = f"{INNER_HOST}{STOCK}/A_MatlStkInAcctMod?{link}"
        return _odata(shown, note="told")

    def _read_products(self, request: Request) -> Response:
        """Every material but `unknown_skus` is extended to its one sales area."""
        test = _read_filter(request, "A_ProductSalesDelivery")
        asked = (name.replace("''", "'") for name in _PRODUCT.findall(request.query.get("$filter", "")))
        held = ({**_SALES_AREA, "Product": name} for name in asked if name not in self.unknown_skus)
        return _odata({"results": [_selected(row, request) for row in held if test(row)]}, note="told")

    def _reference_of(self, number: str) -> str:
        with self._lock:
            document = self._documents.get(number)
        return document.reference if document else ""


def _cut(path: str) -> tuple[str, str, str]:
    """A path whose last part is an entity with a key."""
    service, slash, entity = path.partition("/A_")
    return service, slash, f"A_{entity}"


def _reference_in(request: Request) -> str:
    """The one reference that a look-up names; empty when it names none, or more than that (`or`)."""
    asked = request.query.get("$filter", "")
    found = _REFERENCE.search(asked) if " or " not in asked else None
    return found[1].replace("''", "'") if found else ""


def _read_filter(request: Request, entity: str) -> Callable[[Mapping[str, Any]], bool]:
    known = frozenset(ENTITIES.get(entity, ())) | SapShelves.FIELDS | {"Product", *_SALES_AREA}
    try:
        return read_filter(request.query.get("$filter", ""), known)
    except ValueError as problem:
        raise Refused("/IWBEP/CM_MGW_RT/176", str(problem)) from None


def _selected(row: Mapping[str, Any], request: Request) -> dict[str, Any]:
    names = request.query.get("$select", "")
    wanted = {*names.split(","), "__metadata"} if names else set(row)
    return {name: value for name, value in row.items() if name in wanted}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _odata(value: Mapping[str, Any], status: int = 200, *, note: str = "") -> Response:
    return json_response({"d": value}, status, note=note)


def _missing(what: str) -> Response:
    return _envelope(Refused("/IWBEP/CM_MGW_RT/020", f"Resource not found for '{what}'", status=404))


def _envelope(refusal: Refused) -> Response:
    """SAP's error: the top message is repeated among the details, whose texts are plain."""
    detail = {"code": refusal.code, "message": refusal.text, "propertyref": refusal.target, "severity": "error"}
    error = {
        "code": refusal.code,
        "message": {"lang": "en", "value": refusal.text},
        "innererror": {"transactionid": "0" * 32, "errordetails": [detail]},
    }
    return json_response({"error": error}, refusal.status, note=f"refused {refusal.status} {refusal.code}")
