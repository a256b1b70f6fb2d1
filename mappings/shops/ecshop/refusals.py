"""What keeps a parcel from being written into an order: judged the same way however the shop is reached."""

from __future__ import annotations

from typing import TypeVar

from mappings.connector import ParcelToWrite
from mappings.shops.ecshop.orders import standing
from mappings.shops.ecshop.rows import Note, OrderRows, ReadRules
from mappings.shops.ecshop.settings import PRODUCTION
from mappings.shops.ecshop.status import OrderStatus
from mappings.shops.ecshop.writeback import LOG_NOTE_LENGTH, matching_note, note_sn, refuse, waybill_number

T = TypeVar("T")


def order_number(shop_order_id: str) -> int:
    """The order's id in the shop; what is no number was never an order there."""
    if not shop_order_id.isdecimal():
        raise refuse("order_gone", f"{shop_order_id!r} is no order id")
    return int(shop_order_id)


def admit_number(parcel: ParcelToWrite, environment: str) -> str:
    """The number to write; a sandbox waybill stands for no real parcel and must not reach a real shop."""
    if environment == PRODUCTION and parcel.environment != PRODUCTION:
        raise refuse(
            "sandbox_waybill",
            f"a waybill of the environment {parcel.environment!r} must not be written into a production shop; "
            "set the shop's setting environment, or book with the carrier's production account",
        )
    return waybill_number(parcel.waybill_no)


def found_order(order: T | None, order_id: int) -> T:
    """What was read of the order, unless it is gone."""
    if order is None:
        raise refuse("order_gone", f"order {order_id} was removed or merged in the shop")
    return order


def refuse_withdrawn(rows: OrderRows, rules: ReadRules) -> None:
    """Stop where the order is not owed any more, or not yet."""
    order_sn = rows.order["order_sn"]
    if standing(rows, rules) == "withdrawn":
        raise refuse("order_withdrawn", f"order {order_sn} was cancelled, returned or unpaid")
    if rows.order["order_status"] == OrderStatus.UNCONFIRMED:
        raise refuse("order_withdrawn", f"order {order_sn} is not confirmed in the shop")


def refuse_shipped(rows: OrderRows, rules: ReadRules) -> None:
    """Stop a number that would be the second for goods that are on their way already."""
    if standing(rows, rules) == "shipped":
        raise refuse("already_shipped", f"order {rows.order['order_sn']} was shipped in the shop with another number")


def staff_note_for(rows: OrderRows, parcel: ParcelToWrite) -> Note | None:
    """The note staff made for this parcel, by its id or by its lines; its send_numbers are raised already."""
    if not parcel.note_id:
        return matching_note(rows, parcel.line_quantities)
    note = next((note for note in rows.notes if str(note.id) == parcel.note_id), None)
    if note is None:
        raise refuse("note_gone", f"delivery note {parcel.note_id} was deleted in the shop")
    if note.numbers or not note.is_open:
        raise refuse("note_taken", f"delivery note {parcel.note_id} was shipped or numbered by somebody else")
    return note


def is_unfinished(note: Note, rows: OrderRows, number: str, utc_offset_s: int) -> bool:
    """Whether a note with the number may have been left half-made by us; only the order's log tells for certain."""
    return note.is_open and bool(note.row["delivery_sn"] == note_sn(rows.order, number, utc_offset_s))


def log_note(parcel: ParcelToWrite, number: str) -> str:
    """The number stands last and whole: the log is searched for it."""
    return f"{parcel.carrier_name[: LOG_NOTE_LENGTH - len(number) - 1]} {number}"
