"""PI's answer to an order: at best that it keeps the message. SAP's own number comes later, by a look-up."""

from __future__ import annotations

from mappings.connector import Config
from mappings.erps.sap_pi.fault import error_of, find_fault, is_known_duplicate
from mappings.erps.sap_pi.settings import REST
from mappings.erps.sap_pi.xml_reply import Element, UnreadableXml, read_xml
from mappings.errors import DuplicateError, PermanentError, UncertainError
from mappings.fields import text_of
from mappings.model import ErpDocument
from mappings.wire import HttpReply, check_status, read_json_object

CODE = "sap_pi.order"
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
    if root is None or root.name.lower() == "html":
        raise garbled(reply)
    return ErpDocument("", external_ref)


def xml_of(reply: HttpReply) -> Element | None:
    """The answer as XML; None when it is none that can be read whole."""
    try:
        return read_xml(reply.body)
    except UnreadableXml:
        return None


def garbled(reply: HttpReply) -> UncertainError:
    """The error of an answer that is not PI's: a proxy's page, half an answer, another character set."""
    return UncertainError(
        f"{CODE}.garbled",
        "The answer is not PI's; the order may have been taken",
        peer_code=str(reply.status),
        peer_text=reply.text()[:200],
    )


def _read_json(reply: HttpReply, external_ref: str, values: Config) -> ErpDocument:
    """A channel that works at once may say SAP's number here. Raises UncertainError, PermanentError for a refusal."""
    answer = read_json_object(reply, CODE)
    if any(answer.get(name) for name in _REFUSALS):
        raise PermanentError(
            f"{CODE}.rejected",
            "PI answered that it did not take the order; its own words stand here",
            peer_code=str(reply.status),
            peer_text=reply.text()[:300],
        )
    return ErpDocument(text_of(answer, values["find_erp_no_field"]), external_ref)
