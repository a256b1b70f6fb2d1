"""Only the overdue pickups of `sweep_parcels`, for a person who asks for them."""

from __future__ import annotations

from sync.db.steps import Wake
from sync.runtime import Runtime
from sync.services.query_parcel import PICKUP
from sync.services.sweep_parcels import sweep_parcels


def sweep_pickups(rt: Runtime) -> list[Wake]:
    """Owe a query for parcels without pickup since `stale_pickup_after_s`; returns whom to wake."""
    return sweep_parcels(rt, reasons=(PICKUP,)).wakes
