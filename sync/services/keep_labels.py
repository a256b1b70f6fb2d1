"""Labels kept: stored once a parcel, and emptied when they are old.

Printing is apart, so that workers never load what reads PDF and pictures.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mappings.model import Printable
from sync.clock import utc_now
from sync.db.models import LabelRow, ShipmentRow
from sync.db.session import count_changed
from sync.runtime import Runtime


def store_label(rt: Runtime, session: Session, shipment: ShipmentRow, label: Printable, waybill_no: str) -> None:
    """Keep the parcel's label, on which this number stands. A repeated answer changes nothing; one with another number
    replaces it, and it waits to be printed again."""
    fresh = {
        "content": label.content,
        "kind": label.kind,
        "waybill_no": waybill_no,
        "stored_at": utc_now(),
    }
    if count_changed(session.execute(rt.database.insert_new(LabelRow), {"shipment_id": shipment.id, **fresh})):
        return
    held = session.get_one(LabelRow, shipment.id, with_for_update=True)
    if held.waybill_no != waybill_no:
        for name, value in (fresh | {"printed_at": None, "emptied_at": None}).items():
            setattr(held, name, value)


def empty_old_labels(rt: Runtime, batch: int = 500) -> int:
    """Forget the contents of labels that are older than the retention time; their counts stay. Returns how many."""
    before = utc_now() - timedelta(days=rt.settings.labels_keep_days)

    def empty(session: Session, most: int) -> int:
        old = select(LabelRow.shipment_id).where(LabelRow.emptied_at.is_(None), LabelRow.stored_at < before)
        ids = list(session.execute(old.order_by(LabelRow.stored_at).limit(most)).scalars())
        emptied = {"content": "", "emptied_at": utc_now()}
        session.execute(update(LabelRow).where(LabelRow.shipment_id.in_(ids)).values(emptied))
        return len(ids)

    return rt.database.in_batches(empty, batch)
