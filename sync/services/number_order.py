"""Asks an ERP that takes orders first and numbers them later for its number, at growing distance.

The order is in the ERP already, so nothing else waits for this: it is a step of its own, and the push is done.
"""

from __future__ import annotations

from datetime import timedelta

from mappings.errors import PermanentError
from mappings.model import ErpDocument
from sync.clock import utc_now
from sync.db.models import ErpDocumentRow, OrderRow
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.erp_documents import find_documents, keep_document
from sync.services.work import Work

NUMBERING = "number_order"

SOONEST, LATEST = timedelta(seconds=15), timedelta(hours=1)
"""Bounds of the distance between two questions, which is as long as the order has waited so far."""


def owe_number(rt: Runtime, book: StepBook, document: ErpDocumentRow) -> None:
    """Owe the next question, unless the ERP numbers at once, has said the number, or nobody wants to know it."""
    erp = rt.peer(document.peer)
    if document.erp_no or not erp.spec.numbers_later or not erp.erp.number_within_s:
        return
    now = utc_now()
    wait = min(max(now - document.taken_at, SOONEST), LATEST)
    book.owe(NUMBERING, document.peer, document.order_id, not_before=now + wait, again=True)


def perform(rt: Runtime, work: Work) -> ErpDocument | None:
    """The document with its number; None while there is none and it may still come, or when it came by itself."""
    held = _held(rt, work)
    if held.erp_no:
        return None
    document = rt.gateway.run(work.peer, rt.erps[work.peer].find(work.order_row.external_ref), work.calls)
    if document is not None and document.erp_no:
        return confirm_numbered(rt, work, document)
    if utc_now() < held.taken_at + timedelta(seconds=rt.peer(work.peer).erp.number_within_s):
        return None
    raise PermanentError(
        "erp.number_missing",
        f"{work.peer} accepted order {work.order_sn} on {held.taken_at:%Y-%m-%d %H:%M} UTC and has not numbered it. "
        f"Look there for {work.order_row.external_ref}, among what failed too. If the order is missing, enter it there "
        "by hand; nothing is sent a second time by itself. A retry asks once more for the number",
    )


def confirm_numbered(rt: Runtime, work: Work, document: ErpDocument) -> ErpDocument:
    """Release the document where the ERP wants that; one without a number is released once it has one."""
    erp = rt.erps[work.peer]
    if not erp.spec.needs_confirm or (erp.spec.numbers_later and not document.erp_no):
        return document
    return rt.gateway.run(work.peer, erp.confirm(document), work.calls)


def record(rt: Runtime, book: StepBook, work: Work, result: ErpDocument | None) -> None:
    """Keep the number, or ask again later; a withdrawn order is cancelled, which looks for the number itself."""
    order = book.session.get_one(OrderRow, work.order_id, with_for_update=True)
    if result is not None:
        keep_document(rt, book.session, order, work.peer, erp_no=result.erp_no)
    elif order.state != "withdrawn":
        owe_number(rt, book, find_documents(book.session, order.id)[work.peer])


def _held(rt: Runtime, work: Work) -> ErpDocumentRow:
    with rt.database.reading() as session:
        return find_documents(session, work.order_id)[work.peer]
