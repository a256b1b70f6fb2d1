"""A house with two carriers, each a platform of its own with its own ledger, and what tests ask of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from mappings.carriers.kdniao import KdniaoCarrier
from mappings.model import Waybill, WaybillRequest
from mappings.routing_rules import parse_routing
from mappings.wire import Exchange
from sync.clock import utc_now
from sync.db.models import OrderRow, PeerRow, ShipmentRow, StepRow
from sync.db.steps import Wake
from sync.sandbox.server import SandboxPeers, SandboxSettings
from sync.services.move_parcels import Moves, move_parcels
from sync.services.poll_shop import poll_shop
from sync.services.switch_carriers import Wish, switch
from tests.service.house import SHOP, House, open_house

FIRST, SECOND = "carrier.kdniao", "carrier.backup"


@dataclass
class TwoCarriers:
    """`house` books at `carrier.kdniao` unless something says otherwise; `backup` is the other platform."""

    house: House
    backup: SandboxPeers

    def use_rules(self, text: str) -> None:
        """As if the installation had been started with these rules."""
        rt = self.house.rt
        rt.settings = replace(rt.settings, routing=parse_routing(text, ("kdniao", "backup")))

    def take_in(self, count: int = 1) -> list[str]:
        """Orders that are taken in, and nobody has begun with them."""
        numbers = self.house.seed(count)
        poll_shop(self.house.rt, SHOP)
        return numbers

    def ship(self, order_sn: str, peer: str = FIRST, *, follow: bool = True) -> None:
        """A worker of this carrier takes up the message about the order, and others what follows from it."""
        self.house.serve([Wake(self.house.order(order_sn).id, peer)], follow=follow)

    def do(self, action: str, target: str, until: datetime | None = None) -> str:
        return switch(self.house.rt, Wish(action, target, "a test wants it", "tester", until))

    def move(self) -> Moves:
        """The sweep, and the workers that it wakes."""
        moves = move_parcels(self.house.rt)
        self.house.serve(moves.wakes)
        return moves

    def peer_of(self, order_sn: str) -> str:
        return self.house.shipment(order_sn).peer

    def fail(self, which: str, **faults: Any) -> None:
        """Faults of the bookings at one of the carriers; none given: it is well again."""
        peers = self.house.peers if which == FIRST else self.backup
        peers.configure_faults({"carrier": {"only": ["book_waybill"], **faults} if faults else {}})

    def break_down(self) -> None:
        """The first carrier has been away for a quarter of an hour."""
        with self.house.rt.database.writing() as session:
            past = utc_now() - timedelta(minutes=15)
            session.execute(update(PeerRow).where(PeerRow.peer == FIRST).values(closed_at=past, failing_since=past))
        self.house.rt.switchboard.forget()

    def calls(self, which: str) -> int:
        """Bookings that a platform was asked for."""
        peers = self.house.peers if which == FIRST else self.backup
        return sum(order["calls"] for order in peers.ledger()["carrier"]["orders"].values())

    def issued(self, which: str) -> dict[str, list[str]]:
        """A platform's own list: order code -> the waybills it issued under it."""
        peers = self.house.peers if which == FIRST else self.backup
        orders = peers.ledger()["carrier"]["orders"].items()
        return {code: order["waybills"] for code, order in orders if order["waybills"]}

    def waybills(self) -> Counter[str]:
        """Order code -> waybills issued under it, both platforms together. Two would be paid twice."""
        found: Counter[str] = Counter()
        for which in (FIRST, SECOND):
            for code, numbers in self.issued(which).items():
                found[code] += len(numbers)
        return found

    def steps(self, order_sn: str) -> dict[str, str]:
        """Carrier -> the state of the booking that is owed to it."""
        wanted = (
            select(StepRow.peer, StepRow.state)
            .join(OrderRow, OrderRow.id == StepRow.order_id)
            .where(OrderRow.order_sn == order_sn, StepRow.name == "book_waybill")
        )
        with self.house.rt.database.reading() as session:
            return dict(session.execute(wanted).all())

    def shipments(self) -> list[ShipmentRow]:
        with self.house.rt.database.reading() as session:
            return list(session.execute(select(ShipmentRow)).scalars())


def remember_requests(monkeypatch: pytest.MonkeyPatch) -> list[WaybillRequest]:
    """What the connectors are asked from now on; their accounts are let be, whatever they are called."""
    requests: list[WaybillRequest] = []
    original = KdniaoCarrier.book_waybill

    def remember(self: KdniaoCarrier, request: WaybillRequest) -> Exchange[Waybill]:
        requests.append(request)
        return original(self, replace(request, account=""))

    monkeypatch.setattr(KdniaoCarrier, "book_waybill", remember)
    return requests


@contextmanager
def open_two_carriers(tmp_path: Path, database_url: str, **more: str | None) -> Iterator[TwoCarriers]:
    """Everything up; closed again at the end."""
    with SandboxPeers(SandboxSettings(seed=2)) as backup:
        second = "ECSYNC_CARRIER_BACKUP"
        variables = {
            "ECSYNC_CARRIERS": "kdniao,backup",
            f"{second}_CONNECTOR": "kdniao",
            f"{second}_ORDER_URL": backup.carrier_url,
            f"{second}_QUERY_URL": backup.carrier_url,
            f"{second}_EBUSINESS_ID": backup.settings.ebusiness_id,
            f"{second}_APP_KEY": backup.settings.app_key,
            f"{second}_RATE_PER_S": "1000",
        }
        given: dict[str, Any] = {"ECSYNC_DATABASE_URL": database_url, **variables, **more}
        with open_house(tmp_path, **given) as house:
            yield TwoCarriers(house, backup)
