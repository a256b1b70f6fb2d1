"""Writes back to the shop: claimed, waybill number, shipped. Each write is idempotent on the shop's side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from mappings.connector import ParcelToWrite
from mappings.errors import PermanentError
from mappings.status import STATUSES
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow
from sync.db.orders import ENDED, find_shipments, set_status
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.numbers import find_replaced, tell_new_number
from sync.services.subscribe import follower_of
from sync.services.work import Work
from sync.shops.port import Shop

T = TypeVar("T")


class _Claim:
    """Show the order as being prepared (备货中)."""

    def perform(self, rt: Runtime, work: Work) -> None:
        _at_shop(rt, work, lambda shop: shop.claim(work.order.shop_order_id, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        return


class _Note:
    """Make the delivery note with the waybill number."""

    def perform(self, rt: Runtime, work: Work) -> str:
        parcel = _parcel(rt, work, shipped_at=None)
        return _at_shop(rt, work, lambda shop: shop.write_note(parcel, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: str) -> None:
        was = _shipment(work)
        shipment = book.session.get_one(ShipmentRow, was.id, with_for_update=True)
        shipment.note_id, shipment.noted_at = result, utc_now()
        if shipment.waybill_no != was.waybill_no:  # the carrier replaced it while the note was written
            tell_new_number(book, shipment, was.waybill_no)


class _Shipped:
    """Show the parcel as shipped (运输中)."""

    def perform(self, rt: Runtime, work: Work) -> None:
        shipment = _shipment(work)
        waits = rt.settings.ship_on == "picked_up" and follower_of(rt, shipment.peer)
        shipped_at = shipment.pickup_at or (None if waits else shipment.booked_at)
        if shipped_at is None:
            return  # the pickup was revoked meanwhile; a new one owes this step again
        parcel = _parcel(rt, work, shipped_at=shipped_at)
        try:
            _at_shop(rt, work, lambda shop: shop.mark_shipped(parcel, rt.clock.now()))
        except PermanentError as refusal:
            if not refusal.code.endswith(".note_taken") or not (old := _replaced(rt, shipment)):
                raise
            # The carrier replaced the number and staff have not changed the note yet: it has left all the same.
            noted = replace(parcel, waybill_no=old[-1])
            _at_shop(rt, work, lambda shop: shop.mark_shipped(noted, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        """An order whose parcels nobody follows has no other end than this."""
        parcels = find_shipments(book.session, work.order_id)
        if all(parcel.waybill_no and not follower_of(rt, parcel.peer) for parcel in parcels):
            set_status(book.session.get_one(OrderRow, work.order_id), "shipped")


class _Received:
    """Show the order as received (确认收货), some days after its last parcel was delivered."""

    def perform(self, rt: Runtime, work: Work) -> None:
        _at_shop(rt, work, lambda shop: shop.mark_received(work.order.shop_order_id, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        return


class _Remark:
    """Tell the shop's staff in the order's log what is wrong with the parcel."""

    def perform(self, rt: Runtime, work: Work) -> None:
        shipment = _shipment(work)
        if _is_make_believe(rt, work, shipment):
            return
        if shipment.stale_since is not None:
            what = "超时未揽收，请联系网点"
        elif shipment.status in STATUSES and shipment.status not in ENDED:
            what = STATUSES[shipment.status].zh
        else:
            return  # it is over meanwhile
        text = f"物流异常：运单 {shipment.waybill_no} {what}"
        _at_shop(rt, work, lambda shop: shop.add_remark(work.order.shop_order_id, text, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        return


class _Number:
    """Tell the shop's staff in the order's log which number the carrier gave the parcel instead."""

    def perform(self, rt: Runtime, work: Work) -> None:
        shipment = _shipment(work)
        if _is_make_believe(rt, work, shipment):
            return
        old = _replaced(rt, shipment)
        new = shipment.waybill_no if shipment.waybill_no not in old else "待承运商通知"
        text = f"运单号变更：{'、'.join(old)} → {new}（{shipment.shipper_code}），请修改发货单号"
        _at_shop(rt, work, lambda shop: shop.add_remark(work.order.shop_order_id, text, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        return


CLAIM, NOTE, SHIPPED, RECEIVED, REMARK = _Claim(), _Note(), _Shipped(), _Received(), _Remark()
NUMBER = _Number()


def _at_shop(rt: Runtime, work: Work, write: Callable[[Shop], T]) -> T:
    return rt.gateway.observe(work.peer, work.name, lambda: write(rt.shops[work.peer]), work.calls)


def _shipment(work: Work) -> ShipmentRow:
    if work.shipment is None:
        raise PermanentError("write_back.parcel_missing", f"Order {work.order_sn}: {work.name} without a parcel")
    return work.shipment


def _is_make_believe(rt: Runtime, work: Work, shipment: ShipmentRow) -> bool:
    """What a sandbox tells of a parcel must not stand in a real shop's log either."""
    is_real_shop = rt.peer(work.peer).config.get("environment", "production") == "production"
    return is_real_shop and shipment.environment != "production"


def _replaced(rt: Runtime, shipment: ShipmentRow) -> list[str]:
    with rt.database.reading() as session:
        return find_replaced(session, shipment.id)


def _parcel(rt: Runtime, work: Work, *, shipped_at: datetime | None) -> ParcelToWrite:
    shipment = _shipment(work)
    return ParcelToWrite(
        shop_order_id=work.order.shop_order_id,
        order_sn=work.order_sn,
        parcel_no=shipment.parcel_no,
        carrier_name=work.order.shipping_name,
        shipper_code=shipment.shipper_code,
        waybill_no=shipment.waybill_no,
        environment=shipment.environment,
        line_quantities=work.order.line_quantities(),
        note_id=shipment.note_id,
        shipped_at=shipped_at,
    )
