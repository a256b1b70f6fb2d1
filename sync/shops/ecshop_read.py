"""Gather ECShop orders page by page: one statement finds a page, a fixed number of others bring all it needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, Connection, Select, Table, and_, bindparam, or_, select

from mappings.shops.ecshop.rows import Note, OrderRows, Row, is_package
from mappings.shops.ecshop.status import (
    COD_NAMES,
    GROUP_BUY_SUCCEEDED,
    OPEN_ORDER,
    OPEN_SHIPPING,
    UNSENT_SHIPPING,
    NoteStatus,
    OrderStatus,
    PayStatus,
    ShippingStatus,
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
_JUDGED = names("""
    order_id order_sn user_id order_status shipping_status pay_status pay_id pay_name add_time invoice_no
    extension_code extension_id goods_amount
""")
"""What a standing or a write is judged by."""
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
_LIVE = ("status", (NoteStatus.SHIPPED, NoteStatus.OPEN))
_PART = ("package_id", "goods_id", "product_id", "goods_number")
_SHIPPING = ("shipping_id", "shipping_code")
_IDS_AT_ONCE = 500
_SHOPS = 64
"""Statements are built once a shop: SQLAlchemy then knows them again by the object."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What all orders of a shop share, read once a sweep; `regions` and `is_divided` (whether a city has districts)
    remember what was asked for."""

    cod_pay_ids: frozenset[int]
    shipping_codes: Mapping[int, str]
    regions: dict[int, str] = field(default_factory=dict)
    is_divided: dict[int, bool] = field(default_factory=dict)


def read_desk(connection: Connection, tables: EcshopTables) -> Desk:
    shippings = connection.execute(_pick(tables.shipping, _SHIPPING))
    return Desk(read_cod_pay_ids(connection, tables), {row.shipping_id: row.shipping_code for row in shippings})


def read_cod_pay_ids(connection: Connection, tables: EcshopTables) -> frozenset[int]:
    return frozenset(connection.scalars(select_cod_pay_ids(tables)))


@lru_cache(maxsize=_SHOPS)
def select_cod_pay_ids(tables: EcshopTables) -> Select[Any]:
    payment = tables.payment.c
    return select(payment.pay_id).where(payment.is_cod == 1)


UNUSUAL_STATES = tuple(
    (order, shipping)
    for order in (OrderStatus.UNCONFIRMED, OrderStatus.SPLITED, OrderStatus.SPLITING_PART)
    for shipping in (OPEN_SHIPPING if order == OrderStatus.UNCONFIRMED else (ShippingStatus.UNSHIPPED,))
)
"""Paid but not confirmed; split but on no note: no page of ECShop leaves an order so, only a foreign hand does."""
USUAL_STATES = tuple(
    (order, shipping) for order in OPEN_ORDER for shipping in OPEN_SHIPPING if (order, shipping) not in UNUSUAL_STATES
)


def find_open_ids(
    connection: Connection,
    tables: EcshopTables,
    desk: Desk,
    states: Sequence[tuple[int, int]],
    *,
    accept_paying: bool,
    stored_floor: int | None,
) -> list[int]:
    """The ids of all orders in these states that the rules might take, ascending, and of none that has nothing left:
    shipped ones with a discount line stay at shipping_status 4 for ever.

    One short statement for each pair of states, because order_info has an index on each state alone: for two equal
    ones the server intersects the indexes, for lists it would read the whole history (and lock it, on MyISAM).
    """
    common = {"cod_pay_ids": sorted(desk.cod_pay_ids), "floor": stored_floor or 0}
    found: list[int] = []
    for order_status, shipping_status in states:
        query = _select_open_ids(tables, accept_paying, shipping_status in UNSENT_SHIPPING)
        state = {"of_order": int(order_status), "of_shipping": int(shipping_status)}
        found += connection.scalars(query, common | state)
    return sorted(found)


@lru_cache(maxsize=4 * _SHOPS)
def _select_open_ids(tables: EcshopTables, accept_paying: bool, may_lack_lines: bool) -> Select[Any]:
    order = tables.order_info.c
    paid = [PayStatus.PAYED, PayStatus.PAYING] if accept_paying else [PayStatus.PAYED]
    is_cod = or_(order.pay_id.in_(bindparam("cod_pay_ids", expanding=True)), order.pay_name.in_(COD_NAMES))
    lacks_lines = [~_has_lines(tables)] if may_lack_lines else []
    return select(order.order_id).where(
        order.order_status == bindparam("of_order"),
        order.shipping_status == bindparam("of_shipping"),
        or_(order.pay_status.in_(paid), and_(order.order_status != OrderStatus.UNCONFIRMED, is_cod)),
        or_(_has_unsent(tables), _has_open_note(tables), *lacks_lines),
        order.add_time >= bindparam("floor"),
    )


def _has(key: Column[Any], tables: EcshopTables, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the order has such a row. An EXISTS would let the server read the other table whole instead."""
    row = select(key).where(key.table.c.order_id == tables.order_info.c.order_id, *conditions).limit(1)
    return row.scalar_subquery().is_not(None)


