"""What the tests of stock do by hand: to the ERP, to the shop, and to what we keep."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import select, update

from sync.db.models import StepRow, StockChangeRow
from sync.db.steps import Wake
from sync.exceptions import OpenException, list_open
from sync.gateway import CallContext
from sync.sandbox.erp import SandboxErp
from sync.services.sync_stock import StockRun, sync_stock
from sync.shops.ecshop_tables import ecshop_tables
from tests.service.house import SHOP, House

TABLES = ecshop_tables(with_lastmodify=True)


def erp(house: House) -> SandboxErp:
    return cast(SandboxErp, house.peers._peers["erp"])


def stock_up(house: House) -> None:
    for line in house.rt.shops[SHOP].read_stock():
        erp(house).stock.put(line.sku, line.number)


def sell_out(house: House) -> None:
    for sku in shown(house):
        erp(house).stock.put(sku, 0)


def run(house: House, **how: Any) -> StockRun:
    return sync_stock(house.rt, SHOP, **how)


def shown(house: House) -> dict[str, int]:
    return {line.sku: line.number for line in house.rt.shops[SHOP].read_stock()}


def configure_shop(house: House, **values: str) -> None:
    with house.shop.begin() as connection:
        for code, value in values.items():
            table = TABLES.shop_config
            connection.execute(update(table).where(table.c.code == code).values(value=value))


def change_goods(house: House, goods_id: int, **values: Any) -> None:
    with house.shop.begin() as connection:
        connection.execute(update(TABLES.goods).where(TABLES.goods.c.goods_id == goods_id).values(values))


def desk(house: House) -> list[OpenException]:
    with house.rt.database.reading() as session:
        return list_open(session)


def history(house: House) -> list[tuple[str, int, int, str]]:
    with house.rt.database.reading() as session:
        rows = session.execute(select(StockChangeRow).order_by(StockChangeRow.id)).scalars()
        return [(row.sku, row.before, row.after, row.actor) for row in rows]


def quantities(house: House, order_sn: str) -> dict[str, int]:
    found: dict[str, int] = {}
    with house.shop.connect() as connection:
        order, line, product = TABLES.order_info.c, TABLES.order_goods.c, TABLES.products.c
        rows = connection.execute(
            select(line.goods_sn, product.product_sn, line.goods_number)
            .select_from(TABLES.order_goods.join(TABLES.order_info, line.order_id == order.order_id))
            .outerjoin(TABLES.products, product.product_id == line.product_id)
            .where(order.order_sn == order_sn, line.is_real == 1)
        )
        for goods_sn, product_sn, number in rows:
            sku = product_sn or goods_sn
            found[sku] = found.get(sku, 0) + number
    return found


def plain_order(house: House) -> tuple[str, dict[str, int]]:
    """One paid order without a package in it; its number and what it wants."""
    for seed in range(20, 60):
        (order_sn,) = house.seed(1, seed=seed)
        wanted = quantities(house, order_sn)
        if wanted and all(wanted):
            return order_sn, wanted
        house.poll()
        house.settle()
    raise AssertionError("every order has a package")


def less(before: dict[str, int], taken: dict[str, int]) -> dict[str, int]:
    return {sku: number - taken.get(sku, 0) for sku, number in before.items()}


def take_at_order(house: House, wanted: dict[str, int]) -> None:
    """What ECShop's checkout does with stock_dec_time 1."""
    goods, products = TABLES.goods, TABLES.products
    with house.shop.begin() as connection:
        for line in house.rt.shops[SHOP].read_stock():
            taken = wanted.get(line.sku, 0)
            if not taken:
                continue
            if line.product_id:
                less_here = {"product_number": products.c.product_number - taken}
                connection.execute(update(products).where(products.c.product_id == line.product_id).values(less_here))
            less_there = {"goods_number": goods.c.goods_number - taken}
            connection.execute(update(goods).where(goods.c.goods_id == line.goods_id).values(less_there))


def serve_only(house: House, peer: str) -> None:
    """One peer's worker comes round."""
    with house.rt.database.reading() as session:
        owed = select(StepRow.order_id).where(StepRow.peer == peer, StepRow.state == "owed").distinct()
        ids = list(session.execute(owed).scalars())
    house.serve([Wake(order_id, peer) for order_id in ids], follow=False)


def erp_figures(house: House) -> dict[str, int]:
    connector = house.rt.erps["erp.generic_rest"]
    told = house.rt.gateway.run("erp.generic_rest", connector.read_stock(None), CallContext())
    return {figure.sku: figure.available for figure in told}
