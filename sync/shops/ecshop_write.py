"""Write a parcel back into ECShop, step by step; every step sees what is done and goes on from there.

A write may break off between any two statements, on tables without transactions, and is then simply repeated. The
delivery note carries its number from its first statement, so it is found again; what follows is derived from the
notes; the row in order_action comes last and says that all is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from mappings.connector import ParcelToWrite
from mappings.shops.ecshop.orders import possible_standings, standing
from mappings.shops.ecshop.rows import Note, OrderRows, Row
from mappings.shops.ecshop.status import OrderStatus, ShippingStatus
from mappings.shops.ecshop.times import to_stored
from mappings.shops.ecshop.writeback import (
    identity_of,
    join_number,
    matching_note,
    moved,
    note_sn,
    note_with,
    plan_parcel,
    refuse,
    state_after_note,
    state_after_shipping,
    waybill_number,
)
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_settings import PRODUCTION, ShopSettings
from sync.shops.ecshop_statements import NOTE_LENGTH, OrderWriter
from sync.shops.ecshop_tables import EcshopTables

IN_ORDER, IN_DELIVERY = 0, 1
"""order_action.action_place: written on the order's page or on the delivery note's."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The three writes of a shop; each is idempotent."""

    database: ShopDatabase
    tables: EcshopTables
    settings: ShopSettings

    def claim(self, shop_order_id: str, now: datetime) -> None:
        with self._order(shop_order_id, now) as writer:
            order = self._owed_order(writer, writer.locked)
            claimed = (OrderStatus.CONFIRMED, ShippingStatus.PREPARING)
            state = (order["order_status"], order["shipping_status"])
            if order["shipping_status"] == ShippingStatus.UNSHIPPED:
                if writer.set_preparing():
                    state = claimed
                else:
                    order = self._owed_order(writer, writer.read_order())
                    state = (order["order_status"], order["shipping_status"])
            if state == claimed and writer.last_action() != claimed:
                writer.add_action(*claimed, order["pay_status"], place=IN_ORDER, note=self.settings.action_user)

    def write_note(self, parcel: ParcelToWrite, now: datetime) -> str:
        number = self._admit(parcel)
        with self._order(parcel.shop_order_id, now) as writer:
            rows = writer.with_notes(OrderRows(self._owed_order(writer, writer.locked), ()))
            note = self._made_note(writer, rows, number)
            return str(note.id if note else self._make(writer, rows, parcel, number))

    def mark_shipped(self, parcel: ParcelToWrite, now: datetime) -> None:
        number = self._admit(parcel)
        with self._order(parcel.shop_order_id, now) as writer:
            if writer.has_action(number, place=IN_DELIVERY):
                return
            rows = writer.with_notes(OrderRows(self._owed_order(writer, writer.locked), ()))
            join_number(rows.order["invoice_no"], number)  # no room: refuse before anything is written
            note = self._made_note(writer, rows, number)
            if note is None:
                self._make(writer, rows, parcel, number)
                note = note_with(writer.with_notes(rows), number)
            if note is None:
                raise moved(writer.order_id)
            if note.is_open:
                writer.ship_note(note, takes_stock=writer.takes_stock())
            rows = self._owed(writer, writer.read_order())
            state = state_after_shipping(rows)
            # shown as shipped: by staff, or by us before a crash that only left out the log row
            if rows.order["shipping_status"] not in (ShippingStatus.SHIPPED, ShippingStatus.RECEIVED):
                old = rows.order["invoice_no"]
                shipped_at = to_stored(parcel.shipped_at or now, self.settings.rules.utc_offset_s)
                writer.set_shipped(state, shipped_at, old_numbers=old, numbers=join_number(old, number))
            # ECShop logs the constant "confirmed" here, whatever the order's own status is
            pay = rows.order["pay_status"]
            writer.add_action(OrderStatus.CONFIRMED, state[1], pay, place=IN_DELIVERY, note=_log_note(parcel, number))

    def _made_note(self, writer: OrderWriter, rows: OrderRows, number: str) -> Note | None:
        """The delivery note with the number, if nothing is left to do to make it."""
        note = note_with(rows, number)
        if note is None or not note.is_open or note.row["delivery_sn"] != self._own_sn(rows, number):
            return note
        return note if writer.has_action(number, place=IN_ORDER) else None

    def _make(self, writer: OrderWriter, rows: OrderRows, parcel: ParcelToWrite, number: str) -> int:
        """The id of the delivery note with the number: taken from staff, or made to its end."""
        rows = writer.with_catalogue(writer.with_lines(rows))
        if note_with(rows, number) is None:
            self._refuse_shipped(rows)
            if staff_note := self._staff_note(rows, parcel):
                writer.put_number(staff_note.id, number)
                return staff_note.id
        return self._make_note(writer, rows, parcel, number)

    def _own_sn(self, rows: OrderRows, number: str) -> str:
        return note_sn(rows.order, number, self.settings.rules.utc_offset_s)

    def _staff_note(self, rows: OrderRows, parcel: ParcelToWrite) -> Note | None:
        """The note staff made for this parcel, by its id or by its lines; its send_numbers are raised already."""
        if not parcel.note_id:
            return matching_note(rows, parcel.line_quantities)
        note = next((note for note in rows.notes if str(note.id) == parcel.note_id), None)
        if note is None:
            raise refuse("note_gone", f"delivery note {parcel.note_id} was deleted in the shop")
        if note.numbers or not note.is_open:
            raise refuse("note_taken", f"delivery note {parcel.note_id} was shipped or numbered by somebody else")
        return note

    def _make_note(self, writer: OrderWriter, rows: OrderRows, parcel: ParcelToWrite, number: str) -> int:
        own = note_with(rows, number)
        plan = plan_parcel(rows, parcel.line_quantities, own.id if own else None)
        raises = plan.raises(is_begun=own is not None)
        if own is None:
            writer.insert_note(self._own_sn(rows, number), number)
            own = note_with(writer.with_notes(rows), number)
            if own is None:
                raise moved(writer.order_id)
        items = plan.items()
        written = [identity_of(row) for row in own.goods]
        if written != [item.identity for item in items[: len(written)]]:
            raise refuse("note_conflict", f"delivery note {own.id} holds other lines than the parcel")
        for item in items[len(written) :]:
            writer.insert_item(own.id, item)
        for change in raises:
            writer.raise_sent(change)
        rows = writer.with_lines(OrderRows(self._owed_order(writer, writer.read_order()), ()))
        state = state_after_note(rows)
        writer.set_state(*state)
        note = _log_note(parcel, number)
        writer.add_action(*state, rows.order["pay_status"], place=IN_ORDER, note=note)
        return own.id

    def _admit(self, parcel: ParcelToWrite) -> str:
        """The number to write; a sandbox waybill stands for no real parcel and must not reach a real shop."""
        if self.settings.environment == PRODUCTION and parcel.environment != PRODUCTION:
            raise refuse(
                "sandbox_waybill",
                f"a waybill of the environment {parcel.environment!r} must not be written into a production shop; "
                "set the shop's setting environment, or book with the carrier's production account",
            )
        return waybill_number(parcel.waybill_no)

    @contextmanager
    def _order(self, shop_order_id: str, now: datetime) -> Iterator[OrderWriter]:
        if not shop_order_id.isdecimal():
            raise refuse("order_gone", f"{shop_order_id!r} is no order id")
        order_id = int(shop_order_id)
        with self.database.writing(order_id) as connection:
            yield OrderWriter.begin(connection, self.tables, self.settings, order_id, now)

    def _owed_order(self, writer: OrderWriter, order: Row | None) -> Row:
        """The order's row, after making sure that the order is still owed: by the row alone where it tells."""
        if order is None or order["order_status"] == OrderStatus.UNCONFIRMED:
            return self._owed(writer, order).order
        possible = possible_standings(order, writer.cod_pay_ids(order), self.settings.rules)
        return order if "withdrawn" not in possible else self._owed(writer, order).order

    def _owed(self, writer: OrderWriter, order: Row | None) -> OrderRows:
        """The order with its lines and the notes' own rows, after making sure that it is still owed."""
        if order is None:
            raise refuse("order_gone", f"order {writer.order_id} was removed or merged in the shop")
        rows = writer.with_notes(writer.with_lines(OrderRows(order, ())), with_goods=False)
        if standing(rows, self.settings.rules) == "withdrawn":
            raise refuse("order_withdrawn", f"order {order['order_sn']} was cancelled, returned or unpaid")
        if order["order_status"] == OrderStatus.UNCONFIRMED:
            raise refuse("order_withdrawn", f"order {order['order_sn']} is not confirmed in the shop")
        return rows

    def _refuse_shipped(self, rows: OrderRows) -> None:
        if standing(rows, self.settings.rules) == "shipped":
            order_sn = rows.order["order_sn"]
            raise refuse("already_shipped", f"order {order_sn} was shipped in the shop with another number")


def _log_note(parcel: ParcelToWrite, number: str) -> str:
    """The number stands last and whole: the log is searched for it."""
    return f"{parcel.carrier_name[: NOTE_LENGTH - len(number) - 1]} {number}"
