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
    op.create_index("ix_orders_forgotten", "orders", ["forgotten_at", "updated_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_orders_forgotten", table_name="orders")
    op.drop_column("orders", "forgotten_at")
