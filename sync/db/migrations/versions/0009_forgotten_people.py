"""when an order's personal data was purged"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("forgotten_at", models.UtcDateTime(timezone=True), nullable=True))
    wanted = sa.text("state <> 'open' AND forgotten_at IS NULL")
    op.create_index("ix_orders_forgotten", "orders", ["updated_at"], sqlite_where=wanted, postgresql_where=wanted)


def downgrade() -> None:
    op.drop_index("ix_orders_forgotten", table_name="orders")
    op.drop_column("orders", "forgotten_at")
