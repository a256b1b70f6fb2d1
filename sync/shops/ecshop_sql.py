"""An ECShop reached by its own database: the Shop port."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import Connection, select

from mappings.connector import Config, ParcelToWrite, Spec
from mappings.model import Order, StockChange, StockLine, StockMode
from mappings.shops.ecshop import hash_if_readable, possible_standings, standing
from mappings.shops.ecshop.rows import OrderRows
from mappings.shops.ecshop.status import is_paid
from mappings.shops.ecshop.writeback import shown_numbers
from sync.shops.ecshop_check import check_shop
from sync.shops.ecshop_db import ShopDatabase, sparing
from sync.shops.ecshop_judge import judge
from sync.shops.ecshop_read import (
    UNUSUAL_STATES,
    USUAL_STATES,
    Desk,
    chunked,
    find_open_ids,
    gather,
    read_cod_pay_ids,
    read_desk,
    read_judged,
    read_lines,
    read_notes,
    read_orders,
)
from sync.shops.ecshop_settings import SPEC, read_settings
from sync.shops.ecshop_stock import EcshopStock
from sync.shops.ecshop_tables import ecshop_tables
from sync.shops.ecshop_write import Writer
from sync.shops.port import Finding, Standing, Unreadable

UNUSUAL_EVERY_S = 600.0
DESK_KEPT_S = 60.0
"""So long a look at one order may trust the names of regions and couriers that an earlier look has read."""


class EcshopSqlShop:
    """One configured shop. Construction opens nothing; it may be forked and shared between threads."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._settings = read_settings(name, config)
        self._tables = ecshop_tables(self._settings.prefix, with_lastmodify=True)
        self._database = ShopDatabase(name, self._settings.url)
        self._unusual_ids: list[int] = []
        self._unusual_at = -UNUSUAL_EVERY_S
        self._desk: Desk | None = None
        self._desk_at = -DESK_KEPT_S

    def read_open(self, now: datetime) -> Iterator[Order | Unreadable]:
        """All orders of the three open queues in pages; no connection is held while the caller works on a page."""
        for page in self._pages():
            for rows in page:
                if found := self._judge(rows, now):
                    yield found

    def read_one(self, shop_order_id: str, now: datetime) -> Order | Unreadable | None:
        """One order as `read_open` would give it, or None when it is in no open queue."""
        if not shop_order_id.isdecimal():
            return None
        rows = next(iter(self._gather(self._kept_desk(), [int(shop_order_id)])), None)
        floor = self._settings.stored_floor
        is_history = isinstance(rows, OrderRows) and floor is not None and rows.order["add_time"] < floor
        return None if rows is None or is_history else self._judge(rows, now)

    def read_standings(self, shop_order_ids: Sequence[str]) -> Mapping[str, Standing]:
        """How the shop sees each of these orders now; an id that is no number is gone."""
        standings = dict.fromkeys(shop_order_ids, Standing.GONE)
        ids = [int(order_id) for order_id in standings if order_id.isdecimal()]
        for some in chunked(ids):
            for order_id, found in sparing(some, self._standings, _left_alone):
                standings[str(order_id)] = Standing(found)
        return standings

    def read_hashes(self, shop_order_ids: Sequence[str]) -> Mapping[str, str]:
        """By the orders' rows and lines alone; what is no number or cannot be read is left out."""
        ids = [int(order_id) for order_id in shop_order_ids if order_id.isdecimal()]
        found = (pair for some in chunked(ids) for pair in sparing(some, self._hashes, lambda _: []))
        return {str(order_id): found_hash for order_id, found_hash in found if found_hash}

    def _hashes(self, order_ids: Sequence[int]) -> list[tuple[int, str | None]]:
        with self._database.reading() as connection:
            cod_pay_ids = read_cod_pay_ids(connection, self._tables)
            lines = read_lines(connection, self._tables, order_ids)
            orders = read_orders(connection, self._tables, order_ids)
        rows = (OrderRows(order, lines.get(order["order_id"], ()), cod_pay_ids=cod_pay_ids) for order in orders)
        return [(one.order["order_id"], hash_if_readable(one)) for one in rows]

    def find_id(self, order_sn: str) -> str | None:
        """None for what no order number can be: the server would refuse to compare it."""
        if not order_sn.isascii():
            return None
        order = self._tables.order_info.c
        with self._database.reading() as connection:
            found = connection.scalar(select(order.order_id).where(order.order_sn == order_sn))
        return None if found is None else str(found)

    def claim(self, shop_order_id: str, now: datetime) -> None:
        """Show the order as 配货中, which blocks merging; raises PermanentError when it is withdrawn or gone."""
        self._writer.claim(shop_order_id, now)

    def write_note(self, parcel: ParcelToWrite, now: datetime) -> str:
        """Make (or find) the delivery note that carries the waybill number; repeats change nothing."""
        return self._writer.write_note(parcel, now)

    def mark_shipped(self, parcel: ParcelToWrite, now: datetime) -> None:
        """Ship the parcel's note in the shop as its admin would, once however often it is called."""
        self._writer.mark_shipped(parcel, now)

    def paid_ids(self, now: datetime) -> Iterable[str]:
        """Ids of all orders that `read_open` gives, readable or not."""
        return [found.shop_order_id for found in self.read_open(now)]

    def read_numbers(self, shop_order_id: str) -> tuple[str, ...]:
        """In capitals, none for an order that is gone or has none."""
        ids = [int(shop_order_id)] if shop_order_id.isdecimal() else []
        with self._database.reading() as connection:
            orders = read_judged(connection, self._tables, ids)
            notes = read_notes(connection, self._tables, ids, with_goods=False)
        return shown_numbers(OrderRows(orders[0], (), notes.get(ids[0], ()))) if orders else ()

    def mark_received(self, shop_order_id: str, now: datetime) -> None:
        """Show a shipped order as 收货确认, once; raises PermanentError when it is gone."""
        self._writer.mark_received(shop_order_id, now)

    def add_remark(self, shop_order_id: str, text: str, now: datetime) -> None:
        """Write a line into the order's log, once; raises PermanentError when the order is gone."""
        self._writer.add_remark(shop_order_id, text, now)

    def stock_mode(self) -> StockMode:
        """By `use_storage` and `stock_dec_time`; raises PermanentError where another program is said to keep stock."""
        return self._stock.mode()

    def read_stock(self) -> Iterator[StockLine]:
        return self._stock.read()

    def write_stock(self, changes: Sequence[StockChange], now: datetime) -> tuple[StockChange, ...]:
        """Products and the sums of their goods, each figure only if it is what it was; ECShop stamps no time here."""
        return self._stock.write(changes)

    def check(self, now: datetime) -> list[Finding]:
        return check_shop(self._database, self._tables, self._settings, now)

    @property
    def _stock(self) -> EcshopStock:
        return EcshopStock(self._database, self._tables, self._settings)

    @property
    def _writer(self) -> Writer:
        return Writer(self._database, self._tables, self._settings)

    def _standings(self, order_ids: Sequence[int]) -> list[tuple[int, str]]:
        with self._database.reading() as connection:
            return list(self._read_standings(connection, order_ids))

    def _read_standings(self, connection: Connection, order_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Lines and notes are read only of orders whose own row leaves the answer open."""
        rules = self._settings.rules
        orders = read_judged(connection, self._tables, order_ids)
        is_any_unpaid = any(not is_paid(order, accept_paying=rules.accept_paying) for order in orders)
        cod_pay_ids = read_cod_pay_ids(connection, self._tables) if is_any_unpaid else frozenset[int]()
        unclear = []
        for order in orders:
            found, *others = possible_standings(order, cod_pay_ids, rules)
            if others:
                unclear.append(order)
            else:
                yield order["order_id"], found
        ids = [order["order_id"] for order in unclear]
        lines = read_lines(connection, self._tables, ids)
        notes = read_notes(connection, self._tables, ids, with_goods=False)
        for order_id, order in zip(ids, unclear, strict=True):
            rows = OrderRows(order, lines.get(order_id, ()), notes.get(order_id, ()), cod_pay_ids=cod_pay_ids)
            yield order_id, standing(rows, rules)

    def _pages(self) -> Iterator[list[OrderRows | Unreadable]]:
        size = self._settings.page_size
        with self._database.reading() as connection:
            desk = self._read_desk(connection)
            ids = sorted({*self._find(connection, desk, USUAL_STATES), *self._find_unusual(connection, desk)})
        for start in range(0, len(ids), size):
            yield self._gather(desk, ids[start : start + size])

    def _kept_desk(self) -> Desk:
        if self._desk is not None and time.monotonic() - self._desk_at < DESK_KEPT_S:
            return self._desk
        with self._database.reading() as connection:
            return self._read_desk(connection)

    def _read_desk(self, connection: Connection) -> Desk:
        self._desk, self._desk_at = read_desk(connection, self._tables), time.monotonic()
        return self._desk

    def _gather(self, desk: Desk, order_ids: Sequence[int]) -> list[OrderRows | Unreadable]:
        def read(some: Sequence[int]) -> list[OrderRows | Unreadable]:
            with self._database.reading() as connection:
                orders = read_orders(connection, self._tables, some)
                return list(gather(connection, self._tables, desk, orders)) if orders else []

        return sparing(order_ids, read, self._undecodable)

    def _undecodable(self, order_id: int) -> list[OrderRows | Unreadable]:
        order = self._tables.order_info.c
        with self._database.reading() as connection:
            order_sn = connection.scalar(select(order.order_sn).where(order.order_id == order_id))
        reason = "The order's rows, or its goods', hold bytes that are no text; correct them in the shop's database."
        same = hashlib.sha256(f"undecodable {order_id}".encode()).hexdigest()
        return [Unreadable(str(order_id), str(order_sn), "ecshop.order.row_unreadable", reason, same)]

    def _judge(self, rows: OrderRows | Unreadable, now: datetime) -> Order | Unreadable | None:
        return rows if isinstance(rows, Unreadable) else judge(rows, self._settings.rules, now)

    def _find(self, connection: Connection, desk: Desk, states: Sequence[tuple[int, int]]) -> list[int]:
        accept_paying, floor = self._settings.rules.accept_paying, self._settings.stored_floor
        return find_open_ids(connection, self._tables, desk, states, accept_paying=accept_paying, stored_floor=floor)

    def _find_unusual(self, connection: Connection, desk: Desk) -> list[int]:
        """Looked for at the first sweep and then every ten minutes, because a long history makes it slow; those known
        are looked at in every sweep."""
        if time.monotonic() - self._unusual_at >= UNUSUAL_EVERY_S:
            self._unusual_ids = self._find(connection, desk, UNUSUAL_STATES)
            self._unusual_at = time.monotonic()
        return self._unusual_ids


def _left_alone(order_id: int) -> list[tuple[int, str]]:
    """An order whose row cannot be read is neither shipped nor withdrawn by that."""
    return [(order_id, Standing.OWED)]
