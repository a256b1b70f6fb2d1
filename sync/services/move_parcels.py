"""Moves what is owed to a closed carrier to the next rule, and probes carriers whose parcels have all gone elsewhere.

Workers choose anew before every first call; but nobody is told of steps at a paused carrier or one that is away.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.orm import Session

from mappings.errors import PeerError
from mappings.routing import Choice
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.cursors import read_cursors, set_cursor
from sync.db.models import OrderRow, PeerRow, ShipmentRow, StepRow
from sync.db.orders import read_order
from sync.db.session import count_changed
from sync.db.steps import StepBook, Wake
from sync.gateway import CallContext, PeerAway
from sync.runtime import Runtime
from sync.services.check import PROBE_REF
from sync.services.parcels import move_parcel
from sync.services.route import BOOKING, has_unclear_call, route_again
from sync.switchboard import Standing

log = logging.getLogger(__name__)

PAGE = 100
PAGES = 5
"""Parcels looked at in one run: those that no open carrier fits must not keep the sweep busy."""

CURSOR = "moves.after"

_MAY_MOVE = (StepRow.name == BOOKING, ~StepRow.is_uncertain, StepRow.last_outcome != "duplicate", ~has_unclear_call())
"""No carrier can hold an order for the parcel."""


@dataclass(slots=True)
class Moves:
    """Whom to wake, how many parcels moved, and which carriers to probe."""

    wakes: list[Wake] = field(default_factory=list)
    moved: int = 0
    probes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Move:
    step_id: int
    shipment_id: int
    choice: Choice


def move_parcels(rt: Runtime) -> Moves:
    """Move a bounded number of parcels away from closed carriers; where nothing is closed this costs no statement."""
    standing = rt.switchboard.read()
    closed = {f"carrier.{name}" for name in standing.closed() if "/" not in name}
    found = Moves()
    if not closed:
        return found
    if not closed.issuperset(peer.key for peer in rt.settings.carriers):
        for _ in range(PAGES):
            if not _move_page(rt, standing, closed, found):
                break
    with rt.database.reading() as session:
        found.probes = _find_unprobed(session, standing)
    if found.moved:
        log.warning("%d parcels moved away from %s", found.moved, ", ".join(sorted(closed)))
    return found


def probe(rt: Runtime, peer: str) -> None:
    """Ask a carrier a harmless question; the gateway opens its door when it answers."""
    exchange = rt.carriers[peer].query_tracking(
        shipper_code="STO", waybill_no=PROBE_REF, order_code=PROBE_REF, phone="", asked_at=rt.clock.now()
    )
    try:
        rt.gateway.run(peer, exchange, CallContext())
    except (PeerError, PeerAway) as answer:
        log.info("%s was probed: %s", peer, answer)


def _move_page(rt: Runtime, standing: Standing, closed: Collection[str], found: Moves) -> bool:
    """Look at the next page of candidates; False when it was the last one."""
    with rt.database.reading() as session:
        last_id = int(read_cursors(session, CURSOR).get("", ("0", None))[0])
        rows = _candidates(session, standing, closed, last_id)
        planned = [(step, shipment, _choose(rt, session, standing, shipment, order)) for step, shipment, order in rows]
    moves = [
        _Move(step.id, shipment.id, choice)
        for step, shipment, choice in planned
        if choice.is_open and f"carrier.{choice.carrier}" != shipment.peer
    ]
    next_id = rows[-1][0].id if len(rows) == PAGE else 0
    if moves or next_id != last_id:
        with rt.database.writing() as session:
            book = StepBook(session, found.wakes)
            found.moved += sum(_move(rt, book, move) for move in moves)
            set_cursor(session, CURSOR, str(next_id))
    return next_id > 0


def _choose(rt: Runtime, session: Session, standing: Standing, shipment: ShipmentRow, order: OrderRow) -> Choice:
    return route_again(rt, standing, shipment, read_order(session, order, shipment.parcel_no))


def _candidates(
    session: Session, standing: Standing, closed: Collection[str], after: int
) -> Sequence[tuple[StepRow, ShipmentRow, OrderRow]]:
    """Bookings owed to closed carriers, and those that the carrier's trouble has parked."""
    parked = [
        and_(
            StepRow.peer == peer,
            StepRow.state == "parked",
            StepRow.last_outcome == "transient",
            StepRow.finished_at >= since - timedelta(minutes=1),
        )
        for peer, since in standing.away.items()
    ]
    rows = session.execute(
        select(StepRow, ShipmentRow, OrderRow)
        .join(ShipmentRow, ShipmentRow.id == StepRow.shipment_id)
        .join(OrderRow, OrderRow.id == StepRow.order_id)
        .where(
            StepRow.id > after,
            StepRow.peer.in_(closed),
            StepRow.state.in_(("owed", "parked")),
            or_(StepRow.state == "owed", *parked),
            OrderRow.state == "open",
            ShipmentRow.waybill_no == "",
            *_MAY_MOVE,
        )
        .order_by(StepRow.id)
        .limit(PAGE)
    )
    return [(step, shipment, order) for step, shipment, order in rows]


def _move(rt: Runtime, book: StepBook, move: _Move) -> bool:
    """The parcel's lock first, as whoever withdraws its order does; a step that a worker has claimed stays."""
    shipment = book.session.get(ShipmentRow, move.shipment_id, with_for_update=True)
    if shipment is None or shipment.waybill_no:
        return False
    dropped = book.session.execute(
        update(StepRow)
        .where(StepRow.id == move.step_id, StepRow.state.in_(("owed", "parked")), *_MAY_MOVE)
        .values(state="dropped", finished_at=utc_now(), last_message=move.choice.reason)
        .execution_options(synchronize_session=False)
    )
    if count_changed(dropped) != 1:
        return False
    step = book.session.get_one(StepRow, move.step_id)
    desk.close_exceptions(book.session, desk.step_subject(step), f"moved to {move.choice.carrier}")
    move_parcel(rt, book, shipment, move.choice)
    return True


def _find_unprobed(session: Session, standing: Standing) -> list[str]:
    """Carriers that are away, may be asked again now, and are owed nothing that would soon ask them."""
    soon = utc_now() + timedelta(seconds=60)
    owed = exists().where(
        StepRow.peer == PeerRow.peer, StepRow.state.in_(("owed", "running")), StepRow.not_before <= soon
    )
    due = select(PeerRow.peer).where(PeerRow.peer.in_(standing.away), PeerRow.probe_at <= utc_now(), ~owed)
    return [peer for peer in session.execute(due).scalars() if standing.pause_of(peer) is None]
