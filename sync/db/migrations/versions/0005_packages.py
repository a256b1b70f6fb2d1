"""what another number of a parcel is"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("waybill_aliases", sa.Column("kind", sa.String(length=10), nullable=False, server_default="replaced"))


def downgrade() -> None:
    op.drop_column("waybill_aliases", "kind")
