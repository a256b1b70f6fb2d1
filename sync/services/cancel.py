"""Takes back what had gone out for a withdrawn order: voids its waybills, cancels its documents in the ERPs."""

from __future__ import annotations

from sqlalchemy import select, update

from mappings.errors import PermanentError, UndecidedError
from mappings.model import ErpDocument, EventKind, TrackingEvent
from sync.db.models import OrderRow, StepRow
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.erp_documents import find_documents, keep_document
from sync.services.pickup import cancel_booked
from sync.services.track import OURSELVES, merge_events
from sync.services.withdraw import retell
from sync.services.work import Work

UNNUMBERED_RETRY_S = 60.0
"""An ERP that numbers later has it in hand for a while."""


class _Waybill:
    """Void one waybill with its carrier; asking again is safe, a void waybill stays void."""

    def perform(self, rt: Runtime, work: Work) -> None:
        shipment = work.shipment
        if shipment is None:
            raise PermanentError("cancel.parcel_missing", f"Order {work.order_sn}: a cancel without a parcel")
        if shipment.pickup_at is not None:
            raise PermanentError(
                "cancel.picked_up",
                f"The courier took parcel {shipment.waybill_no} before its waybill was voided. "
                "Ask the carrier to intercept it and send it back, then resolve this line",
            )
        cancel_booked(rt, work, shipment)
        exchange = rt.carriers[work.peer].cancel_waybill(
            shipper_code=shipment.shipper_code,
            waybill_no=shipment.waybill_no,
            order_code=shipment.order_code,
            carrier_order_no=shipment.carrier_order_no,
            account=shipment.account,
        )
        rt.gateway.run(work.peer, exchange, work.calls)

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        """Keep the void as a fact among the parcel's events: a scan after it is then a contradiction for a person."""
        if work.shipment is None:
            return
        now = rt.clock.now()
        void = TrackingEvent(
            platform=OURSELVES,
            shipper_code=work.shipment.shipper_code,
            waybill_no=work.shipment.waybill_no,
            order_code=work.shipment.order_code,
            kind=EventKind.PICKUP,
            event_at=now,
            observed_at=now,
            channel="ecsync",
            raw_code="voided",
            canonical="cancelled",
            text="waybill voided by us",
        )
        merge_events(rt, book, work.peer, [void])
        _conclude(book, work, f"waybill {work.shipment.waybill_no} voided")

    def on_parked(self, rt: Runtime, book: StepBook, work: Work) -> None:
        _retell(book, work)


class _Document:
    """Cancel the order in one ERP. Where it is not sure that the ERP took it, look it up first."""

    def perform(self, rt: Runtime, work: Work) -> ErpDocument | None:
        erp, order = rt.erps[work.peer], work.order_row
        number, is_pushed = _number(rt, work), _is_pushed(rt, work)
        document: ErpDocument | None = ErpDocument(number, order.external_ref)
        if not is_pushed or (erp.spec.numbers_later and not number):
            document = rt.gateway.run(work.peer, erp.find(order.external_ref), work.calls)
            if is_pushed and document is None:
                raise UndecidedError(
                    "erp.cancel_too_early",
                    f"{work.peer} accepted order {work.order_sn} and does not show it yet, so it could not be "
                    "cancelled. Look for it there; retry, or cancel it there by hand",
                    retry_after_s=UNNUMBERED_RETRY_S,
                )
        if document is not None:
            rt.gateway.run(work.peer, erp.cancel(document), work.calls)
        return document

    def record(self, rt: Runtime, book: StepBook, work: Work, result: ErpDocument | None) -> None:
        if result is None:
            _conclude(book, work, "holds no document of it, so there was none to cancel")
            return
        order = book.session.get_one(OrderRow, work.order_id, with_for_update=True)
        keep_document(rt, book.session, order, work.peer, erp_no=result.erp_no, is_cancelled=True)
        _conclude(book, work, f"document {result.erp_no or result.external_ref} cancelled")

    def on_parked(self, rt: Runtime, book: StepBook, work: Work) -> None:
        _retell(book, work)


CANCEL_WAYBILL, CANCEL_ORDER = _Waybill(), _Document()


def _number(rt: Runtime, work: Work) -> str:
    """The number that this ERP gave the order; empty when it has said none."""
    with rt.database.reading() as session:
        document = find_documents(session, work.order_id).get(work.peer)
    return document.erp_no if document else ""


def _is_pushed(rt: Runtime, work: Work) -> bool:
    """The ERP has said that it holds the order, by taking it or by refusing it as a second one."""
    pushed = select(StepRow.state, StepRow.last_outcome).where(
        StepRow.order_id == work.order_id, StepRow.name == "push_order", StepRow.peer == work.peer
    )
    with rt.database.reading() as session:
        row = session.execute(pushed).one_or_none()
    return row is not None and (row.state == "done" or row.last_outcome == "duplicate")


def _conclude(book: StepBook, work: Work, said: str) -> None:
    """What came of it stands with the step, for the timeline and the desk."""
    book.session.execute(update(StepRow).where(StepRow.id == work.step_id).values(last_message=said))
    _retell(book, work)


def _retell(book: StepBook, work: Work) -> None:
    retell(book, book.session.get_one(OrderRow, work.order_id))
