"""Finds parcels that an ERP's warehouse should have sent by now, and tells a person once (docs/adr/0013-erps.md).

Nothing is owed for such a parcel, so no step, no breaker and no carrier's silence would ever bring it to light.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.runtime import Runtime
from sync.services.route import BOOKING
from sync.settings import PeerSettings

CODE = "erp.shipment_late"
_PREFIX = "unsent:"


@dataclass(frozen=True, slots=True)
class _Unsent:
    """A parcel without a number. `pushed_at` is when the ERP got its order (machine time)."""

    order_id: int
    order_sn: str
    shipment_id: int
    parcel_no: int
    pushed_at: datetime

    @property
    def subject(self) -> str:
        return f"{_PREFIX}{self.shipment_id}"


def sweep_unsent(rt: Runtime) -> int:
    """Open a line for each parcel that is late, close those of parcels that are not (any more); returns the new ones.

    What a person resolved is not told again.
    """
    return sum(_sweep(rt, erp) for erp in rt.settings.erps if erp.spec.polls_shipments)


def _sweep(rt: Runtime, erp: PeerSettings) -> int:
    with rt.database.writing() as session:
        told = set(desk.open_subjects(session, erp.key, _PREFIX))
        late = list(_find(rt, session, erp))
        for subject in told - {parcel.subject for parcel in late}:
            desk.close_exceptions(session, subject, "the parcel was sent, or is not owed any more", code=CODE)
        news = [p for p in late if p.subject not in told and not desk.is_settled(session, p.subject)]
        for parcel in news:
            cause = desk.Cause(CODE, erp.key, parcel.subject, _message(erp, parcel), order_id=parcel.order_id)
            desk.open_exception(session, cause)
    return len(news)


def _find(rt: Runtime, session: Session, erp: PeerSettings) -> Iterator[_Unsent]:
    """Parcels of open orders that the ERP got, or whose last other parcel went, longer ago than it may take."""
    shops = _served(rt, erp)
    if not shops or not erp.erp.ships_within_s:
        return
    since = utc_now() - timedelta(seconds=erp.erp.ships_within_s / rt.clock.speed)
    push, booking, other = StepRow, aliased(StepRow), aliased(ShipmentRow)
    booked = select(booking.id).where(
        booking.order_id == ShipmentRow.order_id,
        booking.parcel_no == ShipmentRow.parcel_no,
        booking.name == BOOKING,
    )
    sent_since = select(other.id).where(other.order_id == ShipmentRow.order_id, other.noted_at >= since)
    wanted = (
        select(OrderRow.id, OrderRow.order_sn, ShipmentRow.id, ShipmentRow.parcel_no, push.finished_at)
        .join(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
        .join(push, push.order_id == OrderRow.id)
        .where(OrderRow.shop.in_(shops), OrderRow.state == "open", ShipmentRow.waybill_no == "")
        .where(push.name == "push_order", push.peer == erp.key, push.state.in_(("done", "dropped")))
        .where(push.finished_at < since, ~booked.exists(), ~sent_since.exists())
        .order_by(push.finished_at, ShipmentRow.id)
    )
    for order_id, order_sn, shipment_id, parcel_no, pushed_at in session.execute(wanted):
        if pushed_at is not None:
            yield _Unsent(order_id, order_sn, shipment_id, parcel_no, pushed_at)


def _served(rt: Runtime, erp: PeerSettings) -> Sequence[str]:
    return [shop.name for shop in rt.settings.shops if rt.settings.shipping_erp(shop) == erp]


def _message(erp: PeerSettings, parcel: _Unsent) -> str:
    return (
        f"{erp.key} has had order {parcel.order_sn} since {parcel.pushed_at:%Y-%m-%d %H:%M} UTC, and has not said that "
        f"parcel {parcel.parcel_no} was sent. Ask its warehouse: it may hold the order back (not approved, out of "
        "stock), or have sent it without a number. If the parcel went another way, ship the order in the shop's admin "
        "with its number. This line closes by itself once the parcel has a number"
    )
