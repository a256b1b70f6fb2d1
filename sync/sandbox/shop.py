"""A sandbox ECShop: its tables with regions, goods and settings, and a ledger to assert against.

`seed_orders` fills it with orders, `load_fixture` with a recorded one, `read_ledger` tells what the shop shows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, insert, select, update
from sqlalchemy.pool import NullPool

from mappings.shops.ecshop.rows import split_numbers
from mappings.shops.ecshop.status import NoteStatus, OrderStatus, PayStatus
from mappings.shops.ecshop.times import to_stored
from sync.sandbox.shop_data import BRANDS, CARRIED, CONFIG, GOODS, MEMBERS, PACKAGES, PAYMENTS, PROVINCES, SHIPPING
from sync.sandbox.shop_seed import SeededOrder, seed_orders
from sync.shops.ecshop_db import parse_dsn
from sync.shops.ecshop_tables import EcshopTables, ecshop_tables

__all__ = [
    "LedgerAction",
    "LedgerNote",
    "LedgerOrder",
    "LedgerStock",
    "SeededOrder",
    "cancel_order",
    "create_shop",
    "load_fixture",
    "open_shop",
    "read_ledger",
    "read_stock_ledger",
    "seed_orders",
]


def open_shop(url: str) -> Engine:
    """An engine on a sandbox shop's database; it holds no connection between uses."""
    return create_engine(parse_dsn(url), poolclass=NullPool)


def create_shop(
    url: str,
    *,
    prefix: str = "ecs_",
    mysql_engine: str = "MyISAM",
    mysql_charset: str = "utf8",
    with_lastmodify: bool = False,
) -> Engine:
    """Create the tables and fill regions, goods, couriers and payments; a shop that exists is left as it is."""
    engine = open_shop(url)
    kind = {"mysql_engine": mysql_engine, "mysql_charset": mysql_charset}
    tables = ecshop_tables(prefix, **kind, with_lastmodify=with_lastmodify)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        tables.metadata.create_all(connection)
        if connection.scalar(select(tables.shop_config.c.id).limit(1)) is None:
            for table, rows in _furniture(tables):
                connection.execute(insert(table), rows)
    return engine


def _furniture(tables: EcshopTables) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    yield tables.region, list(_regions())
    yield (
        tables.shipping,
        [
            {
                "shipping_id": key,
                "shipping_code": code,
                "shipping_name": name,
                "support_cod": cod,
                "enabled": key in CARRIED,
            }
            for key, code, name, cod in SHIPPING
        ],
    )
    yield (
        tables.payment,
        [
            {"pay_id": key, "pay_code": code, "pay_name": name, "is_cod": cod, "enabled": 1}
            for key, code, name, cod in PAYMENTS
        ],
    )
    yield tables.goods, [_goods_row(goods.goods_id) for goods in GOODS]
    yield tables.products, list(_products())
    yield from _packages(tables)
    yield tables.shop_config, [{"code": code, "value": value} for code, value in CONFIG]
    yield tables.brand, [{"brand_id": key, "brand_name": name} for key, name in BRANDS]
    yield tables.users, [{"user_id": key, "user_name": f"sample{key}"} for key in MEMBERS]


def _packages(tables: EcshopTables) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    yield (
        tables.goods_activity,
        [
            {"act_id": key, "act_name": name, "act_desc": "", "act_type": 4, "goods_id": 0, "goods_name": "",
             "ext_info": "", "start_time": 0, "end_time": 0}
            for key, (name, _, _) in PACKAGES.items()
        ],
    )  # fmt: skip
    yield (
        tables.package_goods,
        [
            {"package_id": key, "goods_id": goods_id, "product_id": product_id, "goods_number": number, "admin_id": 0}
            for key, (_, _, parts) in PACKAGES.items()
            for goods_id, product_id, number in parts
        ],
    )


def _regions() -> Iterator[dict[str, Any]]:
    """Ids run in reading order: the country is 1, then each province with its cities and their districts."""
    next_id = iter(range(1, 10_000))

    def row(name: str, parent: int, level: int) -> dict[str, Any]:
        return {"region_id": next(next_id), "parent_id": parent, "region_name": name, "region_type": level}

    yield (country := row("中国", 0, 0))
    for province_name, cities in PROVINCES.items():
        yield (province := row(province_name, country["region_id"], 1))
        for city_name, districts in cities.items():
            yield (city := row(city_name, province["region_id"], 2))
            for district in districts:
                yield row(district, city["region_id"], 3)


def _goods_row(goods_id: int) -> dict[str, Any]:
    goods = next(goods for goods in GOODS if goods.goods_id == goods_id)
    return {
        "goods_id": goods.goods_id,
        "goods_sn": goods.sn,
        "goods_name": goods.name,
        "goods_number": 1000 * max(1, len(goods.variants)),
        "goods_weight": Decimal(goods.weight_g) / 1000,
        "shop_price": Decimal(goods.price_fen) / 100,
        "is_real": int(goods.is_real),
        "extension_code": "" if goods.is_real else "virtual_card",
        "is_on_sale": int(goods.is_sold),
        "is_delete": int(not goods.is_sold),
        "brand_id": goods.brand_id,
        "give_integral": goods.give_integral,
        "rank_integral": goods.rank_integral,
    }


def _products() -> Iterator[dict[str, Any]]:
    next_id = iter(range(1, 10_000))
    for goods in GOODS:
        for number, _ in enumerate(goods.variants, start=1):
            yield {
                "product_id": next(next_id),
                "goods_id": goods.goods_id,
                "goods_attr": str(number),
                "product_sn": f"{goods.sn}-{number}",
                "product_number": 1000,
            }


def load_fixture(engine: Engine, fixture: Mapping[str, Any], *, prefix: str = "ecs_") -> str:
    """Insert a recorded order with its regions, goods, shipping and payment rows; returns its order_id.

    Rows that stand there already under the same key are kept: recorded orders share regions and goods.
    """
    tables = ecshop_tables(prefix)
    order = fixture["order_info"]
    with engine.begin() as connection:
        _put(connection, tables.order_info, [order])
        for name in ("order_goods", "order_action", "delivery_order", "delivery_goods", "goods", "products"):
            _put(connection, getattr(tables, name), fixture[name])
        for name in ("shipping", "payment"):
            _put(connection, getattr(tables, name), fixture[name])
        parent = 0
        for level, place in enumerate(("country", "province", "city", "district")):
            row = {"region_id": order[place], "region_name": fixture["regions"].get(place), "region_type": level}
            _put(connection, tables.region, [row | {"parent_id": parent}] if order[place] else [])
            parent = order[place]
    return str(order["order_id"])


def _put(connection: Connection, table: Table, rows: list[Mapping[str, Any]]) -> None:
    key = next(iter(table.primary_key.columns))
    for row in rows:
        if connection.scalar(select(key).where(key == row[key.name])) is None:
            connection.execute(
                insert(table), {column.name: row[column.name] for column in table.c if column.name in row}
            )


def cancel_order(
    engine: Engine, order_id: str, now: datetime, *, prefix: str = "ecs_", utc_offset_s: int = 28800
) -> None:
    """What the admin's cancel does to a paid order: pay_status, pay_time and money_paid go to zero with it."""
    tables = ecshop_tables(prefix)
    order = tables.order_info
    zeroed = {"order_status": OrderStatus.CANCELED, "pay_status": PayStatus.UNPAYED, "pay_time": 0, "money_paid": 0}
    action = {
        "order_id": int(order_id),
        "action_user": "admin",
        "order_status": OrderStatus.CANCELED,
        "action_note": "cancel",
        "log_time": to_stored(now, utc_offset_s),
    }
    with engine.begin() as connection:
        connection.execute(update(order).where(order.c.order_id == int(order_id)).values(zeroed))
        connection.execute(insert(tables.order_action), action)


@dataclass(frozen=True, slots=True)
class LedgerNote:
    """A delivery note; `goods` are (goods_id, product_id, send_number)."""

    delivery_id: int
    delivery_sn: str
    numbers: tuple[str, ...]
    status: int
    action_user: str
    goods: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class LedgerAction:
    user: str
    order_status: int
    shipping_status: int
    pay_status: int
    place: int
    note: str
    log_time: int


