"""Asks the carrier platform for pushes about numbers that it did not issue: staff shipped these parcels by hand."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mappings.connector import CourierFinder
from mappings.errors import PermanentError
from mappings.status import STATUSES, SUBSCRIPTION_ENDED
from sync.clock import utc_now
from sync.db.models import ShipmentRow, TrackingEventRow
from sync.db.steps import StepBook
from sync.runtime import Runtime
from sync.services.work import Work

MONTH = timedelta(days=31)


def owe_subscription(
    rt: Runtime, book: StepBook, shipment: ShipmentRow, *, is_own: bool, not_before: datetime | None = None
) -> None:
    """Owe it unless the platform pushes about its own waybills by itself, or has no address to push to.

    A number of a carrier that calls nobody is from now on a parcel of the one that follows it, if there is one.
    """
    follower = follower_of(rt, shipment.peer)
    if not follower:
        return
    shipment.peer = follower
    spec = rt.peer(shipment.peer).spec
    if (is_own and spec.tracks_own_waybills) or (spec.pushes_where_told and not rt.settings.public_url):
        return
    book.owe(
        "subscribe",
        shipment.peer,
        shipment.order_id,
        shipment_id=shipment.id,
        parcel_no=shipment.parcel_no,
        not_before=not_before,
        again=True,
    )


def follower_of(rt: Runtime, peer: str) -> str:
    """The carrier that tells of a carrier's parcels: itself, or the one that it names; empty for nobody."""
    carrier = rt.peer(peer)
    if not carrier.spec.by_hand:
        return peer
    name = carrier.config["track_by"]
    return f"carrier.{name}" if name else ""


def renew_subscription(rt: Runtime, book: StepBook, shipment: ShipmentRow) -> None:
    """The platform stopped following the number: owe a new subscription, no sooner and no oftener than it allows."""
    spec = rt.peer(shipment.peer).spec
    if not spec.resubscribe_after_s or STATUSES[shipment.status].is_terminal:
        return
    if _count_ended(book.session, shipment) >= (spec.subscriptions_a_month or math.inf):
        return
    at = utc_now() + timedelta(seconds=spec.resubscribe_after_s)
    owe_subscription(rt, book, shipment, is_own=False, not_before=at)


def _count_ended(session: Session, shipment: ShipmentRow) -> int:
    """How many subscriptions of the parcel ended within a month, the newest one included."""
    ended = TrackingEventRow.fields["incident"].as_string() == SUBSCRIPTION_ENDED
    since = utc_now() - MONTH
    wanted = select(func.count()).where(
        TrackingEventRow.shipment_id == shipment.id, TrackingEventRow.received_at > since, ended
    )
    return session.execute(wanted).scalar_one()


def perform(rt: Runtime, work: Work) -> str:
    """Subscribe the parcel's number; returns the code of its courier company, which may have had to be found out."""
    shipment = work.shipment
    if shipment is None or not shipment.waybill_no:
        raise PermanentError("subscribe.parcel_missing", f"Order {work.order_sn}: a subscription without a number")
    carrier, shipper_code = rt.carriers[work.peer], shipment.shipper_code
    if rt.peer(work.peer).spec.finds_couriers:
        finder = cast(CourierFinder, carrier)
        if finder.doubts_courier(shipper_code=shipper_code, waybill_no=shipment.waybill_no):
            found = finder.find_courier(waybill_no=shipment.waybill_no)
            shipper_code = rt.gateway.run(work.peer, found, work.calls)
    exchange = carrier.subscribe(
        shipper_code=shipper_code,
        waybill_no=shipment.waybill_no,
        order_code=shipment.order_code,
        phone=work.order.consignee.phone,
        callback_url=callback_url(rt, work.peer),
    )
    rt.gateway.run(work.peer, exchange, work.calls)
    return shipper_code


def callback_url(rt: Runtime, peer: str) -> str:
    """The address that a carrier's pushes go to, seen from outside; empty when nobody said what it is."""
    if not rt.settings.public_url:
        return ""
    parts = (rt.settings.public_url, "callbacks", rt.peer(peer).name, rt.settings.callback_token)
    return "/".join(part for part in parts if part)


def record(rt: Runtime, book: StepBook, work: Work, result: str) -> None:
    """Keep the courier company that the platform named."""
    if work.shipment is not None:
        book.session.get_one(ShipmentRow, work.shipment.id).shipper_code = result