def _has_lines(tables: EcshopTables) -> ColumnElement[bool]:
    return _has(tables.order_goods.c.rec_id, tables)


def _has_unsent(tables: EcshopTables) -> ColumnElement[bool]:
    line = tables.order_goods.c
    return _has(line.rec_id, tables, line.is_real == 1, line.goods_id > 0, line.goods_number > line.send_number)


def _has_open_note(tables: EcshopTables) -> ColumnElement[bool]:
    note = tables.delivery_order.c
    is_unnumbered = or_(note.invoice_no.is_(None), note.invoice_no == "")
    return _has(note.delivery_id, tables, note.status == NoteStatus.OPEN, is_unnumbered)


def read_orders(connection: Connection, tables: EcshopTables, ids: Collection[int]) -> list[Row]:
    """These orders' rows with every column that an order is read from."""
    return _rows(connection, _select_in(tables.order_info, _ORDER, "order_id", "order_id"), ids)


def read_judged(
    connection: Connection, tables: EcshopTables, ids: Collection[int], *, for_update: bool = False
) -> list[Row]:
    """These orders' rows with the columns that a standing or a write is judged by."""
    return _rows(connection, _select_judged(tables, for_update), ids)


@lru_cache(maxsize=2 * _SHOPS)
def _select_judged(tables: EcshopTables, for_update: bool) -> Select[Any]:
    query = _select_in(tables.order_info, _JUDGED, "order_id", "order_id")
    return query.with_for_update() if for_update else query


def read_lines(connection: Connection, tables: EcshopTables, order_ids: Collection[int]) -> dict[int, list[Row]]:
    return _grouped(connection, tables.order_goods, _LINE, "order_id", order_ids, order_by="rec_id")


def gather(connection: Connection, tables: EcshopTables, desk: Desk, orders: Sequence[Row]) -> Iterator[OrderRows]:
    """Bring everything that belongs to these orders, in the same number of statements however many they are."""
    ids = [order["order_id"] for order in orders]
    lines = read_lines(connection, tables, ids)
    notes = read_notes(connection, tables, ids)
    all_lines = [line for some in lines.values() for line in some]
    all_items = [item for some in notes.values() for note in some for item in note.goods]
    goods, products, packages = read_catalogue(connection, tables, all_lines, all_items)
    _learn_regions(connection, tables, desk, orders)
    cities = frozenset(city for city, is_divided in list(desk.is_divided.items()) if is_divided)
    group_buys = _settled_group_buys(connection, tables, orders)
    for order in orders:
        yield OrderRows(
            order=order,
            lines=lines.get(order["order_id"], ()),
            notes=notes.get(order["order_id"], ()),
            goods=goods,
            products=products,
            packages=packages,
            regions=desk.regions,
            cities_with_districts=cities,
            shipping_codes=desk.shipping_codes,
            cod_pay_ids=desk.cod_pay_ids,
            settled_group_buys=group_buys,
        )


Catalogue = tuple[dict[int, Row], dict[int, Row], dict[int, list[Row]]]


def read_catalogue(
    connection: Connection,
    tables: EcshopTables,
    lines: Sequence[Row],
    items: Sequence[Row] = (),
    *,
    with_brands: bool = False,
) -> Catalogue:
    """The goods, products and packages that these lines and notes' items name."""
    package_ids = {line["goods_id"] for line in lines if is_package(line)}
    packages = _grouped(connection, tables.package_goods, _PART, "package_id", package_ids, order_by="goods_id")
    parts = [part for some in packages.values() for part in some]
    things = [*(line for line in lines if not is_package(line)), *items, *parts]
    goods_ids = {item["goods_id"] for item in things}
    query = _select_branded(tables) if with_brands else _select_in(tables.goods, _GOODS, "goods_id", "goods_id")
    goods = {row["goods_id"]: row for row in _rows(connection, query, goods_ids)}
    product_ids = {item["product_id"] or 0 for item in things} - {0}
    products = _by_id(connection, tables.products, ("product_id", "product_sn"), "product_id", product_ids)
    return goods, products, packages


