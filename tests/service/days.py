"""Days that pass in a moment: business time moves on for us and for the sandbox's carriers, and queries grow older."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import select

from sync.clock import BusinessClock
from sync.db.models import OrderRow, ShipmentRow
from sync.sandbox.kdniao import SandboxKdniao
from sync.services.sweep_parcels import sweep_parcels
from tests.service.house import House


class Calendar(BusinessClock):
    """Business time that a test moves on."""

    ahead = timedelta(0)

    def at(self, machine_time: datetime) -> datetime:
        return BusinessClock.at(self, machine_time) + self.ahead

    def move_on(self, length: timedelta) -> None:
        object.__setattr__(self, "ahead", self.ahead + length)  # clocks are frozen


class Days:
    """A house whose days a test lets pass."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.calendar = Calendar()
        house.rt.settings = replace(house.rt.settings, clock=self.calendar)
        peers = cast(dict[str, Any], house.peers._peers)
        for peer in peers.values():
            if hasattr(peer, "clock"):
                peer.clock = self.calendar

    def go_by(self, **length: float) -> None:
        """Let time pass, on both clocks, and nothing else happen."""
        self.calendar.move_on(timedelta(**length))
        with self.house.rt.database.writing() as session:
            for order in session.execute(select(OrderRow)).scalars():
                order.received_at -= timedelta(**length)
            for shipment in session.execute(select(ShipmentRow)).scalars():
                if shipment.queried_at is not None:
                    shipment.queried_at -= timedelta(**length)

    def sweep(self) -> Counter[str]:
        """One tick of the sweep, and all that follows; returns the queries that it owed, by reason."""
        swept = sweep_parcels(self.house.rt)
        self.house.serve(swept.wakes)
        self.house.settle()
        return swept.owed

    def queries(self) -> int:
        """How often a carrier was asked about a parcel."""
        return sum(call["operation"].startswith("query") for call in self.house.peers.ledger()["calls"])

    def stand_still(self, order_sn: str) -> None:
        """The carrier has no scan of the parcel."""
        carrier = cast(SandboxKdniao, self.house.peers._peers["carrier"])
        carrier._by_order[self.house.shipment(order_sn).order_code].scans = ()
