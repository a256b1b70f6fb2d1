"""A house whose carrier is Kuaidi100: its orders, and its pushes as the platform makes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from prometheus_client import CollectorRegistry

from mappings.wire import HttpReply
from sync import exceptions as desk
from sync.clock import BusinessClock
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.sandbox.server import SandboxPeers, SandboxSettings
from sync.services.receive_callback import Push, receive_callback
from sync.settings import read_settings
from tests.service.house import House, bring_up_to_date, environment, sandbox_shop

CARRIER = "carrier.kuaidi100"
SALT = "a-salt-of-ours"
CHINA = timezone(timedelta(hours=8))
FORM = "application/x-www-form-urlencoded"

ORDERED, PICKED_UP, TRANSIT, DELIVERING, DELIVERED = (
    ("101", "已下单"),
    ("103", "已揽收"),
    ("1002", "运输中"),
    ("5", "派件中"),
    ("301", "已签收"),
)


PICKUP = {
    "ECSYNC_CARRIER_KUAIDI100_BOOK_BY": "merchant_pickup",
    "ECSYNC_CARRIER_KUAIDI100_PICKUP_HOURS": "09:00-18:00",
}
"""A courier is ordered for each parcel."""


def kuaidi100_settings(peers: SandboxPeers) -> dict[str, str]:
    """The variables of Kuaidi100 itself, for these peers."""
    given = peers.settings
    return {
        "ECSYNC_CARRIER_KUAIDI100_ENVIRONMENT": "sandbox",
        "ECSYNC_CARRIER_KUAIDI100_KEY": given.kuaidi100_key,
        "ECSYNC_CARRIER_KUAIDI100_SECRET": given.kuaidi100_secret,
        "ECSYNC_CARRIER_KUAIDI100_CUSTOMER": given.kuaidi100_customer,
        "ECSYNC_CARRIER_KUAIDI100_SALT": SALT,
        "ECSYNC_CARRIER_KUAIDI100_CALLBACK_URL": "http://127.0.0.1:9/callbacks/kuaidi100",
        "ECSYNC_CARRIER_KUAIDI100_ORDER_URL": peers.kuaidi100_url("order"),
        "ECSYNC_CARRIER_KUAIDI100_QUERY_URL": peers.kuaidi100_url("query"),
        "ECSYNC_CARRIER_KUAIDI100_SUBSCRIBE_URL": peers.kuaidi100_url("subscribe"),
        "ECSYNC_CARRIER_KUAIDI100_PICKUP_URL": peers.kuaidi100_url("pickup"),
        "ECSYNC_CARRIER_KUAIDI100_PRINT_TYPE": "IMAGE",
        "ECSYNC_CARRIER_KUAIDI100_TEMPLATE": "t1",
    }


def kuaidi100_environment(tmp_path: Path, peers: SandboxPeers, **more: str | None) -> dict[str, str]:
    """The variables of a sandbox installation whose only carrier is Kuaidi100."""
    kdniao = [name for name in environment(tmp_path, peers) if name.startswith("ECSYNC_CARRIER_KDNIAO_")]
    ours: dict[str, str | None] = {
        **dict.fromkeys(kdniao),
        "ECSYNC_CARRIERS": "kuaidi100",
        **kuaidi100_settings(peers),
        "ECSYNC_SANDBOX_CLOCK": str(peers.settings.clock),
    }
    return environment(tmp_path, peers, **{**ours, **more})


@contextmanager
def open_kuaidi100_house(
    tmp_path: Path, *, sandbox: Mapping[str, Any] | None = None, **more: str | None
) -> Iterator[Kuaidi100House]:
    """Everything up; closed again at the end."""
    with SandboxPeers(SandboxSettings(**{"clock": BusinessClock(), **(sandbox or {})})) as peers:
        settings = read_settings(kuaidi100_environment(tmp_path, peers, **more))
        shop = sandbox_shop(tmp_path)
        rt = Runtime(settings, counters=Counters(CollectorRegistry()))
        try:
            bring_up_to_date(rt.database)
            yield Kuaidi100House(rt, shop, peers)
        finally:
            rt.close()
            shop.dispose()


@dataclass
class Kuaidi100House(House):
    """A house that also knows how Kuaidi100 pushes."""

    def ship(self) -> str:
        """A paid order that is booked and not picked up yet."""
        (order_sn,) = self.seed()
        self.poll()
        return order_sn

    def lines(self) -> list[desk.OpenException]:
        """What lies on the desk."""
        with self.rt.database.reading() as session:
            return desk.list_open(session)

    def waybills(self) -> dict[str, list[str]]:
        """What Kuaidi100 issued, by orderId."""
        orders = self.peers.ledger()["carrier"]["orders"]
        return {code: order["waybills"] for code, order in orders.items() if order["waybills"]}

    def asked(self) -> list[tuple[str, str]]:
        """What Kuaidi100 was asked so far and how it took it."""
        calls = self.peers.ledger()["calls"]
        return [(call["operation"], call["note"]) for call in calls if call["peer"] == "kuaidi100"]

    def told(self, order_sn: str, *scans: tuple[str, str], **fields: Any) -> dict[str, Any]:
        """A tracking push about an order's only parcel; scans are given oldest first, right after its booking."""
        shipment = self.shipment(order_sn)
        first = shipment.booked_at or self.rt.clock.now()
        rows = [
            {"time": at, "ftime": at, "context": text, "status": text, "statusCode": code}
            for number, (code, text) in enumerate(scans, start=1)
            for at in [china(first + timedelta(seconds=number))]
        ]
        result = {"state": scans[-1][0] if scans else "", "com": "zhongtong", "nu": shipment.waybill_no}
        head = {"status": "polling", "message": "", "autoCheck": "0", "comOld": "", "comNew": ""}
        return head | {"lastResult": result | {"data": rows[::-1]}} | fields

    def push(self, param: Mapping[str, Any], salt: str = SALT) -> dict[str, Any]:
        """Send a push and let a worker apply it; returns what Kuaidi100 hears."""
        text = json.dumps(param, ensure_ascii=False)
        sign = hashlib.md5((text + salt).encode()).hexdigest().upper()
        reply = self.receive(urlencode({"param": text, "sign": sign}).encode())
        self.settle()
        heard: dict[str, Any] = json.loads(reply.body)
        assert (reply.status == 200) == heard["result"]
        return heard

    def receive(self, body: bytes) -> HttpReply:
        return receive_callback(self.rt, CARRIER, Push(body, FORM, "127.0.0.1"))


def china(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
