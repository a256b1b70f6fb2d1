"""A real shop database to read from and write to, with what the tests do to it by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, Table, event, insert, select, update

from mappings.connector import ParcelToWrite
from mappings.errors import PermanentError
from mappings.model import Order
from sync.sandbox.shop import LedgerOrder, create_shop, read_ledger
from sync.shops.ecshop_sql import EcshopSqlShop
from sync.shops.ecshop_tables import EcshopTables, ecshop_tables
from sync.shops.port import Shop
from tests.service.shop_people import CHECKOUT

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
STORED_NOW = int(NOW.timestamp()) - 28800
PICKED_UP = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)


any_storage = pytest.mark.parametrize("yard", ["sqlite"], indirect=True)
"""For what is decided before the database is asked: one storage tells as much as three."""


class Crash(BaseException):
    """The process died here."""


@dataclass(frozen=True)
class Yard:
    """One shop on one engine."""

    url: str
    engine: Engine
    tables: EcshopTables
    shops: dict[str, Shop] = field(default_factory=dict, repr=False)

    def shop(self, **config: Any) -> Shop:
        """The shop under these settings; the same object for the same ones, as in a worker's process."""
        key = repr(sorted(config.items()))
        if key not in self.shops:
            self.shops[key] = self.opened(config)
        return self.shops[key]

    def opened(self, config: Mapping[str, Any]) -> Shop:
        """A shop that has asked nothing yet."""
        return EcshopSqlShop("main", {"dsn": self.url, **config})

    def order(self, order_id: int = 1, *lines: Mapping[str, Any], **changes: Any) -> str:
        """A paid order of two teas unless said otherwise."""
        row = seeded_row(order_id) | changes
        self.put(self.tables.order_info, [row])
        self.put(self.tables.order_goods, [{**TEA, "order_id": order_id, **line} for line in lines or ({},)])
        return str(order_id)

    def put(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        with self.engine.begin() as connection:
            for row in rows:
                connection.execute(insert(table), dict(row))

    def change(self, table: Table, where: Mapping[str, Any], **values: Any) -> None:
        with self.engine.begin() as connection:
            condition = [table.c[name] == value for name, value in where.items()]
            connection.execute(update(table).where(*condition).values(values))

    def alter(self, order_id: str, **values: Any) -> None:
        self.change(self.tables.order_info, {"order_id": int(order_id)}, **values)

    def ledger(self, order_id: str) -> LedgerOrder:
        return read_ledger(self.engine)[order_id]

    def stock(self, goods_id: int, product_id: int = 0) -> Any:
        """Of the product where one is named, else of the goods."""
        table = self.tables.products if product_id else self.tables.goods
        column = table.c.product_number if product_id else table.c.goods_number
        key = next(iter(table.primary_key))
        with self.engine.connect() as connection:
            return connection.execute(select(column).where(key == (product_id or goods_id))).scalar_one()

    def points(self, user_id: int = 1) -> tuple[int, int]:
        """What a member has: for the grade, and to spend."""
        users = self.tables.users.c
        with self.engine.connect() as connection:
            query = select(users.rank_points, users.pay_points).where(users.user_id == user_id)
            row = connection.execute(query).one()
        return row.rank_points, row.pay_points

    def point_log(self, user_id: int = 1) -> list[tuple[int, int, str]]:
        """The rows that say where a member's points came from."""
        log = self.tables.account_log.c
        with self.engine.connect() as connection:
            query = select(log.rank_points, log.pay_points, log.change_desc).where(log.user_id == user_id)
            return [tuple(row) for row in connection.execute(query.order_by(log.log_id))]

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every row that the write-back may touch, without the numbers that a database gives out."""
        with self.engine.connect() as connection:
            rows = {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in self._written
            }
        sn_of = {row["delivery_id"]: row["delivery_sn"] for row in rows[self.tables.delivery_order.name]}
        for row in rows[self.tables.delivery_goods.name]:
            row["delivery_id"] = sn_of.get(row["delivery_id"])
        for name, key in (
            ("order_action", "action_id"),
            ("delivery_order", "delivery_id"),
            ("delivery_goods", "rec_id"),
            ("account_log", "log_id"),
        ):
            for row in rows[getattr(self.tables, name).name]:
                del row[key]
        return {name: sorted(some, key=repr) for name, some in rows.items()}

    def keep(self, *, everything: bool = False) -> dict[str, list[dict[str, Any]]]:
        """The rows that the write-back may touch, or all of the shop's, to be restored."""
        tables = self.tables.metadata.sorted_tables if everything else self._written
        with self.engine.connect() as connection:
            return {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in tables}

    def restore(self, kept: dict[str, list[dict[str, Any]]]) -> None:
        with self.engine.begin() as connection:
            for name, rows in kept.items():
                table = self.tables.metadata.tables[name]
                connection.execute(table.delete())
                if rows:
                    connection.execute(insert(table), rows)

    @property
    def _written(self) -> list[Table]:
        t = self.tables
        of_order = [t.order_info, t.order_goods, t.order_action, t.delivery_order, t.delivery_goods]
        return [*of_order, t.goods, t.products, t.users, t.account_log]


def open_yard(
    url: str, mysql_engine: str = "MyISAM", *, mysql_charset: str = "utf8", with_lastmodify: bool = False
) -> Yard:
    kind = {"mysql_engine": mysql_engine, "mysql_charset": mysql_charset}
    engine = create_shop(url, **kind, with_lastmodify=with_lastmodify)
    return Yard(url, engine, ecshop_tables(with_lastmodify=with_lastmodify))


def seeded_row(order_id: int) -> dict[str, Any]:
    """A confirmed, paid order of ten minutes ago, in ECShop's clock."""
    placed = STORED_NOW - 600
    return {
        "order_id": order_id,
        "order_sn": f"20261122{order_id:05d}",
        "order_status": 1,
        "shipping_status": 0,
        "pay_status": 2,
        **CHECKOUT,
        "pay_id": 2,
        "pay_name": "支付宝",
        "goods_amount": 256,
        "shipping_fee": 8,
        "money_paid": 264,
        "add_time": placed,
        "confirm_time": placed,
        "pay_time": placed,
    }


TEA = {
    "goods_id": 1,
    "goods_name": "示例龙井茶 100g",
    "goods_sn": "SBX-TEA-100",
    "product_id": 0,
    "goods_number": 2,
    "goods_price": 128,
    "goods_attr": "",
    "is_real": 1,
    "send_number": 0,
    "extension_code": "",
    "is_gift": 0,
}
CUP = TEA | {"goods_id": 2, "goods_sn": "SBX-CUP", "goods_name": "示例陶瓷杯", "product_id": 1, "goods_number": 1}
BLACK_CUP = CUP | {"product_id": 2}
GIFT_TEA = TEA | {"goods_number": 1, "goods_price": 0, "is_gift": 3}
CARD = TEA | {"goods_id": 9, "goods_sn": "SBX-CARD", "is_real": 0, "extension_code": "virtual_card"}
PACKAGE = TEA | {"goods_id": 5, "goods_sn": "", "goods_number": 1, "extension_code": "package_buy", "goods_price": 158}
DISCOUNT = TEA | {"goods_id": 0, "goods_sn": "", "goods_number": 1, "goods_price": -10, "is_real": 0, "is_gift": 1}


def parcel_of(order: Order, number: str = "YT0001", **changes: Any) -> ParcelToWrite:
    """The whole order as one parcel, with quantities as the core sums them."""
    parcel = ParcelToWrite(
        shop_order_id=order.shop_order_id,
        order_sn=order.order_sn,
        parcel_no=1,
        carrier_name=order.shipping_name,
        shipper_code=order.shipper_code,
        waybill_no=number,
        environment="production",
        line_quantities=order.line_quantities(),
        note_id=order.note_id,
        shipped_at=PICKED_UP,
    )
    return replace(parcel, **changes)


def the_order(shop: Shop, order_id: str) -> Order:
    found = shop.read_one(order_id, NOW)
    assert isinstance(found, Order), found
    return found


@contextmanager
def dying_at(writes: int, moment: str, *verbs: str) -> Iterator[list[str]]:
    """Die at this moment of that many-th statement with one of the verbs; gives those statements as they come."""
    met: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith(verbs):
            met.append(statement)
            if len(met) == writes:
                raise Crash

    event.listen(Engine, moment, count)
    try:
        yield met
    finally:
        event.remove(Engine, moment, count)


def dying_after(writes: int) -> AbstractContextManager[list[str]]:
    """Die right after that many INSERTs and UPDATEs were executed; gives the statements that were."""
    return dying_at(writes, "after_cursor_execute", "INSERT", "UPDATE")


def ship(shop: Shop, parcel: ParcelToWrite, *, times: int = 1) -> None:
    for _ in range(times):
        shop.claim(parcel.shop_order_id, NOW)
        shop.write_note(parcel, NOW)
        shop.mark_shipped(parcel, NOW)


def refused(yard: Yard, write: Callable[[], Any]) -> str:
    """The code of the refusal, after making sure that nothing was written."""
    before = yard.dump()
    with pytest.raises(PermanentError) as caught:
        write()
    assert yard.dump() == before
    return caught.value.code


def staff_note(yard: Yard, order_id: str, *goods: dict[str, Any], note_id: int = 70, **changes: Any) -> None:
    """What the admin's split writes: the note, its goods, the raised numbers, the state."""
    row = {
        "delivery_id": note_id,
        "delivery_sn": f"SN{note_id}",
        "order_sn": "x",
        "order_id": int(order_id),
        "status": 2,
        "update_time": STORED_NOW - 300,
        "action_user": "admin",
    }
    yard.put(yard.tables.delivery_order, [row | changes])
    for item in goods:
        noted = {"goods_id": item["goods_id"], "product_id": item["product_id"], "is_real": 1, "parent_id": 0}
        quantity = item["goods_number"]
        yard.put(yard.tables.delivery_goods, [noted | {"delivery_id": note_id, "send_number": quantity}])
        line = {"order_id": int(order_id), "goods_id": item["goods_id"], "product_id": item["product_id"]}
        yard.change(yard.tables.order_goods, line, send_number=quantity)
