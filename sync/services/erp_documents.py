"""An order's documents, one an ERP: what each of them has said of it so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import ErpDocumentRow, OrderRow
from sync.runtime import Runtime

ACCEPTED, CREATED, CONFIRMED, CANCELLED = "accepted", "created", "confirmed", "cancelled"


def find_documents(session: Session, order_id: int) -> dict[str, ErpDocumentRow]:
    """The order's documents by ERP (`erp.generic_rest`)."""
    wanted = select(ErpDocumentRow).where(ErpDocumentRow.order_id == order_id).order_by(ErpDocumentRow.id)
    return {row.peer: row for row in session.execute(wanted).scalars()}


def keep_document(
    rt: Runtime, session: Session, order: OrderRow, peer: str, *, erp_no: str, is_cancelled: bool = False
) -> ErpDocumentRow:
    """Keep what an ERP has said of an order; the caller holds the order's lock. A number once said stays."""
    documents, now = find_documents(session, order.id), utc_now()
    row = documents.get(peer)
    if row is None:
        row = documents[peer] = ErpDocumentRow(order_id=order.id, peer=peer, state="", erp_no="", taken_at=now)
        session.add(row)
    row.erp_no = erp_no or row.erp_no
    state = CANCELLED if is_cancelled or row.state == CANCELLED else _state(rt, row)
    if row.state != state:
        row.state, row.at = state, now
    order.erp_no = _shown_number(rt, documents)
    return row


def _state(rt: Runtime, row: ErpDocumentRow) -> str:
    if not row.erp_no:
        return ACCEPTED
    return CONFIRMED if rt.peer(row.peer).spec.needs_confirm else CREATED


def _shown_number(rt: Runtime, documents: Mapping[str, ErpDocumentRow]) -> str:
    """The number in the first of its ERPs, in the order of the settings, whoever answered first."""
    order = [erp.key for erp in rt.settings.erps]
    known = [documents[key] for key in order if key in documents] or list(documents.values())
    return known[0].erp_no or ACCEPTED


def explain_routing(rt: Runtime, shop_name: str, pushed: Collection[str]) -> dict[str, str]:
    """Why an order goes to each ERP or not. `pushed` are those that it was given to when it was taken in."""
    shop = next((shop for shop in rt.settings.shops if shop.name == shop_name), None)
    if shop is None:
        return dict.fromkeys(pushed, f"shop {shop_name} is not configured any more")
    named = {erp.key for erp in rt.settings.erps_of(shop)}
    variable = f"ECSYNC_SHOP_{shop.name.upper()}_ERPS"
    keys = dict.fromkeys([*(erp.key for erp in rt.settings.erps), *pushed])
    why = f"{variable} names it" if shop.erps else f"every ERP gets this shop's orders: {variable} is not set"
    return {key: _reason(key in pushed, key in named, why, variable) for key in keys}


def _reason(is_pushed: bool, is_named: bool, why: str, variable: str) -> str:
    if is_pushed:
        return why if is_named else "it went there when it was taken in; today it would not"
    return "it was taken in before this ERP got orders" if is_named else f"not sent there: {variable} names others"
