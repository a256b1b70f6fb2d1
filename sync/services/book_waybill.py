"""Books the waybill of a parcel: look at the shop once more, call the carrier, store number, times and label."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from mappings.errors import AuthError, DuplicateError, PermanentError, UndecidedError
from mappings.model import Order, Printable, Waybill, WaybillRequest
from sync.clock import utc_now
from sync.db.models import AttemptRow, OrderRow, ShipmentRow, StepRow, TrackingEventRow
from sync.db.orders import set_status, write_order
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.fetch_label import owe_label
from sync.services.keep_labels import store_label
from sync.services.numbers import is_replaced, remember_packages
from sync.services.parcels import adopt_shipped, move_parcel
from sync.services.pause_account import pause_account
from sync.services.pickup import owe_pickup
from sync.services.route import Moved, settle_route, wait_while_paused
from sync.services.subscribe import follower_of, owe_subscription
from sync.services.track import adopt_orphans
from sync.services.withdraw import tell_booked_after_withdrawal, withdraw_order
from sync.services.work import Work
from sync.shops.port import Standing

log = logging.getLogger(__name__)

NUMBER_WAIT_S = 600.0
"""How long to wait for a push that brings the number of an order which the carrier took and must not get twice."""


@dataclass(frozen=True, slots=True)
class Booked:
    """The waybill, and the order as the shop shows it now where that is not what we held."""

    waybill: Waybill
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class NotOwed:
    """The shop no longer owes this parcel, so none was booked; `numbers` are those under which staff shipped it."""

    standing: Standing
    numbers: tuple[str, ...] = ()


def perform(rt: Runtime, work: Work) -> Booked | NotOwed | Moved:
    """Ask the carrier under the parcel's own order code, so that a repeat adopts what the first call brought."""
    shipment = _shipment(work)
    order, edited = work.order, None
    if work.may_have_happened:
        wait_while_paused(rt, work, shipment)
    else:
        found = _look_again(rt, work)
        if isinstance(found, NotOwed):
            return found
        if not _is_same(found, work.order):
            order = edited = found
        settled = settle_route(rt, work, shipment, order)
        if isinstance(settled, Moved):
            return settled
        shipment = settled
    request = WaybillRequest(
        order_code=shipment.order_code,
        reference=f"shipment:{shipment.id}",
        shipper_code=shipment.shipper_code,
        order=order,
        consignor=rt.settings.consignor,
        account=shipment.account,
    )
    if _is_repeatable(rt, work):
        return Booked(_ask(rt, work, shipment, request), edited)
    return Booked(_find_instead(rt, work, shipment), edited)


def _ask(rt: Runtime, work: Work, shipment: ShipmentRow, request: WaybillRequest) -> Waybill:
    try:
        waybill = rt.gateway.run(work.peer, rt.carriers[work.peer].book_waybill(request), work.calls)
    except AuthError as refusal:
        if refusal.account:
            pause_account(rt, work.peer, refusal)
        raise
    except UndecidedError as undecided:
        if undecided.carrier_order_no:  # the push that brings the number may name the order by nothing else
            with rt.database.writing() as session:
                session.get_one(ShipmentRow, shipment.id).carrier_order_no = undecided.carrier_order_no
        raise
    except DuplicateError:
        adopted = _find_pushed(rt, shipment)
        if adopted is None:
            raise
        waybill = adopted
    if not waybill.waybill_no:
        raise PermanentError("waybill.number_missing", "The carrier accepted the order but gave no waybill number")
    return waybill


def record(rt: Runtime, book: StepBook, work: Work, result: Booked | NotOwed | Moved) -> None:
    """Store the waybill; from now on the shop is owed its number and the parcel waits for its pickup."""
    shipment = book.session.get_one(ShipmentRow, _shipment(work).id, with_for_update=True)
    # Read under the parcel's lock: whoever withdraws the order meanwhile either sees this waybill or is seen here.
    order = book.session.get_one(OrderRow, work.order_id)
    if isinstance(result, NotOwed):
        _let_go(rt, book, order, result)
        return
    if isinstance(result, Moved):
        _leave(rt, book, order, shipment, work, result)
        return
    if result.order is not None:
        write_order(book.session, result.order, order, parcel_no=shipment.parcel_no)
        shipment.note_id = result.order.note_id
    take_waybill(rt, book, order, shipment, result.waybill)


