"""Merges tracking events into parcels: insert each fact once, fold all facts, act on what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from mappings.model import EventKind, NumberChange, TrackingEvent
from mappings.status import STAFF, STATUSES, SUBSCRIPTION_ENDED, Tracking, event_key, fold, join
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, TrackingEventRow, WaybillAliasRow
from sync.db.orders import ENDED, close_if_done, find_shipments, set_status
from sync.db.session import count_changed
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.numbers import find_packages, follow_changes, packages_of
from sync.services.parcels import AFTER_DELIVERY
from sync.services.pickup import forget_pickup
from sync.services.subscribe import renew_subscription
from sync.services.watch import follow, hear

OURSELVES = "ecsync"
"""The platform of an event that we put among the carrier's: a waybill voided by us."""

STALE = "stale_pickup"
"""物流异常: shown instead of the tracking status while a pickup is overdue."""


LOST_AFTER = timedelta(hours=1)
"""A scan that old which comes by a query was never pushed, or its push was lost."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a batch of events came to: new facts, facts known before, facts of no parcel of ours, codes unmapped.

    `old` are new scans of parcels of ours from longer than `LOST_AFTER` ago.
    """

    new: int = 0
    known: int = 0
    orphans: int = 0
    unmapped: int = 0
    old: int = 0


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
    follow_changes(book, peer, changes)
    parcels = _lock_parcels(session, peer, events, changes)
    keyed = {event_key(event): event for event in events}
    owners = {key: _owner(parcels, event) for key, event in keyed.items()}
    new_keys = _insert(rt, session, peer, keyed, owners, inbox_id)
    touched = {shipment.id: shipment for key in new_keys if (shipment := owners[key]) is not None}
    for shipment in parcels.by_code.values():
        hear(rt, shipment)
    for shipment in touched.values():
        refold(rt, book, shipment)
    for key in new_keys:
        if (shipment := owners[key]) is not None and keyed[key].incident == SUBSCRIPTION_ENDED:
            renew_subscription(rt, book, shipment)
    unmapped = [keyed[key] for key in new_keys if not keyed[key].is_mapped]
    for event in unmapped:
        _report_unmapped(session, peer, event)
    orphans = sum(1 for owner in owners.values() if owner is None)
    old = sum(1 for key in new_keys if owners[key] is not None and _is_old_scan(rt, keyed[key]))
    return Merged(len(new_keys), len(keyed) - len(new_keys), orphans, len(unmapped), old)


def _is_old_scan(rt: Runtime, event: TrackingEvent) -> bool:
    return event.kind is not EventKind.SNAPSHOT and event.event_at < rt.clock.now() - LOST_AFTER


