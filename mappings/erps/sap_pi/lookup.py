"""SAP's number of an order, out of what a look-up answers: an ORDRSP as XML, or JSON. Nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mappings.connector import CallbackRefused, Config
from mappings.erps.sap_pi.fault import error_of, find_fault
from mappings.erps.sap_pi.reply import LONGEST_NUMBER, is_web_page, xml_of
from mappings.erps.sap_pi.xml_reply import Element
from mappings.errors import PeerError, PermanentError, TransientError, UncertainError
from mappings.fields import number_of, objects_in, text_of
from mappings.model import ErpDocument
from mappings.wire import HttpReply, check_status

CODE, SKU_CODE = "sap_pi.find", "sap_pi.sku"
IDOC_ROOTS = ("ORDERS05", "ORDRSP", "ORDERS04")
"""The documents that an ORDRSP comes in; one without an IDoc in it says that there is none."""

Numbered = tuple[str, str]
"""Our reference and SAP's number, which may be empty."""


def read_ordrsp(root: Element) -> list[Numbered]:
    """Every order that the document confirms: our number in E1EDK02 001, SAP's in E1EDK02 002, else in E1EDK01.

    E1EDK01 repeats our own number in some mappings; that is no number of SAP's.
    """
    return [_read_idoc(idoc) for idoc in root.walk() if idoc.name == "IDOC"]


def read_found(reply: HttpReply, external_ref: str, values: Config) -> ErpDocument | None:
    """The one document under our number, or None when SAP has none yet. Never raises UncertainError: it was a read."""
    is_page = reply.text().lstrip()[:1] == "<"
    root = xml_of(reply) if is_page else None
    fault = find_fault(root) if root is not None else None
    if fault is not None:
        raise _as_read(error_of(fault, CODE))
    if reply.status == 204 or (reply.status == 404 and not is_page):
        return None
    check_status(reply, CODE, changes_peer=False)
    if not reply.text().strip():
        return None
    return _choose(_numbered(reply, root, values), external_ref, reply)


def read_pushed(body: bytes, values: Config) -> tuple[ErpDocument, ...]:
    """The documents that PI tells of by itself: an ORDRSP, in a SOAP envelope or bare, or JSON. Raises CallbackRefused.

    A push without our number and SAP's is refused, so that PI's people see it there.
    """
    pushed = HttpReply(200, body=body)
    try:
        rows = _numbered(pushed, xml_of(pushed), values)
    except PeerError as problem:
        raise CallbackRefused(problem.message) from None
    found = tuple(ErpDocument(number, reference, adopted=True) for reference, number in rows if reference and number)
    if not found:
        raise CallbackRefused("it names no order of ours with SAP's number")
    return found


def read_known(reply: HttpReply) -> bool:
    """Whether SAP knows what was asked for: a 404 and an empty answer say no. Never raises UncertainError."""
    is_page = reply.text().lstrip()[:1] == "<"
    root = xml_of(reply) if is_page else None
    fault = find_fault(root) if root is not None else None
    if fault is not None:
        raise _as_read(error_of(fault, SKU_CODE))
    if reply.status in (204, 410) or (reply.status == 404 and not is_page):
        return False
    check_status(reply, SKU_CODE, changes_peer=False)
    if root is not None and not is_web_page(root):
        return bool(root.children or root.text.strip())
    return bool(reply.text().strip()) and bool(_read_json(reply, SKU_CODE))


def _read_idoc(idoc: Element) -> Numbered:
    references: dict[str, str] = {}
    for segment in idoc.children:
        if segment.name == "E1EDK02":
            references.setdefault(segment.say("QUALF"), segment.say("BELNR"))
    mine, head = references.get("001", ""), next((part for part in idoc.children if part.name == "E1EDK01"), None)
    spoken = head.say("BELNR") if head is not None else ""
    return mine, references.get("002") or (spoken if spoken != mine else "")


def _numbered(reply: HttpReply, root: Element | None, values: Config) -> list[Numbered]:
    if root is not None and (root.name in IDOC_ROOTS or root.find("IDOC") is not None):
        return read_ordrsp(root)
    held = _read_json(reply, CODE)
    if held is not None and not isinstance(held, (dict, list)):
        raise _found_other(reply)
    rows = [held] if isinstance(held, dict) and held else objects_in(held)
    if isinstance(held, list) and len(rows) != len(held):
        raise _found_other(reply)
    ref_field, number_field = values["find_ref_field"], values["find_erp_no_field"]
    return [(text_of(row, ref_field), number_of(row, number_field, LONGEST_NUMBER)) for row in rows]


def _read_json(reply: HttpReply, area: str) -> Any:
    try:
        return json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise TransientError(
            f"{area}.garbled",
            "The look-up's answer is neither JSON nor an ORDRSP",
            peer_code=str(reply.status),
            peer_text=reply.text()[:200],
        ) from None


def _choose(found: Iterable[Numbered], external_ref: str, reply: HttpReply) -> ErpDocument | None:
    rows = list(found)
    mine = {number for reference, number in rows if reference == external_ref}
    numbers = mine - {""}
    if len(numbers) > 1:
        message = f"SAP holds order {external_ref} under several numbers: cancel the surplus there, then retry"
        raise PermanentError("sap_pi.find.found_twice", message, peer_text=", ".join(sorted(numbers))[:200])
    if rows and not mine:
        raise _found_other(reply)
    return ErpDocument(next(iter(numbers), ""), external_ref, adopted=True) if mine else None


def _found_other(reply: HttpReply) -> PermanentError:
    return PermanentError(
        "sap_pi.find.found_other",
        "The look-up answered with something else than this order: check FIND_URL, FIND_REF_FIELD, FIND_ERP_NO_FIELD",
        peer_code=str(reply.status),
        peer_text=reply.text()[:200],
    )


def _as_read(error: PeerError) -> PeerError:
    """A look-up changes nothing, so what is not clear may simply be asked again."""
    if not isinstance(error, UncertainError):
        return error
    return TransientError(error.code, error.message, peer_code=error.peer_code, peer_text=error.peer_text)
