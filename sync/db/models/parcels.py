"""The tables of what is on its way: parcels, their labels and numbers, and what carriers told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.db.models.base import Base


class ShipmentRow(Base):
    """A parcel. `order_code` is our idempotency key: it stands here before the carrier is called."""

    __tablename__ = "shipments"
    __table_args__ = (
        UniqueConstraint("order_id", "parcel_no"),
        UniqueConstraint("peer", "order_code"),
        Index("ix_shipments_waybill", "peer", "waybill_no"),
        Index("ix_shipments_awaiting", "pickup_due_from"),
        Index("ix_shipments_heard", "heard_at"),
        Index("ix_shipments_moved", "moved_at"),
        Index("ix_shipments_deadline", "deliver_by"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    parcel_no: Mapped[int] = mapped_column(default=1)
    peer: Mapped[str] = mapped_column(String(48))
    shipper_code: Mapped[str] = mapped_column(String(20))
    order_code: Mapped[str] = mapped_column(String(30))
    environment: Mapped[str] = mapped_column(String(12))
    waybill_no: Mapped[str] = mapped_column(String(40), default="")
    carrier_order_no: Mapped[str] = mapped_column(String(64), default="")
    booked_at: Mapped[datetime | None]
    estimated_pickup_at: Mapped[datetime | None]
    estimated_delivery_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(24), default="unknown")
    status_at: Mapped[datetime | None]
    pickup_at: Mapped[datetime | None]
    pickup_is_inferred: Mapped[bool] = mapped_column(default=False)
    delivered_at: Mapped[datetime | None]
    pickup_due_from: Mapped[datetime | None]
    """Since when the parcel waits for its pickup; None once it is picked up, cancelled or marked stale."""
    stale_since: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    """When the carrier last told of the parcel (business time); None before its waybill and once it is over."""
    moved_at: Mapped[datetime | None]
    """The time of its newest scan or status (business time); None once it is over."""
    deliver_by: Mapped[datetime | None]
    """By when it should have arrived (business time); None before the pickup, on its way back, once told or over."""
    still_since: Mapped[datetime | None]
    """Since when people know that it does not move; None once it does."""
    undelivered_since: Mapped[datetime | None]
    """Since when people know that it is late; None once it moves."""
    queried_at: Mapped[datetime | None]
    """When the carrier was last asked about it (machine time): platforms lock out who asks too often."""
    note_id: Mapped[str] = mapped_column(String(40), default="")
    """The shop's delivery note: staff's own, or ours once `noted_at` says that it was written."""
    noted_at: Mapped[datetime | None]
    """When the shop was seen to hold the note with its number (machine time): later looks show what is left."""
    account: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """The account at the carrier that a routing rule named; empty: the carrier's own settings."""
    route_reason: Mapped[str] = mapped_column(Text, default="", server_default="")
    route_avoids: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What was closed when the parcel was routed, separated by blanks: it does not move back when that opens again."""
    shipped_by: Mapped[str] = mapped_column(String(48), default="", server_default="")
    """The ERP whose warehouse sent it under a number of its own; empty: the number is ours, or staff's."""


class LabelRow(Base):
    """The printable label; apart from the parcel because templates are large. Its key: one label a parcel.

    `kind`: html, pdf or png (base64), url. `waybill_no` is the number that stands on it; where the parcel has another
    one by now, it must not be stuck on. `printed_at` is None while it waits to be printed, also after it was replaced.
    """

    __tablename__ = "labels"
    __table_args__ = (
        Index("ix_labels_printed", "printed_at"),
        Index("ix_labels_stored", "emptied_at", "stored_at"),
    )

    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipments.id"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(8), default="html", server_default="html")
    waybill_no: Mapped[str] = mapped_column(String(40), default="", server_default="")
    stored_at: Mapped[datetime]
    prints: Mapped[int] = mapped_column(default=0, server_default="0")
    printed_at: Mapped[datetime | None]
    printed_by: Mapped[str] = mapped_column(String(40), default="", server_default="")
    emptied_at: Mapped[datetime | None]
    """When its content was purged: personal data. The counts stay."""


class WaybillAliasRow(Base):
    """Another number of a parcel; events under it are the parcel's. `kind`: replaced (the carrier gave another one),
    package (one of several that travel under one waybill), pickup (of the courier's booking alone)."""

    __tablename__ = "waybill_aliases"
    __table_args__ = (UniqueConstraint("peer", "waybill_no"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    peer: Mapped[str] = mapped_column(String(48))
    waybill_no: Mapped[str] = mapped_column(String(40))
    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipments.id"))
    kind: Mapped[str] = mapped_column(String(10), default="replaced", server_default="replaced")


class TrackingEventRow(Base):
    """One fact about a parcel. `shipment_id` is empty while no parcel of ours has this number."""

    __tablename__ = "tracking_events"
    __table_args__ = (
        UniqueConstraint("peer", "event_key"),
        Index("ix_events_shipment", "shipment_id"),
        Index("ix_events_orphan", "peer", "waybill_no"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shipment_id: Mapped[int | None] = mapped_column(ForeignKey("shipments.id"))
    inbox_id: Mapped[int | None]
    peer: Mapped[str] = mapped_column(String(48))
    event_key: Mapped[str] = mapped_column(String(64))
    waybill_no: Mapped[str] = mapped_column(String(40))
    order_code: Mapped[str] = mapped_column(String(30))
    event_at: Mapped[datetime]
    canonical: Mapped[str | None] = mapped_column(String(24))
    fields: Mapped[dict[str, Any]]
    received_at: Mapped[datetime]
