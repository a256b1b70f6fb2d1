"""The tables of the work itself: what is owed, what was called, what came in, and how the peers stand."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.db.models.base import Base


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
