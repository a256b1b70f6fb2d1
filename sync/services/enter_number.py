"""Takes the waybill number that staff wrote by hand, or found in a carrier's console after an answer was lost: from
then on the parcel is as one that a carrier booked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from mappings.model import Waybill
from mappings.waybill_number import parse_waybill_number
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import AuditRow, OrderRow, ShipmentRow, StepRow
from sync.db.orders import close_if_done, find_by_sn
from sync.db.steps import StepBook, Wake
from sync.runtime import Runtime
from sync.services.book_waybill import take_waybill
from sync.services.numbers import find_other_order
from sync.services.route import BOOKING
from sync.services.subscribe import follower_of

_SHIPPER_CODE = re.compile(r"[0-9A-Za-z_]{1,20}")


class NumberRefused(Exception):
    """The number was not taken, and nothing was changed; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What was stored. `followed_by` is the carrier that follows the number, empty for none."""

    order_sn: str
    parcel_no: int
    waybill_no: str
    shipper_code: str
    followed_by: str
    wakes: tuple[Wake, ...]


def enter_number(
    rt: Runtime, order_sn: str, text: str, *, actor: str, shipper_code: str = "", parcel_no: int | None = None
) -> Entered:
    """Store the number of the parcel that waits for one; raises NumberRefused.

    `shipper_code` empty keeps the courier company that the order was routed to, `parcel_no` None means the only one
    that waits.
    """
    try:
        number = parse_waybill_number(text)
    except ValueError as problem:
        raise NumberRefused(f"{problem}. Nothing was changed.") from None
    if shipper_code and not _SHIPPER_CODE.fullmatch(shipper_code):
        raise NumberRefused(f"{shipper_code!r} is no code of a courier company, such as ZTO. Nothing was changed.")
    with rt.database.writing() as session:
        row = _find_order(session, order_sn)
        step = _lock_step(rt, session, row, parcel_no)
        shipment = session.get_one(ShipmentRow, step.shipment_id, with_for_update=True)
        session.refresh(row)
        _refuse_unfit(session, row, shipment, number)
        book, issuer = StepBook(session), shipment.peer
        waybill = Waybill(
            number,
            shipper_code.upper() or shipment.shipper_code,
            shipment.order_code,
            carrier_order_no=shipment.carrier_order_no,
        )
        take_waybill(rt, book, row, shipment, waybill)
        _settle(rt, session, step, actor, shipment)
        close_if_done(session, row.id)
        followed_by = follower_of(rt, issuer)
        return Entered(order_sn, step.parcel_no, number, shipment.shipper_code, followed_by, tuple(book.wakes))


def _find_order(session: Session, order_sn: str) -> OrderRow:
    rows = find_by_sn(session, order_sn)
    if not rows:
        raise NumberRefused(f"We hold no order {order_sn}. If the shop has it: ecsync order push {order_sn}")
    if len(rows) > 1:
        raise NumberRefused(f"Several shops have an order {order_sn}: put the number on its note in the shop's admin")
    return rows[0]


def _lock_step(rt: Runtime, session: Session, row: OrderRow, parcel_no: int | None) -> StepRow:
    """The booking that waits for a person: one by hand, or one that is parked since nobody knows what came of it."""
    by_hand = [carrier.key for carrier in rt.settings.carriers if carrier.spec.by_hand]
    wanted = select(StepRow).where(
        StepRow.order_id == row.id,
        StepRow.name == BOOKING,
        StepRow.state.in_(("owed", "parked", "running")),
        or_(StepRow.peer.in_(by_hand), and_(StepRow.state == "parked", StepRow.is_uncertain)),
    )
    if parcel_no is not None:
        wanted = wanted.where(StepRow.parcel_no == parcel_no)
    found = list(session.execute(wanted.order_by(StepRow.parcel_no).with_for_update()).scalars())
    if not found:
        raise NumberRefused(
            f"No parcel of order {row.order_sn} waits for a number by hand; look at it with: ecsync order show "
            f"{row.order_sn}. A number that is wrong is corrected on the delivery note in the shop's admin."
        )
    if len(found) > 1:
        numbers = ", ".join(str(step.parcel_no) for step in found)
        raise NumberRefused(f"Parcels {numbers} of order {row.order_sn} wait for a number: say which with --parcel")
    if found[0].state == "running":
        raise NumberRefused(f"A worker looks at order {row.order_sn} this moment; try again in some seconds.")
    return found[0]


def _refuse_unfit(session: Session, row: OrderRow, shipment: ShipmentRow, number: str) -> None:
    if row.state == "withdrawn":
        raise NumberRefused(f"The shop does not owe order {row.order_sn} any more: do not send this parcel.")
    if shipment.waybill_no:
        raise NumberRefused(f"The parcel has number {shipment.waybill_no} already; nothing was changed.")
    other = find_other_order(session, number, [shipment.id])
    if other is not None:
        raise NumberRefused(f"Number {number} is that of a parcel of order {other}. Look at the waybill again.")


def _settle(rt: Runtime, session: Session, step: StepRow, actor: str, shipment: ShipmentRow) -> None:
    """The booking is done, by a person; the audit says by whom."""
    step.state, step.finished_at, step.is_uncertain = "done", utc_now(), False
    desk.close_exceptions(session, desk.step_subject(step), f"number entered by {actor}")
    said = f"waybill {shipment.waybill_no} ({shipment.shipper_code}) entered by hand"
    session.add(
        AuditRow(at=utc_now(), actor=actor, action="parcels.number", subject=f"parcel:{shipment.id}", reason=said)
    )
    rt.counters.finished.labels(step.name, step.peer, "done").inc()
