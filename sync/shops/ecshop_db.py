"""How a shop's own database is reached: few connections, its errors as ours, one writer an order.

The account's password and the shoppers' data stay out of every message: only error numbers leave this module.
"""

from __future__ import annotations

import hashlib
import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import InvalidOperation
from functools import cached_property
from typing import Any, TypeVar

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from mappings.errors import PeerError, PermanentError, TransientError

T = TypeVar("T")

LOCK_WAIT_S = 10
_RECYCLE_S = 60
"""A connection older than this is not used again: a shop's server sees no connection grow old."""
_TEXTS = (FIELD_TYPE.VAR_STRING, FIELD_TYPE.VARCHAR, FIELD_TYPE.STRING, FIELD_TYPE.BLOB)
_TRUSTED_S = 1.0
"""A connection that idled for longer is asked whether it still lives before it is used."""

_AWAY = {1020, 1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1927, 2002, 2003, 2005, 2006, 2013, 2055, 3024, 4031}
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
_CRASHED = (
    (126, 127, 144, 145, 1034, 1035, 1194, 1195),
    ("table_crashed", "a table is marked as crashed; the shop's operator must run REPAIR TABLE, then retry"),
)
_OLD_SERVER = (
    (1115, 1273),
    ("charset_unknown", "the server is too old for utf8mb4; add ?charset=utf8 to the DSN"),
)
_REFUSED = _MISSING | {
    number: what for numbers, what in (_DENIED, _NO_RIGHT, _READ_ONLY, _CRASHED, _OLD_SERVER) for number in numbers
}
UNDECODABLE = "ecshop.db.text_undecodable"
_SQLITE = (
    ("Could not decode", "text_undecodable", "a row holds bytes that are no text"),
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
    """One shop's database. A process keeps one connection to read and one to write for its next use; more are opened
    when threads need them, and closed. A forked child opens its own."""

    shop: str
    url: URL

    @cached_property
    def _reading(self) -> Engine:
        return self._engine(isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, pool_reset_on_return=None)

    @cached_property
    def _writing(self) -> Engine:
        """Shipping a note changes three tables in one statement, which the linter takes for a forgotten join."""
        engine = self._engine(enable_from_linting=False)
        if engine.dialect.name == "sqlite":
            _take_sqlite_lock_at_begin(engine)
        return engine

    def _engine(self, **options: Any) -> Engine:
        kept = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": -1, "pool_recycle": _RECYCLE_S}
        arguments = _connect_args(self.url)
        engine = create_engine(self.url, hide_parameters=True, connect_args=arguments, **kept, **options)
        _distrust_kept_connections(engine)
        weakref.finalize(self, _close_kept, engine, os.getpid())
        return engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Each statement sees the newest rows: a transaction would keep one snapshot."""
        with _own_errors(self.shop), self._reading.connect() as connection:
            try:
                yield connection
            except UnicodeDecodeError:  # the driver stopped in the middle of an answer
                connection.invalidate()
                raise

    @contextmanager
    def writing(self, order_id: int) -> Iterator[Connection]:
        """A transaction, alone on this order among ecsync's writers.

        Where the tables are MyISAM the transaction is none, so every write must be safe to break off anywhere;
        there the named lock keeps writers apart. Whatever goes wrong, closing the connection releases it.
        """
        with _own_errors(self.shop), self._writing.connect() as connection:
            is_locking = connection.dialect.name == "mysql"
            try:
                if is_locking:
                    self._lock(connection, order_id)
                with connection.begin():
                    yield connection
                if is_locking:
                    connection.execute(_RELEASE, {"name": self._lock_name(order_id)})
            except BaseException:
                connection.invalidate()
                raise

    def _lock(self, connection: Connection, order_id: int) -> None:
        got = connection.scalar(_LOCK, {"name": self._lock_name(order_id), "wait": LOCK_WAIT_S})
        connection.commit()
        if got != 1:
            raise TransientError("ecshop.db.locked", f"another writer holds this order of shop {self.shop}")

    def _lock_name(self, order_id: int) -> str:
        place = f"{self.url.database}:{order_id}".encode()
        return f"ecsync-{hashlib.sha256(place).hexdigest()[:32]}"


_LOCK = text("SELECT GET_LOCK(:name, :wait)")
_RELEASE = text("SELECT RELEASE_LOCK(:name)")


def _close_kept(engine: Engine, pid: int) -> None:
    """Say goodbye to the server, but not in a forked child on its parent's behalf."""
    if pid == os.getpid():
        engine.dispose()


def _distrust_kept_connections(engine: Engine) -> None:
    """A kept connection is replaced when another process opened it or when it was dropped while it idled."""

    @event.listens_for(engine, "connect")
    def _(_dbapi_connection: Any, record: Any) -> None:
        record.info["pid"] = os.getpid()

    @event.listens_for(engine, "checkin")
    def _(_dbapi_connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        if record.info["pid"] != os.getpid():
            record.dbapi_connection = proxy.dbapi_connection = None  # the parent goes on using its socket
            raise DisconnectionError("opened by another process")
        idle_s = time.monotonic() - record.info.get("idle_since", time.monotonic())
        if idle_s > _TRUSTED_S and not _is_alive(engine, dbapi_connection):
            raise DisconnectionError("dropped while it idled")


def _is_alive(engine: Engine, dbapi_connection: Any) -> bool:
    try:
        return bool(engine.dialect.do_ping(dbapi_connection))
    except engine.dialect.loaded_dbapi.Error:
        return False


def _connect_args(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": 30}
    strict = "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
    limits = {"connect_timeout": 5, "read_timeout": 60, "write_timeout": 60}
    return {**limits, "init_command": strict, "conv": {**conversions, **dict.fromkeys(_TEXTS, _as_text)}}


def _as_text(value: bytes | str) -> str:
    """A shop's text may stand in a column that was made binary, so that four-byte characters fit into it."""
    return value if isinstance(value, str) else value.decode()


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
    except (UnicodeDecodeError, InvalidOperation):
        raise PermanentError(UNDECODABLE, f"shop {shop}: a row holds bytes that are no text, or no number") from None


def sparing(ids: Sequence[int], read: Callable[[Sequence[int]], list[T]], spoiled: Callable[[int], list[T]]) -> list[T]:
    """What `read` gives of these ids; one whose rows cannot be decoded goes to `spoiled` and spares the others."""
    try:
        return read(ids)
    except PermanentError as error:
        if error.code != UNDECODABLE:
            raise
    if len(ids) == 1:
        return spoiled(ids[0])
    half = len(ids) // 2
    return [*sparing(ids[:half], read, spoiled), *sparing(ids[half:], read, spoiled)]


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


def is_unwritable_text(error: DBAPIError) -> bool:
    """A table's character set has no place for a sign of the text (MySQL's 1366)."""
    return error.orig is not None and error.orig.args[:1] == (1366,)


def _from_sqlite(said: str, shop: str) -> PeerError:
    for words, slug, remedy in _SQLITE:
        if words in said:
            return PermanentError(f"ecshop.db.{slug}", f"shop {shop}: {remedy}")
    if "unable to open" in said or "locked" in said:
        return TransientError("ecshop.db.unreachable", f"the database file of shop {shop} cannot be opened or is busy")
    return PermanentError("ecshop.db.refused", f"shop {shop}: the database refused a statement")
