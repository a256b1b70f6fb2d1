from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.house import House, open_house
from tests.services import fresh_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The same service tests run on both databases."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ecsync.db"
        return
    with fresh_postgres() as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened
