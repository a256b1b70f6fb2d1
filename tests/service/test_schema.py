"""A freshly migrated database has every table, column and index that the models name, and no others."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from sync.db.models import Base
from sync.db.session import Database, make_engine


def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    database = Database(make_engine(database_url))
    try:
        with database.engine.connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    finally:
        database.close()
    assert found == [], "write a migration, sync/db/migrations/versions"
