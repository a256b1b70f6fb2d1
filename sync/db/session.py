"""One engine a process; short transactions; SQLite and PostgreSQL by one code path.

Claims are conditional UPDATEs, so no `SKIP LOCKED` is needed. On SQLite every writing transaction begins
IMMEDIATE: it waits for its turn at the start instead of failing in the middle.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Engine, Result, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from sync.db.models import Base

log = logging.getLogger(__name__)


def insert_into(dialect: str, model: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, for a dialect by name."""
    return sqlite.insert(model.table()) if dialect == "sqlite" else postgresql.insert(model.table())


@cache
def insert_new(dialect: str, model: type[Base]) -> Any:
    """`INSERT … ON CONFLICT DO NOTHING` for a dialect by name: the way a repeated fact has no effect.

    Built once a model; the values are handed over when it is executed.
    """
    return insert_into(dialect, model).on_conflict_do_nothing()


def count_changed(result: Result[Any]) -> int:
    """How many rows an UPDATE, DELETE or INSERT changed: whether a conditional one was ours."""
    return cast("CursorResult[Any]", result).rowcount


class DatabaseAway(Exception):
    """The database did not answer within the time we are willing to wait at start."""


def make_engine(url: str, *, pool_size: int = 8) -> Engine:
    """An engine for our own database; creates the folder of a SQLite file."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": 30}, pool_size=pool_size, hide_parameters=True)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    return create_engine(
        parsed,
        pool_size=pool_size,
        hide_parameters=True,  # they are people's names and addresses
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"connect_timeout": 5, "application_name": "ecsync"},
    )


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediate(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("each_alone"):
        return
    if options.get("read_only"):
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class Database:
    """The record: `writing()` for a transaction that changes something, `reading()` for one that does not."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(read_only=True)
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._local = threading.local()
        self._kept: list[Connection] = []
        # SQLite's driver commits each statement by itself when nobody says BEGIN; psycopg2 must be told to.
        alone: dict[str, Any] = {"each_alone": True} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._single = engine.execution_options(**alone)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that is committed at the end, rolled back on an exception."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def in_batches(self, work: Callable[[Session, int], int], size: int) -> int:
        """Do this work in small transactions until one finds less than it may take; returns how much was done."""
        total = 0
        while True:
            with self.writing() as session:
                done = work(session, size)
            total += done
            if done < size:
                return total

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads; on SQLite it takes no write lock."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def claiming(self) -> Iterator[Session]:
        """A session whose every statement commits by itself: for one conditional UPDATE among reads.

        On SQLite the write lock is then held for that statement alone, not for all that Python does around it.
        """
        with Session(self._single, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def each_alone(self) -> Iterator[Connection]:
        """This thread's own connection, on which every statement commits by itself in one round trip.

        On SQLite a write lock is then held by no thread that waits for Python; with three statements it is. The
        connection is kept for the thread's next use, and given up when anything goes wrong with it.
        """
        kept: Connection | None = getattr(self._local, "connection", None)
        if kept is None or kept.closed:
            kept = self._local.connection = self._single.connect()
            self._kept.append(kept)
        try:
            yield kept
        except BaseException:
            self._local.connection = None
            self._kept.remove(kept)
            kept.close()
            raise

    def close(self) -> None:
        """Give back every connection of this process."""
        while self._kept:
            self._kept.pop().close()
        self.engine.dispose()

    def insert_new(self, model: type[Base]) -> Any:
        """`insert_new` for this database."""
        return insert_new(self.engine.dialect.name, model)

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the database to answer, with a bound; raises DatabaseAway with what to do."""
        deadline = time.monotonic() + seconds
        has_told = False
        while True:
            try:
                with self._reader.connect() as connection:
                    connection.execute(text("SELECT 1"))
                return
            except OperationalError as problem:
                if time.monotonic() > deadline:
                    where = self.engine.url.render_as_string(hide_password=True)
                    raise DatabaseAway(
                        f"The database {where} did not answer for {seconds:.0f} s. Nothing was started and nothing is "
                        f"lost. Start it, or correct ECSYNC_DATABASE_URL. It said: {str(problem.orig).strip()}"
                    ) from None
                if not has_told:
                    log.warning("Waiting up to %.0f s for the database: %s", seconds, str(problem.orig).strip())
                    has_told = True
                time.sleep(min(1.0, seconds / 10))
