"""A stand-in for SAP PI and the SAP behind it: three sender adapters, message IDs that count once, look-ups by ORDRSP.

PI accepts at once; SAP shows the number only after so many look-ups.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar
from xml.sax.saxutils import escape

from sync.sandbox.http import Request, Response
from sync.sandbox.peer import Ask, Peer, json_response
from sync.sandbox.sap_pi_rules import NotPi, check_plain, read_json_order, read_order, unwrap_soap

SOAP_PATH = "/XISOAPAdapter/MessageServlet"
HTTP_PATH = "/HttpAdapter/HttpMessageServlet"
REST_PATH = "/RESTAdapter/orders"
CANCEL_PATH = "/RESTAdapter/ordchg"
_XML = "text/xml; charset=utf-8"
_SOAP = "xmlns:SOAP='http://schemas.xmlsoap.org/soap/envelope/'"
_DUPLICATE = "com.sap.engine.interfaces.messaging.api.exception.DuplicateMessageException: {} already exists"


@dataclass(slots=True)
class SapDocument:
    """A sales order in SAP. `asked` counts the look-ups so far."""

    number: str
    asked: int = 0
    status: str = "open"
    """Or `delivered`, or `cancelled`."""


@dataclass(slots=True)
class SandboxSapPi(Peer):
    """`posts_after`: how many look-ups find nothing first. `drops_repeats`: SAP takes a customer reference only once.

    An order with a SKU in `unknown_skus` is accepted and never posted: its IDoc fails in SAP.
    """

    user: str = "ecsync"
    password: str = ""
    posts_after: int = 0
    drops_repeats: bool = False
    unknown_skus: frozenset[str] = frozenset()
    name: ClassVar[str] = "erp"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _documents: dict[str, list[SapDocument]] = field(default_factory=dict, repr=False)
    _messages: set[str] = field(default_factory=set, repr=False)

    def understand(self, request: Request) -> Ask:
        path = request.path.rstrip("/")
        if request.method == "POST" and path in (SOAP_PATH, HTTP_PATH, REST_PATH):
            return self._understand_order(path, request)
        if request.method == "POST" and path == CANCEL_PATH:
            return self._checked(request, "cancel_order", lambda: read_order(request.body, "ORDCHG"), self._cancel)
        if request.method == "GET" and path.startswith(f"{REST_PATH}/"):
            reference = path.removeprefix(f"{REST_PATH}/")
            is_json = "json" in request.query.get("format", "")
            if not self._is_let_in(request):
                return Ask("find_order", reference, _refuse_user)
            return Ask("find_order", reference, lambda _: self._find(reference, is_json=is_json))
        return Ask("unknown", "", lambda _: Response(404, b"<html>Not Found</html>", "text/html", note="refused 404"))

    def refuse_business(self, code: str, reason: str) -> Response:
        return _fault("GENERAL", f"{code} {reason}")

    def reset(self) -> None:
        Peer.reset(self)
        with self._lock:
            self._documents.clear()
            self._messages.clear()

    def deliver(self, reference: str) -> None:
        """The goods leave: from now on the order cannot be cancelled."""
        with self._lock:
            self._documents[reference][0].status = "delivered"

    def _understand_order(self, path: str, request: Request) -> Ask:
        message = {"id": ""}

        def read() -> tuple[str, list[str]]:
            if path == SOAP_PATH:
                message["id"] = request.query.get("MessageId", "")
                return read_order(unwrap_soap(request))
            if path == HTTP_PATH:
                message["id"] = check_plain(request.query)
            is_json = request.headers.get("content-type", "").startswith("application/json")
            return read_json_order(request.body) if is_json and path == REST_PATH else read_order(request.body)

        return self._checked(
            request, "create_order", read, lambda reference, skus: self._take(path, message["id"], reference, skus)
        )

    def _checked(
        self,
        request: Request,
        operation: str,
        read: Callable[[], tuple[str, list[str]]],
        answer: Callable[[str, list[str]], Response],
    ) -> Ask:
        try:
            reference, skus = read()
        except NotPi as problem:
            said = f"com.sap.aii.mapping.api.StreamTransformationException: {problem}"
            return Ask(operation, "", lambda _: _fault("ADAPTER.JAVA_EXCEPTION", said))
        if not self._is_let_in(request):
            return Ask(operation, reference, _refuse_user)
        return Ask(operation, reference, lambda _: answer(reference, skus))

    def _take(self, path: str, message_id: str, reference: str, skus: list[str]) -> Response:
        with self._lock:
            if message_id and message_id in self._messages:
                said = _DUPLICATE.format(f"Message {message_id}")
                return Response(500, said.encode(), "text/html", note="adopted")
            if message_id:
                self._messages.add(message_id)
                self.ledger.record_idempotency_key(reference, message_id)
            note = self._post(reference, skus)
        body = f"<SOAP:Envelope {_SOAP}><SOAP:Header/><SOAP:Body/></SOAP:Envelope>" if path == SOAP_PATH else ""
        return Response(202 if path == REST_PATH else 200, body.encode(), _XML, note=note)

    def _post(self, reference: str, skus: list[str]) -> str:
        """SAP posts what PI hands on; without a check of the reference a second IDoc is a second order."""
        if self.unknown_skus & set(skus):
            return "created"
        held = self._documents.setdefault(reference, [])
        if held and self.drops_repeats:
            return "adopted"
        seed = f"{self.injector.seed}:{reference}:{len(held)}"
        number = int(hashlib.sha256(seed.encode()).hexdigest()[:12], 16) % 10**9
        held.append(SapDocument(f"1{number:09d}"))
        self.ledger.record_document(reference, held[-1].number)
        return "created"

    def _find(self, reference: str, *, is_json: bool) -> Response:
        with self._lock:
            shown = [document for document in self._documents.get(reference, []) if document.asked >= self.posts_after]
            for document in self._documents.get(reference, []):
                document.asked += 1
        if not shown:
            return json_response({"error": "not_found"}, 404, note="not_found")
        if is_json:
            rows = [{"order_id": reference, "erp_no": document.number, "status": document.status} for document in shown]
            return json_response(rows, note="found")
        idocs = "".join(_ordrsp(reference, document.number) for document in shown)
        return Response(200, f"<ORDERS05>{idocs}</ORDERS05>".encode(), _XML, note="found")

    def _cancel(self, reference: str, _: list[str]) -> Response:
        with self._lock:
            held = self._documents.get(reference, [])
            if not held:
                return json_response({"status": "unknown"}, 404, note="refused 404")
            if any(document.status == "delivered" for document in held):
                return json_response({"status": "delivered"}, 409, note="refused 409 delivered")
            for document in held:
                document.status = "cancelled"
        self.ledger.record_document_cancel(reference)
        return json_response({"status": "cancelled"}, note="cancelled")

    def _is_let_in(self, request: Request) -> bool:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        try:
            plain = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return scheme.lower() == "basic" and plain == f"{self.user}:{self.password}"


def _ordrsp(reference: str, number: str) -> str:
    mine, theirs = escape(reference), escape(number)
    return (
        '<IDOC BEGIN="1"><EDI_DC40 SEGMENT="1"><TABNAM>EDI_DC40</TABNAM><DIRECT>1</DIRECT><IDOCTYP>ORDERS05</IDOCTYP>'
        f'<MESTYP>ORDRSP</MESTYP></EDI_DC40><E1EDK01 SEGMENT="1"><BELNR>{theirs}</BELNR></E1EDK01>'
        f'<E1EDK02 SEGMENT="1"><QUALF>001</QUALF><BELNR>{mine}</BELNR></E1EDK02>'
        f'<E1EDK02 SEGMENT="1"><QUALF>002</QUALF><BELNR>{theirs}</BELNR></E1EDK02></IDOC>'
    )


def _refuse_user(_: object) -> Response:
    return Response(401, b"<html><body>Unauthorized</body></html>", "text/html", note="refused 401")


def _fault(code: str, reason: str) -> Response:
    detail = (
        f"<s:SystemError xmlns:s='http://sap.com/xi/WebService/xi2.0'><context>XIAdapter</context><code>{code}</code>"
    )
    body = (
        f"<SOAP:Envelope {_SOAP}><SOAP:Header/><SOAP:Body><SOAP:Fault><faultcode>SOAP:Server</faultcode>"
        f"<faultstring>Server Error</faultstring><detail>{detail}<text>{escape(reason)}</text></s:SystemError></detail>"
        "</SOAP:Fault></SOAP:Body></SOAP:Envelope>"
    )
    return Response(500, body.encode(), _XML, note=f"refused {code}")
