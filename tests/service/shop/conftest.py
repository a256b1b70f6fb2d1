"""Shops on SQLite and on MariaDB with both of ECShop's storage engines."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.service.shop.yard import Yard, open_yard
from tests.services import MARIADB, need_port, skip_or_fail


@contextmanager
def fresh_mariadb() -> Iterator[str]:
    """The address of a new, empty MariaDB database, dropped at the end; skips or fails where there is no server."""
    need_port("MariaDB", MARIADB)
    name = f"ecsync_test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(MARIADB, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8"))
    except OperationalError as problem:
        skip_or_fail(f"MariaDB refuses: {problem.orig}")
    try:
        yield make_url(MARIADB).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))


@pytest.fixture(scope="session")
def mariadb_yards() -> Iterator[dict[str, Yard]]:
    """One shop of each storage engine for all tests: creating tables is what takes time."""
    with fresh_mariadb() as myisam, fresh_mariadb() as innodb:
        yield {"myisam": open_yard(myisam), "innodb": open_yard(innodb, "InnoDB")}


@pytest.fixture(scope="session")
def furniture(mariadb_yards: dict[str, Yard]) -> dict[str, list[dict[str, object]]]:
    """The rows of a shop without orders."""
    return mariadb_yards["myisam"].keep(everything=True)


@pytest.fixture
def sqlite_yard(tmp_path: Path) -> Yard:
    """A shop for what does not depend on the storage."""
    return open_yard(f"sqlite:///{tmp_path}/shop.db")


@pytest.fixture
def mariadb_yard(request: pytest.FixtureRequest) -> Yard:
    """A shop of the kind that most are: MySQL with MyISAM tables."""
    return _emptied(request, "myisam")


@pytest.fixture(params=["sqlite", "myisam", "innodb"])
def yard(request: pytest.FixtureRequest) -> Yard:
    """A shop without orders on each kind of storage."""
    if request.param == "sqlite":
        found: Yard = request.getfixturevalue("sqlite_yard")
        return found
    return _emptied(request, request.param)


def _emptied(request: pytest.FixtureRequest, storage: str) -> Yard:
    yard: Yard = request.getfixturevalue("mariadb_yards")[storage]
    yard.restore(request.getfixturevalue("furniture"))
    return yard
