"""Shops on SQLite and on MariaDB with both of ECShop's storage engines."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sync.sandbox.shop import seed_orders
from sync.sandbox.shop_history import seed_history
from tests.service.shop.yard import NOW, Yard, open_yard
from tests.services import MARIADB, need_port, skip_or_fail

HISTORY = 50_000
"""Orders of the past in the old shop."""


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


@dataclass(frozen=True)
class Kept:
    """A shop that serves all tests, and its rows before the first: creating tables is what takes time."""

    yard: Yard
    rows: dict[str, list[dict[str, Any]]]

    @classmethod
    def open(cls, url: str, mysql_engine: str = "") -> Kept:
        yard = open_yard(url, mysql_engine)
        return cls(yard, yard.keep(everything=True))

    def emptied(self) -> Yard:
        self.yard.restore(self.rows)
        self.yard.shops.clear()  # a shop object remembers unusual orders for some minutes
        return self.yard


@pytest.fixture(scope="session")
def sqlite_shop(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept.open(f"sqlite:///{tmp_path_factory.mktemp('shop')}/shop.db")


@pytest.fixture(scope="session")
def myisam_shop() -> Iterator[Kept]:
    with fresh_mariadb() as url:
        yield Kept.open(url, "MyISAM")


@pytest.fixture(scope="session")
def innodb_shop() -> Iterator[Kept]:
    with fresh_mariadb() as url:
        yield Kept.open(url, "InnoDB")


@pytest.fixture(scope="module", params=["MyISAM", "InnoDB"])
def old_shop(request: pytest.FixtureRequest) -> Iterator[Yard]:
    """A shop with a past and a few open orders."""
    with fresh_mariadb() as url:
        yard = open_yard(url, request.param)
        seed_history(yard.engine, HISTORY)
        seed_orders(yard.engine, 40, 1, NOW)
        yield yard


@pytest.fixture
def sqlite_yard(sqlite_shop: Kept) -> Yard:
    """A shop for what does not depend on the storage."""
    return sqlite_shop.emptied()


@pytest.fixture
def mariadb_yard(myisam_shop: Kept) -> Yard:
    """A shop of the kind that most are: MySQL with MyISAM tables."""
    return myisam_shop.emptied()


@pytest.fixture(params=["sqlite", "myisam", "innodb"])
def yard(request: pytest.FixtureRequest) -> Yard:
    """A shop without orders on each kind of storage."""
    kept: Kept = request.getfixturevalue(f"{request.param}_shop")
    return kept.emptied()
