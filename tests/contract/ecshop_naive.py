"""How an ECShop is read and written at the first attempt: each line looks right, and each is wrong in some real shop.

Only the tests of the traps use it: they assert what goes wrong here, and that ours goes right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

Row = Mapping[str, Any]


def is_owed(order: Row) -> bool:
    """Confirmed, paid, not shipped."""
    return bool(order["order_status"] == 1 and order["pay_status"] == 2 and order["shipping_status"] == 0)


def standing(order: Row) -> str:
    """Cancelled, shipped, or else still ours to do."""
    if order["order_status"] == 2:
        return "withdrawn"
    return "shipped" if order["shipping_status"] == 1 else "owed"


def paid_since(orders: Iterable[Row], since: datetime) -> list[str]:
    """What a poll with a watermark finds: everything that was paid since the last time."""
    return [order["order_sn"] for order in orders if order["pay_time"] >= since.timestamp()]


def time_of(stored: int) -> datetime:
    """A column of seconds is Unix time."""
    return datetime.fromtimestamp(stored, UTC)


def lines(order_goods: Iterable[Row]) -> list[tuple[str, int]]:
    """What to pack: goods number and quantity of every row."""
    return [(row["goods_sn"], row["goods_number"]) for row in order_goods]


def owed_lines(order_goods: Iterable[Row]) -> list[tuple[str, int]]:
    """What is left to pack: ordered less sent."""
    left = [(row["goods_sn"], row["goods_number"] - row["send_number"]) for row in order_goods]
    return [(sku, number) for sku, number in left if number]


def is_complete(order_goods: Iterable[Row]) -> bool:
    """Everything was sent: what ECShop itself asks."""
    return all(row["send_number"] >= row["goods_number"] for row in order_goods)


def goods_of(row: Row, goods: Mapping[int, Row]) -> str:
    """A line's goods by its goods_id."""
    return str(goods[row["goods_id"]]["goods_sn"])


def to_collect(order: Row, cod_pay_ids: Iterable[int]) -> Decimal:
    """Cash on delivery by the payment's flag, and what is due."""
    return Decimal(order["order_amount"]) if order["pay_id"] in cod_pay_ids else Decimal(0)


def worth(order: Row) -> Decimal:
    """The order's amount stands in order_amount."""
    return Decimal(order["order_amount"])


def numbers(order: Row) -> list[str]:
    """The waybill number stands in invoice_no."""
    return [order["invoice_no"]]


def address(order: Row, regions: Mapping[int, str]) -> str:
    names = (regions.get(order[level], "") for level in ("province", "city", "district"))
    return "".join(names) + str(order["address"])


def ship(connection: Connection, order_id: int, number: str, now: datetime) -> None:
    """Number, state, time, stock and a line in the log."""
    bound = {"order_id": order_id, "number": number, "now": int(now.timestamp())}
    state = "invoice_no = :number, shipping_status = 1, shipping_time = :now"
    connection.execute(text(f"UPDATE ecs_order_info SET {state} WHERE order_id = :order_id"), bound)
    ordered = text("SELECT goods_id, goods_number FROM ecs_order_goods WHERE order_id = :order_id")
    for goods_id, quantity in connection.execute(ordered, bound).all():
        taken = text("UPDATE ecs_goods SET goods_number = goods_number - :quantity WHERE goods_id = :goods_id")
        connection.execute(taken, {"goods_id": goods_id, "quantity": quantity})
    columns = "order_id, action_user, order_status, shipping_status, pay_status, action_note, log_time"
    said = "(:order_id, 'naive', 1, 1, 2, :number, :now)"
    connection.execute(text(f"INSERT INTO ecs_order_action ({columns}) VALUES {said}"), bound)
