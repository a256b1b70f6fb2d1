"""Takes the numbers that an ERP tells of by itself, for orders that it accepted before it numbered them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from mappings.model import ErpDocument
from sync import exceptions as desk
from sync.db.models import OrderRow, StepRow
from sync.runtime import Runtime
from sync.services.erp_documents import find_documents, keep_document

NEW, KNOWN, ANOTHER, STRANGER = "new", "known before", "of another number", "of no order of ours"


def take_numbers(rt: Runtime, session: Session, peer: str, told: Iterable[ErpDocument]) -> tuple[str, str]:
    """Keep the numbers; returns the push's verdict and what it did. A number once known is never replaced."""
    found = Counter(_take(rt, session, peer, document) for document in told)
    verdict = "applied" if found[NEW] or found[ANOTHER] else "stale" if found[KNOWN] else "orphan"
    return verdict, ", ".join(f"{count} {what}" for what, count in found.items())


def _take(rt: Runtime, session: Session, peer: str, document: ErpDocument) -> str:
    """The order's lock is held, so that a push of ours that ends at this moment is seen or sees this."""
    pushed = select(StepRow.order_id).where(StepRow.name == "push_order", StepRow.peer == peer)
    wanted = select(OrderRow).where(OrderRow.external_ref == document.external_ref, OrderRow.id.in_(pushed))
    order = session.execute(wanted.with_for_update()).scalars().first()
    if order is None:
        return STRANGER
    held = find_documents(session, order.id).get(peer)
    if held is None or not held.erp_no:
        keep_document(rt, session, order, peer, erp_no=document.erp_no)
        return NEW
    if held.erp_no == document.erp_no:
        return KNOWN
    message = (
        f"{peer} told the number {document.erp_no} of order {order.order_sn}, which it had numbered {held.erp_no}: "
        "it may hold the order twice. Cancel the surplus there, then resolve this line; here the first number stays"
    )
    cause = desk.Cause("erp.number_differs", peer, f"order:{order.id}", message, order_id=order.id)
    desk.open_exception(session, cause)
    return ANOTHER
