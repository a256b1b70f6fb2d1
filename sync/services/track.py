"""Merges tracking events into parcels: insert each fact once, fold all facts, act on what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from mappings.model import EventKind, NumberChange, TrackingEvent
from mappings.status import Tracking, event_key, fold
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, TrackingEventRow, WaybillAliasRow
from sync.db.orders import ENDED, close_if_done, set_status
from sync.db.session import count_changed
from sync.db.steps import StepBook
from sync.runtime import Runtime

STALE = "stale_pickup"
"""物流异常: shown instead of the tracking status while a pickup is overdue."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a batch of events came to: new facts, facts known before, facts of no parcel of ours, codes unmapped."""

    new: int = 0
    known: int = 0
    orphans: int = 0
    unmapped: int = 0


def merge_events(
    rt: Runtime,
    book: StepBook,
    peer: str,
    events: Sequence[TrackingEvent],
    changes: Sequence[NumberChange] = (),
    *,
    inbox_id: int | None = None,
) -> Merged:
    """Take in events of any parcels of one platform, within the caller's transaction."""
    session = book.session
    _follow_changes(session, peer, changes)
    parcels = _lock_parcels(session, peer, events, changes)
    keyed = {event_key(event): event for event in events}
    owners = {key: _owner(parcels, event) for key, event in keyed.items()}
    new_keys = _insert(rt, session, peer, keyed, owners, inbox_id)
    touched = {shipment.id: shipment for key in new_keys if (shipment := owners[key]) is not None}
    for shipment in touched.values():
        refold(rt, book, shipment)
    unmapped = [keyed[key] for key in new_keys if not keyed[key].is_mapped]
    for event in unmapped:
        _report_unmapped(session, peer, event)
    orphans = sum(1 for owner in owners.values() if owner is None)
    return Merged(len(new_keys), len(keyed) - len(new_keys), orphans, len(unmapped))


