"""Finds parcels that wait too long for their pickup and owes one query to the carrier for each."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from sync.db.models import OrderRow, ShipmentRow
from sync.db.steps import StepBook, Wake
from sync.runtime import Runtime


def sweep_pickups(rt: Runtime, limit: int = 500) -> list[Wake]:
    """Owe a query for every parcel without pickup since `stale_pickup_after_s`; returns whom to wake."""
    overdue = rt.clock.now() - timedelta(seconds=rt.settings.stale_pickup_after_s)
    wanted = (
        select(ShipmentRow.id, ShipmentRow.order_id, ShipmentRow.peer, ShipmentRow.parcel_no)
        .join(OrderRow, OrderRow.id == ShipmentRow.order_id)
        .where(ShipmentRow.pickup_due_from < overdue, OrderRow.state == "open")
        .order_by(ShipmentRow.pickup_due_from)
        .limit(limit)
    )
    with rt.database.reading() as session:
        found = session.execute(wanted).all()
    if not found:
        return []
    with rt.database.writing() as session:
        book = StepBook(session)
        for shipment_id, order_id, peer, parcel_no in found:
            book.owe("query_pickup", peer, order_id, shipment_id=shipment_id, parcel_no=parcel_no, again=True)
    return book.wakes
