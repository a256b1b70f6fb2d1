"""The tables. Unique keys carry the promises: one order a shop id, one step a parcel, one push a digest.

Times are aware UTC; `*_at` columns named for something in the world (placed, paid, booked, picked up, delivered) hold
business time, the others machine time. Money is integer fen.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; SQLite stores none of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012  (SQLAlchemy's own protocol)


class OrderRow(Base):
    """A shop's order as we took it in. `state`: open, done, withdrawn. `status`: what people are shown."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("shop", "shop_order_id"),
        Index("ix_orders_state", "shop", "state"),
        Index("ix_orders_sn", "order_sn"),
        Index("ix_orders_received", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shop: Mapped[str] = mapped_column(String(40))
    shop_order_id: Mapped[str] = mapped_column(String(40))
    order_sn: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), default="open")
    status: Mapped[str] = mapped_column(String(24), default="received")
    queue: Mapped[str] = mapped_column(String(16))
    content_hash: Mapped[str] = mapped_column(String(64))
    header: Mapped[dict[str, Any]]
    """Consignee, amounts and notes as read: personal data, purged after the retention time."""
    total_fen: Mapped[int]
    placed_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    erp_no: Mapped[str] = mapped_column(String(80), default="")
    external_ref: Mapped[str] = mapped_column(String(80), default="")
    """What the ERPs know the order by; the shop's number, with the shop's name where there are several."""


class OrderLineRow(Base):
    __tablename__ = "order_lines"
    __table_args__ = (UniqueConstraint("order_id", "line_no"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    line_no: Mapped[int]
    sku: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(255))
    quantity: Mapped[int]
    price_fen: Mapped[int]
    weight_g: Mapped[int]
    details: Mapped[dict[str, Any]]


class ShipmentRow(Base):
    """A parcel. `order_code` is our idempotency key: it stands here before the carrier is called."""

    __tablename__ = "shipments"
    __table_args__ = (
        UniqueConstraint("order_id", "parcel_no"),
        UniqueConstraint("peer", "order_code"),
        Index("ix_shipments_waybill", "peer", "waybill_no"),
        Index("ix_shipments_awaiting", "pickup_due_from"),
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
    note_id: Mapped[str] = mapped_column(String(40), default="")


class LabelRow(Base):
    """The printable label; apart from the parcel because templates are large."""

    __tablename__ = "labels"

    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipments.id"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)


class WaybillAliasRow(Base):
    """A number the carrier replaced; events may still come under it."""

    __tablename__ = "waybill_aliases"
    __table_args__ = (UniqueConstraint("peer", "waybill_no"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    peer: Mapped[str] = mapped_column(String(48))
    waybill_no: Mapped[str] = mapped_column(String(40))
    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipments.id"))


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


class StepRow(Base):
    """Something owed to a peer for an order or parcel: the record that the broker only wakes workers for.

    `state`: owed, running, done, parked (a person must act), dropped (no longer wanted).
    `is_uncertain` is set before sending and cleared when it is known that nothing happened there.
    `attempts` counts calls the peer refused or lost, `losses` the workers that died holding the lease.
    """

    __tablename__ = "steps"
    __table_args__ = (
        UniqueConstraint("order_id", "parcel_no", "name", "peer"),
        Index("ix_steps_due", "state", "not_before"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    parcel_no: Mapped[int] = mapped_column(default=0)
    shipment_id: Mapped[int | None] = mapped_column(ForeignKey("shipments.id"))
    name: Mapped[str] = mapped_column(String(24))
    peer: Mapped[str] = mapped_column(String(48))
    state: Mapped[str] = mapped_column(String(10), default="owed")
    attempts: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    resumes: Mapped[int] = mapped_column(default=0)
    is_uncertain: Mapped[bool] = mapped_column(default=False)
    not_before: Mapped[datetime]
    enqueued_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    lease_token: Mapped[str] = mapped_column(String(32), default="")
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    last_outcome: Mapped[str] = mapped_column(String(12), default="")
    last_code: Mapped[str] = mapped_column(String(80), default="")
    last_message: Mapped[str] = mapped_column(Text, default="")


class AttemptRow(Base):
    """One outbound call: what was asked and answered (redacted), how long it took, how it ended."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_order", "order_id"), Index("ix_attempts_started", "started_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None]
    step_id: Mapped[int | None]
    peer: Mapped[str] = mapped_column(String(48))
    operation: Mapped[str] = mapped_column(String(40))
    try_no: Mapped[int]
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(80), default="")
    http_status: Mapped[int] = mapped_column(default=0)
    request: Mapped[str] = mapped_column(Text, default="")
    reply: Mapped[str] = mapped_column(Text, default="")


class InboxRow(Base):
    """A callback as received. `verdict`: waiting, applied, duplicate, stale, orphan, unmapped, refused, unreadable."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("source", "digest"),
        Index("ix_inbox_verdict", "verdict", "not_before"),
        Index("ix_inbox_received", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(48))
    digest: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
    content_type: Mapped[str] = mapped_column(String(120))
    remote_addr: Mapped[str] = mapped_column(String(64), default="")
    body: Mapped[bytes] = mapped_column(LargeBinary)
    verdict: Mapped[str] = mapped_column(String(12), default="waiting")
    detail: Mapped[str] = mapped_column(Text, default="")
    repeats: Mapped[int] = mapped_column(default=0)
    tellings: Mapped[int] = mapped_column(default=0)
    """How often a worker was told to apply it; more than a few means that it kills them."""
    not_before: Mapped[datetime]
    """Nobody is told again before."""
    applied_at: Mapped[datetime | None]


class ExceptionGroupRow(Base):
    """One cause at one peer. `state`: new, assigned, snoozed, resolved, regressed."""

    __tablename__ = "exception_groups"
    __table_args__ = (UniqueConstraint("code", "peer"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(80))
    peer: Mapped[str] = mapped_column(String(48))
    state: Mapped[str] = mapped_column(String(10), default="new")
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class ExceptionRow(Base):
    """One order, parcel, callback or peer that needs a person. `subject` is unique within its group."""

    __tablename__ = "exceptions"
    __table_args__ = (
        UniqueConstraint("group_id", "subject"),
        Index("ix_exceptions_open", "resolved_at"),
        Index("ix_exceptions_order", "order_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("exception_groups.id"))
    subject: Mapped[str] = mapped_column(String(80))
    order_id: Mapped[int | None]
    step_id: Mapped[int | None]
    inbox_id: Mapped[int | None]
    message: Mapped[str] = mapped_column(Text)
    times: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str] = mapped_column(String(40), default="")
    resolution: Mapped[str] = mapped_column(Text, default="")


class PeerRow(Base):
    """How a peer stands: the breaker shared by all workers. `state`: on, away (breaker open), refused (credentials)."""

    __tablename__ = "peers"

    peer: Mapped[str] = mapped_column(String(48), primary_key=True)
    state: Mapped[str] = mapped_column(String(10), default="on")
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    cause: Mapped[str] = mapped_column(Text, default="")


class CursorRow(Base):
    """A named value with the time it was written: last poll of a shop, heartbeat, reconciliation."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class AuditRow(Base):
    """What a person did, and why."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(Text, default="")
