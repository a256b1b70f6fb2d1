"""Stops an order that the shop no longer owes: nothing more is sent, and a person hears of what was sent already."""

from __future__ import annotations

from sqlalchemy import select

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.db.orders import find_shipment
from sync.db.steps import StepBook
from sync.shops.port import Standing

WHY = {
    Standing.WITHDRAWN: "was cancelled, returned or unpaid in the shop",
    Standing.GONE: "was merged or deleted in the shop",
    Standing.SHIPPED: "was shipped by hand in the shop",
}


def withdraw_order(book: StepBook, order: OrderRow, standing: Standing) -> None:
    """Drop what is owed for an order; what a carrier or ERP already has goes to the desk."""
    shipment = find_shipment(book.session, order.id)
    _clear_desk(book, order)
    book.drop(order.id)
    order.state, order.status, order.updated_at, order.done_at = "withdrawn", str(standing), utc_now(), utc_now()
    if shipment is not None:
        shipment.pickup_due_from = None
    _tell(book, order, shipment, WHY[standing])


def _clear_desk(book: StepBook, order: OrderRow) -> None:
    """What was parked need not be done any more, so nobody need look at it."""
    parked = select(StepRow).where(StepRow.order_id == order.id, StepRow.state == "parked")
    for step in book.session.execute(parked).scalars():
        desk.close_exceptions(book.session, desk.step_subject(step), "the order was withdrawn in the shop")


def tell_booked_after_withdrawal(book: StepBook, order: OrderRow, shipment: ShipmentRow) -> None:
    """The waybill came back after the shop had withdrawn the order: nobody must send this parcel."""
    shipment.pickup_due_from = None
    _tell(book, order, shipment, "was withdrawn in the shop while its waybill was being booked,")


def _tell(book: StepBook, order: OrderRow, shipment: ShipmentRow | None, why: str) -> None:
    told = [
        *([f"waybill {shipment.waybill_no} at {shipment.peer}"] if shipment and shipment.waybill_no else []),
        *([f"ERP document {order.erp_no}"] if order.erp_no else []),
    ]
    if not told:
        return
    message = (
        f"Order {order.order_sn} {why} after {' and '.join(told)} existed. Nothing more is sent for it. "
        "Cancel these there by hand, then resolve this line."
    )
    cause = desk.Cause("order.withdrawn_after_booking", f"shop.{order.shop}", f"order:{order.id}", message, order.id)
    desk.open_exception(book.session, cause)
