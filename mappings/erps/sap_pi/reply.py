"""PI's answer to an order: at best that it keeps the message. SAP's own number comes later, by a look-up."""

from __future__ import annotations

import json
from typing import Any

from mappings.connector import Config
from mappings.erps.sap_pi.fault import error_of, find_fault, is_known_duplicate
from mappings.erps.sap_pi.settings import REST
from mappings.erps.sap_pi.xml_reply import Element, UnreadableXml, read_xml
from mappings.errors import DuplicateError, PermanentError, UncertainError
from mappings.fields import number_of
from mappings.model import ErpDocument
from mappings.wire import HttpReply, check_status

CODE = "sap_pi.order"
LONGEST_NUMBER = 35
"""SAP's own has ten characters; a mapping may put something before them."""
_REFUSALS = ("error", "errors", "fault", "Fault")
"""Members of a JSON answer that say no, whatever the status."""


def read_accepted(reply: HttpReply, external_ref: str, values: Config) -> ErpDocument:
    """The document as PI has accepted it, mostly without a number; adopted where PI held the message already.

    Raises any PeerError but DuplicateError.
    """
    root = xml_of(reply)
    fault = find_fault(root) if root is not None else None
    if fault is not None:
        error = error_of(fault, CODE)
        if isinstance(error, DuplicateError):
            return ErpDocument("", external_ref, adopted=True)
        raise error
    if reply.status >= 500 and is_known_duplicate(reply.text()):
        return ErpDocument("", external_ref, adopted=True)
    check_status(reply, CODE)
    if not reply.text().strip():
        return ErpDocument("", external_ref)
    if values["sender"] == REST and root is None:
        return _read_json(reply, external_ref, values)
    if root is None or is_web_page(root):
        raise garbled(reply, CODE)
    return ErpDocument("", external_ref)


def xml_of(reply: HttpReply) -> Element | None:
    """The answer as XML; None when it is none that can be read whole."""
    try:
        return read_xml(reply.body)
    except UnreadableXml:
        return None


def json_of(reply: HttpReply) -> dict[str, Any] | None:
    """The answer as a JSON object; None when it is none, or not in UTF-8."""
    try:
        answer = json.loads(reply.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def is_web_page(root: Element) -> bool:
    """Whether some XML is a web page: a proxy's, and no answer of PI's."""
    return root.name.lower() == "html"


def garbled(reply: HttpReply, area: str) -> UncertainError:
    """The error of an answer that is not PI's: a proxy's page, half an answer, another character set."""
    message = "The answer is not PI's; what was asked may have been done"
    return UncertainError(f"{area}.garbled", message, peer_code=str(reply.status), peer_text=reply.text()[:200])


def _read_json(reply: HttpReply, external_ref: str, values: Config) -> ErpDocument:
    """A channel that works at once may say SAP's number here. Raises UncertainError, PermanentError for a refusal."""
    answer = json_of(reply)
    if answer is None:
        raise garbled(reply, CODE)
    if any(answer.get(name) for name in _REFUSALS):
        raise PermanentError(
            f"{CODE}.rejected",
            "PI answered that it did not take the order; its own words stand here",
            peer_code=str(reply.status),
            peer_text=reply.text()[:300],
        )
    return ErpDocument(number_of(answer, values["find_erp_no_field"], LONGEST_NUMBER), external_ref)
