"""Writes back to the shop: claimed, waybill number, shipped. Each write is idempotent on the shop's side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from mappings.connector import ParcelToWrite
from mappings.errors import PermanentError
from sync.db.models import ShipmentRow
from sync.db.steps import StepBook
from sync.runtime import Runtime
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
        book.session.get_one(ShipmentRow, _shipment(work).id).note_id = result


class _Shipped:
    """Show the parcel as shipped (运输中)."""

    def perform(self, rt: Runtime, work: Work) -> None:
        shipment = _shipment(work)
        shipped_at = shipment.pickup_at or (shipment.booked_at if rt.settings.ship_on == "waybill" else None)
        if shipped_at is None:
            return  # the pickup was revoked meanwhile; a new one owes this step again
        parcel = _parcel(rt, work, shipped_at=shipped_at)
        _at_shop(rt, work, lambda shop: shop.mark_shipped(parcel, rt.clock.now()))

    def record(self, rt: Runtime, book: StepBook, work: Work, result: None) -> None:
        return


CLAIM, NOTE, SHIPPED = _Claim(), _Note(), _Shipped()


def _at_shop(rt: Runtime, work: Work, write: Callable[[Shop], T]) -> T:
    return rt.gateway.observe(work.peer, work.name, lambda: write(rt.shops[work.peer]), work.calls)


def _shipment(work: Work) -> ShipmentRow:
    if work.shipment is None:
        raise PermanentError("write_back.parcel_missing", f"Order {work.order_sn}: {work.name} without a parcel")
    return work.shipment


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
        note_id=shipment.note_id or work.order.note_id,
        shipped_at=shipped_at,
    )
