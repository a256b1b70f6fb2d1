"""Look at a shop before its first order is taken: what is well, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, inspect, or_, select, text

from mappings.errors import PeerError, UnmappedError
from mappings.shops.ecshop import shipper_code_for
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables
from sync.shops.port import Finding

CLOCK_TOLERANCE = timedelta(minutes=10)


def check_shop(database: ShopDatabase, tables: EcshopTables, settings: ShopSettings, now: datetime) -> list[Finding]:
    """Every finding, the first bad connection or missing table ending the list; raises nothing of its own."""
    findings: list[Finding] = []
    try:
        with database.reading() as connection:
            shop = _Look(connection, tables, settings, now)
            for look in (_connection, _tables, _columns, _storage, _clock, _stock, _payments, _couriers, _goods):
                findings.extend(look(shop))
                if not findings[-1].is_ok and look is _tables:
                    break
    except PeerError as error:
        findings.append(Finding("connection", False, error.code, error.message))
    return findings


@dataclass(frozen=True, slots=True)
class _Look:
    connection: Connection
    tables: EcshopTables
    settings: ShopSettings
    now: datetime

    @property
    def is_mysql(self) -> bool:
        return self.connection.dialect.name == "mysql"


def _connection(shop: _Look) -> Iterator[Finding]:
    version = shop.connection.scalar(text("SELECT VERSION()")) if shop.is_mysql else "SQLite"
    yield Finding("connection", True, f"the database answers ({version})")
    if shop.is_mysql and shop.settings.url.host not in (None, "localhost", "127.0.0.1", "::1"):
        cipher = shop.connection.execute(text("SHOW STATUS LIKE 'Ssl_cipher'")).first()
        is_encrypted = bool(cipher and cipher[1])
        remedy = "" if is_encrypted else "add ?ssl_ca=/path/to/ca.pem to the DSN"
        yield Finding("encryption", is_encrypted, "TLS" if is_encrypted else "the connection is in clear", remedy)


def _tables(shop: _Look) -> Iterator[Finding]:
    present = set(inspect(shop.connection).get_table_names())
    missing = sorted(shop.tables.metadata.tables.keys() - present)
    prefix = shop.settings.prefix
    if not missing:
        yield Finding("tables", True, f"all {len(shop.tables.metadata.tables)} stand under the prefix {prefix}")
        return
    found = sorted(name.removesuffix("order_info") for name in present if name.endswith("order_info"))
    hint = f"; order tables stand under {', '.join(found)}" if found else ""
    detail = f"missing: {', '.join(missing)}{hint}"
    yield Finding("tables", False, detail, "set prefix to $prefix of data/config.php, or correct the database name")


def _columns(shop: _Look) -> Iterator[Finding]:
    columns = {column["name"] for column in inspect(shop.connection).get_columns(shop.tables.order_info.name)}
    wanted = set(shop.tables.order_info.c.keys()) - {"lastmodify"}
    missing = sorted(wanted - columns)
    remedy = "this is no ECShop 2.7.3 to 4.0; write to the maintainers" if missing else ""
    yield Finding("columns", not missing, f"missing: {', '.join(missing)}" if missing else "as expected", remedy)
    has = "has" if "lastmodify" in columns else "has no"
    yield Finding("lastmodify", True, f"order_info {has} lastmodify; it is written where it stands, never relied on")


def _storage(shop: _Look) -> Iterator[Finding]:
    if not shop.is_mysql:
        return
    row = shop.connection.execute(
        text(
            "SELECT engine, table_collation FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = :name"
        ),
        {"name": shop.tables.order_info.name},
    ).one()
    engine, collation = str(row[0]), str(row[1])
    safety = "transactions" if engine == "InnoDB" else "no transactions; every write is safe to break off"
    yield Finding("engine", True, f"{engine}: {safety}")
    charset = collation.split("_")[0]
    is_known = charset in ("utf8", "utf8mb3", "utf8mb4", "gbk", "gb2312", "gb18030")
    remedy = "" if is_known else "names may come out as garbage: compare one order with the shop's admin"
    yield Finding("character set", is_known, charset, remedy)


def _clock(shop: _Look) -> Iterator[Finding]:
    newest = shop.connection.scalar(select(func.max(shop.tables.order_info.c.add_time)))
    if not newest:
        yield Finding("clock", True, "no order yet to compare with")
        return
    offset_s = shop.settings.rules.utc_offset_s
    at = datetime.fromtimestamp(newest + offset_s, UTC)
    is_plausible = at <= shop.now + CLOCK_TOLERANCE
    if is_plausible:
        yield Finding("clock", True, f"the newest order is of {at:%Y-%m-%d %H:%M} UTC with an offset of {offset_s} s")
        return
    yield Finding(
        "clock",
        False,
        f"the newest order would be of {at:%Y-%m-%d %H:%M} UTC, which is yet to come",
        "set utc_offset_s to the offset of $timezone in data/config.php; orders of the mobile API alone do this too",
    )


def _stock(shop: _Look) -> Iterator[Finding]:
    config = shop.tables.shop_config.c
    rows = shop.connection.execute(
        select(config.code, config.value).where(config.code.in_(("use_storage", "stock_dec_time")))
    )
    values = {row.code: row.value for row in rows}
    if values.get("use_storage") != "1":
        detail = "the shop keeps no stock"
    elif values.get("stock_dec_time") != "0":
        detail = "the shop takes stock when an order is placed"
    elif shop.settings.keep_stock:
        detail = "stock is taken when a parcel is marked as shipped, as the shop's admin would"
    else:
        detail = "the shop would take stock at shipping, but keep_stock is off: the ERP must push it"
    yield Finding("stock", True, detail)


def _payments(shop: _Look) -> Iterator[Finding]:
    payment = shop.tables.payment.c
    names = shop.connection.scalars(select(payment.pay_name).where(payment.is_cod == 1)).all()
    yield Finding("cash on delivery", True, ", ".join(names) if names else "no such payment is installed")


def _couriers(shop: _Look) -> Iterator[Finding]:
    shipping, rules = shop.tables.shipping.c, shop.settings.rules
    query = select(shipping.shipping_code).where(shipping.enabled == 1).order_by(shipping.shipping_code)
    codes = shop.connection.scalars(query).all()
    unmapped = [code for code in codes if not _is_mapped(code, rules.shipper_map, rules.default_shipper)]
    if unmapped:
        lines = ",".join(f"{code}=COURIER" for code in unmapped)
        yield Finding("couriers", False, f"no courier for: {', '.join(unmapped)}", f"add to shipper_map: {lines}")
    else:
        yield Finding("couriers", True, f"all {len(codes)} shipping modules have a courier")


def _is_mapped(code: str, overrides: Mapping[str, str], default: str) -> bool:
    try:
        return bool(shipper_code_for(code, overrides, default))
    except UnmappedError:
        return False


def _goods(shop: _Look) -> Iterator[Finding]:
    goods, products = shop.tables.goods.c, shop.tables.products.c
    real = (goods.is_real == 1, goods.is_delete == 0)
    weightless = shop.connection.scalar(
        select(func.count()).where(*real, or_(goods.goods_weight == 0, goods.goods_weight == "0.000"))
    )
    is_weighed = not weightless or shop.settings.rules.default_weight_g > 0
    remedy = "" if is_weighed else "enter weights in the shop, or set default_weight_g"
    yield Finding("weights", is_weighed, f"{weightless} goods have no weight", remedy)
    blank = shop.connection.scalar(
        select(func.count()).where(or_(products.product_sn.is_(None), products.product_sn == ""))
    )
    remedy = "give them product numbers: their orders carry the parent's number" if blank else ""
    yield Finding("product numbers", not blank, f"{blank} products have none", remedy)
