"""ECShop's stock by its own database: the figures with what is ordered of them, and conditional writes in batches.

`goods_number = SUM(product_number)` where goods have products is ECShop's own invariant: the admin and the API keep
it, so both columns change in one statement. Virtual cards mirror their unsold codes and are never read or written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from mappings.model import StockChange, StockLine, StockMode
from mappings.shops.ecshop.rows import PACKAGE, OrderRows
from mappings.shops.ecshop.status import (
    COD_NAMES,
    OPEN_ORDER,
    OPEN_SHIPPING,
    NoteStatus,
    OrderStatus,
    PayStatus,
)
from mappings.shops.ecshop.stock import largest_number, packaged_demand, stock_mode
from mappings.shops.ecshop.text import clean
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_read import chunked, read_catalogue, read_cod_pay_ids, read_lines, read_notes
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables

_PAGE = 2000
_BATCH = 200
"""Changes in one statement: it locks MyISAM's two tables for some milliseconds, and scans products once."""
_STOCK_LOCK = 0
"""No order has this number: two stock writers wait for each other, and nobody else for them."""

Key = tuple[int, int]
"""goods_id and product_id."""


@dataclass(frozen=True, slots=True)
class EcshopStock:
    """One shop's stock."""

    database: ShopDatabase
    tables: EcshopTables
    settings: ShopSettings

    def mode(self) -> StockMode:
        """What the figures mean; raises PermanentError where another program is said to keep them."""
        with self.database.reading() as connection:
            return self._mode(connection)

    def read(self) -> Iterator[StockLine]:
        """All figures first, and only then what is ordered: an order placed or sent between the two changes the
        figure, and a change that was planned on the old one fails."""
        with self.database.reading() as connection:
            mode = self._mode(connection)
            if mode is StockMode.OFF:
                return
            limit = self._limit(connection)
            figures = list(self._figures(connection))
            unshipped = self._unshipped(connection, mode)
        for sku, (goods_id, product_id), number in figures:
            yield StockLine(sku, goods_id, product_id, number, unshipped[goods_id, product_id], limit)

    def write(self, changes: Sequence[StockChange]) -> tuple[StockChange, ...]:
        """Set figures that are still what they were; returns those that were set, in the order given."""
        written: set[StockChange] = set()
        for of_products in (True, False):
            some = sorted((one for one in changes if bool(one.product_id) == of_products), key=_by_goods)
            for start in range(0, len(some), _BATCH):
                written |= self._write_batch(some[start : start + _BATCH], of_products=of_products)
        return tuple(change for change in changes if change in written)

    def _write_batch(self, changes: Sequence[StockChange], *, of_products: bool) -> set[StockChange]:
        """A transaction where there are some; on MyISAM one statement, which a dying worker cannot break in two."""
        with self.database.writing(_STOCK_LOCK) as connection:
            if connection.dialect.name != "mysql":
                return self._write_singly(connection, changes, of_products=of_products)
            if of_products:
                limit = self._limit(connection)
                statement, rows = _set_products(self.tables, changes, limit), len(changes)
                rows += len({change.goods_id for change in changes})
            else:
                statement, rows = _set_goods(self.tables, changes), len(changes)
            matched = connection.execute(statement).rowcount
            if matched in (0, rows):
                return set(changes) if matched else set()
            return self._those_set(connection, changes, of_products=of_products)

    def _write_singly(
        self, connection: Connection, changes: Sequence[StockChange], *, of_products: bool
    ) -> set[StockChange]:
        written = set()
        for change in changes:
            statement = _set_product(self.tables, change) if of_products else _set_goods(self.tables, [change])
            if connection.execute(statement).rowcount == 1:
                written.add(change)
        if of_products and written:
            connection.execute(_sum_up(self.tables, {change.goods_id for change in written}))
        return written

    def _those_set(
        self, connection: Connection, changes: Sequence[StockChange], *, of_products: bool
    ) -> set[StockChange]:
        """Somebody else changed one of them meanwhile: those count that show now what was to be set."""
        t = self.tables
        key, number = (
            (t.products.c.product_id, t.products.c.product_number)
            if of_products
            else (t.goods.c.goods_id, t.goods.c.goods_number)
        )
        ids = [change.product_id or change.goods_id for change in changes]
        shown = {row[0]: row[1] for row in connection.execute(select(key, number).where(key.in_(ids)))}
        return {change for change in changes if shown.get(change.product_id or change.goods_id) == change.after}

    def _mode(self, connection: Connection) -> StockMode:
        config = self.tables.shop_config.c
        wanted = select(config.code, config.value).where(config.code.in_(("use_storage", "stock_dec_time")))
        values = {row.code: row.value for row in connection.execute(wanted)}
        return stock_mode(values.get("use_storage"), values.get("stock_dec_time"), keep_stock=self.settings.keep_stock)

    def _limit(self, connection: Connection) -> int | None:
        """The smaller of the two columns' maxima: 65535 in 2.7.3, more in later versions; none on SQLite."""
        if connection.dialect.name != "mysql":
            return None
        places = [(self.tables.goods.name, "goods_number"), (self.tables.products.name, "product_number")]
        types = [connection.scalar(_COLUMN_TYPE, {"table": table, "column": column}) for table, column in places]
        limits = [largest_number(str(kind)) for kind in types]
        return min((limit for limit in limits if limit is not None), default=None)

    def _figures(self, connection: Connection) -> Iterator[tuple[str, Key, int]]:
        """SKU, key and figure of all that is sold: products where there are some, else the goods themselves.

        Page by page along the keys: 2.7.3 has no index on products.goods_id, and a long read keeps MyISAM's writers
        waiting.
        """
        product, goods = self.tables.products.c, self.tables.goods.c
        products: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
        columns = (product.product_id, product.goods_id, product.product_sn, product.product_number)
        for row in _pages(connection, self.tables.products, columns, ()):
            products[row[1]].append((row[0], clean(row[2]), row[3] or 0))
        for row in _pages(
            connection,
            self.tables.goods,
            (goods.goods_id, goods.goods_sn, goods.goods_number),
            (_is_kept(self.tables),),
        ):
            goods_id, goods_sn = row[0], clean(row[1])
            if goods_id not in products:
                yield goods_sn, (goods_id, 0), row[2]
            for product_id, product_sn, number in products.get(goods_id, ()):
                yield product_sn or goods_sn, (goods_id, product_id), number

    def _unshipped(self, connection: Connection, mode: StockMode) -> Counter[Key]:
        """What open orders have ordered and no shipped note holds: on no note, on open notes, in packages."""
        line, note, item = self.tables.order_goods.c, self.tables.delivery_order.c, self.tables.delivery_goods.c
        plain = (
            select(line.goods_id, line.product_id, func.sum(line.goods_number - line.send_number))
            .where(line.goods_number > line.send_number, line.is_real == 1, line.goods_id > 0)
            .where(line.extension_code != PACKAGE)
            .group_by(line.goods_id, line.product_id)
        )
        noted = (
            select(item.goods_id, item.product_id, func.sum(item.send_number))
            .where(note.status == NoteStatus.OPEN, item.delivery_id == note.delivery_id)
            .where(item.is_real == 1, item.goods_id > 0)
            .group_by(item.goods_id, item.product_id)
        )
        packaged = select(line.order_id).where(line.is_real == 1, line.extension_code == PACKAGE).distinct()
        found: Counter[Key] = Counter()
        for ids in chunked(self._open_ids(connection, mode)):
            for query in (plain.where(line.order_id.in_(ids)), noted.where(note.order_id.in_(ids))):
                for goods_id, product_id, number in connection.execute(query):
                    found[goods_id, product_id or 0] += int(number)
            with_packages = list(connection.scalars(packaged.where(line.order_id.in_(ids))))
            found += packaged_demand(self._with_packages(connection, with_packages))
        return found

    def _open_ids(self, connection: Connection, mode: StockMode) -> list[int]:
        """The orders of which something may still be in the house.

        At order, ECShop has subtracted every order that is not cancelled, paid or not; at shipping, what matters is
        what will be sent. Orders before the go-live day are somebody else's in both. One short statement for each
        pair of states: for two equal ones the server has indexes, for lists it would read and lock the whole history.
        """
        order = self.tables.order_info.c
        payable: list[ColumnElement[bool]] = []
        if mode is StockMode.AT_SHIPPING:
            paid = (PayStatus.PAYED, PayStatus.PAYING) if self.settings.rules.accept_paying else (PayStatus.PAYED,)
            is_cod = order.pay_id.in_(read_cod_pay_ids(connection, self.tables))
            payable = [or_(order.pay_status.in_(paid), is_cod, order.pay_name.in_(COD_NAMES))]
        wanted = select(order.order_id).where(
            order.order_status == bindparam("of_order"),
            order.shipping_status == bindparam("of_shipping"),
            order.add_time >= (self.settings.stored_floor or 0),
            or_(_has_unsent(self.tables), _has_open_note(self.tables)),
            *payable,
        )
        states = OPEN_ORDER if mode is StockMode.AT_SHIPPING else (OrderStatus.UNCONFIRMED, *OPEN_ORDER)
        found: list[int] = []
        for order_status in states:
            for shipping_status in OPEN_SHIPPING:
                state = {"of_order": int(order_status), "of_shipping": int(shipping_status)}
                found += connection.scalars(wanted, state)
        return found

    def _with_packages(self, connection: Connection, order_ids: Sequence[int]) -> Iterator[OrderRows]:
        lines = read_lines(connection, self.tables, order_ids)
        notes = read_notes(connection, self.tables, order_ids)
        every_line = [line for some in lines.values() for line in some]
        _, _, packages = read_catalogue(connection, self.tables, every_line)
        for order_id in order_ids:
            yield OrderRows({}, lines=lines.get(order_id, ()), notes=notes.get(order_id, ()), packages=packages)


