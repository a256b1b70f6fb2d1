"""Fetches the label of a parcel that has its waybill, from a carrier that does not give it along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from mappings.connector import LabelConnector
from mappings.errors import PermanentError
from mappings.model import Printable
from sync.db.models import ShipmentRow
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.keep_labels import store_label
from sync.services.work import Work

STEP = "fetch_label"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A label and the number that stands on it."""

    label: Printable
    waybill_no: str


def owe_label(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Owe it where the carrier's settings ask for labels that do not come with the waybill."""
    peer = rt.peer(shipment.peer)
    if peer.spec.fetches_labels(peer.config):
        book.owe(STEP, peer.key, shipment.order_id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)


def perform(rt: Runtime, work: Work) -> Fetched | None:
    """Ask for the label; None when nobody will print it any more: the courier has the parcel, or it is called off."""
    shipment = work.shipment
    if shipment is None:
        raise PermanentError("label.parcel_missing", f"Order {work.order_sn}: a label without a parcel")
    if shipment.pickup_at is not None or work.order_row.state == "withdrawn":
        return None
    carrier = cast(LabelConnector, rt.carriers[work.peer])
    exchange = carrier.fetch_label(waybill_no=shipment.waybill_no, order_code=shipment.order_code)
    return Fetched(rt.gateway.run(work.peer, exchange, work.calls), shipment.waybill_no)


def record(rt: Runtime, book: StepBook, work: Work, result: Fetched | None) -> None:
    """Keep it."""
    if result is not None and work.shipment is not None:
        shipment = book.session.get_one(ShipmentRow, work.shipment.id, with_for_update=True)
        store_label(rt, book.session, shipment, result.label, result.waybill_no)