@lru_cache(maxsize=_SHOPS)
def _select_branded(tables: EcshopTables) -> Select[Any]:
    goods, brand = tables.goods.c, tables.brand.c
    query = _pick(tables.goods, _GOODS).add_columns(brand.brand_name).where(goods.goods_id.in_(_ids()))
    return query.outerjoin_from(tables.goods, tables.brand, goods.brand_id == brand.brand_id)


def read_notes(
    connection: Connection, tables: EcshopTables, order_ids: Collection[int], *, with_goods: bool = True
) -> dict[int, list[Note]]:
    """The live notes of these orders."""
    note = tables.delivery_order
    rows = _grouped(connection, note, _NOTE, "order_id", order_ids, order_by="delivery_id", among=_LIVE)
    ids = [row["delivery_id"] for some in rows.values() for row in some] if with_goods else []
    goods = _grouped(connection, tables.delivery_goods, _NOTED, "delivery_id", ids, order_by="rec_id")
    return {
        order_id: [Note(row, tuple(goods.get(row["delivery_id"], ()))) for row in some]
        for order_id, some in rows.items()
    }


def _learn_regions(connection: Connection, tables: EcshopTables, desk: Desk, orders: Sequence[Row]) -> None:
    """Ask for the names, and the cities' districts, that the desk does not know yet."""
    ids = {order[level] for order in orders for level in ("province", "city", "district")} - {0} - desk.regions.keys()
    rows = _by_id(connection, tables.region, ("region_id", "region_name"), "region_id", ids)
    desk.regions.update((region_id, row["region_name"]) for region_id, row in rows.items())
    cities = {order["city"] for order in orders} - {0} - desk.is_divided.keys()
    divided = set(connection.scalars(_select_cities(tables), {"ids": [*cities]})) if cities else set()
    desk.is_divided.update((city, city in divided) for city in cities)


@lru_cache(maxsize=_SHOPS)
def _select_cities(tables: EcshopTables) -> Select[Any]:
    parent = tables.region.c.parent_id
    return select(parent).where(parent.in_(_ids())).distinct()


def _settled_group_buys(connection: Connection, tables: EcshopTables, orders: Sequence[Row]) -> frozenset[int]:
    ids = {order["extension_id"] for order in orders if order["extension_code"] == "group_buy"}
    if not ids:
        return frozenset()
    activity = tables.goods_activity.c
    query = select(activity.act_id).where(activity.act_id.in_(ids), activity.is_finished == GROUP_BUY_SUCCEEDED)
    return frozenset(connection.scalars(query))


def _pick(table: Table, columns: Sequence[str]) -> Select[Any]:
    return select(*(table.c[name] for name in columns))


def _ids() -> BindParameter[Any]:
    return bindparam("ids", expanding=True)


@lru_cache(maxsize=12 * _SHOPS)
def _select_in(
    table: Table, columns: tuple[str, ...], key: str, order_by: str, among: tuple[str, tuple[int, ...]] | None = None
) -> Select[Any]:
    """The rows whose key is among the ids bound at execution."""
    query = _pick(table, columns).where(table.c[key].in_(_ids())).order_by(table.c[order_by])
    return query if among is None else query.where(table.c[among[0]].in_(among[1]))


def _rows(connection: Connection, query: Select[Any], ids: Collection[int] | None = None) -> list[Row]:
    """The rows as dictionaries; none for no ids, without asking."""
    if ids is not None and not ids:
        return []
    found = connection.execute(query, None if ids is None else {"ids": [*ids]})
    keys = tuple(found.keys())
    return [dict(zip(keys, row, strict=True)) for row in found]


def _by_id(
    connection: Connection, table: Table, columns: tuple[str, ...], key: str, ids: Collection[int]
) -> dict[int, Row]:
    return {row[key]: row for row in _rows(connection, _select_in(table, columns, key, key), ids)}


def _grouped(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    key: str,
    ids: Collection[int],
    *,
    order_by: str,
    among: tuple[str, tuple[int, ...]] | None = None,
) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in _rows(connection, _select_in(table, columns, key, order_by, among), ids):
        groups[row[key]].append(row)
    return groups


def chunked(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Lists short enough for one IN (...)."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
