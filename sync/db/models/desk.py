"""The tables of what needs a person, and of what people did and switched."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.db.models.base import Base


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