_COLUMN_TYPE = text(
    "SELECT column_type FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = :table AND column_name = :column"
)


def _has_unsent(tables: EcshopTables) -> ColumnElement[bool]:
    """A value and no EXISTS, which would let the server read the other table whole."""
    line = tables.order_goods.c
    mine = (line.order_id == tables.order_info.c.order_id, line.is_real == 1, line.goods_number > line.send_number)
    return select(line.rec_id).where(*mine).limit(1).scalar_subquery().is_not(None)


def _has_open_note(tables: EcshopTables) -> ColumnElement[bool]:
    """Also one that carries its number: its stock is taken when the parcel goes."""
    note = tables.delivery_order.c
    mine = (note.order_id == tables.order_info.c.order_id, note.status == NoteStatus.OPEN)
    return select(note.delivery_id).where(*mine).limit(1).scalar_subquery().is_not(None)


def _by_goods(change: StockChange) -> Key:
    return change.goods_id, change.product_id


def _pages(
    connection: Connection,
    table: Table,
    columns: Sequence[ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]],
) -> Iterator[Sequence[Any]]:
    """All rows in the order of their key, which is the first column."""
    key, last = columns[0], 0
    while True:
        wanted = select(*columns).where(key > last, *conditions).order_by(key).limit(_PAGE)
        rows = connection.execute(wanted).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1][0]


