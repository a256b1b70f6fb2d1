"""the record"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.db import models

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("step_id", sa.Integer(), nullable=True),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column("try_no", sa.Integer(), nullable=False),
        sa.Column("started_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_order", ["order_id"], unique=False)
        batch_op.create_index("ix_attempts_started", ["started_at"], unique=False)

    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", models.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "exception_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("first_seen_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code", "peer"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=48), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("received_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("content_type", sa.String(length=120), nullable=False),
        sa.Column("remote_addr", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("tellings", sa.Integer(), nullable=False),
        sa.Column("not_before", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("applied_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "digest"),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_received", ["received_at"], unique=False)
        batch_op.create_index("ix_inbox_verdict", ["verdict", "not_before"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shop", sa.String(length=40), nullable=False),
        sa.Column("shop_order_id", sa.String(length=40), nullable=False),
        sa.Column("order_sn", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("header", sa.JSON(), nullable=False),
        sa.Column("total_fen", sa.Integer(), nullable=False),
        sa.Column("placed_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("paid_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("received_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("done_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("erp_no", sa.String(length=80), nullable=False),
        sa.Column("external_ref", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("shop", "shop_order_id"),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("ix_orders_received", ["received_at"], unique=False)
        batch_op.create_index("ix_orders_sn", ["order_sn"], unique=False)
        batch_op.create_index("ix_orders_state", ["shop", "state"], unique=False)

    op.create_table(
        "peers",
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("probe_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("peer"),
    )
    op.create_table(
        "exceptions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("step_id", sa.Integer(), nullable=True),
        sa.Column("inbox_id", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("opened_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(length=40), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["exception_groups.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("group_id", "subject"),
    )
    with op.batch_alter_table("exceptions", schema=None) as batch_op:
        batch_op.create_index("ix_exceptions_open", ["resolved_at"], unique=False)
        batch_op.create_index("ix_exceptions_order", ["order_id"], unique=False)

    op.create_table(
        "order_lines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_fen", sa.Integer(), nullable=False),
        sa.Column("weight_g", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "line_no"),
    )
    op.create_table(
        "shipments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("parcel_no", sa.Integer(), nullable=False),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("shipper_code", sa.String(length=20), nullable=False),
        sa.Column("order_code", sa.String(length=30), nullable=False),
        sa.Column("environment", sa.String(length=12), nullable=False),
        sa.Column("waybill_no", sa.String(length=40), nullable=False),
        sa.Column("carrier_order_no", sa.String(length=64), nullable=False),
        sa.Column("booked_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("estimated_pickup_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("estimated_delivery_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("status_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pickup_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pickup_is_inferred", sa.Boolean(), nullable=False),
        sa.Column("delivered_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pickup_due_from", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("stale_since", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("note_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "parcel_no"),
        sa.UniqueConstraint("peer", "order_code"),
    )
    with op.batch_alter_table("shipments", schema=None) as batch_op:
        batch_op.create_index("ix_shipments_awaiting", ["pickup_due_from"], unique=False)
        batch_op.create_index("ix_shipments_waybill", ["peer", "waybill_no"], unique=False)

    op.create_table(
        "labels",
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shipment_id"],
            ["shipments.id"],
        ),
        sa.PrimaryKeyConstraint("shipment_id"),
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("parcel_no", sa.Integer(), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=24), nullable=False),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("resumes", sa.Integer(), nullable=False),
        sa.Column("is_uncertain", sa.Boolean(), nullable=False),
        sa.Column("not_before", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("enqueued_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("lease_until", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=False),
        sa.Column("created_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", models.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_outcome", sa.String(length=12), nullable=False),
        sa.Column("last_code", sa.String(length=80), nullable=False),
        sa.Column("last_message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.ForeignKeyConstraint(
            ["shipment_id"],
            ["shipments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "parcel_no", "name", "peer"),
    )
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.create_index("ix_steps_due", ["state", "not_before"], unique=False)

    op.create_table(
        "tracking_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=True),
        sa.Column("inbox_id", sa.Integer(), nullable=True),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("event_key", sa.String(length=64), nullable=False),
        sa.Column("waybill_no", sa.String(length=40), nullable=False),
        sa.Column("order_code", sa.String(length=30), nullable=False),
        sa.Column("event_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.Column("canonical", sa.String(length=24), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("received_at", models.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["shipment_id"],
            ["shipments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("peer", "event_key"),
    )
    with op.batch_alter_table("tracking_events", schema=None) as batch_op:
        batch_op.create_index("ix_events_orphan", ["peer", "waybill_no"], unique=False)
        batch_op.create_index("ix_events_shipment", ["shipment_id"], unique=False)

    op.create_table(
        "waybill_aliases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("peer", sa.String(length=48), nullable=False),
        sa.Column("waybill_no", sa.String(length=40), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["shipment_id"],
            ["shipments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("peer", "waybill_no"),
    )


def downgrade() -> None:
    op.drop_table("waybill_aliases")
    with op.batch_alter_table("tracking_events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_shipment")
        batch_op.drop_index("ix_events_orphan")

    op.drop_table("tracking_events")
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.drop_index("ix_steps_due")

    op.drop_table("steps")
    op.drop_table("labels")
    with op.batch_alter_table("shipments", schema=None) as batch_op:
        batch_op.drop_index("ix_shipments_waybill")
        batch_op.drop_index("ix_shipments_awaiting")

    op.drop_table("shipments")
    op.drop_table("order_lines")
    with op.batch_alter_table("exceptions", schema=None) as batch_op:
        batch_op.drop_index("ix_exceptions_order")
        batch_op.drop_index("ix_exceptions_open")

    op.drop_table("exceptions")
    op.drop_table("peers")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index("ix_orders_state")
        batch_op.drop_index("ix_orders_sn")
        batch_op.drop_index("ix_orders_received")

    op.drop_table("orders")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_verdict")
        batch_op.drop_index("ix_inbox_received")

    op.drop_table("inbox")
    op.drop_table("exception_groups")
    op.drop_table("cursors")
    op.drop_table("audit")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_attempts_started")
        batch_op.drop_index("ix_attempts_order")

    op.drop_table("attempts")
