"""Look at a shop before its first order is taken: what is well, what is not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, or_, select

from mappings.errors import PeerError
from mappings.shops.ecshop.clock import ShopClock
from mappings.shops.ecshop.status import COD_NAMES
from sync.shops.ecshop_check_server import (
    Look,
    look_at_columns,
    look_at_connection,
    look_at_rights,
    look_at_storage,
    look_at_tables,
)
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_findings import (
    find_cod,
    find_couriers,
    find_goods,
    find_offset,
    find_stock,
    find_version,
)
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables
from sync.shops.port import Finding

_NEWEST_ORDERS = 500
_NEWEST_NOTES = 50
"""What the clock is measured by: a few days of a middling shop."""


def check_shop(database: ShopDatabase, tables: EcshopTables, settings: ShopSettings, now: datetime) -> list[Finding]:
    """Every finding, the first bad connection, missing table or column ending the list; raises nothing of its own."""
    findings: list[Finding] = []
    try:
        with database.reading() as connection:
            shop = Look(connection, tables, settings, now)
            for look in (look_at_connection, look_at_tables, look_at_columns):
                findings.extend(look(shop))
                if not findings[-1].is_ok and look is not look_at_connection:
                    return findings
            for look in (look_at_storage, look_at_rights, _shop, _payments, _couriers, _goods):
                findings.extend(look(shop))
    except PeerError as error:
        findings.append(Finding("connection", False, error.code, error.message))
    return findings


def _shop(shop: Look) -> Iterator[Finding]:
    config = shop.tables.shop_config.c
    codes = ("ecs_version", "use_storage", "stock_dec_time")
    query = select(config.code, config.value).where(config.code.in_(codes))
    values = {row.code: row.value for row in shop.connection.execute(query)}
    yield find_version(values.get("ecs_version"))
    yield find_offset(_clock(shop), shop.settings.rules.utc_offset_s)
    keep_stock = shop.settings.keep_stock
    yield find_stock(values.get("use_storage"), values.get("stock_dec_time"), keep_stock=keep_stock)


def _clock(shop: Look) -> ShopClock:
    """By the newest orders, and the newest notes but our own, whose numbers are made in another way."""
    order, note = shop.tables.order_info.c, shop.tables.delivery_order.c
    orders = select(order.order_sn, order.add_time).order_by(order.order_id.desc()).limit(_NEWEST_ORDERS)
    notes = (
        select(note.delivery_sn, note.update_time)
        .where(note.action_user != shop.settings.action_user)
        .order_by(note.delivery_id.desc())
        .limit(_NEWEST_NOTES)
    )
    placed, noted = ([(row[0], row[1]) for row in shop.connection.execute(query)] for query in (orders, notes))
    return ShopClock.read(placed, noted, shop.now)


def _payments(shop: Look) -> Iterator[Finding]:
    payment, order = shop.tables.payment.c, shop.tables.order_info.c
    collecting = select(payment.pay_id, payment.pay_name).where(payment.is_cod == 1)
    cod = {row.pay_id: row.pay_name for row in shop.connection.execute(collecting)}
    newest = select(order.pay_id, order.pay_name).order_by(order.order_id.desc()).limit(_NEWEST_ORDERS)
    by_name = [
        row for row in shop.connection.execute(newest) if row.pay_name.strip() in COD_NAMES and row.pay_id not in cod
    ]
    yield find_cod(list(cod.values()), by_name=len(by_name))


def _couriers(shop: Look) -> Iterator[Finding]:
    shipping = shop.tables.shipping.c
    query = select(shipping.shipping_code).where(shipping.enabled == 1).order_by(shipping.shipping_code)
    codes = shop.connection.scalars(query).all()
    yield find_couriers(codes, shop.settings.rules)


def _goods(shop: Look) -> Iterator[Finding]:
    goods, products = shop.tables.goods.c, shop.tables.products.c
    real = (goods.is_real == 1, goods.is_delete == 0)
    weightless = shop.connection.scalar(
        select(func.count()).where(*real, or_(goods.goods_weight == 0, goods.goods_weight == "0.000"))
    )
    blank = shop.connection.scalar(
        select(func.count()).where(or_(products.product_sn.is_(None), products.product_sn == ""))
    )
    yield from find_goods(weightless or 0, blank or 0, shop.settings.rules)
