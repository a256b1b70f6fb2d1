"""The tables of stock: what an ERP said, and what was set in a shop."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.db.models.base import Base


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
