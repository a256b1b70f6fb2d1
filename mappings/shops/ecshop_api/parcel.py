"""What the plug-in is told of one parcel: the delivery note's lines and the sent numbers, planned from the order."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mappings.connector import ParcelToWrite
from mappings.shops.ecshop.refusals import is_unfinished, log_note, refuse_shipped, refuse_withdrawn, staff_note_for
from mappings.shops.ecshop.rows import OrderRows, ReadRules
from mappings.shops.ecshop.writeback import identity_of, note_sn, note_with, plan_parcel, refuse


def parcel_fields(rows: OrderRows, parcel: ParcelToWrite, number: str, rules: ReadRules) -> dict[str, Any]:
    """What to do to the order's notes; raises PermanentError where the parcel must not be written any more."""
    refuse_withdrawn(rows, rules)
    fields = bare_fields(rows, parcel, number, rules)
    note = note_with(rows, number)
    if note is not None and not is_unfinished(note, rows, number, rules.utc_offset_s):
        return fields
    if note is None:
        refuse_shipped(rows, rules)
        if staff_note := staff_note_for(rows, parcel):
            return fields | {"note_id": staff_note.id}
    plan = plan_parcel(rows, parcel.line_quantities, note.id if note else None)
    raises = plan.raises(is_begun=note is not None)
    items = plan.items()
    written = [identity_of(row) for row in note.goods] if note else []
    if written != [item.identity for item in items[: len(written)]]:
        raise refuse("note_conflict", f"a delivery note of order {parcel.order_sn} holds other lines than the parcel")
    return fields | {"items": [asdict(item) for item in items], "sent": [asdict(one) for one in raises]}


def bare_fields(rows: OrderRows, parcel: ParcelToWrite, number: str, rules: ReadRules) -> dict[str, Any]:
    """Number, note and log row without any lines: the plug-in makes no note of them, and finds one that is made."""
    return {
        "number": number,
        "delivery_sn": note_sn(rows.order, number, rules.utc_offset_s),
        "note_id": 0,
        "items": [],
        "sent": [],
        "log_note": log_note(parcel, number),
    }