def take_waybill(rt: Runtime, book: StepBook, order: OrderRow, shipment: ShipmentRow, waybill: Waybill) -> None:
    """Store the waybill of a locked parcel, whoever issued it, and owe what follows from it."""
    _store(rt, book, order, shipment, waybill)
    if order.state == "withdrawn":
        tell_booked_after_withdrawal(book, order, shipment)
        return
    shop = f"shop.{order.shop}"
    book.owe("write_note", shop, order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)
    is_own = not (shipment.shipped_by or rt.peer(shipment.peer).spec.by_hand)
    is_followed = bool(follower_of(rt, shipment.peer))
    if not is_followed:  # nobody will tell of a pickup, so nobody waits for one
        shipment.pickup_due_from = shipment.heard_at = None
    if rt.settings.ship_on == "waybill" or shipment.pickup_at is not None or not is_followed:
        book.owe("write_shipped", shop, order.id, shipment_id=shipment.id, parcel_no=shipment.parcel_no)
    if is_own:
        owe_label(rt, book, shipment)
    owe_subscription(rt, book, shipment, is_own=is_own)
    adopt_orphans(rt, book, shipment)
    if is_own:
        owe_pickup(rt, book, shipment)


def _store(rt: Runtime, book: StepBook, order: OrderRow, shipment: ShipmentRow, result: Waybill) -> None:
    now = rt.clock.now()
    if not is_replaced(book.session, shipment, result.waybill_no):
        shipment.waybill_no = result.waybill_no
        shipment.shipper_code = result.shipper_code or shipment.shipper_code
    remember_packages(book.session, shipment, result.sub_waybill_nos)
    shipment.carrier_order_no = result.carrier_order_no
    shipment.booked_at = shipment.heard_at = now
    shipment.estimated_pickup_at = result.estimated_pickup_at
    shipment.estimated_delivery_at = result.estimated_delivery_at
    # After an uncertain first try the carrier may have pushed scans before its answer reached us: these stand.
    if shipment.status == "unknown":
        shipment.status, shipment.status_at = "info_received", now
        if order.state != "withdrawn":
            set_status(order, "info_received")
    if shipment.pickup_at is None:
        shipment.pickup_due_from = now
    if result.label:
        label = Printable(result.label, result.label_kind)
        store_label(rt, book.session, shipment, label, result.waybill_no)


def _let_go(rt: Runtime, book: StepBook, order: OrderRow, result: NotOwed) -> None:
    if order.state == "withdrawn":
        return
    if result.standing is Standing.SHIPPED:
        adopt_shipped(rt, book, order, result.numbers, rt.clock.now())
    else:
        withdraw_order(book, order, result.standing)


def _leave(rt: Runtime, book: StepBook, order: OrderRow, shipment: ShipmentRow, work: Work, result: Moved) -> None:
    """No carrier was asked: the step here is over, and the next carrier is owed one, unless the order is withdrawn."""
    step = book.session.get_one(StepRow, work.step_id)
    step.state, step.last_message = "dropped", result.choice.reason
    if order.state != "withdrawn":
        move_parcel(rt, book, shipment, result.choice)


def _look_again(rt: Runtime, work: Work) -> Order | NotOwed:
    """The order may have been cancelled, edited or shipped since it was read; a waybill costs money."""
    key, order_id = f"shop.{work.order.shop}", work.order.shop_order_id
    shop = rt.shops[key]
    found = rt.gateway.observe(key, "read_one", lambda: shop.read_one(order_id, rt.clock.now()), work.calls)
    if isinstance(found, Order):
        return found
    if found is not None:
        raise PermanentError(found.code, f"Order {work.order_sn} changed in the shop: {found.reason}")
    standing = rt.gateway.observe(key, "read_standing", lambda: shop.read_standings([order_id])[order_id], work.calls)
    if standing is Standing.OWED:
        raise PermanentError(
            "order.nothing_left_to_ship",
            f"The shop owes order {work.order_sn}, but all its goods stand on delivery notes that carry a number. "
            "No waybill was booked. Ship those notes in the shop's admin, or remove the number; then retry",
        )
    numbers: tuple[str, ...] = ()
    if standing is Standing.SHIPPED:
        numbers = rt.gateway.observe(key, "read_numbers", lambda: shop.read_numbers(order_id), work.calls)
    return NotOwed(standing, numbers)


