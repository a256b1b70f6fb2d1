"""Personal data is kept while somebody may ask about a parcel: then orders keep their numbers and lose their people.

What stays is what figures need: order and waybill numbers, goods, amounts, times, states, province and city.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, literal, or_, select
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db.models import AttemptRow, ExceptionRow, InboxRow, OrderRow, ShipmentRow, TrackingEventRow
from sync.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many orders lost their people, and how many pushes, calls and strangers' scans were deleted."""

    orders: int
    pushes: int
    calls: int
    scans: int

    def __bool__(self) -> bool:
        return any((self.orders, self.pushes, self.calls, self.scans))


def forget_people(rt: Runtime, batch: int = 200) -> Forgotten:
    """Purge what is older than the retention time, in small transactions; what is open or waits is left alone."""
    before = utc_now() - timedelta(days=rt.settings.personal_data_keep_days)

    def all_of(forget: Callable[[Session, datetime, int], int]) -> int:
        return rt.database.in_batches(lambda session, most: forget(session, before, most), batch)

    return Forgotten(all_of(_forget_orders), all_of(_delete_pushes), all_of(_delete_calls), all_of(_delete_scans))


def _forget_orders(session: Session, before: datetime, batch: int) -> int:
    """Locked rows are somebody's work, so they are not over."""
    over = (
        OrderRow.state != literal("open", literal_execute=True),  # spelled out, or the partial index is not seen
        OrderRow.forgotten_at.is_(None),
        OrderRow.updated_at < before,
        or_(OrderRow.done_at.is_(None), OrderRow.done_at < before),
    )
    wanted = select(OrderRow).where(*over).order_by(OrderRow.updated_at).limit(batch)
    rows = session.execute(wanted.with_for_update(skip_locked=True)).scalars().all()
    for row in rows:
        row.header, row.forgotten_at = _without_people(row.header), utc_now()
    _silence_scans(session, [row.id for row in rows])
    return len(rows)


def _without_people(header: dict[str, Any]) -> dict[str, Any]:
    where = header["consignee"].get("address", {})
    address = {name: text if name in ("province", "city") else "" for name, text in where.items()}
    nobody = {**dict.fromkeys(header["consignee"], ""), "address": address}
    return {**header, "consignee": nobody, "buyer_note": "", "seller_note": ""}


def _silence_scans(session: Session, order_ids: Iterable[int]) -> None:
    """Couriers write names and phones into what people read of a scan; its code and time stay."""
    theirs = select(ShipmentRow.id).where(ShipmentRow.order_id.in_(order_ids))
    for event in session.execute(select(TrackingEventRow).where(TrackingEventRow.shipment_id.in_(theirs))).scalars():
        event.fields = {**event.fields, "text": "", "location": ""}


def _delete_pushes(session: Session, before: datetime, batch: int) -> int:
    """What a person still has to look at stays until it is resolved."""
    is_open = select(ExceptionRow.id).where(ExceptionRow.inbox_id == InboxRow.id, ExceptionRow.resolved_at.is_(None))
    old = select(InboxRow.id).where(InboxRow.received_at < before, InboxRow.verdict != "waiting", ~is_open.exists())
    return _delete(session, InboxRow, session.execute(old.order_by(InboxRow.received_at).limit(batch)).scalars().all())


def _delete_calls(session: Session, before: datetime, batch: int) -> int:
    old = select(AttemptRow.id).where(AttemptRow.started_at < before).order_by(AttemptRow.started_at).limit(batch)
    return _delete(session, AttemptRow, session.execute(old).scalars().all())


def _delete_scans(session: Session, before: datetime, batch: int) -> int:
    """Of parcels that never became ours."""
    old = select(TrackingEventRow.id).where(
        TrackingEventRow.shipment_id.is_(None), TrackingEventRow.received_at < before
    )
    return _delete(session, TrackingEventRow, session.execute(old.limit(batch)).scalars().all())


def _delete(session: Session, table: type[Any], ids: Iterable[int]) -> int:
    ids = list(ids)
    session.execute(delete(table).where(table.id.in_(ids)))
    return len(ids)
