"""Buyers and staff of an ECShop: what the shop's own pages write, statement by statement as recorded from a real one.

Nothing here uses the product's writers; only the table definitions are shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update

from sync.shops.ecshop_tables import EcshopTables, ecshop_tables

OFFSET_S = 28800
ALIPAY, COD = 2, 3
TEA_ID = 1
TEA: dict[str, Any] = {
    "goods_id": TEA_ID,
    "goods_name": "示例龙井茶 100g",
    "goods_sn": "SBX-TEA-100",
    "goods_price": Decimal(128),
}
CUP: dict[str, Any] = {
    "goods_id": 2,
    "goods_name": "示例陶瓷杯",
    "goods_sn": "SBX-CUP",
    "goods_price": Decimal(39),
    "product_id": 1,
}
CHECKOUT: dict[str, Any] = {
    "consignee": "测试甲",
    "country": 1,
    "province": 2,
    "city": 3,
    "district": 4,
    "address": "示例路 1 号",
    "mobile": "10000000001",
    "shipping_id": 2,
    "shipping_name": "圆通速递",
}
"""What a buyer fills in: whom to send it to, and how."""
_LINE = {"product_id": 0, "goods_attr": "", "is_real": 1, "send_number": 0, "extension_code": "", "is_gift": 0}


@dataclass
class People:
    """Everybody who works on one shop but ecsync. `now` is the moment at which they act."""

    engine: Engine
    now: datetime
    tables: EcshopTables = field(default_factory=ecshop_tables)

    @property
    def stored_now(self) -> int:
        return int(self.now.timestamp()) - OFFSET_S

    # Buyers

    def place(self, order_id: int, *lines: Mapping[str, Any], cod: bool = False, **changes: Any) -> str:
        """Checkout: the order's row first, its goods afterwards; unpaid and unconfirmed. Returns the number."""
        order_sn = f"{self.now:%Y%m%d}{order_id:05d}"
        goods = [{**_LINE, "goods_number": 1, **line} for line in lines or ({**TEA, "goods_number": 2},)]
        amount = sum(line["goods_price"] * line["goods_number"] for line in goods)
        row = {
            "order_id": order_id,
            "order_sn": order_sn,
            "user_id": 1,
            **CHECKOUT,
            "pay_id": self._cod() if cod else ALIPAY,
            "pay_name": "货到付款" if cod else "支付宝",
            "goods_amount": amount,
            "shipping_fee": Decimal(8),
            "order_amount": amount + 8,
            "add_time": self.stored_now,
            **changes,
        }
        with self.engine.begin() as connection:
            connection.execute(insert(self.tables.order_info), row)
            for line in goods:
                connection.execute(insert(self.tables.order_goods), {**line, "order_id": order_id})
        return order_sn

    def pay(self, order_id: int) -> None:
        """The gateway's notice: paid means confirmed."""
        with self.engine.begin() as connection:
            due = self._row(connection, order_id)["order_amount"]
            self._set(
                connection,
                order_id,
                order_status=1,
                pay_status=2,
                pay_time=self.stored_now,
                confirm_time=self.stored_now,
                money_paid=due,
                order_amount=Decimal(0),
            )
            self._log(connection, order_id, user="买家", place=0, note="")

    # Staff

    def confirm(self, order_id: int) -> None:
        with self.engine.begin() as connection:
            self._set(connection, order_id, order_status=1, confirm_time=self.stored_now)
            self._log(connection, order_id)

    def edit_address(self, order_id: int, address: str) -> None:
        """Address edits leave no log row."""
        with self.engine.begin() as connection:
            self._set(connection, order_id, address=address)

    def add_line(self, order_id: int, line: Mapping[str, Any]) -> None:
        """More goods into a paid order whose difference was settled outside the shop."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(self.tables.order_goods), {**_LINE, "goods_number": 1, **line, "order_id": order_id}
            )
            row = self._row(connection, order_id)
            price = line["goods_price"] * line.get("goods_number", 1)
            status = 6 if row["order_status"] == 5 else row["order_status"]
            self._set(
                connection,
                order_id,
                goods_amount=row["goods_amount"] + price,
                money_paid=row["money_paid"] + price,
                order_status=status,
            )

    def split(self, order_id: int, *goods_ids: int) -> int:
        """分单: a delivery note of these goods (all that is left when none are named), not shipped. Returns its id."""
        order_goods = self.tables.order_goods
        with self.engine.begin() as connection:
            order = self._row(connection, order_id)
            copied = {name: order[name] for name in ("order_sn", "order_id", "add_time", "consignee", "address")}
            made = connection.execute(
                insert(self.tables.delivery_order),
                {
                    **copied,
                    "delivery_sn": f"{self.now:%Y%m%d%H%M}{order_id:05d}",
                    "update_time": self.stored_now,
                    "action_user": "admin",
                    "status": 2,
                    "shipping_id": order["shipping_id"],
                    "shipping_name": order["shipping_name"],
                },
            ).inserted_primary_key
            note_id = int(made[0]) if made else 0
            for line in self._lines(connection, order_id):
                if line["is_real"] and line["send_number"] < line["goods_number"]:
                    if goods_ids and line["goods_id"] not in goods_ids:
                        continue
                    connection.execute(insert(self.tables.delivery_goods), self._noted(line, note_id))
                    connection.execute(
                        update(order_goods)
                        .where(order_goods.c.rec_id == line["rec_id"])
                        .values(send_number=line["goods_number"])
                    )
            left = any(
                line["is_real"] and line["send_number"] < line["goods_number"]
                for line in self._lines(connection, order_id)
            )
            self._set(connection, order_id, order_status=6 if left else 5, shipping_status=5)
            self._log(connection, order_id)
        return note_id

    def ship_note(self, order_id: int, note_id: int, number: str) -> None:
        """去发货 with a number typed in."""
        note = self.tables.delivery_order
        with self.engine.begin() as connection:
            connection.execute(update(note).where(note.c.delivery_id == note_id).values(invoice_no=number, status=0))
            open_notes = connection.scalar(select(func.count()).where(note.c.order_id == order_id, note.c.status == 2))
            order = self._row(connection, order_id)
            is_all = order["order_status"] == 5 and not open_notes
            numbers = "<br>".join(part for part in (order["invoice_no"], number) if part)
            self._set(
                connection,
                order_id,
                shipping_status=1 if is_all else 4,
                shipping_time=self.stored_now,
                invoice_no=numbers,
            )
            self._log(connection, order_id, place=1, order_status=1)

    def cancel(self, order_id: int) -> None:
        """Cancel after payment: every trace of the payment goes to zero with it."""
        with self.engine.begin() as connection:
            self._set(
                connection, order_id, order_status=2, pay_status=0, pay_time=0, money_paid=Decimal(0), to_buyer="缺货"
            )
            self._log(connection, order_id)

    def unpay(self, order_id: int) -> None:
        with self.engine.begin() as connection:
            self._set(connection, order_id, pay_status=0, pay_time=0, money_paid=Decimal(0))
            self._log(connection, order_id)

    def remove(self, order_id: int) -> None:
        """What a merge does to the old rows, too: they are deleted."""
        with self.engine.begin() as connection:
            for name in ("order_goods", "order_action", "order_info"):
                table = getattr(self.tables, name)
                connection.execute(table.delete().where(table.c.order_id == order_id))

    def return_order(self, order_id: int) -> None:
        """退货 of a shipped order."""
        lines, note = self.tables.order_goods, self.tables.delivery_order
        with self.engine.begin() as connection:
            self._set(connection, order_id, order_status=4, pay_status=0, shipping_status=0, invoice_no="")
            connection.execute(update(lines).where(lines.c.order_id == order_id).values(send_number=0))
            connection.execute(
                update(note).where(note.c.order_id == order_id, note.c.status.in_((0, 2))).values(status=1)
            )
            self._log(connection, order_id)

    # Looking

    def row(self, order_id: int) -> Mapping[str, Any]:
        with self.engine.connect() as connection:
            return self._row(connection, order_id)

    def notes(self, order_id: int) -> list[Mapping[str, Any]]:
        note = self.tables.delivery_order
        with self.engine.connect() as connection:
            query = select(note).where(note.c.order_id == order_id).order_by(note.c.delivery_id)
            return [dict(row) for row in connection.execute(query).mappings()]

    def log(self, order_id: int) -> list[str]:
        """The notes of the order's log, oldest first."""
        action = self.tables.order_action
        query = select(action.c.action_note).where(action.c.order_id == order_id).order_by(action.c.action_id)
        with self.engine.connect() as connection:
            return list(connection.scalars(query))

    def _cod(self) -> int:
        payment = self.tables.payment.c
        with self.engine.connect() as connection:
            return int(connection.execute(select(payment.pay_id).where(payment.is_cod == 1)).scalars().first() or 0)

    def _row(self, connection: Connection, order_id: int) -> Mapping[str, Any]:
        table = self.tables.order_info
        return dict(connection.execute(select(table).where(table.c.order_id == order_id)).mappings().one())

    def _lines(self, connection: Connection, order_id: int) -> list[Mapping[str, Any]]:
        table = self.tables.order_goods
        query = select(table).where(table.c.order_id == order_id).order_by(table.c.rec_id)
        return [dict(row) for row in connection.execute(query).mappings()]

    def _set(self, connection: Connection, order_id: int, **values: Any) -> None:
        table = self.tables.order_info
        connection.execute(update(table).where(table.c.order_id == order_id).values(values))

    @staticmethod
    def _noted(line: Mapping[str, Any], note_id: int) -> dict[str, Any]:
        copied = {name: line[name] for name in ("goods_id", "product_id", "goods_name", "goods_sn", "goods_attr")}
        owed = line["goods_number"] - line["send_number"]
        return {**copied, "delivery_id": note_id, "is_real": 1, "parent_id": 0, "send_number": owed}

    def _log(
        self,
        connection: Connection,
        order_id: int,
        *,
        user: str = "admin",
        place: int = 0,
        note: str = "",
        order_status: int | None = None,
    ) -> None:
        order = self._row(connection, order_id)
        states = {name: order[name] for name in ("order_status", "shipping_status", "pay_status")}
        if order_status is not None:
            states["order_status"] = order_status
        row = {"order_id": order_id, "action_user": user, "action_place": place, "action_note": note, **states}
        connection.execute(insert(self.tables.order_action), {**row, "log_time": self.stored_now})
