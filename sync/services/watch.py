"""What the sweeps go by: when a parcel was heard of, when it moved, by when it should arrive; and who was told of it.

At most one of the two alerts lies open for a parcel: a second one would say nothing new. It closes with the next
movement; one that moves and still does not arrive is told again after another whole travel time.
"""

from __future__ import annotations

from datetime import datetime

from mappings.status import STATUSES, Tracking
from sync import exceptions as desk
from sync.db.models import OrderRow, ShipmentRow
from sync.db.steps import StepBook
from sync.runtime import Runtime

NO_MOVEMENT, UNDELIVERED = "parcel.no_movement", "parcel.undelivered"

RETURN_LEG = frozenset({"rejected", "returning", "intercepted"})
"""Nobody waits for the delivery of a parcel that comes back."""


def hear(rt: Runtime, shipment: ShipmentRow) -> None:
    """The carrier told of the parcel, be it nothing new."""
    if shipment.waybill_no and not STATUSES[shipment.status].is_terminal:
        shipment.heard_at = rt.clock.now()


def follow(rt: Runtime, book: StepBook, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    """Take over what was concluded of a parcel, and close the alerts that its movement answers."""
    moved_at = max(filter(None, (tracking.last_scan_at, tracking.status_at, shipment.moved_at)), default=None)
    has_moved = moved_at != shipment.moved_at
    if STATUSES[shipment.status].is_terminal:
        shipment.heard_at = shipment.moved_at = shipment.deliver_by = None
        _close_alerts(book, shipment)
        return
    hear(rt, shipment)
    shipment.moved_at = moved_at
    was_late = shipment.undelivered_since is not None
    if has_moved:
        _close_alerts(book, shipment)
    if shipment.pickup_at is None or shipment.status in RETURN_LEG:
        shipment.deliver_by = None
    elif shipment.deliver_by is None and shipment.undelivered_since is None:
        shipment.deliver_by = _deadline(rt, order, moved_at if was_late and moved_at else shipment.pickup_at)


def _deadline(rt: Runtime, order: OrderRow, since: datetime) -> datetime:
    address = order.header.get("consignee", {}).get("address", {})
    times = rt.settings.undelivered_after
    return since + times.between(rt.settings.consignor.address.province, address.get("province", ""))


def _close_alerts(book: StepBook, shipment: ShipmentRow) -> None:
    for code, since in ((NO_MOVEMENT, shipment.still_since), (UNDELIVERED, shipment.undelivered_since)):
        if since is not None:
            said = f"the parcel is now: {shipment.status}"
            desk.close_exceptions(book.session, f"shipment:{shipment.id}", said, code=code)
    shipment.still_since = shipment.undelivered_since = None