def adopt_orphans(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Events may come before we have stored the number they belong to; now they have a parcel."""
    adopted = book.session.execute(
        update(TrackingEventRow)
        .where(
            TrackingEventRow.peer == shipment.peer,
            TrackingEventRow.shipment_id.is_(None),
            or_(TrackingEventRow.waybill_no == shipment.waybill_no, TrackingEventRow.order_code == shipment.order_code),
        )
        .values(shipment_id=shipment.id)
    )
    if count_changed(adopted):
        refold(rt, book, shipment)


def refold(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Conclude again from all facts of a parcel, and do what the change asks for."""
    rows = book.session.execute(select(TrackingEventRow).where(TrackingEventRow.shipment_id == shipment.id)).scalars()
    order = book.session.get_one(OrderRow, shipment.order_id)
    # Not `booked_at`: the carrier may have issued the number at a first try whose answer never reached us.
    earliest = rt.clock.at(order.received_at)
    tracking = fold([_to_event(row) for row in rows], booked_at=earliest, now=rt.clock.now())
    _apply_pickup(rt, book, shipment, order, tracking)
    _apply_delivery(rt, book, shipment, order, tracking)
    _apply_status(book.session, shipment, order, tracking)
    if shipment.status in ENDED:
        close_if_done(book.session, order.id)


def _apply_pickup(rt: Runtime, book: StepBook, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    was_picked_up = shipment.pickup_at is not None
    shipment.pickup_at, shipment.pickup_is_inferred = tracking.pickup_at, tracking.pickup_is_inferred
    if tracking.pickup_at is not None:
        shipment.pickup_due_from = None
        if shipment.stale_since is not None:
            shipment.stale_since = None
            desk.close_exceptions(book.session, f"shipment:{shipment.id}", "picked up after all", code=STALE)
        if not was_picked_up and rt.settings.ship_on == "picked_up" and shipment.waybill_no:
            book.owe(
                "write_shipped",
                f"shop.{order.shop}",
                order.id,
                shipment_id=shipment.id,
                parcel_no=shipment.parcel_no,
            )
    elif was_picked_up or _is_news(shipment.pickup_due_from, tracking.pickup_revoked_at):
        shipment.pickup_due_from = tracking.pickup_revoked_at or rt.clock.now()


def _is_news(due_from: datetime | None, revoked_at: datetime | None) -> bool:
    """A false pickup restarts the clock of a parcel that waits, also when the pickup itself was never pushed to us."""
    return due_from is not None and revoked_at is not None and revoked_at > due_from


def _apply_delivery(rt: Runtime, book: StepBook, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    was_delivered = shipment.status == "delivered"
    shipment.delivered_at = tracking.delivered_at
    if tracking.status == "delivered" and not was_delivered:
        wait_s = rt.clock.seconds_until(rt.clock.now() + timedelta(seconds=rt.settings.review_delay_s))
        book.owe(
            "remind_review",
            "notices",
            order.id,
            shipment_id=shipment.id,
            not_before=utc_now() + timedelta(seconds=wait_s),
        )
    elif was_delivered and tracking.status != "delivered":
        book.drop(order.id, names=("remind_review",))


def _apply_status(session: Session, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    if tracking.status != "unknown" or shipment.status == "unknown":
        changed = shipment.status != tracking.status
        shipment.status, shipment.status_at = tracking.status, tracking.status_at
        if changed:
            _apply_attention(session, shipment, order, tracking)
    if tracking.status == "cancelled":
        shipment.pickup_due_from = None
    if order.state != "withdrawn":
        set_status(order, STALE if shipment.stale_since else _shown(shipment))


def _shown(shipment: ShipmentRow) -> str:
    if shipment.status == "unknown":
        return "info_received" if shipment.waybill_no else "received"
    return shipment.status


def _apply_attention(session: Session, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    """A status that needs a person opens an exception; the next status closes it by itself."""
    subject = f"tracking:{shipment.id}"
    desk.close_exceptions(session, subject, f"the parcel is now: {tracking.status}")
    if tracking.attention != "action":
        return
    what = tracking.incident or tracking.status
    message = (
        f"Order {order.order_sn}, waybill {shipment.waybill_no}: the carrier reports {tracking.status} ({what}). "
        "Ask the carrier or the consignee; this line closes by itself when the parcel moves on."
    )
    desk.open_exception(session, desk.Cause(f"tracking.{what}", shipment.peer, subject, message, order_id=order.id))


def _report_unmapped(session: Session, peer: str, event: TrackingEvent) -> None:
    message = (
        f"{peer} sent the code {event.raw_code!r} in {event.channel}, which no table maps; at most the coarse state "
        f"beside it was used. Add a line for it to that connector's status.toml under [{event.channel}], then replay "
        "the callback."
    )
    subject = f"code:{event.channel}:{event.raw_code}"
    desk.open_exception(session, desk.Cause(f"{peer}.status_unmapped", peer, subject, message))


def _follow_changes(session: Session, peer: str, changes: Iterable[NumberChange]) -> None:
    """The carrier gave a parcel another number: keep the old one as an alias."""
    for change in changes:
        shipment = _find_changed(session, peer, change)
        if shipment is None or shipment.waybill_no == change.new_waybill_no:
            continue
        for number in {shipment.waybill_no, change.old_waybill_no} - {""}:
            _add_alias(session, peer, number, shipment.id)
        shipment.waybill_no = change.new_waybill_no
        shipment.shipper_code = change.new_shipper_code or shipment.shipper_code


def _find_changed(session: Session, peer: str, change: NumberChange) -> ShipmentRow | None:
    """The parcel by our own code if the push carries it, else by its old number; never by an empty one."""
    for column, value in ((ShipmentRow.order_code, change.order_code), (ShipmentRow.waybill_no, change.old_waybill_no)):
        if value:
            wanted = select(ShipmentRow).where(ShipmentRow.peer == peer, column == value).with_for_update()
            if found := session.execute(wanted).scalars().first():
                return found
    return None


def _add_alias(session: Session, peer: str, number: str, shipment_id: int) -> None:
    known = session.execute(
        select(WaybillAliasRow.id).where(WaybillAliasRow.peer == peer, WaybillAliasRow.waybill_no == number)
    ).scalar_one_or_none()
    if known is None:
        session.add(WaybillAliasRow(peer=peer, waybill_no=number, shipment_id=shipment_id))
        session.flush()


class _Parcels:
    """Locked parcels of one platform, found by any number they ever had."""

    def __init__(self) -> None:
        self.by_number: dict[str, ShipmentRow] = {}
        self.by_code: dict[str, ShipmentRow] = {}


def _lock_parcels(
    session: Session, peer: str, events: Sequence[TrackingEvent], changes: Sequence[NumberChange]
) -> _Parcels:
    """Lock every parcel the events speak of, in id order, so that two pushes about one parcel take turns."""
    numbers = {event.waybill_no for event in events} - {""}
    codes = ({event.order_code for event in events} | {change.order_code for change in changes}) - {""}
    parcels = _Parcels()
    aliases = dict(
        session.execute(
            select(WaybillAliasRow.waybill_no, WaybillAliasRow.shipment_id).where(
                WaybillAliasRow.peer == peer, WaybillAliasRow.waybill_no.in_(numbers)
            )
        ).all()
    )
    found = session.execute(
        select(ShipmentRow)
        .where(
            ShipmentRow.peer == peer,
            or_(
                ShipmentRow.waybill_no.in_(numbers),
                ShipmentRow.order_code.in_(codes),
                ShipmentRow.id.in_(aliases.values()),
            ),
        )
        .order_by(ShipmentRow.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalars()
    by_id = {shipment.id: shipment for shipment in found}
    for shipment in by_id.values():
        parcels.by_code[shipment.order_code] = shipment
        if shipment.waybill_no:
            parcels.by_number[shipment.waybill_no] = shipment
    for number, shipment_id in aliases.items():
        parcels.by_number[number] = by_id[shipment_id]
    return parcels


def _owner(parcels: _Parcels, event: TrackingEvent) -> ShipmentRow | None:
    return parcels.by_number.get(event.waybill_no) or parcels.by_code.get(event.order_code)


def _insert(
    rt: Runtime,
    session: Session,
    peer: str,
    keyed: dict[str, TrackingEvent],
    owners: dict[str, ShipmentRow | None],
    inbox_id: int | None,
) -> list[str]:
    """Insert the facts not known yet; returns their keys."""
    if not keyed:
        return []
    now = utc_now()
    rows = [
        {
            "shipment_id": owner.id if (owner := owners[key]) else None,
            "inbox_id": inbox_id,
            "peer": peer,
            "event_key": key,
            "waybill_no": event.waybill_no,
            "order_code": event.order_code,
            "event_at": event.event_at,
            "canonical": event.canonical,
            "fields": _to_fields(event),
            "received_at": now,
        }
        for key, event in keyed.items()
    ]
    inserted = session.execute(rt.database.insert_new(TrackingEventRow).returning(TrackingEventRow.event_key), rows)
    new = list(inserted.scalars())
    return new + _retell(session, peer, {key: event for key, event in keyed.items() if key not in set(new)})


def _retell(session: Session, peer: str, known: dict[str, TrackingEvent]) -> list[str]:
    """Facts known before, told better now: mapped by a new line of a table, or seen again later; returns their keys."""
    wanted = select(TrackingEventRow).where(TrackingEventRow.peer == peer, TrackingEventRow.event_key.in_(known))
    retold = []
    for row in session.execute(wanted).scalars() if known else ():
        old, event = _to_event(row), known[row.event_key]
        is_mapped_now = event.is_mapped and not old.is_mapped
        is_later_look = event.kind is EventKind.SNAPSHOT and event.observed_at > old.observed_at
        if is_mapped_now or (is_later_look and event.is_mapped >= old.is_mapped):
            row.canonical, row.fields = event.canonical, _to_fields(event)
            retold.append(row.event_key)
    session.flush()
    return retold


def _to_fields(event: TrackingEvent) -> dict[str, Any]:
    fields = asdict(event)
    for name in ("event_at", "waybill_no", "order_code", "canonical"):
        del fields[name]
    fields["observed_at"] = event.observed_at.isoformat()
    fields["kind"] = str(event.kind)
    return fields


def _to_event(row: TrackingEventRow) -> TrackingEvent:
    fields = dict(row.fields)
    fields["observed_at"] = datetime.fromisoformat(fields["observed_at"])
    fields["kind"] = EventKind(fields["kind"])
    return TrackingEvent(
        event_at=row.event_at,
        waybill_no=row.waybill_no,
        order_code=row.order_code,
        canonical=row.canonical,
        **fields,
    )
