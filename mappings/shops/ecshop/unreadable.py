"""Which column of an order holds what ECShop never writes there: NULL, bytes, text for a number."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from mappings.shops.ecshop.rows import OrderRows, Row


def _columns(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHOLE = _columns("""
    order_id user_id order_status shipping_status pay_status country province city district shipping_id pay_id add_time
    pay_time extension_id rec_id goods_id product_id goods_number send_number is_real is_gift delivery_id update_time
    status parent_id package_id
""")
_DECIMAL = _columns("""
    goods_amount shipping_fee insure_fee pay_fee pack_fee card_fee money_paid surplus order_amount tax discount
    goods_price goods_weight shop_price
""")
_NULLABLE = _columns("update_time product_id parent_id is_real")
"""Numbers that are NULL in delivery notes of 2.7.3. Of texts each may be: it reads as an empty one."""
_LATEST = 4_294_967_295
"""The largest int unsigned, in which times are kept."""


def find_culprit(rows: OrderRows) -> str:
    """`table.column` of the first that is wrong; empty when none is: then the fault is not the shop's."""
    return next((name for table, row in _every_row(rows) if (name := _culprit(table, row))), "")


def _every_row(rows: OrderRows) -> Iterator[tuple[str, Row]]:
    yield "order_info", rows.order
    items: list[Row] = [*rows.lines]
    yield from (("order_goods", line) for line in rows.lines)
    for note in rows.notes:
        yield "delivery_order", note.row
        yield from (("delivery_goods", item) for item in note.goods)
        items += note.goods
    packages = [rows.packages.get(line["goods_id"], ()) for line in rows.lines]
    parts = [part for some in packages for part in some]
    yield from (("package_goods", part) for part in parts)
    for item in (*items, *parts):
        for table, known, key in (("goods", rows.goods, "goods_id"), ("products", rows.products, "product_id")):
            if item[key] in known:
                yield table, known[item[key]]


def _culprit(table: str, row: Row) -> str:
    wrong = (name for name, value in row.items() if not _is_possible(name, value))
    return next((f"{table}.{name}" for name in wrong), "")


def _is_possible(name: str, value: Any) -> bool:
    if value is None:
        return name in _NULLABLE or name not in _WHOLE | _DECIMAL
    if name in _WHOLE:
        return isinstance(value, int) and -1 <= value <= _LATEST
    if name in _DECIMAL:
        return _is_amount(value)
    return isinstance(value, str)


def _is_amount(value: Any) -> bool:
    try:
        return not isinstance(value, bytes) and Decimal(value).is_finite()
    except (InvalidOperation, TypeError, ValueError):
        return False
