"""Routes parcels: at intake, again right before the first call to any carrier, and away from a carrier that is closed.

A parcel moves only while it is certain that no carrier holds an order for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from mappings.model import Order
from mappings.routing import Choice, choose, facts_of
from sync.clock import utc_now
from sync.db.models import AttemptRow, ShipmentRow, StepRow
from sync.db.steps import hold
from sync.gateway import PeerAway
from sync.runtime import Runtime
from sync.services.work import Work
from sync.switchboard import LOOK_AGAIN_S, Standing

BOOKING = "book_waybill"

_SETTLED = ("transient", "permanent", "auth")
"""Outcomes of a call that say for certain that nothing happened there."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Another carrier is right for the parcel now; no carrier was asked yet."""

    choice: Choice


def route(rt: Runtime, session: Session, order: Order) -> Choice:
    """Where a new parcel goes."""
    return _choose(rt, rt.switchboard.read(session), order, {})


def route_again(rt: Runtime, standing: Standing, shipment: ShipmentRow, order: Order) -> Choice:
    """Where a parcel goes now. What was closed when it was routed stays closed to it while anything else is open."""
    avoided = {target: f"{target} was closed when the parcel was routed" for target in shipment.route_avoids.split()}
    choice = _choose(rt, standing, order, avoided)
    return choice if choice.is_open or not avoided else _choose(rt, standing, order, {})


def _choose(rt: Runtime, standing: Standing, order: Order, avoided: dict[str, str]) -> Choice:
    default = standing.default_carrier([peer.key for peer in rt.settings.carriers])
    closed = {**avoided, **standing.closed()}
    return choose(rt.settings.routing, facts_of(order), closed, default.removeprefix("carrier."))


def set_route(rt: Runtime, shipment: ShipmentRow, choice: Choice) -> None:
    """Write a choice into the parcel."""
    carrier = rt.peer(f"carrier.{choice.carrier}")
    shipment.peer, shipment.shipper_code, shipment.account = carrier.key, choice.shipper_code, choice.account
    shipment.environment = str(carrier.config.get("environment") or rt.settings.environment)
    shipment.route_reason, shipment.route_avoids = choice.reason, " ".join(sorted(choice.passed_over))
    rt.counters.routed.labels(choice.rule, carrier.key).inc()


def settle_route(rt: Runtime, work: Work, shipment: ShipmentRow, order: Order) -> ShipmentRow | Moved:
    """Choose once more before the first call: the parcel as it is to be booked here, or `Moved`.

    What is changed is stored before the call, so that a repeat asks for the same. Raises PeerAway while all that fits
    is closed.
    """
    standing = rt.switchboard.read()
    choice = route_again(rt, standing, shipment, order)
    if _is_same(shipment, choice) and choice.is_open:
        return shipment
    with rt.database.writing() as session:
        if session.execute(select(StepRow.id).where(StepRow.id == work.step_id, has_unclear_call())).first():
            wait_while_paused(rt, work, shipment)
            return shipment
        if not choice.is_open:
            raise PeerAway(work.peer, choice.reason, _next_look_at(standing))
        if f"carrier.{choice.carrier}" != work.peer:
            return Moved(choice)
        if hold(session, work.step_id, work.token) is None:
            raise PeerAway(work.peer, "another worker has the step", utc_now())
        row = session.get_one(ShipmentRow, shipment.id, with_for_update=True)
        set_route(rt, row, choice)
        return row


def wait_while_paused(rt: Runtime, work: Work, shipment: ShipmentRow) -> None:
    """Raise PeerAway while the parcel's courier company or account is paused; a paused carrier has a closed door."""
    pause = rt.switchboard.read().pause_of(work.peer, shipment.shipper_code, shipment.account)
    if pause is not None:
        raise PeerAway(work.peer, f"{pause.what} is paused: {pause.reason}", pause.next_look_at)


def has_unclear_call() -> ColumnElement[bool]:
    """Whether any call of a booking step ended in such a way that the carrier may hold the order: in any way but a
    certain no, and but what only prepared the order."""
    prepared = and_(AttemptRow.outcome == "ok", AttemptRow.operation != BOOKING)
    return exists().where(
        AttemptRow.order_id == StepRow.order_id,
        AttemptRow.step_id == StepRow.id,
        AttemptRow.peer == StepRow.peer,
        AttemptRow.outcome.not_in(_SETTLED),
        ~prepared,
    )


def _is_same(shipment: ShipmentRow, choice: Choice) -> bool:
    return (shipment.peer, shipment.shipper_code, shipment.account) == (
        f"carrier.{choice.carrier}",
        choice.shipper_code,
        choice.account,
    )


def _next_look_at(standing: Standing) -> datetime:
    ends = [switch.next_look_at for switch in standing.switches.values()]
    return min(ends, default=utc_now() + timedelta(seconds=LOOK_AGAIN_S))
