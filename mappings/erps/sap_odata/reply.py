"""What SAP's answers mean. A refusal's top message is often generic, so its details are walked, too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.erps.sap_odata.odata import next_page, rows_of
from mappings.erps.sap_odata.shapes import ORDER, longest
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.fields import number_of, objects_in, text_of
from mappings.model import ErpDocument
from mappings.rulings import Rules, is_utf8
from mappings.wire import HttpReply, check_status, read_json_object

RULES = Rules.of("SAP", __package__)

ORDER_AREA = "sap_odata.order"
ALL_REJECTED = "C"
"""OverallSDDocumentRejectionSts: nothing is left of the order."""
_LESS_THAN_ERRORS = ("info", "success", "warning")


class LostAnswer(UncertainError):
    """An answer got lost while SAP may still be at work; what it does then is not seen before `retry_after_s`."""

    def __init__(self, lost: UncertainError, retry_after_s: float) -> None:
        super().__init__(lost.code, lost.message, peer_code=lost.peer_code, peer_text=lost.peer_text)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Refusal:
    """SAP's error envelope: the code to rule by, and all its messages."""

    code: str
    text: str


def read_refusal(reply: HttpReply) -> Refusal | None:
    """The error envelope of an answer, None when it holds none.

    SAP's details have their message as a text, and some gateways as `{lang, value}`; both are read.
    """
    body = _json(reply)
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return None
    inner = error.get("innererror")
    details = objects_in(inner.get("errordetails")) if isinstance(inner, Mapping) else []
    wrong = [row for row in details if text_of(row, "severity").lower() not in _LESS_THAN_ERRORS]
    texts = _unique([_message(error), *(_message(row) for row in wrong)])
    codes = _unique([text_of(error, "code"), *(text_of(row, "code") for row in wrong)])
    known = (code for code in codes if code in RULES.by_code)
    return Refusal(next(known, codes[0] if codes else str(reply.status)), "; ".join(texts))


def read_remarks(reply: HttpReply) -> tuple[str, ...]:
    """The warnings that came with a success, from the header `sap-message`; what is not readable is kept as it is."""
    told = _from_latin(reply.headers.get("sap-message", "").strip())
    if not told:
        return ()
    try:
        note = json.loads(told)
    except (ValueError, RecursionError):
        return (told[:200],)
    if not isinstance(note, Mapping):
        return (told[:200],)
    rows = [note, *objects_in(note.get("details"))]
    texts = [" ".join(filter(None, (text_of(row, "code"), _message(row)))) for row in rows]
    return tuple(text[:200] for text in _unique(texts))


def read_body(reply: HttpReply, area: str, *, changes_peer: bool = True) -> dict[str, Any]:
    """The JSON of an answer that SAP gave as a success. Raises any PeerError but DuplicateError.

    A page instead of JSON comes from the dispatcher before SAP: with a 4xx nothing was done, else nobody knows. In
    another character set than UTF-8 an answer was changed on its way, its numbers perhaps too.
    """
    refusal = read_refusal(reply)
    if refusal is not None:
        _raise_refusal(reply, refusal, area, changes_peer=changes_peer)
    if reply.status in (400, 404, 405) and reply.text().lstrip()[:1] == "<":
        raise garbled(reply, area, "A page came instead of SAP's answer; nothing was done", changes_peer=False)
    check_status(reply, area, changes_peer=changes_peer)
    if not is_utf8(reply.body):
        raise garbled(reply, area, "SAP's answer is not in UTF-8", changes_peer=changes_peer)
    return read_json_object(reply, area, changes_peer=changes_peer)


def check_changed(reply: HttpReply, area: str) -> None:
    """Return when a change was taken; SAP answers that with an empty body. Raises any PeerError but DuplicateError."""
    if not (200 <= reply.status < 300 and not reply.text().strip()):
        read_body(reply, area)


def read_created(reply: HttpReply, external_ref: str) -> ErpDocument:
    """The document of a create. Raises any PeerError; without a number in it the answer is uncertain."""
    held = read_body(reply, ORDER_AREA).get("d")
    number = _number(held) if isinstance(held, Mapping) else ""
    if not number:
        raise garbled(reply, ORDER_AREA, "SAP's answer names no sales order; it may have made one", changes_peer=True)
    return ErpDocument(number, external_ref, remarks=read_remarks(reply))


def read_found(reply: HttpReply, external_ref: str) -> ErpDocument | None:
    """The one document under our reference; one whose items are all rejected counts only where it is the only one.

    Raises PermanentError `found_twice` or `found_other`. Never raises UncertainError: it was a read.
    """
    rows, _ = read_page(reply, ORDER_AREA)
    mine = [row for row in rows if text_of(row, "PurchaseOrderByCustomer") == external_ref and _number(row)]
    if rows and not mine:
        message = "SAP answered the look-up with other orders: a gateway between us may drop $filter. Nothing was sent"
        raise _for_a_person("sap_odata.order.found_other", message, rows)
    standing = [row for row in mine if text_of(row, "OverallSDDocumentRejectionSts") != ALL_REJECTED]
    if len(standing) > 1:
        message = "SAP holds this order more than once: reject the surplus there, then retry"
        raise _for_a_person("sap_odata.order.found_twice", message, standing)
    found = standing or mine[-1:]
    return ErpDocument(_number(found[0]), external_ref, adopted=True) if found else None


def read_page(reply: HttpReply, area: str) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    """The entities of a collection, and where SAP says that it goes on (empty: nowhere).

    Raises TransientError when it is no collection: asking again is safe.
    """
    body = read_body(reply, area, changes_peer=False)
    rows = rows_of(body)
    if rows is None:
        raise garbled(reply, area, "SAP's answer holds no list", changes_peer=False)
    return rows, next_page(body)


def garbled(reply: HttpReply, area: str, message: str, *, changes_peer: bool) -> PeerError:
    """The error of an answer that says neither yes nor no."""
    kind = UncertainError if changes_peer else TransientError
    return kind(f"{area}.garbled", message, peer_code=str(reply.status), peer_text=reply.text()[:200])


def _raise_refusal(reply: HttpReply, refusal: Refusal, area: str, *, changes_peer: bool) -> None:
    status, text = reply.status, refusal.text[:300]
    if status in (401, 403):
        message = "SAP refuses our user, or it lacks an authorization"
        raise AuthError(f"{area}.auth", message, peer_code=refusal.code, peer_text=text)
    if status in (408, 425, 429, 503):
        check_status(reply, area)
    if status >= 500:
        error = UncertainError if changes_peer else TransientError
        raise error(f"{area}.server_error", "SAP failed", peer_code=refusal.code, peer_text=text)
    ruling = RULES.judge(refusal.code, refusal.text)
    raise RULES.error(ruling, area, refusal.code, text, changes_peer=changes_peer)


def _for_a_person(code: str, message: str, rows: Iterable[Mapping[str, Any]]) -> PermanentError:
    numbers = ", ".join(map(_number, rows))
    return PermanentError(code, message, peer_text=numbers[:200])


def _number(row: Mapping[str, Any]) -> str:
    return number_of(row, "SalesOrder", longest(ORDER, "SalesOrder"))


def _message(row: Mapping[str, Any]) -> str:
    told = row.get("message")
    return text_of(told, "value") if isinstance(told, Mapping) else text_of(row, "message")


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, words)))


def _json(reply: HttpReply) -> Any:
    try:
        return json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _from_latin(header: str) -> str:
    """Headers are read as Latin-1; SAP writes UTF-8 into them."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return header
