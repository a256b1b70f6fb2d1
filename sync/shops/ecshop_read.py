"""Gather ECShop orders page by page: one statement finds a page, a fixed number of others bring all it needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, exists, or_, select

from mappings.shops.ecshop.rows import Note, OrderRows, Row, is_package
from mappings.shops.ecshop.status import (
    COD_NAMES,
    GROUP_BUY_SUCCEEDED,
    OPEN_ORDER,
    OPEN_SHIPPING,
    NoteStatus,
    OrderStatus,
    PayStatus,
)
from sync.shops.ecshop_tables import EcshopTables


def names(text: str) -> tuple[str, ...]:
    """Column names out of a block of words."""
    return tuple(text.split())


_ORDER = names("""
    order_id order_sn user_id order_status shipping_status pay_status
    consignee country province city district address zipcode tel mobile email
    postscript to_buyer shipping_id shipping_name pay_id pay_name add_time pay_time invoice_no
    extension_code extension_id
    goods_amount shipping_fee insure_fee pay_fee pack_fee card_fee money_paid surplus order_amount tax discount
""")
_LINE = names("""
    rec_id order_id goods_id goods_name goods_sn product_id goods_number goods_price goods_attr send_number is_real
    extension_code is_gift
""")
_NOTE = names("delivery_id delivery_sn order_id invoice_no update_time status")
_NOTED = names("""
    rec_id delivery_id goods_id product_id product_sn goods_name goods_sn is_real extension_code parent_id
    send_number goods_attr
""")
_GOODS = ("goods_id", "goods_sn", "goods_name", "goods_weight", "shop_price")
_PART = ("package_id", "goods_id", "product_id", "goods_number")
_SHIPPING = ("shipping_id", "shipping_code")
_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Desk:
    """What all orders of a shop share, read once a sweep."""

    cod_pay_ids: frozenset[int]
    shipping_codes: Mapping[int, str]


def read_desk(connection: Connection, tables: EcshopTables) -> Desk:
    payment = tables.payment.c
    return Desk(
        frozenset(connection.scalars(select(payment.pay_id).where(payment.is_cod == 1))),
        {row.shipping_id: row.shipping_code for row in connection.execute(_pick(tables.shipping, _SHIPPING))},
    )


def select_orders(tables: EcshopTables) -> Select[Any]:
    return _pick(tables.order_info, _ORDER)


def open_condition(
    tables: EcshopTables, desk: Desk, *, accept_paying: bool, stored_floor: int | None
) -> ColumnElement[bool]:
    """Every order the rules might take, and none that has nothing left: shipped ones with a discount line stay at
    shipping_status 4 for ever and would make each sweep longer."""
    order = tables.order_info.c
    paid = [PayStatus.PAYED, PayStatus.PAYING] if accept_paying else [PayStatus.PAYED]
    return and_(
        order.shipping_status.in_(OPEN_SHIPPING),
        order.order_status.in_((OrderStatus.UNCONFIRMED, *OPEN_ORDER)),
        or_(
            order.pay_status.in_(paid),
            and_(
                order.order_status.in_(OPEN_ORDER),
                or_(order.pay_id.in_(desk.cod_pay_ids), order.pay_name.in_(COD_NAMES)),
            ),
        ),
        or_(_has_unsent(tables), _has_open_note(tables), ~_has_lines(tables)),
        *([order.add_time >= stored_floor] if stored_floor is not None else []),
    )


def _has_lines(tables: EcshopTables) -> ColumnElement[bool]:
    return exists().where(tables.order_goods.c.order_id == tables.order_info.c.order_id)


def _has_unsent(tables: EcshopTables) -> ColumnElement[bool]:
    line = tables.order_goods.c
    return exists().where(
        line.order_id == tables.order_info.c.order_id,
        line.is_real == 1,
        line.goods_id > 0,
        line.goods_number > line.send_number,
    )


def _has_open_note(tables: EcshopTables) -> ColumnElement[bool]:
    note = tables.delivery_order.c
    return exists().where(
        note.order_id == tables.order_info.c.order_id,
        note.status == NoteStatus.OPEN,
        or_(note.invoice_no.is_(None), note.invoice_no == ""),
    )


def next_page(
    connection: Connection, tables: EcshopTables, condition: ColumnElement[bool], after: int, size: int
) -> list[Row]:
    """The next order_info rows by order_id; the only order that paging may rely on."""
    order_id = tables.order_info.c.order_id
    query = select_orders(tables).where(condition, order_id > after).order_by(order_id).limit(size)
    return _rows(connection, query)


def gather(
    connection: Connection, tables: EcshopTables, desk: Desk, orders: Sequence[Row], *, with_places: bool = True
) -> Iterator[OrderRows]:
    """Bring everything that belongs to these orders, in the same number of statements however many they are.

    Writing needs no places: neither regions nor the group buys that decide whether an order is read at all.
    """
    ids = [order["order_id"] for order in orders]
    lines = _grouped(connection, tables.order_goods, _LINE, "order_id", ids, order_by="rec_id")
    notes = _notes(connection, tables, ids)
    all_lines = [line for some in lines.values() for line in some]
    all_items = [item for some in notes.values() for note in some for item in note.goods]
    package_ids = {line["goods_id"] for line in all_lines if is_package(line)}
    packages = _grouped(connection, tables.package_goods, _PART, "package_id", package_ids, order_by="goods_id")
    parts = [part for some in packages.values() for part in some]
    things = [line for line in all_lines if not is_package(line)] + all_items + parts
    goods = _by_id(connection, tables.goods, _GOODS, "goods_id", {item["goods_id"] for item in things})
    product_ids = {item["product_id"] or 0 for item in things}
    products = _by_id(connection, tables.products, ("product_id", "product_sn"), "product_id", product_ids)
    regions = _regions(connection, tables, orders) if with_places else {}
    cities = _cities_with_districts(connection, tables, orders) if with_places else frozenset()
    group_buys = _settled_group_buys(connection, tables, orders) if with_places else frozenset()
    for order in orders:
        yield OrderRows(
            order=order,
            lines=lines.get(order["order_id"], ()),
            notes=notes.get(order["order_id"], ()),
            goods=goods,
            products=products,
            packages=packages,
            regions=regions,
            cities_with_districts=cities,
            shipping_codes=desk.shipping_codes,
            cod_pay_ids=desk.cod_pay_ids,
            settled_group_buys=group_buys,
        )


def _notes(connection: Connection, tables: EcshopTables, order_ids: Sequence[int]) -> dict[int, list[Note]]:
    live = tables.delivery_order.c.status.in_((NoteStatus.SHIPPED, NoteStatus.OPEN))
    rows = _grouped(connection, tables.delivery_order, _NOTE, "order_id", order_ids, live, order_by="delivery_id")
    ids = [row["delivery_id"] for some in rows.values() for row in some]
    goods = _grouped(connection, tables.delivery_goods, _NOTED, "delivery_id", ids, order_by="rec_id")
    return {
        order_id: [Note(row, tuple(goods.get(row["delivery_id"], ()))) for row in some]
        for order_id, some in rows.items()
    }


def _regions(connection: Connection, tables: EcshopTables, orders: Sequence[Row]) -> dict[int, str]:
    ids = {order[level] for order in orders for level in ("province", "city", "district")}
    rows = _by_id(connection, tables.region, ("region_id", "region_name"), "region_id", ids)
    return {region_id: row["region_name"] for region_id, row in rows.items()}


def _cities_with_districts(connection: Connection, tables: EcshopTables, orders: Sequence[Row]) -> frozenset[int]:
    parent = tables.region.c.parent_id
    cities = {order["city"] for order in orders} - {0}
    return frozenset(connection.scalars(select(parent).where(parent.in_(cities)).distinct()))


def _settled_group_buys(connection: Connection, tables: EcshopTables, orders: Sequence[Row]) -> frozenset[int]:
    activity = tables.goods_activity.c
    ids = {order["extension_id"] for order in orders if order["extension_code"] == "group_buy"}
    query = select(activity.act_id).where(activity.act_id.in_(ids), activity.is_finished == GROUP_BUY_SUCCEEDED)
    return frozenset(connection.scalars(query))


def _pick(table: Table, columns: Sequence[str]) -> Select[Any]:
    return select(*(table.c[name] for name in columns))


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _by_id(
    connection: Connection, table: Table, columns: Sequence[str], key: str, ids: Collection[int]
) -> dict[int, Row]:
    return {row[key]: row for row in _rows(connection, _pick(table, columns).where(table.c[key].in_(ids)))}


def _grouped(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    key: str,
    ids: Collection[int],
    *conditions: ColumnElement[bool],
    order_by: str,
) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    query = _pick(table, columns).where(table.c[key].in_(ids), *conditions).order_by(table.c[order_by])
    for row in _rows(connection, query):
        groups[row[key]].append(row)
    return groups


def chunked(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Lists short enough for one IN (...)."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
