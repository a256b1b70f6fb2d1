from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sync.db.migrate import migrate
from sync.db.session import Database, make_engine
from tests.service.house import House, open_house
from tests.services import fresh_postgres


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """A migrated PostgreSQL database that tests copy: migrating once is much faster."""
    with fresh_postgres() as url:
        database = Database(make_engine(url))
        migrate(database)
        database.engine.dispose()
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that tests copy."""
    path = tmp_path_factory.mktemp("template") / "ecsync.db"
    database = Database(make_engine(f"sqlite:///{path}"))
    migrate(database)
    database.engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same service tests run on both databases."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "ecsync.db")
        yield f"sqlite:///{tmp_path}/ecsync.db"
        return
    with fresh_postgres(request.getfixturevalue("postgres_template")) as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened
