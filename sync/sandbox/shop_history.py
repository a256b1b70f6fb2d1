"""A sandbox shop's past on MySQL or MariaDB: any number of orders that are over, written by the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, insert, select

from mappings.shops.ecshop.status import NoteStatus, OrderStatus, PayStatus, ShippingStatus
from sync.shops.ecshop_tables import EcshopTables, ecshop_tables

SEEDED = 1000
"""So many rows are written one by one; the rest are copies of them under other ids."""
FIRST_ID = 1_000_001
"""Histories begin here, and open orders after them: a shop's ids grow with time."""
_PLACED = 1_500_000_000

_PAST = (
    # of a hundred orders: how many, order, shipping and pay status
    (15, OrderStatus.CANCELED, ShippingStatus.UNSHIPPED, PayStatus.UNPAYED),
    (5, OrderStatus.UNCONFIRMED, ShippingStatus.UNSHIPPED, PayStatus.UNPAYED),
    (3, OrderStatus.INVALID, ShippingStatus.UNSHIPPED, PayStatus.UNPAYED),
    (2, OrderStatus.RETURNED, ShippingStatus.UNSHIPPED, PayStatus.UNPAYED),
    (1, OrderStatus.SPLITING_PART, ShippingStatus.SHIPPED_PART, PayStatus.PAYED),
    (24, OrderStatus.SPLITED, ShippingStatus.SHIPPED, PayStatus.PAYED),
    (50, OrderStatus.SPLITED, ShippingStatus.RECEIVED, PayStatus.PAYED),
)
"""The one of a hundred at SHIPPED_PART is over too: a discount line keeps it there for ever."""


def seed_history(engine: Engine, count: int, *, prefix: str = "ecs_") -> None:
    """Write `count` orders that are over, with their lines and notes; `count` is a multiple of SEEDED."""
    if count % SEEDED:
        raise ValueError(f"{count} is not a multiple of {SEEDED}")
    tables = ecshop_tables(prefix)
    with engine.begin() as connection:
        orders = list(_orders())
        connection.execute(insert(tables.order_info), orders)
        connection.execute(insert(tables.order_goods), [line for order in orders for line in _lines(order)])
        connection.execute(insert(tables.delivery_order), [_note(order) for order in orders if _is_sent(order)])
        written = SEEDED
        while written < count:
            more = min(written, count - written)
            for table in (tables.order_info, tables.order_goods, tables.delivery_order):
                _copy(connection, table, written, more)
            written += more
        _refresh_statistics(connection, tables)


def _orders() -> Iterator[dict[str, Any]]:
    states = [state for share, *state in _PAST for _ in range(share)]
    for number in range(SEEDED):
        order_status, shipping_status, pay_status = states[number % len(states)]
        order_id = FIRST_ID + number
        yield {
            "order_id": order_id,
            "order_sn": f"H{order_id:012d}",
            "order_status": int(order_status),
            "shipping_status": int(shipping_status),
            "pay_status": int(pay_status),
            "consignee": "历史甲",
            "country": 1,
            "province": 2,
            "city": 3,
            "district": 4,
            "address": "示例路 1 号 示例小区示例栋",
            "mobile": "10000000001",
            "shipping_id": 2,
            "shipping_name": "圆通速递",
            "pay_id": 2,
            "pay_name": "支付宝",
            "goods_amount": 128,
            "money_paid": 128,
            "add_time": _PLACED,
            "pay_time": _PLACED,
            "invoice_no": f"YT{order_id}",
        }


def _is_sent(order: dict[str, Any]) -> bool:
    return bool(order["shipping_status"] != ShippingStatus.UNSHIPPED)


def _lines(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    line = {
        "order_id": order["order_id"],
        "goods_id": 1,
        "goods_name": "示例龙井茶 100g",
        "goods_sn": "SBX-TEA-100",
        "goods_number": 1,
        "goods_price": 128,
        "goods_attr": "",
        "is_real": 1,
        "send_number": int(_is_sent(order)),
        "is_gift": 0,
    }
    yield line
    if order["shipping_status"] == ShippingStatus.SHIPPED_PART:
        yield line | {"goods_id": 0, "goods_sn": "", "goods_price": -10, "is_real": 0, "send_number": 0, "is_gift": 1}


def _note(order: dict[str, Any]) -> dict[str, Any]:
    return {
        "delivery_sn": order["order_sn"],
        "order_sn": order["order_sn"],
        "order_id": order["order_id"],
        "invoice_no": order["invoice_no"],
        "status": int(NoteStatus.SHIPPED),
    }


def _copy(connection: Connection, table: Table, written: int, more: int) -> None:
    """The first `more` orders once again, `written` ids further on."""
    copied = [column for column in table.c if not column.primary_key or column.name == "order_id"]
    fresh = {
        "order_id": table.c.order_id + written,
        "order_sn": func.concat("H", func.lpad(table.c.order_id + written, 12, "0")),
    }
    source = select(*(fresh.get(column.name, column) for column in copied)).where(
        table.c.order_id >= FIRST_ID, table.c.order_id < FIRST_ID + more
    )
    connection.execute(insert(table).from_select(copied, source, include_defaults=False))


def _refresh_statistics(connection: Connection, tables: EcshopTables) -> None:
    """A shop that grew over years has them; one that was filled in a second has not."""
    names = ", ".join(table.name for table in (tables.order_info, tables.order_goods, tables.delivery_order))
    connection.exec_driver_sql(f"ANALYZE TABLE {names}").all()
