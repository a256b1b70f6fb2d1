"""The single statements of the write-back. Each is conditional or harmless to repeat; none deletes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Insert,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError

from mappings.shops.ecshop.rows import Note, OrderRows, Row
from mappings.shops.ecshop.status import (
    COD_NAMES,
    OPEN_ORDER,
    OPEN_SHIPPING,
    NoteStatus,
    OrderStatus,
    PayStatus,
    ShippingStatus,
    is_paid,
)
from mappings.shops.ecshop.text import narrowings
from mappings.shops.ecshop.times import to_stored
from mappings.shops.ecshop.writeback import NoteItem, Raise, moved, refuse, stock_taken
from sync.shops.ecshop_db import is_unwritable_text
from sync.shops.ecshop_read import (
    names,
    read_catalogue,
    read_cod_pay_ids,
    read_judged,
    read_lines,
    read_notes,
    select_cod_pay_ids,
)
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_tables import EcshopTables

_SHOPS = 64
_NARROWINGS = 3

_COPIED = names("""
    order_sn order_id add_time shipping_id shipping_name user_id consignee country province city district
    sign_building email zipcode tel mobile best_time postscript how_oos insure_fee shipping_fee agency_id
""")
"""What a delivery note repeats of its order; the address is longer in the order."""


@dataclass(frozen=True, slots=True)
class OrderWriter:
    """Writes on one order over one connection."""

    connection: Connection
    tables: EcshopTables
    settings: ShopSettings
    order_id: int
    now: datetime
    locked: Row | None
    """The order's row as it was when the writing began; None when it is gone."""

    @property
    def stored_now(self) -> int:
        return to_stored(self.now, self.settings.rules.utc_offset_s)

    @classmethod
    def begin(
        cls, connection: Connection, tables: EcshopTables, settings: ShopSettings, order_id: int, now: datetime
    ) -> OrderWriter:
        """Lock the order's row where the engine has row locks: before any plain read, which would fix a snapshot."""
        locked = read_judged(connection, tables, [order_id], for_update=True)
        return cls(connection, tables, settings, order_id, now, next(iter(locked), None))

    def read_order(self) -> Row | None:
        """The order's row as it is now; None when it is gone."""
        return next(iter(read_judged(self.connection, self.tables, [self.order_id])), None)

    def with_lines(self, rows: OrderRows) -> OrderRows:
        """With the order's lines, and with all that its standing is judged by but the notes."""
        lines = read_lines(self.connection, self.tables, [self.order_id]).get(self.order_id, ())
        return replace(rows, lines=lines, cod_pay_ids=self.cod_pay_ids(rows.order))

    def with_notes(self, rows: OrderRows, *, with_goods: bool = True) -> OrderRows:
        notes = read_notes(self.connection, self.tables, [self.order_id], with_goods=with_goods)
        return replace(rows, notes=notes.get(self.order_id, ()))

    def with_catalogue(self, rows: OrderRows) -> OrderRows:
        """With the packages' contents, the product numbers and the brands: what a new note is made of."""
        goods, products, packages = read_catalogue(self.connection, self.tables, rows.lines, with_brands=True)
        return replace(rows, goods=goods, products=products, packages=packages)

    def cod_pay_ids(self, order: Row) -> frozenset[int]:
        """Asked for only where it matters: an order that is paid is payable whichever way it is paid."""
        if is_paid(order, accept_paying=self.settings.rules.accept_paying):
            return frozenset()
        return read_cod_pay_ids(self.connection, self.tables)

    def has_action(self, number: str, *, place: int) -> bool:
        """Whether the log already says this of this number: the last statement of a write, so its completion."""
        return any(note.split()[-1:] == [number] for note in self.action_notes(place=place))

    def action_notes(self, *, place: int) -> list[str]:
        bound = {"of_order": self.order_id, "of_place": place}
        return list(self.connection.scalars(_select_action_notes(self.tables), bound))

    def last_action(self) -> tuple[int, int] | None:
        row = self.connection.execute(_select_last_action(self.tables), {"of_order": self.order_id}).first()
        return (row.order_status, row.shipping_status) if row else None

    def add_action(self, order: int, shipping: int, pay: int, *, place: int, note: str) -> None:
        values = {
            "order_id": self.order_id,
            "action_user": self.settings.action_user,
            "order_status": order,
            "shipping_status": shipping,
            "pay_status": pay,
            "action_place": place,
            "action_note": note,
            "log_time": self.stored_now,
        }
        self._insert(self.tables.order_action, values)

    def set_preparing(self) -> bool:
        """Unshipped to preparing, if the order is still confirmed and payable; False when it is not."""
        order = self.tables.order_info.c
        paid = [PayStatus.PAYED, PayStatus.PAYING] if self.settings.rules.accept_paying else [PayStatus.PAYED]
        cod_pay_ids = select_cod_pay_ids(self.tables)
        return self._update_order(
            and_(
                order.shipping_status == ShippingStatus.UNSHIPPED,
                order.order_status == OrderStatus.CONFIRMED,
                or_(order.pay_status.in_(paid), order.pay_id.in_(cod_pay_ids), order.pay_name.in_(COD_NAMES)),
            ),
            {"shipping_status": ShippingStatus.PREPARING},
        )

    def insert_note(self, delivery_sn: str, number: str) -> None:
        """The delivery note with its number, copied from the order inside the database, once."""
        order, note = self.tables.order_info, self.tables.delivery_order
        fresh: dict[str, ColumnElement[Any]] = {
            "delivery_sn": literal(delivery_sn),
            "invoice_no": literal(number),
            "action_user": literal(self.settings.action_user),
            "address": func.substr(order.c.address, 1, 250),
            "update_time": literal(self.stored_now),
            "suppliers_id": literal(0),
            "status": literal(int(NoteStatus.OPEN)),
        }
        source = select(*(order.c[name] for name in _COPIED), *fresh.values()).where(
            self._is_open(),
            ~exists().where(note.c.order_id == self.order_id, note.c.delivery_sn == delivery_sn),
        )
        self.connection.execute(insert(note).from_select([*_COPIED, *fresh], source, include_defaults=False))

    def insert_item(self, note_id: int, item: NoteItem) -> None:
        values = {
            "delivery_id": note_id,
            "goods_id": item.goods_id,
            "product_id": item.product_id,
            "product_sn": item.product_sn,
            "goods_name": item.goods_name,
            "brand_name": item.brand_name,
            "goods_sn": item.goods_sn,
            "is_real": 1,
            "extension_code": item.extension_code,
            "parent_id": item.parent_id,
            "send_number": item.send_number,
            "goods_attr": item.goods_attr,
        }
        self._insert(self.tables.delivery_goods, values)

    def raise_sent(self, change: Raise) -> None:
        """Raise a send_number from the value it was judged by; raises TransientError when it moved."""
        done = self.connection.execute(
            _raise_sent(self.tables),
            {"of_line": change.rec_id, "of_order": self.order_id, "before": change.before, "after": change.after},
        )
        if done.rowcount != 1:
            raise moved(self.order_id)

    def set_state(self, order_status: int, shipping_status: int) -> None:
        """The state after a note was made; raises TransientError when the order changed meanwhile."""
        state = {"order_status": order_status, "shipping_status": shipping_status}
        if not self._update_order(self._is_open(), state):
            raise moved(self.order_id)

    def set_shipped(self, state: tuple[int, int], shipped_at: int, *, old_numbers: str, numbers: str) -> None:
        """The state, time and numbers after a note shipped, if invoice_no still is what it was judged by."""
        values = {"order_status": state[0], "shipping_status": state[1]}
        values |= {"shipping_time": shipped_at}
        same = self.tables.order_info.c.invoice_no == old_numbers
        if not self._update_order(and_(self._is_open(), same), values | {"invoice_no": numbers}):
            raise moved(self.order_id)

    def set_received(self) -> bool:
        """Shipped to received; False when the order changed meanwhile. What a courier collected is not booked."""
        order = self.tables.order_info.c
        is_shipped = and_(order.shipping_status == ShippingStatus.SHIPPED, order.order_status.in_(OPEN_ORDER))
        return self._update_order(is_shipped, {"shipping_status": ShippingStatus.RECEIVED})

    def put_number(self, note_id: int, number: str) -> None:
        """Give a staff-made note its number, if it has none and is unshipped."""
        note = self.tables.delivery_order.c
        done = self.connection.execute(
            update(self.tables.delivery_order)
            .where(note.delivery_id == note_id, note.order_id == self.order_id, note.status == NoteStatus.OPEN)
            .where(or_(note.invoice_no.is_(None), note.invoice_no == ""))
            .values(invoice_no=number)
        )
        if done.rowcount != 1:
            raise refuse("note_taken", f"delivery note {note_id} was shipped or numbered by somebody else")

    def ship_note(self, note: Note, *, takes_stock: bool) -> None:
        """Open to shipped, and the stock with it in the same statement: MyISAM has nothing else that is atomic."""
        goods, products = stock_taken(note) if takes_stock else ({}, {})
        changes = []
        if goods:
            changes.append(_Lessening(self.tables.goods.c.goods_id, self.tables.goods.c.goods_number, goods))
        if products:
            table = self.tables.products.c
            changes.append(_Lessening(table.product_id, table.product_number, products))
        existing = [one for one in changes if self._finds(one)]
        note_table = self.tables.delivery_order
        is_due = (note_table.c.delivery_id == note.id, note_table.c.status == NoteStatus.OPEN)
        if self.connection.dialect.name == "mysql":
            values: dict[Column[Any], Any] = {note_table.c.status: int(NoteStatus.SHIPPED)}
            values |= {one.column: one.value for one in existing}
            self.connection.execute(update(note_table).where(*is_due, *(one.where for one in existing)).values(values))
            return
        for one in existing:  # one transaction where there is one
            self.connection.execute(update(one.column.table).where(one.where).values({one.column: one.value}))
        self.connection.execute(update(note_table).where(*is_due).values(status=int(NoteStatus.SHIPPED)))

    def takes_stock(self) -> bool:
        """Whether ECShop's admin would subtract stock at shipping, and it is ours to do so."""
        values = {row.code: row.value for row in self.connection.execute(_select_stock_rule(self.tables))}
        return self.settings.keep_stock and values.get("use_storage") == "1" and values.get("stock_dec_time") == "0"

    def _insert(self, table: Table, values: Mapping[str, Any]) -> None:
        """What the table's character set lacks becomes a question mark; without that the whole row were refused."""
        texts = {name: narrowings(value) for name, value in values.items() if isinstance(value, str)}
        for step in range(_NARROWINGS):
            row = {**values, **{name: some[min(step, len(some) - 1)] for name, some in texts.items()}}
            try:
                self.connection.execute(_insert_into(table), row)
            except DBAPIError as error:
                if step == _NARROWINGS - 1 or not is_unwritable_text(error):
                    raise
            else:
                return

    def _finds(self, change: _Lessening) -> bool:
        """A deleted goods row must not keep the note from being shipped: the statement joins what it changes."""
        return self.connection.scalar(select(change.key).where(change.where).limit(1)) is not None

    def _is_open(self) -> ColumnElement[bool]:
        order = self.tables.order_info.c
        return and_(
            order.order_id == self.order_id,
            order.order_status.in_(OPEN_ORDER),
            order.shipping_status.in_(OPEN_SHIPPING),
        )

    def _update_order(self, condition: ColumnElement[bool], values: Mapping[str, Any]) -> bool:
        order = self.tables.order_info
        stamped = {**values, "lastmodify": self.stored_now} if self._has_lastmodify() else values
        matched = self.connection.execute(
            update(order).where(order.c.order_id == self.order_id, condition).values(stamped)
        )
        return matched.rowcount == 1

    def _has_lastmodify(self) -> bool:
        """Asked once a connection, which lives for a minute: a shop's upgrade may add the column."""
        name = self.tables.order_info.name
        known: dict[str, bool] = self.connection.info.setdefault("has_lastmodify", {})
        if name not in known:
            every_column: Select[Any] = select(literal_column("*")).select_from(self.tables.order_info).where(false())
            known[name] = "lastmodify" in set(self.connection.execute(every_column).keys())
        return known[name]


