"""The tables, one module a subject; imported from here, so that Alembic and whoever empties the database see them all.

Unique keys carry the promises: one order a shop id, one step a parcel, one push a digest. Times are aware UTC; `*_at`
columns named for something in the world (placed, paid, booked, picked up, delivered) hold business time, the others
machine time. Money is integer fen.
"""

from __future__ import annotations

from sync.db.models.base import Base, UtcDateTime
from sync.db.models.desk import AuditRow, ExceptionGroupRow, ExceptionRow, SwitchRow
from sync.db.models.orders import ErpDocumentRow, OrderLineRow, OrderRow
from sync.db.models.parcels import LabelRow, ShipmentRow, TrackingEventRow, WaybillAliasRow
from sync.db.models.stock import StockChangeRow, StockLevelRow
from sync.db.models.work import AttemptRow, CursorRow, InboxRow, PeerRow, StepRow

__all__ = [
    "AttemptRow",
    "AuditRow",
    "Base",
    "CursorRow",
    "ErpDocumentRow",
    "ExceptionGroupRow",
    "ExceptionRow",
    "InboxRow",
    "LabelRow",
    "OrderLineRow",
    "OrderRow",
    "PeerRow",
    "ShipmentRow",
    "StepRow",
    "StockChangeRow",
    "StockLevelRow",
    "SwitchRow",
    "TrackingEventRow",
    "UtcDateTime",
    "WaybillAliasRow",
]
