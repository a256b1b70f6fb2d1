"""several parcels of one order"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now an order had one parcel, which held all of its lines."""
    op.add_column("order_lines", sa.Column("parcel_no", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("shipments", sa.Column("noted_at", models.UtcDateTime(timezone=True), nullable=True))
    op.execute("UPDATE shipments SET noted_at = CURRENT_TIMESTAMP WHERE note_id <> ''")


def downgrade() -> None:
    op.drop_column("shipments", "noted_at")
    op.drop_column("order_lines", "parcel_no")