@lru_cache(maxsize=_SHOPS)
def _select_action_notes(tables: EcshopTables) -> Select[Any]:
    action = tables.order_action.c
    return select(action.action_note).where(
        action.order_id == bindparam("of_order"), action.action_place == bindparam("of_place")
    )


@lru_cache(maxsize=_SHOPS)
def _select_last_action(tables: EcshopTables) -> Select[Any]:
    action = tables.order_action.c
    query = select(action.order_status, action.shipping_status).where(action.order_id == bindparam("of_order"))
    return query.order_by(action.action_id.desc()).limit(1)


@lru_cache(maxsize=_SHOPS)
def _select_stock_rule(tables: EcshopTables) -> Select[Any]:
    config = tables.shop_config.c
    return select(config.code, config.value).where(config.code.in_(("use_storage", "stock_dec_time")))


@lru_cache(maxsize=2 * _SHOPS)
def _insert_into(table: Table) -> Insert:
    """For one row given at execution. Nothing asks for the row's new id, which would cost a RETURNING."""
    return insert(table).inline()


@lru_cache(maxsize=_SHOPS)
def _raise_sent(tables: EcshopTables) -> Update:
    line = tables.order_goods.c
    return (
        update(tables.order_goods)
        .where(line.rec_id == bindparam("of_line"), line.order_id == bindparam("of_order"))
        .where(line.send_number == bindparam("before"), line.goods_number >= bindparam("after"))
        .values(send_number=bindparam("after"))
    )


@dataclass(frozen=True, slots=True)
class _Lessening:
    """A stock column less what was taken, never below zero: MySQL refuses a negative unsigned result."""

    key: Column[int]
    column: Column[int]
    taken: Mapping[int, int]

    @property
    def where(self) -> ColumnElement[bool]:
        return self.key.in_(self.taken)

    @property
    def value(self) -> ColumnElement[int]:
        taken = case(dict(self.taken), value=self.key)
        return case((self.column > taken, self.column - taken), else_=0)
