"""Alembic's entry: it is always given an open connection by `sync.db.migrate`."""

from __future__ import annotations

from alembic import context

from sync.db.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
    user_module_prefix="models.",
)
context.run_migrations()
