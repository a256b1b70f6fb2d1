"""Fetches the label of a parcel that has its waybill, from a carrier that does not give it along."""

from __future__ import annotations

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


def owe_label(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Owe it where the carrier's settings ask for labels apart from waybills, and the courier has not been."""
    peer = rt.peer(shipment.peer)
    if peer.spec.fetches_labels(peer.config) and shipment.pickup_at is None:
        book.owe(STEP, peer.key, shipment.order_id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)


def perform(rt: Runtime, work: Work) -> Printable:
    """Ask for the label of the number that the parcel has."""
    shipment = work.shipment
    if shipment is None:
        raise PermanentError("label.parcel_missing", f"Order {work.order_sn}: a label without a parcel")
    carrier = cast(LabelConnector, rt.carriers[work.peer])
    exchange = carrier.fetch_label(waybill_no=shipment.waybill_no, order_code=shipment.order_code)
    return rt.gateway.run(work.peer, exchange, work.calls)


def record(rt: Runtime, book: StepBook, work: Work, result: Printable) -> None:
    """Keep it, with the number that stands on it: the parcel may have another one by now."""
    if work.shipment is not None:
        shipment = book.session.get_one(ShipmentRow, work.shipment.id, with_for_update=True)
        store_label(rt, book.session, shipment, result, work.shipment.waybill_no)
