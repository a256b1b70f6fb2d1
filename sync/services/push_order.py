"""Pushes an order to an ERP; what may have arrived before is looked up first."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update

from mappings.china_time import SHANGHAI
from mappings.errors import UndecidedError
from mappings.model import ErpDocument, ErpOrder, Order
from sync.db.models import OrderRow, StepRow
from sync.db.steps import StepBook
from sync.redaction import redact
from sync.runtime import Runtime
from sync.services.erp_documents import keep_document
from sync.services.number_order import confirm_numbered, owe_number
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
            return confirm_numbered(rt, work, found)
        _let_settle(rt, work)
    if work.order_row.state == "withdrawn":
        return None
    order = describe_order(work.order, work.order_row.external_ref)
    return confirm_numbered(rt, work, rt.gateway.run(work.peer, erp.create(order), work.calls))


def _let_settle(rt: Runtime, work: Work) -> None:
    """Raise UndecidedError where a lost worker may have sent the order so lately that the look-up misses it yet."""
    settle_s = rt.erps[work.peer].spec.settle_s(rt.peer(work.peer).config)
    if work.was_lost and settle_s:
        raise UndecidedError(
            "order.unsettled",
            f"A worker was lost while it sent order {work.order_sn} to {work.peer}, which does not show it (yet). "
            f"It is looked up again in {settle_s:g} s and sent only if it is still not there",
            retry_after_s=settle_s,
        )


def describe_order(order: Order, external_ref: str) -> ErpOrder:
    """An order as every ERP is told of it."""
    return ErpOrder(
        order=order,
        external_ref=external_ref,
        idempotency_key=f"{order.shop}-{order.shop_order_id}-{order.order_sn}",
        order_date=order.placed_at.astimezone(SHOP_ZONE).strftime("%Y%m%d"),
    )


def _keep_remarks(book: StepBook, work: Work, remarks: Sequence[str]) -> None:
    """What the ERP warned of although it took the order stands with the step: nobody need act on it."""
    said = redact("; ".join(remarks), private=work.calls.private)
    book.session.execute(update(StepRow).where(StepRow.id == work.step_id).values(last_message=said))


def record(rt: Runtime, book: StepBook, work: Work, result: ErpDocument | None) -> None:
    """Keep the ERP's own number; an ERP that only accepted the order may give none yet."""
    if result is None:
        return
    # Locked, so that whoever withdraws the order meanwhile either sees this push done or is seen here.
    order = book.session.get_one(OrderRow, work.order_id, with_for_update=True)
    document = keep_document(rt, book.session, order, work.peer, erp_no=result.erp_no)
    if result.remarks:
        _keep_remarks(book, work, result.remarks)
    if order.state == "withdrawn":
        tell_pushed_after_withdrawal(book, order, work.peer)
    else:
        owe_number(rt, book, document)
