"""What happened to one order and what happens next: the timeline for the shell and the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import exceptions as desk
from sync.db.models import AttemptRow, ErpDocumentRow, InboxRow, OrderRow, ShipmentRow, StepRow, TrackingEventRow
from sync.redaction import mask
from sync.runtime import Runtime
from sync.services.erp_documents import explain_routing, find_documents
from sync.services.numbers import find_packages
from sync.services.route import BOOKING


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline. `kind`: business, api, callback, people."""

    at: datetime
    kind: str
    text: str


def show_order(rt: Runtime, row: OrderRow) -> dict[str, Any]:
    """An order with its parcels, what is next, what needs a person, and its timeline, personal data masked."""
    with rt.database.reading() as session:
        shipments = list(session.execute(select(ShipmentRow).where(ShipmentRow.order_id == row.id)).scalars())
        steps = list(session.execute(select(StepRow).where(StepRow.order_id == row.id).order_by(StepRow.id)).scalars())
        problems = desk.list_open(session, order_id=row.id)
        documents = find_documents(session, row.id)
        packages = {shipment.id: find_packages(session, shipment.id) for shipment in shipments}
        timeline = sorted(_timeline(session, row, steps, shipments), key=lambda line: line.at)
    return {
        "order_sn": row.order_sn,
        "shop": row.shop,
        "shop_order_id": row.shop_order_id,
        "state": row.state,
        "status": row.status,
        "total": f"{row.total_fen / 100:.2f}",
        "consignee": _consignee(row),
        "erp_no": row.erp_no,
        "erps": _erps(rt, row, steps, documents),
        "parcels": [_parcel(shipment, packages[shipment.id]) for shipment in shipments],
        "next": [*_next(steps, shipments, row), *_awaited(rt, steps, shipments, row)],
        "exceptions": [{"id": p.id, "code": p.code, "message": p.message} for p in problems],
        "timeline": [{"at": line.at.isoformat(), "kind": line.kind, "text": line.text} for line in timeline],
    }


def _consignee(row: OrderRow) -> str:
    if row.forgotten_at is not None:
        return f"deleted on {row.forgotten_at:%Y-%m-%d}, when its retention time was over"
    who = row.header["consignee"]
    return f"{mask(who['name'])} {mask(who['phone'])}"


def _erps(
    rt: Runtime, row: OrderRow, steps: Iterable[StepRow], documents: Mapping[str, ErpDocumentRow]
) -> list[dict[str, Any]]:
    """Each ERP with what it holds of the order, and why the order goes there or not."""
    pushed = [step.peer for step in steps if step.name == "push_order"]
    reasons = explain_routing(rt, row.shop, pushed)
    shown = []
    for peer, reason in reasons.items():
        document = documents.get(peer)
        said = {"erp_no": document.erp_no, "state": document.state, "at": _iso(document.at)} if document else {}
        none = {"erp_no": "", "state": "owed" if peer in pushed else "none", "at": None}
        shown.append({"erp": peer, **(said or none), "reason": reason})
    return shown


def _parcel(shipment: ShipmentRow, packages: list[str]) -> dict[str, Any]:
    return {
        "parcel_no": shipment.parcel_no,
        "carrier": shipment.peer,
        "shipper_code": shipment.shipper_code,
        "account": shipment.account,
        "route_reason": shipment.route_reason,
        "order_code": shipment.order_code,
        "waybill_no": shipment.waybill_no,
        "packages": packages,
        "sent_by": shipment.shipped_by,
        "status": shipment.status,
        "booked_at": _iso(shipment.booked_at),
        "estimated_pickup_at": _iso(shipment.estimated_pickup_at),
        "pickup_at": _iso(shipment.pickup_at),
        "pickup_is_inferred": shipment.pickup_is_inferred,
        "delivered_at": _iso(shipment.delivered_at),
        "stale_since": _iso(shipment.stale_since),
    }


def _next(steps: Iterable[StepRow], shipments: Iterable[ShipmentRow], row: OrderRow) -> Iterable[str]:
    for step in steps:
        if step.state == "owed":
            tries = f", after {step.attempts} failed attempts" if step.attempts else ""
            yield f"{step.name} at {step.peer} at {step.not_before:%Y-%m-%d %H:%M:%S} UTC{tries}"
        elif step.state == "running":
            yield f"{step.name} at {step.peer} is running, lease until {step.lease_until:%H:%M:%S} UTC"
        elif step.state == "parked":
            yield f"{step.name} at {step.peer} waits for a person: {step.last_message}"
    for shipment in shipments:
        if shipment.pickup_due_from is not None and row.state == "open":
            yield f"waits for pickup of {shipment.waybill_no} since {shipment.pickup_due_from:%Y-%m-%d %H:%M} UTC"


def _awaited(rt: Runtime, steps: Iterable[StepRow], shipments: Iterable[ShipmentRow], row: OrderRow) -> Iterable[str]:
    """Parcels for which nothing is owed, because an ERP's warehouse sends them."""
    booked = {step.parcel_no for step in steps if step.name == BOOKING}
    shop = next((shop for shop in rt.settings.shops if shop.name == row.shop), None)
    erp = rt.settings.shipping_erp(shop) if shop else None
    if erp is not None and row.state == "open":
        for shipment in shipments:
            if not shipment.waybill_no and shipment.parcel_no not in booked:
                yield f"parcel {shipment.parcel_no} waits for {erp.key}, whose warehouse sends it"


def _timeline(
    session: Session, row: OrderRow, steps: Iterable[StepRow], shipments: Iterable[ShipmentRow]
) -> Iterable[Line]:
    yield Line(row.received_at, "business", f"taken in from shop {row.shop} ({row.queue})")
    for step in steps:
        if step.finished_at is not None:
            why = f": {step.last_message}" if step.last_message else ""
            yield Line(step.finished_at, "business", f"{step.name} at {step.peer}: {step.state}{why}")
    for call in session.execute(select(AttemptRow).where(AttemptRow.order_id == row.id)).scalars():
        code = f" {call.code}" if call.code else ""
        said = f"{call.operation} at {call.peer}, try {call.try_no}: {call.outcome}{code}, {call.duration_ms} ms"
        yield Line(call.started_at, "api", said)
    ids = [shipment.id for shipment in shipments]
    events = session.execute(
        select(TrackingEventRow, InboxRow.repeats)
        .outerjoin(InboxRow, InboxRow.id == TrackingEventRow.inbox_id)
        .where(TrackingEventRow.shipment_id.in_(ids))
    )
    for event, repeats in events:
        word = event.canonical or f"unmapped {event.fields['channel']} {event.fields['raw_code']}"
        again = f" (pushed {repeats + 1} times)" if repeats else ""
        yield Line(
            event.received_at, "callback", f"{event.event_at:%m-%d %H:%M} UTC {word}: {event.fields['text']}{again}"
        )


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
