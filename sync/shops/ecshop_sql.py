"""An ECShop reached by its own database: the Shop port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, Connection, select

from mappings.connector import Config, ParcelToWrite, Spec
from mappings.model import Order
from mappings.shops.ecshop import Unfit, possible_standings, read_order, standing
from mappings.shops.ecshop.rows import OrderRows
from mappings.shops.ecshop.status import is_paid
from sync.shops.ecshop_check import check_shop
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_read import (
    chunked,
    gather,
    next_page,
    open_condition,
    read_cod_pay_ids,
    read_desk,
    read_judged,
    read_lines,
    read_notes,
)
from sync.shops.ecshop_settings import SPEC, read_settings
from sync.shops.ecshop_tables import ecshop_tables
from sync.shops.ecshop_write import Writer
from sync.shops.port import Finding, Standing, Unreadable


class EcshopSqlShop:
    """One configured shop. Construction opens nothing; it may be forked and shared between threads."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self._settings = read_settings(name, config)
        self._tables = ecshop_tables(self._settings.prefix, with_lastmodify=True)
        self._database = ShopDatabase(name, self._settings.url)

    def read_open(self, now: datetime) -> Iterator[Order | Unreadable]:
        """All orders of the three open queues in pages; no connection is held while the caller works on a page."""
        for page in self._pages():
            for rows in page:
                if found := self._judge(rows, now):
                    yield found

    def read_one(self, shop_order_id: str, now: datetime) -> Order | Unreadable | None:
        """One order as `read_open` would give it, or None when it is in no open queue."""
        rows = self._one(shop_order_id)
        floor = self._settings.stored_floor
        if rows is None or (floor is not None and rows.order["add_time"] < floor):
            return None
        return self._judge(rows, now)

    def read_standings(self, shop_order_ids: Sequence[str]) -> Mapping[str, Standing]:
        """How the shop sees each of these orders now; an id that is no number is gone."""
        standings = dict.fromkeys(shop_order_ids, Standing.GONE)
        ids = [int(order_id) for order_id in standings if order_id.isdecimal()]
        with self._database.reading() as connection:
            for some in chunked(ids):
                for order_id, found in self._standings(connection, some):
                    standings[str(order_id)] = Standing(found)
        return standings

    def find_id(self, order_sn: str) -> str | None:
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

    def check(self, now: datetime) -> list[Finding]:
        return check_shop(self._database, self._tables, self._settings, now)

    @property
    def _writer(self) -> Writer:
        return Writer(self._database, self._tables, self._settings)

    def _judge(self, rows: OrderRows, now: datetime) -> Order | Unreadable | None:
        found = read_order(rows, self._settings.rules, now)
        if not isinstance(found, Unfit):
            return found
        order = rows.order
        return Unreadable(str(order["order_id"]), order["order_sn"], found.code, found.reason, found.content_hash)

    def _standings(self, connection: Connection, order_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
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

    def _pages(self) -> Iterator[list[OrderRows]]:
        size, last = self._settings.page_size, 0
        while True:
            with self._database.reading() as connection:
                desk = read_desk(connection, self._tables)
                condition = open_condition(
                    self._tables,
                    desk,
                    accept_paying=self._settings.rules.accept_paying,
                    stored_floor=self._settings.stored_floor,
                )
                orders = next_page(connection, self._tables, condition, last, size)
                page = list(gather(connection, self._tables, desk, orders)) if orders else []
            yield page
            if len(orders) < size:
                return
            last = orders[-1]["order_id"]

    def _one(self, shop_order_id: str) -> OrderRows | None:
        if not shop_order_id.isdecimal():
            return None
        condition: ColumnElement[bool] = self._tables.order_info.c.order_id == int(shop_order_id)
        with self._database.reading() as connection:
            desk = read_desk(connection, self._tables)
            orders = next_page(connection, self._tables, condition, 0, 1)
            return next(iter(gather(connection, self._tables, desk, orders)), None)
