"""an order's documents, one an ERP; and which ERP sent a parcel"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Where an order was pushed to one ERP alone, the number that it has is that ERP's; of several nobody knows whose.
_FILL = """
INSERT INTO erp_documents (order_id, peer, erp_no, state, taken_at, at)
SELECT pushed.order_id, pushed.peer,
    CASE WHEN alone.pushes = 1 AND orders.erp_no <> 'accepted' THEN orders.erp_no ELSE '' END,
    CASE WHEN cancelled.id IS NOT NULL THEN 'cancelled'
        WHEN orders.erp_no = 'accepted' THEN 'accepted' ELSE 'created' END,
    pushed.finished_at,
    COALESCE(cancelled.finished_at, pushed.finished_at)
FROM steps AS pushed
JOIN orders ON orders.id = pushed.order_id
JOIN (SELECT order_id, COUNT(*) AS pushes FROM steps WHERE name = 'push_order' GROUP BY order_id) AS alone
    ON alone.order_id = pushed.order_id
LEFT JOIN steps AS cancelled
    ON cancelled.order_id = pushed.order_id AND cancelled.peer = pushed.peer
    AND cancelled.name = 'cancel_order' AND cancelled.state = 'done'
WHERE pushed.name = 'push_order' AND pushed.state = 'done' AND pushed.finished_at IS NOT NULL
    AND orders.erp_no <> ''
"""


def upgrade() -> None:
    moment = models.UtcDateTime(timezone=True)
    op.create_table(
        "erp_documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("erp_no", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("taken_at", moment, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "peer"),
    )
    op.execute(_FILL)
    op.create_index("ix_orders_external", "orders", ["external_ref"], unique=False)
    op.add_column("shipments", sa.Column("shipped_by", sa.String(length=48), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("shipments", "shipped_by")
    op.drop_index("ix_orders_external", table_name="orders")
    op.drop_table("erp_documents")
