"""what the sweeps go by: when a parcel was heard of, moved, is due, was told of, was last asked about"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENTS = ("heard_at", "moved_at", "deliver_by", "still_since", "undelivered_since", "queried_at")
SWEPT = {"heard": "heard_at", "moved": "moved_at", "deadline": "deliver_by"}
OVER = "('delivered', 'returned', 'lost', 'cancelled')"


def upgrade() -> None:
    for name in MOMENTS:
        op.add_column("shipments", sa.Column(name, models.UtcDateTime(timezone=True), nullable=True))
    for index, column in SWEPT.items():
        op.create_index(f"ix_shipments_{index}", "shipments", [column])
    # Parcels on their way from before: the next query or push says the rest.
    on_their_way = f"waybill_no <> '' AND status NOT IN {OVER}"
    op.execute(f"UPDATE shipments SET heard_at = booked_at WHERE {on_their_way}")  # noqa: S608  (our own words)
    op.execute("UPDATE steps SET name = 'query_parcel' WHERE name = 'query_pickup'")


def downgrade() -> None:
    op.execute("UPDATE steps SET name = 'query_pickup' WHERE name = 'query_parcel'")
    for index in SWEPT:
        op.drop_index(f"ix_shipments_{index}", "shipments")
    for name in reversed(MOMENTS):
        op.drop_column("shipments", name)