def _is_same(found: Order, held: Order) -> bool:
    """What a waybill and its delivery note are made of has not changed."""
    return (found.content_hash, found.note_id, found.line_quantities()) == (
        held.content_hash,
        held.note_id,
        held.line_quantities(),
    )


def _is_repeatable(rt: Runtime, work: Work) -> bool:
    """Whether the order can be sent: the first time, or while the carrier promises a repeat its first waybill."""
    window_s = rt.carriers[work.peer].spec.repeat_window_s(rt.peer(work.peer).config)
    if not work.may_have_happened or not window_s:
        return True
    # A call lasts, and clocks differ: the last lease's length before the promise ends counts as after it.
    return window_s > 0 and utc_now() < _first_tried_at(rt, work) + timedelta(seconds=window_s - rt.settings.lease_s)


def _find_instead(rt: Runtime, work: Work, shipment: ShipmentRow) -> Waybill:
    """The waybill of an order that must not be sent again, from its pushes.

    Raises UndecidedError while a push may still bring its number, PermanentError where nobody but a person can find it.
    """
    if found := _find_pushed(rt, shipment):
        return found
    todo = (
        f"enter its number with: ecsync order number {work.order_sn} NUMBER (or put it on the delivery note in the "
        "shop's admin, ship it there, and resolve this line)"
    )
    if shipment.carrier_order_no:
        raise UndecidedError(
            "waybill.number_awaited",
            f"{work.peer} took order {work.order_sn} as {shipment.carrier_order_no} and has pushed no waybill number "
            f"yet; the order is not sent a second time. Retry once the push came; else look for it in the carrier's "
            f"console and {todo}",
            retry_after_s=NUMBER_WAIT_S,
        )
    raise PermanentError(
        "waybill.outcome_unknown",
        f"Order {work.order_sn} was sent to {work.peer} as {shipment.order_code} and the answer never came. The "
        "carrier does not promise, or no longer, to know a repeat; one could bring a second waybill, so nothing was "
        "sent now. Look for that order code in the carrier's console; if there is none, order the waybill there by "
        "hand. "
        f"Then {todo}",
    )


def _first_tried_at(rt: Runtime, work: Work) -> datetime:
    """When the oldest order of unknown outcome went out. A lost worker left no record of it: then since it was owed."""
    tried = select(func.min(AttemptRow.started_at)).where(
        AttemptRow.step_id == work.step_id,
        AttemptRow.operation == "book_waybill",
        AttemptRow.outcome == "uncertain",
    )
    with rt.database.reading() as session:
        step, first = session.get_one(StepRow, work.step_id), session.scalar(tried)
        return first if first is not None and not step.losses else step.created_at


def _find_pushed(rt: Runtime, shipment: ShipmentRow) -> Waybill | None:
    """The carrier has the order and does not say its number; a push about our code, or about its own, may have."""
    pushed = select(TrackingEventRow.waybill_no).where(
        TrackingEventRow.peer == shipment.peer,
        TrackingEventRow.order_code.in_((shipment.order_code, *shipment.carrier_order_no.split())),
        TrackingEventRow.waybill_no != "",
    )
    with rt.database.reading() as session:
        numbers = set(session.execute(pushed).scalars())
    if len(numbers) != 1:
        return None
    return Waybill(
        numbers.pop(),
        shipment.shipper_code,
        shipment.order_code,
        adopted=True,
        carrier_order_no=shipment.carrier_order_no,
    )


def _shipment(work: Work) -> ShipmentRow:
    if work.shipment is None:
        raise PermanentError("waybill.parcel_missing", f"Order {work.order_sn} has a waybill step without a parcel")
    return work.shipment
