"""Cancelling an order in SAP: an ORDCHG to an address that answers at once; without one a person does it.

That PI has accepted a message says nothing of whether SAP cancelled the order, so only SAP's own word counts.
"""

from __future__ import annotations

from mappings.connector import Config
from mappings.erps.sap_pi.envelope import DECLARATION, XML_TYPE, basic_auth
from mappings.erps.sap_pi.fault import error_of, find_fault
from mappings.erps.sap_pi.order import write_cancel_idoc
from mappings.erps.sap_pi.reply import garbled, is_web_page, json_of, xml_of
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.model import ErpDocument
from mappings.wire import HttpCall, HttpReply, check_status

CODE = "sap_pi.cancel"
_ONLY_ACCEPTED = (
    "PI took the wish to cancel and does not say that SAP cancelled the order: look at it in SAP (VA03), reject its "
    "items there by hand if they are open, then resolve this line"
)


def cancel_call(document: ErpDocument, values: Config) -> HttpCall:
    """The call; raises PermanentError where SAP cannot be asked."""
    if not values["cancel_url"]:
        raise PermanentError(
            f"{CODE}.cannot_cancel",
            f"SAP cannot be asked to cancel order {document.external_ref}: no CANCEL_URL is set. Reject its items "
            f"there by hand (VA02, customer reference {document.external_ref}), then resolve this line",
        )
    headers, secrets = basic_auth(values)
    return HttpCall(
        operation="cancel_order",
        method="POST",
        url=values["cancel_url"],
        headers={**headers, "Content-Type": XML_TYPE, "Accept": "application/json"},
        body=(DECLARATION + write_cancel_idoc(document, values)).encode(),
        secrets=secrets,
    )


def read_cancelled(reply: HttpReply, values: Config) -> None:
    """Return when SAP says that the order is cancelled, by this call or before. Raises any PeerError."""
    answer, root = json_of(reply), xml_of(reply)
    if text_of(answer or {}, values["cancel_field"]).lower() == values["cancelled_word"].lower():
        return
    fault = find_fault(root) if root is not None else None
    if fault is not None:
        raise error_of(fault, CODE)
    number, said = str(reply.status), reply.text()[:200]
    if reply.status in (404, 410):
        message = "SAP knows no such order, or nothing is at CANCEL_URL: look into SAP, cancel there by hand"
        raise PermanentError(f"{CODE}.not_found", message, peer_code=number, peer_text=said)
    if reply.status == 409:
        message = "SAP does not let the order be cancelled any more: see there whether it is delivered or invoiced"
        raise PermanentError(f"{CODE}.too_late", message, peer_code=number, peer_text=said)
    check_status(reply, CODE)
    if said.strip() and answer is None and (root is None or is_web_page(root)):
        raise garbled(reply, CODE)
    raise PermanentError("sap_pi.cancel.only_accepted", _ONLY_ACCEPTED, peer_code=number, peer_text=said)
