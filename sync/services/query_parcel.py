"""Asks the carrier about a parcel: what no push told is merged; a parcel that stays overdue, still or late is told.

A query never parks: nobody need look at one that failed. The sweep asks again the next day, and what made a parcel
suspicious is told with the reason why the carrier could not be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mappings.errors import PeerError, PermanentError
from mappings.model import TrackingEvent
from mappings.pacing import Allowance, free_from
from mappings.status import STATUSES
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.cursors import set_cursor
from sync.db.models import CursorRow, OrderRow, ShipmentRow
from sync.db.orders import set_status
from sync.db.session import insert_new
from sync.db.steps import StepBook
from sync.gateway import PeerAway
from sync.runtime import Runtime
from sync.services.track import STALE, merge_events, owe_remark
from sync.services.watch import NO_MOVEMENT, UNDELIVERED
from sync.services.work import Work

STEP = "query_parcel"

PICKUP, STILL, LATE, DAILY = "pickup", "still", "late", "daily"
"""Why a parcel is asked about: its pickup is overdue, it does not move, it is late; or nothing was heard of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """All that the carrier knows of a parcel. `is_asked` False: it was over meanwhile, so nobody asked."""

    events: tuple[TrackingEvent, ...] = ()
    is_asked: bool = True


def suspicion(rt: Runtime, shipment: ShipmentRow) -> str:
    """What is wrong with a parcel as far as we know; `daily` for nothing."""
    now, settings = rt.clock.now(), rt.settings
    is_told = shipment.still_since is not None or shipment.undelivered_since is not None
    if _is_before(shipment.pickup_due_from, now - timedelta(seconds=settings.stale_pickup_after_s)):
        return PICKUP
    if is_told or shipment.pickup_at is None:
        return DAILY
    if _is_before(shipment.moved_at, now - timedelta(seconds=settings.still_after_s)):
        return STILL
    return LATE if _is_before(shipment.deliver_by, now) else DAILY


def _is_before(moment: datetime | None, limit: datetime) -> bool:
    return moment is not None and moment < limit


def perform(rt: Runtime, work: Work) -> Answer:
    """Ask for all events: a push may have been lost. Raises PeerAway when the platform allows no query now."""
    shipment = work.shipment
    if shipment is None:
        raise PermanentError("query.parcel_missing", f"Order {work.order_sn}: a query without a parcel")
    if not shipment.waybill_no or STATUSES[shipment.status].is_terminal:
        return Answer(is_asked=False)
    _take_turn(rt, work.peer, shipment.id)
    rt.counters.queries.labels(work.peer, suspicion(rt, shipment)).inc()
    exchange = rt.carriers[work.peer].query_tracking(
        shipper_code=shipment.shipper_code,
        waybill_no=shipment.waybill_no,
        order_code=shipment.order_code,
        phone=work.order.consignee.phone,
        asked_at=rt.clock.now(),
    )
    return Answer(rt.gateway.run(work.peer, exchange, work.calls))


def spacing_s(rt: Runtime, peer: str) -> float:
    """Machine seconds between two queries of one number; a sandbox whose clock runs fast counts them on that clock."""
    return rt.peer(peer).spec.query_spacing_s / rt.clock.speed


def _take_turn(rt: Runtime, peer: str, shipment_id: int) -> None:
    """Note the query before it is made, so that one whose answer is lost counts, too."""
    settings, now = rt.peer(peer), utc_now()
    with rt.database.writing() as session:
        shipment = session.get_one(ShipmentRow, shipment_id, with_for_update=True)
        free = free_from(shipment.queried_at, spacing_s(rt, peer))
        if free is not None and free > now:
            raise PeerAway(peer, f"waybill {shipment.waybill_no} was asked about a while ago", free)
        if settings.queries_a_day:
            turn = Allowance(settings.queries_a_day).take(_read_mark(session, peer), now)
            if turn.mark is None:
                raise PeerAway(peer, "its queries of the day are used up", turn.wait_until or now)
            set_cursor(session, _cursor(peer), turn.mark.isoformat())
        shipment.queried_at = now


def turns_left(session: Session, peer: str, queries_a_day: int) -> int:
    """How many queries the account has now."""
    text = session.execute(select(CursorRow.value).where(CursorRow.name == _cursor(peer))).scalar_one_or_none()
    return Allowance(queries_a_day).left(datetime.fromisoformat(text) if text else None, utc_now())


