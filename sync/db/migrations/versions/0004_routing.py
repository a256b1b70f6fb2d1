"""routing and the switchboard"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "switches",
        sa.Column("what", sa.String(length=80), nullable=False),
        sa.Column("mode", sa.String(length=48), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("since", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("until", models.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("what"),
    )
    op.add_column("shipments", sa.Column("account", sa.String(length=40), nullable=False, server_default=""))
    op.add_column("shipments", sa.Column("route_reason", sa.Text(), nullable=False, server_default=""))
    op.add_column("shipments", sa.Column("route_avoids", sa.Text(), nullable=False, server_default=""))
    op.add_column("peers", sa.Column("closed_at", models.UtcDateTime(timezone=True), nullable=True))
    op.execute("UPDATE peers SET closed_at = failing_since WHERE state <> 'on'")


def downgrade() -> None:
    op.drop_column("peers", "closed_at")
    op.drop_column("shipments", "route_avoids")
    op.drop_column("shipments", "route_reason")
    op.drop_column("shipments", "account")
    op.drop_table("switches")
