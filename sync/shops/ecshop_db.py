"""How a shop's own database is reached: short connections, its errors as ours, one writer an order.

The account's password and the shoppers' data stay out of every message: only error numbers leave this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mappings.errors import PeerError, PermanentError, TransientError

LOCK_WAIT_S = 10

_AWAY = {1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1927, 2002, 2003, 2005, 2006, 2013, 2055, 3024, 4031}
"""MySQL's numbers for: too many connections, shutting down, network, lock wait, deadlock, gone away, lost."""
_MISSING = {
    1049: ("database_missing", "the database of the DSN does not exist; correct the database name"),
    1146: ("table_missing", "a table is missing; correct the table prefix (data/config.php, $prefix) or the database"),
    1054: ("column_missing", "a column is missing; this is no ECShop 2.7.3 to 4.0, or an altered one"),
}
_DENIED = (
    (1044, 1045, 1698),
    ("access_denied", "the database refuses the account; correct user or password"),
)
_NO_RIGHT = (
    (1142, 1143, 1227, 1370),
    ("right_missing", "the account lacks a right; it needs SELECT on all, INSERT and UPDATE on the order tables"),
)
_READ_ONLY = (
    (1290, 1792, 1836),
    ("read_only", "the database is read-only; point the DSN at the primary server"),
)
_REFUSED = _MISSING | {number: what for numbers, what in (_DENIED, _NO_RIGHT, _READ_ONLY) for number in numbers}
_SQLITE = (
    ("no such table", "table_missing", _MISSING[1146][1]),
    ("no such column", "column_missing", _MISSING[1054][1]),
    ("readonly database", "read_only", "the database file is read-only; give this user the right to write it"),
)


def parse_dsn(text: str) -> URL:
    """Read a SQLAlchemy URL of MySQL, MariaDB or SQLite; raises ValueError without repeating the text."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError("it is not a database URL such as mysql+pymysql://user:password@host/database") from None
    if url.get_backend_name() in ("mysql", "mariadb"):
        return url.set(drivername="mysql+pymysql").update_query_dict({"charset": url.query.get("charset", "utf8mb4")})
    if url.get_backend_name() == "sqlite" and url.database:
        return url
    raise ValueError("only MySQL, MariaDB and SQLite files are understood")


@dataclass(frozen=True)
class ShopDatabase:
    """One shop's database. Engines hold no connections: safe to fork, nothing idles in the shop's server."""

    shop: str
    url: URL

    @cached_property
    def _reading(self) -> Engine:
        return self._engine(isolation_level="AUTOCOMMIT")

    @cached_property
    def _writing(self) -> Engine:
        """Shipping a note changes three tables in one statement, which the linter takes for a forgotten join."""
        engine = self._engine(enable_from_linting=False)
        if engine.dialect.name == "sqlite":
            _take_sqlite_lock_at_begin(engine)
        return engine

    def _engine(self, **options: Any) -> Engine:
        arguments = _connect_args(self.url)
        return create_engine(self.url, poolclass=NullPool, hide_parameters=True, connect_args=arguments, **options)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Each statement sees the newest rows: a transaction would keep one snapshot."""
        with _own_errors(self.shop), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, order_id: int) -> Iterator[Connection]:
        """A transaction, alone on this order among ecsync's writers.

        Where the tables are MyISAM the transaction is none, so every write must be safe to break off anywhere;
        there the named lock keeps writers apart. Closing the connection releases it.
        """
        with _own_errors(self.shop), self._writing.connect() as connection:
            if connection.dialect.name == "mysql":
                self._lock(connection, order_id)
            with connection.begin():
                yield connection

    def _lock(self, connection: Connection, order_id: int) -> None:
        place = f"{self.url.database}:{order_id}".encode()
        name = f"ecsync-{hashlib.sha256(place).hexdigest()[:32]}"
        got = connection.scalar(text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": LOCK_WAIT_S})
        connection.commit()
        if got != 1:
            raise TransientError("ecshop.db.locked", f"another writer holds this order of shop {self.shop}")


def _connect_args(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": 30}
    strict = "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
    return {"connect_timeout": 5, "read_timeout": 60, "write_timeout": 60, "init_command": strict}


def _take_sqlite_lock_at_begin(engine: Engine) -> None:
    """SQLite's driver begins late and without the write lock; two writers would fail instead of waiting."""

    @event.listens_for(engine, "connect")
    def _(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _own_errors(shop: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise as_peer_error(error, shop) from None
    except SQLAlchemyError as error:
        raise PermanentError("ecshop.db.refused", f"shop {shop}: {type(error).__name__}") from None


def as_peer_error(error: DBAPIError, shop: str) -> PeerError:
    """The class of a database error: away is transient (all writes may be repeated), refused is permanent."""
    if error.orig is not None and type(error.orig).__module__.startswith("sqlite3"):
        return _from_sqlite(str(error.orig), shop)
    arguments = error.orig.args if error.orig is not None else ()
    number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
    if number in _AWAY or error.connection_invalidated or (number == 0 and "timed out" in str(error.orig)):
        return TransientError(
            "ecshop.db.unreachable", f"the database of shop {shop} does not answer", peer_code=str(number)
        )
    slug, remedy = _REFUSED.get(number, ("refused", f"the database refused a {type(error).__name__}"))
    return PermanentError(f"ecshop.db.{slug}", f"shop {shop}: {remedy}", peer_code=str(number))


def _from_sqlite(said: str, shop: str) -> PeerError:
    for words, slug, remedy in _SQLITE:
        if words in said:
            return PermanentError(f"ecshop.db.{slug}", f"shop {shop}: {remedy}")
    if "unable to open" in said or "locked" in said:
        return TransientError("ecshop.db.unreachable", f"the database file of shop {shop} cannot be opened or is busy")
    return PermanentError("ecshop.db.refused", f"shop {shop}: the database refused a statement")
