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
    parcel_no: Mapped[int] = mapped_column(default=1, server_default="1")
    """The parcel that holds it; 0 for what is still to be put into one."""
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
    closed_at: Mapped[datetime | None]
    """Since when no call is made but probes; None while the state is on."""
    probe_at: Mapped[datetime | None]
    cause: Mapped[str] = mapped_column(Text, default="")


class CursorRow(Base):
    """A named value with the time it was written: last poll of a shop, heartbeat, reconciliation."""

    __tablename__ = "cursors"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class StockLevelRow(Base):
    """What an ERP said last of one SKU for a shop, and what the shop shows.

    `figures` is by warehouse, empty once a full answer left the SKU out; `available` sums those that count for the
    shop; `shown` is the shop's own figure, None while the shop does not sell it.
    """

    __tablename__ = "stock_levels"
    __table_args__ = (UniqueConstraint("shop", "sku"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    shop: Mapped[str] = mapped_column(String(40))
    sku: Mapped[str] = mapped_column(String(80))
    figures: Mapped[dict[str, Any]]
    available: Mapped[int | None]
    shown: Mapped[int | None]
    updated_at: Mapped[datetime]


class StockChangeRow(Base):
    """One figure that was set in a shop. `actor` is who let it through: ecsync, or the person who approved the run."""

    __tablename__ = "stock_changes"
    __table_args__ = (
        Index("ix_stock_changes_sku", "shop", "sku"),
        Index("ix_stock_changes_changed", "changed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shop: Mapped[str] = mapped_column(String(40))
    sku: Mapped[str] = mapped_column(String(80))
    goods_id: Mapped[int]
    product_id: Mapped[int]
    before: Mapped[int]
    after: Mapped[int]
    available: Mapped[int]
    changed_at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(40), default="ecsync")


class SwitchRow(Base):
    """What a person switched at the carriers; no row means open. It is in force until `until`, or until resumed.

    `what` is `carrier.kdniao`, `carrier.kdniao/ZTO` (a courier company), `carrier.kdniao/south` (an account), or
    `default`. `mode` is paused or draining, for `default` the key of the carrier.
    """

    __tablename__ = "switches"

    what: Mapped[str] = mapped_column(String(80), primary_key=True)
    mode: Mapped[str] = mapped_column(String(48))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class AuditRow(Base):
    """What a person did, and why."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(Text, default="")