@dataclass(frozen=True, slots=True)
class LedgerOrder:
    """What the shop shows of one order; `sent` maps rec_id to (send_number, goods_number)."""

    order_id: str
    order_sn: str
    order_status: int
    shipping_status: int
    pay_status: int
    shipping_time: int
    invoice_nos: tuple[str, ...]
    notes: tuple[LedgerNote, ...]
    actions: tuple[LedgerAction, ...]
    sent: Mapping[int, tuple[int, int]]


def read_ledger(engine: Engine, *, prefix: str = "ecs_") -> dict[str, LedgerOrder]:
    """Every order of the shop by its id."""
    tables = ecshop_tables(prefix)
    with engine.connect() as connection:
        goods = _by(connection, tables.delivery_goods, "delivery_id")
        notes = _by(connection, tables.delivery_order, "order_id")
        actions = _by(connection, tables.order_action, "order_id")
        lines = _by(connection, tables.order_goods, "order_id")
        orders = connection.execute(select(tables.order_info).order_by(tables.order_info.c.order_id)).mappings().all()
    return {
        str(order["order_id"]): LedgerOrder(
            order_id=str(order["order_id"]),
            order_sn=order["order_sn"],
            order_status=order["order_status"],
            shipping_status=order["shipping_status"],
            pay_status=order["pay_status"],
            shipping_time=order["shipping_time"],
            invoice_nos=split_numbers(order["invoice_no"]),
            notes=tuple(_ledger_note(note, goods[note["delivery_id"]]) for note in notes[order["order_id"]]),
            actions=tuple(_ledger_action(action) for action in actions[order["order_id"]]),
            sent={row["rec_id"]: (row["send_number"], row["goods_number"]) for row in lines[order["order_id"]]},
        )
        for order in orders
    }


@dataclass(frozen=True, slots=True)
class LedgerStock:
    """What the shop shows of a SKU, and how many pieces its shipped delivery notes hold."""

    shown: int
    sent: int


def read_stock_ledger(engine: Engine, *, prefix: str = "ecs_") -> dict[str, LedgerStock]:
    """Every SKU that has a figure, straight from the shop's tables."""
    tables = ecshop_tables(prefix)
    goods, note, item = tables.goods.c, tables.delivery_order.c, tables.delivery_goods.c
    sent: Counter[tuple[int, int]] = Counter()
    with engine.connect() as connection:
        shipped = select(item.goods_id, item.product_id, item.send_number).where(
            item.delivery_id == note.delivery_id, note.status == NoteStatus.SHIPPED
        )
        for goods_id, product_id, pieces in connection.execute(shipped):
            sent[goods_id, product_id or 0] += pieces
        shown = {
            (row.goods_id, row.product_id): (row.product_sn, row.product_number)
            for row in connection.execute(select(tables.products))
        }
        with_products = {goods_id for goods_id, _ in shown}
        kept = (goods.is_real == 1, goods.is_delete == 0, goods.goods_id.not_in(with_products))
        for row in connection.execute(select(tables.goods).where(*kept)):
            shown[row.goods_id, 0] = (row.goods_sn, row.goods_number)
    return {sku: LedgerStock(number, sent[key]) for key, (sku, number) in shown.items()}


def _by(connection: Connection, table: Table, key: str) -> dict[int, list[Mapping[str, Any]]]:
    groups: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings():
        groups[row[key]].append(dict(row))
    return groups


def _ledger_note(row: Mapping[str, Any], goods: list[Mapping[str, Any]]) -> LedgerNote:
    return LedgerNote(
        delivery_id=row["delivery_id"],
        delivery_sn=row["delivery_sn"],
        numbers=split_numbers(row["invoice_no"]),
        status=row["status"],
        action_user=row["action_user"],
        goods=tuple((item["goods_id"], item["product_id"] or 0, item["send_number"]) for item in goods),
    )


def _ledger_action(row: Mapping[str, Any]) -> LedgerAction:
    return LedgerAction(
        user=row["action_user"],
        order_status=row["order_status"],
        shipping_status=row["shipping_status"],
        pay_status=row["pay_status"],
        place=row["action_place"],
        note=row["action_note"],
        log_time=row["log_time"],
    )
