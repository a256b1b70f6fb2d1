"""Look at the server that a shop's tables stand on: how they are stored, and what our account may do there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Update,
    bindparam,
    false,
    insert,
    inspect,
    literal_column,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from sync.shops.ecshop_findings import find_lastmodify, find_storage
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables
from sync.shops.port import Finding

_LOCAL = (None, "localhost", "127.0.0.1", "::1")
_DENIED = (1142, 1143)
_UNREAD = {"lastmodify", "user_name", "user_money", "frozen_money"}
"""Columns that a shop may lack, or that our account need not see."""

_READ_ONLY = text("SHOW GLOBAL VARIABLES LIKE '%read_only'")
_STORAGE = text(
    "SELECT table_name, engine, table_collation FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name IN :names"
).bindparams(bindparam("names", expanding=True))
_COLUMNS = text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name IN :names"
).bindparams(bindparam("names", expanding=True))


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one shop over one connection."""

    connection: Connection
    tables: EcshopTables
    settings: ShopSettings
    now: datetime

    @property
    def is_mysql(self) -> bool:
        return self.connection.dialect.name == "mysql"

    @property
    def names(self) -> list[str]:
        return sorted(self.tables.metadata.tables)

    def written(self) -> Iterator[tuple[Table, str, tuple[str, ...]]]:
        """What is written to: table, verb, columns. Nothing is ever deleted."""
        t = self.tables
        yield t.order_info, "UPDATE", ("order_status", "shipping_status", "shipping_time", "invoice_no")
        yield t.order_goods, "UPDATE", ("send_number",)
        yield t.order_action, "INSERT", ("order_id",)
        yield t.delivery_goods, "INSERT", ("delivery_id",)
        yield t.delivery_order, "INSERT", ("delivery_sn", "order_sn")
        yield t.delivery_order, "UPDATE", ("invoice_no", "status")
        if self.settings.keep_stock:
            yield t.goods, "UPDATE", ("goods_number",)
            yield t.products, "UPDATE", ("product_number",)
        if self.settings.grant_points:
            yield t.users, "UPDATE", ("rank_points", "pay_points")
            yield t.account_log, "INSERT", ("user_id",)
            yield t.account_log, "UPDATE", ("rank_points", "pay_points", "change_time")


def look_at_connection(shop: Look) -> Iterator[Finding]:
    version = shop.connection.scalar(text("SELECT VERSION()")) if shop.is_mysql else "SQLite"
    yield Finding("connection", True, f"the database answers ({version})")
    if not shop.is_mysql:
        return
    if shop.settings.url.host not in _LOCAL:
        cipher = shop.connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).first()
        is_encrypted = bool(cipher and cipher[1])
        remedy = "" if is_encrypted else "add ?ssl_ca=/path/to/ca.pem to the DSN"
        yield Finding("encryption", is_encrypted, "TLS" if is_encrypted else "the connection is in clear", remedy)
    rows = shop.connection.execute(_READ_ONLY)
    closed = [
        row[0] for row in rows if row[0] in ("read_only", "super_read_only", "innodb_read_only") and row[1] != "OFF"
    ]
    if closed:
        remedy = "point the DSN at the primary server"
        yield Finding("read-only server", False, f"the server has {', '.join(closed)} on", remedy)


def look_at_tables(shop: Look) -> Iterator[Finding]:
    present = set(inspect(shop.connection).get_table_names())
    missing = sorted(set(shop.names) - present)
    prefix = shop.settings.prefix
    if not missing:
        yield Finding("tables", True, f"all {len(shop.names)} stand under the prefix {prefix}")
        return
    found = sorted(name.removesuffix("order_info") for name in present if name.endswith("order_info"))
    hint = f"; order tables stand under {', '.join(found)}" if found else ""
    detail = f"missing: {', '.join(missing)}{hint}"
    remedy = "set prefix to $prefix of data/config.php, correct the database name, or grant the account SELECT on them"
    yield Finding("tables", False, detail, remedy)


