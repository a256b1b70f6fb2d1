from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sync.db.migrate import migrate
from sync.db.models import Base
from sync.db.session import Database, make_engine
from tests.service.house import House, bring_up_to_date, open_house
from tests.services import fresh_postgres

END_THE_OTHERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="session")
def kept_postgres() -> Iterator[Database]:
    """A migrated PostgreSQL database that serves all tests: making and dropping one takes longer than most of them."""
    with fresh_postgres() as url:
        database = Database(create_engine(url, poolclass=NullPool))
        migrate(database)
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same service tests run on both databases."""
    if request.param == "sqlite":
        record = Database(make_engine(f"sqlite:///{tmp_path}/ecsync.db"))
        bring_up_to_date(record)
        record.close()
        yield f"sqlite:///{tmp_path}/ecsync.db"
        return
    kept: Database = request.getfixturevalue("kept_postgres")
    empty(kept)
    yield kept.engine.url.render_as_string(hide_password=False)


def empty(postgres: Database) -> None:
    """As freshly migrated: nobody else is connected, no rows, ids from 1 on."""
    with postgres.engine.begin() as connection:
        connection.execute(END_THE_OTHERS)
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("SELECT setval(sequencename::text::regclass, 1, false) FROM pg_sequences"))


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened
