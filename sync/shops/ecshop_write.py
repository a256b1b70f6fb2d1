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
from mappings.shops.ecshop.orders import possible_standings
from mappings.shops.ecshop.refusals import (
    admit_number,
    found_order,
    is_unfinished,
    log_note,
    order_number,
    refuse_shipped,
    refuse_withdrawn,
    staff_note_for,
)
from mappings.shops.ecshop.rows import Note, OrderRows, Row
from mappings.shops.ecshop.status import OPEN_ORDER, OrderStatus, ShippingStatus
from mappings.shops.ecshop.text import narrowings
from mappings.shops.ecshop.times import to_stored
from mappings.shops.ecshop.writeback import (
    identity_of,
    join_number,
    moved,
    note_sn,
    note_with,
    plan_parcel,
    refuse,
    remark_text,
    state_after_note,
    state_after_shipping,
)
from sync.shops.ecshop_db import ShopDatabase
from sync.shops.ecshop_points import grant_points
from sync.shops.ecshop_settings import ShopSettings
from sync.shops.ecshop_statements import OrderWriter
from sync.shops.ecshop_tables import EcshopTables

IN_ORDER, IN_DELIVERY = 0, 1
"""order_action.action_place: written on the order's page or on the delivery note's."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The writes on a shop's orders; each is idempotent."""

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
        number = admit_number(parcel, self.settings.environment)
        with self._order(parcel.shop_order_id, now) as writer:
            rows = writer.with_notes(OrderRows(self._owed_order(writer, writer.locked), ()))
            note = self._made_note(writer, rows, number)
            return str(note.id if note else self._make(writer, rows, parcel, number))

    def mark_shipped(self, parcel: ParcelToWrite, now: datetime) -> None:
        number = admit_number(parcel, self.settings.environment)
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
            if state[1] == ShippingStatus.SHIPPED and self.settings.grant_points:
                grant_points(writer.connection, self.tables, rows.order, writer.stored_now)
            # ECShop logs the constant "confirmed" here, whatever the order's own status is
            pay = rows.order["pay_status"]
            writer.add_action(OrderStatus.CONFIRMED, state[1], pay, place=IN_DELIVERY, note=log_note(parcel, number))

    def mark_received(self, shop_order_id: str, now: datetime) -> None:
        with self._order(shop_order_id, now) as writer:
            order = found_order(writer.locked, writer.order_id)
            if order["shipping_status"] == ShippingStatus.SHIPPED and order["order_status"] in OPEN_ORDER:
                if not writer.set_received():
                    raise moved(writer.order_id)
            elif order["shipping_status"] != ShippingStatus.RECEIVED or self._says_received(writer):
                return
            state = (order["order_status"], ShippingStatus.RECEIVED)
            writer.add_action(*state, order["pay_status"], place=IN_ORDER, note="")

    def add_remark(self, shop_order_id: str, text: str, now: datetime) -> None:
        remark = remark_text(text)
        with self._order(shop_order_id, now) as writer:
            order = found_order(writer.locked, writer.order_id)
            if not {*narrowings(remark)} & {*writer.action_notes(place=IN_ORDER)}:
                state = (order["order_status"], order["shipping_status"])
                writer.add_action(*state, order["pay_status"], place=IN_ORDER, note=remark)

    def _says_received(self, writer: OrderWriter) -> bool:
        """The log alone tells when an order was received, so the state without it is half a write."""
        last = writer.last_action()
        return last is not None and last[1] == ShippingStatus.RECEIVED

    def _made_note(self, writer: OrderWriter, rows: OrderRows, number: str) -> Note | None:
        """The delivery note with the number, if nothing is left to do to make it."""
        note = note_with(rows, number)
        if note is None or not is_unfinished(note, rows, number, self.settings.rules.utc_offset_s):
            return note
        return note if writer.has_action(number, place=IN_ORDER) else None

    def _make(self, writer: OrderWriter, rows: OrderRows, parcel: ParcelToWrite, number: str) -> int:
        """The id of the delivery note with the number: taken from staff, or made to its end."""
        rows = writer.with_catalogue(writer.with_lines(rows))
        if note_with(rows, number) is None:
            refuse_shipped(rows, self.settings.rules)
            if staff_note := staff_note_for(rows, parcel):
                writer.put_number(staff_note.id, number)
                return staff_note.id
        return self._make_note(writer, rows, parcel, number)

    def _make_note(self, writer: OrderWriter, rows: OrderRows, parcel: ParcelToWrite, number: str) -> int:
        own = note_with(rows, number)
        plan = plan_parcel(rows, parcel.line_quantities, own.id if own else None)
        raises = plan.raises(is_begun=own is not None)
        if own is None:
            writer.insert_note(note_sn(rows.order, number, self.settings.rules.utc_offset_s), number)
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
        pay = rows.order["pay_status"]
        writer.add_action(*state, pay, place=IN_ORDER, note=log_note(parcel, number))
        return own.id

    @contextmanager
    def _order(self, shop_order_id: str, now: datetime) -> Iterator[OrderWriter]:
        order_id = order_number(shop_order_id)
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
        found = OrderRows(found_order(order, writer.order_id), ())
        rows = writer.with_notes(writer.with_lines(found), with_goods=False)
        refuse_withdrawn(rows, self.settings.rules)
        return rows