def _is_kept(tables: EcshopTables) -> ColumnElement[bool]:
    """Goods whose stock is ours to write: real, not deleted, no virtual card."""
    goods = tables.goods.c
    return and_(goods.is_real == 1, goods.is_delete == 0, goods.extension_code != "virtual_card")


def _set_products(tables: EcshopTables, changes: Sequence[StockChange], limit: int | None) -> Update:
    """MySQL: products and the sums of their goods in one statement, each product if it is what it was."""
    product, goods = tables.products.c, tables.goods.c
    other = tables.products.alias("other")
    after = {change.product_id: change.after for change in changes}
    new_number = case(
        (_is_before(other.c.product_id, other.c.product_number, changes), case(after, value=other.c.product_id)),
        else_=func.coalesce(other.c.product_number, 0),
    )
    sums = (
        select(other.c.goods_id, func.sum(new_number).label("total"))
        .where(other.c.goods_id.in_({change.goods_id for change in changes}))
        .group_by(other.c.goods_id)
        .subquery("sums")
    )
    fits = [sums.c.total <= limit] if limit is not None else []
    return (
        update(tables.products)
        .where(_is_before(product.product_id, product.product_number, changes))
        .where(goods.goods_id == product.goods_id, _is_kept(tables), sums.c.goods_id == product.goods_id, *fits)
        .values(
            {
                product.product_number: case(after, value=product.product_id),
                goods.goods_number: sums.c.total,
            }
        )
    )


def _set_goods(tables: EcshopTables, changes: Sequence[StockChange]) -> Update:
    """Goods without products, each if it is what it was and still has none.

    The derived table is made once; without it MySQL looks through all products again for each of these goods.
    """
    goods, product = tables.goods.c, tables.products.c
    ids = [change.goods_id for change in changes]
    found = select(product.goods_id).where(product.goods_id.in_(ids)).distinct().subquery("found")
    with_products = select(found.c.goods_id)
    return (
        update(tables.goods)
        .where(_is_before(goods.goods_id, goods.goods_number, changes), _is_kept(tables))
        .where(goods.goods_id.not_in(with_products))
        .values(goods_number=case({change.goods_id: change.after for change in changes}, value=goods.goods_id))
    )


def _set_product(tables: EcshopTables, change: StockChange) -> Update:
    product, goods = tables.products.c, tables.goods.c
    kept = select(goods.goods_id).where(goods.goods_id == change.goods_id, _is_kept(tables))
    return (
        update(tables.products)
        .where(_is_before(product.product_id, product.product_number, [change]), product.goods_id.in_(kept))
        .values(product_number=change.after)
    )


def _sum_up(tables: EcshopTables, goods_ids: set[int]) -> Update:
    product, goods = tables.products.c, tables.goods.c
    total = select(func.coalesce(func.sum(product.product_number), 0)).where(product.goods_id == goods.goods_id)
    return update(tables.goods).where(goods.goods_id.in_(goods_ids)).values(goods_number=total.scalar_subquery())


def _is_before(
    key: ColumnElement[int], number: ColumnElement[int], changes: Sequence[StockChange]
) -> ColumnElement[bool]:
    """One of these rows, showing what it showed; a product's number may be NULL, which counts as 0."""
    shown = [(change.product_id or change.goods_id, change.before) for change in changes]
    return and_(key.in_([row for row, _ in shown]), tuple_(key, func.coalesce(number, 0)).in_(shown))
