"""Stops an order that the shop no longer owes: nothing more is sent, what was sent is voided, and people hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.db.orders import ENDED, find_shipments
from sync.db.steps import UNFINISHED, StepBook
from sync.services.erp_documents import find_documents
from sync.shops.port import Standing

WHY: Mapping[str, str] = {
    Standing.WITHDRAWN: "was cancelled, returned or unpaid in the shop",
    Standing.GONE: "was merged or deleted in the shop",
}
CODE = "order.withdrawn_after_booking"
CANCELS = ("cancel_waybill", "cancel_order")


def withdraw_order(book: StepBook, order: OrderRow, standing: Standing) -> bool:
    """Drop what is owed for an order and owe the void of what a carrier or an ERP has; False when it is not open."""
    parcels = _lock(book.session, order)
    if order.state != "open":
        return False
    order.state, order.status, order.updated_at, order.done_at = "withdrawn", str(standing), utc_now(), utc_now()
    _clear_desk(book.session, order, parcels)
    _drop_owed(book, order, parcels)
    for parcel in parcels:
        parcel.pickup_due_from = None
        if parcel.waybill_no and parcel.pickup_at is None:
            _owe_void(book, parcel)
    for step in _steps(book.session, order.id, ("push_order",)):
        if step.state == "done" or (step.state == "dropped" and _may_have_arrived(step)):
            book.owe("cancel_order", step.peer, order.id)
    if any(parcel.waybill_no for parcel in parcels) or has_cancels(book.session, order.id):
        _tell(book, order)
    return True


def _lock(session: Session, order: OrderRow) -> list[ShipmentRow]:
    """Parcels before their order, as whoever merges events does; an answer that is being recorded waits for us."""
    wanted = select(ShipmentRow).where(ShipmentRow.order_id == order.id).order_by(ShipmentRow.id).with_for_update()
    parcels = list(session.execute(wanted.execution_options(populate_existing=True)).scalars())
    session.refresh(order, with_for_update=True)
    return parcels


def _clear_desk(session: Session, order: OrderRow, parcels: Iterable[ShipmentRow]) -> None:
    """What was parked or overdue need not be done any more, so nobody need look at it."""
    parked = select(StepRow).where(StepRow.order_id == order.id, StepRow.state == "parked")
    subjects = [desk.step_subject(step) for step in session.execute(parked).scalars()]
    for subject in (*subjects, *(f"shipment:{parcel.id}" for parcel in parcels)):
        desk.close_exceptions(session, subject, "the order was withdrawn in the shop")


_MAY_HAVE_ARRIVED = or_(StepRow.is_uncertain, StepRow.last_outcome == "duplicate")


def _may_have_arrived(step: StepRow) -> bool:
    return step.is_uncertain or step.last_outcome == "duplicate"


def _drop_owed(book: StepBook, order: OrderRow, parcels: Iterable[ShipmentRow]) -> None:
    """Nothing more is sent. But a booking that may have arrived is asked again: only its number can be voided."""
    unnumbered = [parcel.parcel_no for parcel in parcels if not parcel.waybill_no]
    is_booking = and_(StepRow.name == "book_waybill", StepRow.parcel_no.in_(unnumbered), _MAY_HAVE_ARRIVED)
    waiting = (StepRow.order_id == order.id, StepRow.state.in_(("owed", "parked")))
    book.session.execute(
        update(StepRow).where(*waiting, ~is_booking).values(state="dropped", finished_at=utc_now()),
        execution_options={"synchronize_session": False},
    )
    kept = select(StepRow).where(*waiting).execution_options(populate_existing=True)
    for step in book.session.execute(kept).scalars():
        step.is_uncertain = True  # so that it is asked for, although the shop does not owe it any more
        if step.state == "parked":
            desk.reopen_step(book.session, step)
            book.wake(order.id, step.peer)


def has_cancels(session: Session, order_id: int) -> bool:
    """Whether anything of the order was ever to be voided or cancelled, at whatever stage that is."""
    return bool(_steps(session, order_id, CANCELS))


def tell_booked_after_withdrawal(book: StepBook, order: OrderRow, shipment: ShipmentRow) -> None:
    """The waybill came back after the shop had withdrawn the order: it is voided, and nobody must send the parcel."""
    shipment.pickup_due_from = None
    if shipment.pickup_at is None:
        _owe_void(book, shipment)
    _tell(book, order)


def tell_pushed_after_withdrawal(book: StepBook, order: OrderRow, erp: str) -> None:
    """The ERP took the order after the shop had withdrawn it."""
    book.owe("cancel_order", erp, order.id)
    _tell(book, order)


def retell(book: StepBook, order: OrderRow) -> None:
    """A void or a cancel came to its end: the desk's line says so now, if nobody has resolved it meanwhile.

    Without any parcel nothing is left to check once all is cancelled, and the line closes.
    """
    items = _items(book.session, order)
    if all(item.is_over for item in items) and not any(item.is_parcel for item in items):
        desk.close_exceptions(book.session, _subject(order), _say(order, items), code=CODE)
    else:
        desk.retell(book.session, _subject(order), _say(order, items), code=CODE)


def _owe_void(book: StepBook, parcel: ShipmentRow) -> None:
    """Who issued a waybill voids it; that may be another one than follows it. An ERP that sent the parcel is asked to
    cancel the whole order."""
    if parcel.shipped_by:
        return
    issuer = select(StepRow.peer).where(
        StepRow.order_id == parcel.order_id,
        StepRow.parcel_no == parcel.parcel_no,
        StepRow.name == "book_waybill",
        StepRow.state == "done",
    )
    peer = book.session.execute(issuer).scalars().first() or parcel.peer
    book.owe("cancel_waybill", peer, parcel.order_id, shipment_id=parcel.id, parcel_no=parcel.parcel_no)


def _tell(book: StepBook, order: OrderRow) -> None:
    """One line for the warehouse, one notice to customer service, however many parcels and ERPs there are."""
    message = _say(order, _items(book.session, order))
    cause = desk.Cause(CODE, f"shop.{order.shop}", _subject(order), message, order.id)
    desk.open_exception(book.session, cause)
    book.owe("tell_withdrawn", "notices", order.id)


def _subject(order: OrderRow) -> str:
    return f"order:{order.id}"


def _steps(session: Session, order_id: int, names: Sequence[str]) -> list[StepRow]:
    wanted = select(StepRow).where(StepRow.order_id == order_id, StepRow.name.in_(names)).order_by(StepRow.id)
    return list(session.execute(wanted.execution_options(populate_existing=True)).scalars())


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing that had gone out, and how far it is taken back."""

    words: str
    is_over: bool
    is_parcel: bool = False
    is_here: bool = False
    """The parcel still is in the warehouse, for all we know."""