def look_at_columns(shop: Look) -> Iterator[Finding]:
    columns = _columns(shop)
    yield find_lastmodify(is_there="lastmodify" in columns[shop.tables.order_info.name])
    missing = [
        f"{name}.{column}"
        for name, table in sorted(shop.tables.metadata.tables.items())
        for column in sorted(set(table.c.keys()) - _UNREAD - columns[name])
    ]
    remedy = "this is no ECShop 2.7.3 to 4.0, or our account may not see them; write to the maintainers"
    detail = f"missing: {', '.join(missing)}" if missing else "as expected"
    yield Finding("columns", not missing, detail, remedy if missing else "")


def _columns(shop: Look) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    if shop.is_mysql:
        for name, column in shop.connection.execute(_COLUMNS, {"names": shop.names}):
            found[name].add(column)
    else:
        for name in shop.names:
            found[name] = {column["name"] for column in inspect(shop.connection).get_columns(name)}
    return found


def look_at_storage(shop: Look) -> Iterator[Finding]:
    """Engines count where we write: there a write that breaks off must leave all of its tables alike."""
    if not shop.is_mysql:
        return
    rows = shop.connection.execute(_STORAGE, {"names": shop.names}).all()
    engines = {name: engine for name, engine, _ in rows}
    charsets = {name: str(collation).split("_")[0] for name, _, collation in rows}
    broken = sorted(name for name, engine in engines.items() if engine is None)
    if broken:
        yield Finding("engine", False, f"unreadable: {', '.join(broken)}", "a crashed table needs REPAIR TABLE")
        return
    written = {table.name for table, _, _ in shop.written()}
    order_table = shop.tables.order_info.name
    engine, charset = find_storage(engines[order_table], charsets[order_table])
    kinds = _by_value({name: engines[name] for name in written})
    if len(kinds) > 1:
        remedy = "convert the fewer ones: ALTER TABLE … ENGINE=…; a write that breaks off could be undone by halves"
        engine = Finding("engine", False, f"mixed: {_listed(kinds)}", remedy)
    yield engine
    sets = _by_value(charsets)
    if len(sets) > 1:
        remedy = "convert the fewer ones: ALTER TABLE … CONVERT TO CHARACTER SET …; a note copies text of its order"
        charset = Finding("character set", False, f"mixed: {_listed(sets)}", remedy)
    yield charset


def _by_value(named: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, value in sorted(named.items()):
        groups[value].append(name)
    return groups


def _listed(groups: Mapping[str, list[str]]) -> str:
    """The largest group by its number alone: what stands out are the others."""
    largest = max(groups, key=lambda value: len(groups[value]))
    others = [f"{value}: {', '.join(names)}" for value, names in sorted(groups.items()) if value != largest]
    return "; ".join([f"{largest} on {len(groups[largest])} tables", *others])


def look_at_rights(shop: Look) -> Iterator[Finding]:
    """Asked of the server by preparing statements that are never run."""
    if not shop.is_mysql:
        return
    missing = [
        f"{verb} ON {table.name}" for table, verb, columns in shop.written() if not _may(shop, table, verb, columns)
    ]
    remedy = f"GRANT {'; GRANT '.join(missing)}" if missing else ""
    detail = f"the account lacks {', '.join(missing)}" if missing else "the account may write all that is written"
    yield Finding("rights", not missing, detail, remedy)


def _may(shop: Look, table: Table, verb: str, columns: Iterable[str]) -> bool:
    asked = _unchanging(table, columns) if verb == "UPDATE" else insert(table).values(_zeros(columns))
    try:
        shop.connection.exec_driver_sql(f"PREPARE ecsync_may FROM '{asked.compile(shop.connection)}'")
    except DBAPIError as error:
        if error.orig is not None and error.orig.args[0] in _DENIED:
            return False
        raise
    shop.connection.exec_driver_sql("DEALLOCATE PREPARE ecsync_may")
    return True


def _unchanging(table: Table, columns: Iterable[str]) -> Update:
    return update(table).where(false()).values({table.c[name]: table.c[name] for name in columns})


def _zeros(columns: Iterable[str]) -> dict[str, ColumnElement[Any]]:
    return {name: literal_column("0") for name in columns}
