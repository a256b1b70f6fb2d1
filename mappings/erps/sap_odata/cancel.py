"""Cancelling: SAP deletes no order that may be in its books, it rejects the items, each with a reason.

Which reason that is, is customizing, so without one a person does it. Before anything is changed the order is read: an
item that is on its way to the buyer is not rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.erps.sap_odata.access import SapAccess
from mappings.erps.sap_odata.odata import address, key
from mappings.erps.sap_odata.reply import check_changed, garbled, read_body
from mappings.erps.sap_odata.settings import SapSettings
from mappings.erps.sap_odata.shapes import ITEM, ORDER
from mappings.errors import PermanentError, TransientError
from mappings.fields import objects_in, text_of
from mappings.wire import Exchange, HttpReply

CODE = "sap_odata.cancel"
_BEGUN = ("B", "C")
"""DeliveryStatus: partly or wholly delivered."""
_FIELDS = (
    "SalesOrder,OverallDeliveryStatus,to_Item/SalesOrderItem,to_Item/SalesDocumentRjcnReason,to_Item/DeliveryStatus"
)


@dataclass(frozen=True, slots=True)
class _State:
    """How an order stands in SAP."""

    items: list[Mapping[str, Any]]
    is_begun: bool

    @property
    def standing(self) -> list[Mapping[str, Any]]:
        """The items that nobody has rejected."""
        return [item for item in self.items if not text_of(item, "SalesDocumentRjcnReason")]


def reject_items(number: str, access: SapAccess, given: SapSettings) -> Exchange[None]:
    """Reject every item of an order, one after the other; those that are rejected already are left alone.

    Raises PermanentError where SAP or the settings leave it to a person, and any other PeerError but DuplicateError.
    """
    state = yield from _read_state(number, access, given)
    asked: set[str] = set()
    while state.standing or not state.items:
        _check_may_reject(number, state, given)
        item = state.standing[0]
        item_no = text_of(item, "SalesOrderItem")
        if item_no in asked:
            raise TransientError(
                "sap_odata.cancel.not_rejected", f"SAP took the rejection of item {item_no} and does not show it"
            )
        asked.add(item_no)
        reply = yield from access.change(
            CODE,
            "cancel_order",
            "PATCH",
            address(given.order_service, ITEM + key(SalesOrder=number, SalesOrderItem=item_no), given.options),
            {"SalesDocumentRjcnReason": given.rejection_reason},
            etag=_etag(item),
        )
        _check_unchanged(reply)
        check_changed(reply, CODE)
        state = yield from _read_state(number, access, given)


def _read_state(number: str, access: SapAccess, given: SapSettings) -> Exchange[_State]:
    options = {**given.options, "$expand": "to_Item", "$select": _FIELDS}
    reply = yield from access.read("read_order", address(given.order_service, ORDER + key(SalesOrder=number), options))
    if reply.status == 404:
        message = f"SAP knows no sales order {number}: look there under the shop's order number, cancel it by hand"
        raise PermanentError("sap_odata.cancel.not_found", message, peer_code="404", peer_text=reply.text()[:200])
    held = read_body(reply, CODE, changes_peer=False).get("d")
    below = held.get("to_Item") if isinstance(held, Mapping) else None
    rows = below.get("results") if isinstance(below, Mapping) else None
    if not isinstance(held, Mapping) or not isinstance(rows, list):
        raise garbled(reply, CODE, "SAP's answer shows no items of the order", changes_peer=False)
    items = objects_in(rows)
    statuses = {text_of(held, "OverallDeliveryStatus"), *(text_of(item, "DeliveryStatus") for item in items)}
    return _State(items, not statuses.isdisjoint(_BEGUN))


def _check_may_reject(number: str, state: _State, given: SapSettings) -> None:
    if state.is_begun:
        raise PermanentError(
            "sap_odata.cancel.too_late",
            f"Sales order {number} has a delivery in SAP already, so it was not cancelled: reverse the delivery there "
            "and retry, or treat it as a return and resolve this line",
        )
    if not given.rejection_reason or not state.items:
        raise PermanentError(
            "sap_odata.cancel.by_hand",
            f"Sales order {number} is withdrawn in the shop; nothing was changed in SAP. Set a reason for rejection on "
            "all its items there (VA02, or Manage Sales Orders), then retry this line: it closes when all are. With "
            "REJECTION_REASON set ecsync does this by itself",
        )


def _check_unchanged(reply: HttpReply) -> None:
    if reply.status in (412, 428):
        message = "Somebody changed the order in SAP at this moment; nothing was done"
        raise TransientError("sap_odata.cancel.changed_meanwhile", message, peer_code=str(reply.status))


def _etag(item: Mapping[str, Any]) -> str:
    """What the item was when it was read; SAP's items have no ETag of their own in every release, then any will do."""
    meta = item.get("__metadata")
    return (text_of(meta, "etag") if isinstance(meta, Mapping) else "") or "*"
