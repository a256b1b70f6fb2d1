"""The tables of what the shop sold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.db.models.base import Base

_HAS_PEOPLE = text("state <> 'open' AND forgotten_at IS NULL")
"""Ended orders that the purge has yet to come to: an open one changes often, and must not move in its index."""


class OrderRow(Base):
    """A shop's order as we took it in. `state`: open, done, withdrawn. `status`: what people are shown."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("shop", "shop_order_id"),
        Index("ix_orders_state", "shop", "state"),
        Index("ix_orders_sn", "order_sn"),
        Index("ix_orders_received", "received_at"),
        Index("ix_orders_external", "external_ref"),
        Index("ix_orders_forgotten", "updated_at", sqlite_where=_HAS_PEOPLE, postgresql_where=_HAS_PEOPLE),
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
    forgotten_at: Mapped[datetime | None]
    """When that was; None while the people are known."""
    total_fen: Mapped[int]
    placed_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    erp_no: Mapped[str] = mapped_column(String(80), default="")
    """What lists show of its documents: the number in the first of its ERPs, `accepted` while that has none."""
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


class ErpDocumentRow(Base):
    """What one ERP holds of an order. `state`: accepted (taken, not numbered yet), created, confirmed, cancelled.

    `erp_no` is empty while the ERP has not said its number. `at` is when it came to this state, `taken_at` when the
    ERP took the order (machine time).
    """

    __tablename__ = "erp_documents"
    __table_args__ = (UniqueConstraint("order_id", "peer"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    peer: Mapped[str] = mapped_column(String(48))
    erp_no: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[str] = mapped_column(String(10))
    taken_at: Mapped[datetime]
    at: Mapped[datetime]