def adopt_orphans(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Events may come before we have stored the number they belong to; now they have a parcel."""
    codes = [shipment.order_code, *shipment.carrier_order_no.split()]
    mine = {"parcel": shipment.id, "platform": shipment.peer, "number": shipment.waybill_no, "codes": codes}
    if count_changed(book.session.execute(_ADOPT, mine)):
        refold(rt, book, shipment)


_EVENTS = TrackingEventRow.table()
_ADOPT = (
    update(_EVENTS)
    .where(
        _EVENTS.c.peer == bindparam("platform"),
        _EVENTS.c.shipment_id.is_(None),
        or_(
            _EVENTS.c.waybill_no == bindparam("number"),
            _EVENTS.c.waybill_no.in_(packages_of(bindparam("parcel"))),
            _EVENTS.c.order_code.in_(bindparam("codes", expanding=True)),
        ),
    )
    .values(shipment_id=bindparam("parcel"))
)


def refold(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """Conclude again from all facts of a parcel, and do what the change asks for."""
    rows = book.session.execute(select(TrackingEventRow).where(TrackingEventRow.shipment_id == shipment.id)).scalars()
    order = book.session.get_one(OrderRow, shipment.order_id)
    # Not `booked_at`: the carrier may have issued the number at a first try whose answer never reached us.
    earliest = rt.clock.at(order.received_at)
    packages = _by_package([_to_event(row) for row in rows], find_packages(book.session, shipment.id))
    tracking = join([fold(events, booked_at=earliest, now=rt.clock.now()) for events in packages])
    _apply_pickup(rt, book, shipment, order, tracking)
    parcels = find_shipments(book.session, order.id)
    _apply_delivery(rt, book, shipment, order, tracking, parcels)
    _apply_status(book, shipment, order, tracking)
    follow(rt, book, shipment, order, tracking)
    if order.state != "withdrawn":
        set_status(order, shown_status(parcels))
    if shipment.status in ENDED:
        close_if_done(book.session, order.id)


def _by_package(events: Sequence[TrackingEvent], numbers: Sequence[str]) -> list[list[TrackingEvent]]:
    """The events of each package that anything is known of; what we or staff say of the parcel is said of each."""
    of_all = [event for event in events if event.platform in (STAFF, OURSELVES)]
    told: dict[str, list[TrackingEvent]] = {}
    for event in events:
        if event.platform not in (STAFF, OURSELVES):
            told.setdefault(event.waybill_no if event.waybill_no in numbers else "", []).append(event)
    return [[*package, *of_all] for package in told.values()] or [of_all]


def _apply_pickup(rt: Runtime, book: StepBook, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    was_picked_up = shipment.pickup_at is not None
    shipment.pickup_at, shipment.pickup_is_inferred = tracking.pickup_at, tracking.pickup_is_inferred
    if tracking.pickup_at is not None:
        shipment.pickup_due_from = None
        if not was_picked_up:
            forget_pickup(book, shipment)
        if shipment.stale_since is not None:
            shipment.stale_since = None
            desk.close_exceptions(book.session, f"shipment:{shipment.id}", "picked up after all", code=STALE)
        is_shown = rt.settings.ship_on == "picked_up" and order.state != "withdrawn"
        if not was_picked_up and is_shown and shipment.waybill_no:
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


def _apply_delivery(
    rt: Runtime,
    book: StepBook,
    shipment: ShipmentRow,
    order: OrderRow,
    tracking: Tracking,
    parcels: Sequence[ShipmentRow],
) -> None:
    was_delivered = shipment.status == "delivered"
    shipment.delivered_at = tracking.delivered_at
    if tracking.status == "delivered" and not was_delivered:
        others = {parcel.status for parcel in parcels if parcel is not shipment}
        if others <= {"delivered", "cancelled"} and order.state != "withdrawn":
            _owe_after_delivery(rt, book, shipment, order)
    elif was_delivered and tracking.status != "delivered":
        book.drop(order.id, names=AFTER_DELIVERY)


def _owe_after_delivery(rt: Runtime, book: StepBook, shipment: ShipmentRow, order: OrderRow) -> None:
    """Once for the whole order, with its last parcel."""

    def owe_later(name: str, peer: str, delay_s: float) -> None:
        wait_s = rt.clock.seconds_until(rt.clock.now() + timedelta(seconds=delay_s))
        at = utc_now() + timedelta(seconds=wait_s)
        book.owe(name, peer, order.id, shipment_id=shipment.id, not_before=at, revives=True)

    owe_later("remind_review", "notices", rt.settings.review_delay_s)
    if rt.settings.receive_after_s:
        owe_later("mark_received", f"shop.{order.shop}", rt.settings.receive_after_s)


def owe_remark(book: StepBook, shipment: ShipmentRow, order: OrderRow) -> None:
    """The shop's staff read in the order's log what is wrong."""
    shop = f"shop.{order.shop}"
    book.owe("write_remark", shop, order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no, again=True)


def _apply_status(book: StepBook, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    if tracking.status != "unknown" or shipment.status == "unknown":
        changed = shipment.status != tracking.status
        shipment.status, shipment.status_at = tracking.status, tracking.status_at
        if changed:
            _apply_attention(book, shipment, order, tracking)
    if tracking.status == "cancelled":
        shipment.pickup_due_from = None


def shown_status(parcels: Sequence[ShipmentRow]) -> str:
    """What an order is shown as: an overdue pickup before all, else what its slowest living parcel is at."""
    if any(parcel.stale_since for parcel in parcels):
        return STALE
    living = [parcel for parcel in parcels if parcel.status != "cancelled"] or list(parcels)
    slowest = min(living, key=lambda parcel: (bool(parcel.waybill_no), STATUSES[parcel.status].rank))
    if slowest.status == "unknown":
        return "info_received" if slowest.waybill_no else "received"
    return slowest.status


def _apply_attention(book: StepBook, shipment: ShipmentRow, order: OrderRow, tracking: Tracking) -> None:
    """A status that needs a person opens an exception; the next status closes it by itself."""
    session, subject = book.session, f"tracking:{shipment.id}"
    desk.close_exceptions(session, subject, f"the parcel is now: {tracking.status}")
    is_loss = tracking.status == "cancelled" and order.state == "open"  # the buyer still waits for this parcel
    if tracking.attention != "action" and not is_loss:
        return
    what = tracking.incident or tracking.status
    message = (
        f"Order {order.order_sn}, waybill {shipment.waybill_no}: the carrier reports {tracking.status} ({what}). "
        "Ask the carrier or the consignee; this line closes by itself when the parcel moves on."
    )
    desk.open_exception(session, desk.Cause(f"tracking.{what}", shipment.peer, subject, message, order_id=order.id))
    if order.state != "withdrawn" and shipment.noted_at is not None:
        owe_remark(book, shipment, order)


def _report_unmapped(session: Session, peer: str, event: TrackingEvent) -> None:
    message = (
        f"{peer} sent the code {event.raw_code!r} in {event.channel}, which no table maps; at most the coarse state "
        f"beside it was used. Add a line for it to that connector's status.toml under [{event.channel}], then replay "
        "the callback."
    )
    subject = f"code:{event.channel}:{event.raw_code}"
    desk.open_exception(session, desk.Cause(f"{peer}.status_unmapped", peer, subject, message))


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