def _read_mark(session: Session, peer: str) -> datetime | None:
    """The account's mark, locked: workers take their turns one after the other."""
    first = insert_new(session.get_bind().dialect.name, CursorRow)
    session.execute(first, {"name": _cursor(peer), "value": "", "at": utc_now()})
    text = session.execute(
        select(CursorRow.value).where(CursorRow.name == _cursor(peer)).with_for_update()
    ).scalar_one()
    return datetime.fromisoformat(text) if text else None


def _cursor(peer: str) -> str:
    return f"queries {peer}"


def record(rt: Runtime, book: StepBook, work: Work, result: Answer) -> None:
    """Merge what the carrier knows; a parcel that is suspicious all the same is told."""
    if work.shipment is None or not result.is_asked:
        return
    merged = merge_events(rt, book, work.peer, result.events)
    rt.counters.lost_pushes.labels(work.peer).inc(merged.old)
    book.session.flush()
    shipment = book.session.get_one(ShipmentRow, work.shipment.id, with_for_update=True)
    if shipment.heard_at is not None:
        shipment.heard_at = rt.clock.now()
    _tell(rt, book, shipment, "The carrier was asked and knows no more.")


def give_up(rt: Runtime, book: StepBook, work: Work, error: PeerError) -> None:
    """The carrier cannot be asked: what is suspicious is told all the same, what is not waits for the next day."""
    if work.shipment is not None:
        shipment = book.session.get_one(ShipmentRow, work.shipment.id, with_for_update=True)
        _tell(rt, book, shipment, f"The carrier could not be asked: {str(error).rstrip('.')}.")


def _tell(rt: Runtime, book: StepBook, shipment: ShipmentRow, asked: str) -> None:
    """Put a suspicious parcel on the desk and tell customer service; no effect on any other."""
    order = book.session.get_one(OrderRow, shipment.order_id)
    mark = _MARKS.get(suspicion(rt, shipment))
    if mark is None or order.state == "withdrawn":
        return
    alert = mark(book, shipment, order, rt.clock.now())
    message = f"Order {order.order_sn}, waybill {shipment.waybill_no}: {alert.what} {asked} {alert.todo}"
    cause = desk.Cause(alert.code, shipment.peer, f"shipment:{shipment.id}", message, order_id=order.id)
    desk.open_exception(book.session, cause)
    book.owe(alert.notice, "notices", order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no, again=True)


@dataclass(frozen=True, slots=True)
class _Alert:
    """What is told of a parcel: on the desk under `code`, to customer service by the step `notice`."""

    code: str
    notice: str
    what: str
    todo: str


def _mark_overdue(book: StepBook, shipment: ShipmentRow, order: OrderRow, now: datetime) -> _Alert:
    """物流异常."""
    since, shipment.stale_since, shipment.pickup_due_from = shipment.pickup_due_from, now, None
    set_status(order, STALE)
    owe_remark(book, shipment, order)
    what = f"waiting for pickup since {since:%Y-%m-%d %H:%M} UTC."
    return _Alert(STALE, "tell_service", what, "Call the courier's branch; this line closes by itself at the pickup.")


def _mark_still(book: StepBook, shipment: ShipmentRow, order: OrderRow, now: datetime) -> _Alert:
    shipment.still_since = now
    what = f"{shipment.status}, and no scan since {shipment.moved_at:%Y-%m-%d %H:%M} UTC."
    todo = "Ask the courier's branch where the parcel is; this line closes by itself when it moves."
    return _Alert(NO_MOVEMENT, "tell_still", what, todo)


def _mark_late(book: StepBook, shipment: ShipmentRow, order: OrderRow, now: datetime) -> _Alert:
    shipment.undelivered_since, shipment.deliver_by = now, None
    what = f"picked up {shipment.pickup_at:%Y-%m-%d %H:%M} UTC and not delivered yet ({shipment.status})."
    todo = "Ask the courier's branch when it will arrive; this line closes by itself when the parcel moves."
    return _Alert(UNDELIVERED, "tell_undelivered", what, todo)


_MARKS: Mapping[str, Callable[[StepBook, ShipmentRow, OrderRow, datetime], _Alert]] = {
    PICKUP: _mark_overdue,
    STILL: _mark_still,
    LATE: _mark_late,
}