def _items(session: Session, order: OrderRow) -> list[_Item]:
    session.flush()
    steps = _steps(session, order.id, CANCELS)
    voids = {step.parcel_no: step for step in steps if step.name == "cancel_waybill"}
    numbers = {peer: document.erp_no for peer, document in find_documents(session, order.id).items()}
    parcels = [parcel for parcel in find_shipments(session, order.id) if parcel.waybill_no]
    return [
        *(_parcel_item(parcel, voids.get(parcel.parcel_no)) for parcel in parcels),
        *(_document_item(numbers.get(step.peer, ""), step) for step in steps if step.name == "cancel_order"),
    ]


def _parcel_item(parcel: ShipmentRow, step: StepRow | None) -> _Item:
    what = f"waybill {parcel.waybill_no} at {parcel.peer}"
    if step is not None and step.state == "done":
        return _Item(f"{what}: voided", is_over=True, is_parcel=True, is_here=True)
    if parcel.status in ENDED:
        return _Item(f"{what}: {parcel.status} already", is_over=True, is_parcel=True)
    if step is None or parcel.pickup_at is not None:
        words = f"{what}: on its way, so not voided; ask the carrier to intercept it and send it back"
        return _Item(words, is_over=True, is_parcel=True)
    return _Item(f"{what}: {_progress(step, 'voided')}", step.state not in UNFINISHED, is_parcel=True, is_here=True)


def _document_item(erp_no: str, step: StepRow) -> _Item:
    if step.state == "done":
        return _Item(f"{step.peer}: {step.last_message}", is_over=True)
    number = f" {erp_no}" if erp_no else ""
    return _Item(f"document{number} at {step.peer}: {_progress(step, 'cancelled')}", step.state not in UNFINISHED)


def _progress(step: StepRow, done: str) -> str:
    if step.state == "parked":
        return f"could not be {done} so far, see its own line"
    return f"left to the person who settled its line ({step.state})" if step.state == "dropped" else f"is being {done}"


def _say(order: OrderRow, items: Sequence[_Item]) -> str:
    why = WHY.get(order.status, "was withdrawn in the shop")
    head = f"Order {order.order_sn} {why} after it had gone out; no more is sent for it. "
    told = ". ".join(item.words for item in items)
    is_over, is_here = all(item.is_over for item in items), any(item.is_here for item in items)
    if is_here and is_over:
        todo = "Only the physical parcel is left to check: nobody may hand it to the courier. Then resolve this line."
    elif is_here:
        todo = "Take the parcel off the pickup pile. ecsync does the rest by itself and tells it here; resolve it then."
    elif any(item.is_parcel for item in items):
        todo = "Resolve this line when the parcel is back or the carrier has refused."
    else:
        todo = "ecsync does this by itself, and this line closes when it is done."
    return f"{head}{told}. {todo}"
