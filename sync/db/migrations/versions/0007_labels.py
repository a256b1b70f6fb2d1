"""what a label is, and how often it was printed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_KINDS = {"pdf": "JVBERi%", "png": "iVBORw0KGgo%", "url": "http%"}
"""How a label of each kind begins; labels stored so far do not say what they are."""


def upgrade() -> None:
    moment = models.UtcDateTime(timezone=True)
    op.add_column("labels", sa.Column("kind", sa.String(length=8), nullable=False, server_default="html"))
    op.add_column("labels", sa.Column("waybill_no", sa.String(length=40), nullable=False, server_default=""))
    # A constant, because SQLite adds no other default; the rows get their real times below.
    op.add_column("labels", sa.Column("stored_at", moment, nullable=False, server_default="2026-01-01 00:00:00"))
    op.add_column("labels", sa.Column("prints", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("labels", sa.Column("printed_at", moment, nullable=True))
    op.add_column("labels", sa.Column("printed_by", sa.String(length=40), nullable=False, server_default=""))
    op.add_column("labels", sa.Column("emptied_at", moment, nullable=True))
    op.create_index("ix_labels_printed", "labels", ["printed_at"], unique=False)
    op.create_index("ix_labels_stored", "labels", ["emptied_at", "stored_at"], unique=False)
    op.execute(
        "UPDATE labels SET waybill_no = COALESCE("
        "(SELECT MIN(a.waybill_no) FROM waybill_aliases a WHERE a.kind = 'replaced' AND a.id = (SELECT MIN(b.id) "
        "FROM waybill_aliases b WHERE b.shipment_id = labels.shipment_id AND b.kind = 'replaced')), "
        "(SELECT s.waybill_no FROM shipments s WHERE s.id = labels.shipment_id)), "
        "stored_at = COALESCE((SELECT s.booked_at FROM shipments s WHERE s.id = labels.shipment_id), CURRENT_TIMESTAMP)"
    )
    for kind, beginning in _KINDS.items():
        labels = sa.table("labels", sa.column("kind"), sa.column("content"))
        op.execute(sa.update(labels).where(labels.c.content.like(beginning)).values(kind=kind))


def downgrade() -> None:
    op.drop_index("ix_labels_stored", table_name="labels")
    op.drop_index("ix_labels_printed", table_name="labels")
    for column in ("emptied_at", "printed_by", "printed_at", "prints", "stored_at", "waybill_no", "kind"):
        op.drop_column("labels", column)
