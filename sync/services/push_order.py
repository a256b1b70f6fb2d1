"""Pushes an order to an ERP; what may have arrived before is looked up first."""

from __future__ import annotations

from mappings.china_time import SHANGHAI
from mappings.model import ErpDocument, ErpOrder
from sync.db.models import OrderRow
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.withdraw import tell_pushed_after_withdrawal
from sync.services.work import Work

SHOP_ZONE = SHANGHAI
"""Order dates are calendar dates in China."""


def perform(rt: Runtime, work: Work) -> ErpDocument | None:
    """Create the order in the ERP once, under the shop's order number; None when it was withdrawn and is not there."""
    erp = rt.erps[work.peer]
    if work.may_have_happened or erp.spec.finds_first:
        found = rt.gateway.run(work.peer, erp.find(work.order_row.external_ref), work.calls)
        if found is not None:
            return _confirmed(rt, work, found)
    if work.order_row.state == "withdrawn":
        return None
    order = ErpOrder(
        order=work.order,
        external_ref=work.order_row.external_ref,
        idempotency_key=f"{work.order.shop}-{work.order.shop_order_id}-{work.order_sn}",
        order_date=work.order.placed_at.astimezone(SHOP_ZONE).strftime("%Y%m%d"),
    )
    return _confirmed(rt, work, rt.gateway.run(work.peer, erp.create(order), work.calls))


def _confirmed(rt: Runtime, work: Work, document: ErpDocument) -> ErpDocument:
    erp = rt.erps[work.peer]
    return rt.gateway.run(work.peer, erp.confirm(document), work.calls) if erp.spec.needs_confirm else document


def record(rt: Runtime, book: StepBook, work: Work, result: ErpDocument | None) -> None:
    """Keep the ERP's own number; an ERP that only accepted the order may give none yet."""
    if result is None:
        return
    # Locked, so that whoever withdraws the order meanwhile either sees this push done or is seen here.
    order = book.session.get_one(OrderRow, work.order_id, with_for_update=True)
    order.erp_no = result.erp_no or "accepted"
    if order.state == "withdrawn":
        tell_pushed_after_withdrawal(book, order, work.peer)
