"""What the tests of a shop's stock do by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, text

from mappings.model import StockChange, StockLine
from tests.service.shop.yard import (
    NOW,
    Yard,
)


def configure(yard: Yard, **values: str) -> None:
    for code, value in values.items():
        yard.change(yard.tables.shop_config, {"code": code}, value=value)


def read(yard: Yard, **config: Any) -> dict[str, StockLine]:
    lines = list(yard.shop(**config).read_stock())
    found = {line.sku: line for line in lines}
    assert len(found) == len(lines), "a number stands there twice"
    return found


def change(yard: Yard, sku: str, after: int) -> StockChange:
    line = read(yard)[sku]
    return StockChange(sku, line.goods_id, line.product_id, line.number, after)


def write(yard: Yard, *changes: StockChange) -> list[str]:
    return [done.sku for done in yard.shop().write_stock(changes, NOW)]


def numbers(yard: Yard) -> dict[str, int]:
    return {sku: line.number for sku, line in read(yard).items()}


def broken_sums(yard: Yard) -> list[Any]:
    """Goods whose number is not the sum of their products' numbers."""
    goods, product = yard.tables.goods.c, yard.tables.products.c
    total = func.sum(product.product_number)
    wanted = (
        select(goods.goods_id, goods.goods_number, total)
        .where(product.goods_id == goods.goods_id)
        .group_by(goods.goods_id, goods.goods_number)
        .having(goods.goods_number != total)
    )
    with yard.engine.connect() as connection:
        return list(connection.execute(wanted))


def sell(yard: Yard, goods_id: int, product_id: int) -> None:
    """What ECShop does at checkout where it takes stock at order."""
    with yard.engine.begin() as connection:
        for table, number, key, row in (
            ("ecs_products", "product_number", "product_id", product_id),
            ("ecs_goods", "goods_number", "goods_id", goods_id),
        ):
            connection.execute(text(f"UPDATE {table} SET {number} = {number} - 1 WHERE {key} = {row}"))
