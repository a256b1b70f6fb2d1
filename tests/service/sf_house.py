"""A house whose carrier is SF: its orders, its pushes, and what its people decide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from mappings.wire import HttpReply
from sync.clock import BusinessClock
from sync.metrics import Counters
from sync.runtime import Runtime
from sync.sandbox.server import SandboxPeers, SandboxSettings
from sync.services.receive_callback import Push, receive_callback
from sync.settings import read_settings
from tests.service.house import House, bring_up_to_date, environment, sandbox_shop

CARRIER = "carrier.sf"
TOKEN = "a-path-that-nobody-guesses"
CHINA = timezone(timedelta(hours=8))

PICKED_UP, TRANSIT, DELIVERING, DELIVERED = (
    ("50", "已收取快件"),
    ("30", "快件已发车"),
    ("44", "正在派送"),
    ("80", "已签收"),
)


def sf_environment(tmp_path: Path, peers: SandboxPeers, **more: str | None) -> dict[str, str]:
    """The variables of a sandbox installation whose only carrier is SF."""
    kdniao = [name for name in environment(tmp_path, peers) if name.startswith("ECSYNC_CARRIER_KDNIAO_")]
    ours: dict[str, str | None] = {
        **dict.fromkeys(kdniao),
        "ECSYNC_CARRIERS": "sf",
        "ECSYNC_CARRIER_SF_URL": peers.sf_url,
        "ECSYNC_CARRIER_SF_PARTNER_ID": peers.settings.sf_partner_id,
        "ECSYNC_CARRIER_SF_CHECKWORD": peers.settings.sf_checkword,
        "ECSYNC_CARRIER_SF_TAKE_ALL": "1",
        "ECSYNC_CARRIER_SF_RATE_PER_S": "1000",
        "ECSYNC_CALLBACK_TOKEN": TOKEN,
    }
    return environment(tmp_path, peers, **{**ours, **more})


@contextmanager
def open_sf_house(tmp_path: Path, *, sandbox: Mapping[str, Any] | None = None, **more: str | None) -> Iterator[SfHouse]:
    """Everything up; closed again at the end."""
    with SandboxPeers(SandboxSettings(clock=BusinessClock(), **(sandbox or {}))) as peers:
        settings = read_settings(sf_environment(tmp_path, peers, **more))
        shop = sandbox_shop(tmp_path)
        rt = Runtime(settings, counters=Counters(CollectorRegistry()))
        try:
            bring_up_to_date(rt.database)
            yield SfHouse(rt, shop, peers)
        finally:
            rt.close()
            shop.dispose()


@dataclass
class SfHouse(House):
    """A house that also knows how SF pushes."""

    def waybills(self) -> dict[str, list[str]]:
        """What SF issued, by orderId."""
        orders = self.peers.ledger()["carrier"]["orders"]
        return {code: order["waybills"] for code, order in orders.items() if order["waybills"]}

    def asked(self) -> list[tuple[str, str]]:
        """What SF was asked so far and how it took it."""
        return [(call["operation"], call["note"]) for call in self.peers.ledger()["calls"] if call["peer"] == "carrier"]

    def routes(self, order_sn: str, *scans: tuple[str, str]) -> list[dict[str, Any]]:
        """Nodes of a parcel, beginning right after its booking."""
        shipment = self.shipment(order_sn)
        first = shipment.booked_at or self.rt.clock.now()
        return [
            {
                "id": str(number),
                "mailno": shipment.waybill_no,
                "orderid": shipment.order_code,
                "acceptTime": china(first + timedelta(seconds=1 + number)),
                "acceptAddress": "深圳市",
                "remark": remark,
                "opCode": opcode,
            }
            for number, (opcode, remark) in enumerate(scans, start=1)
        ]

    def push(self, *routes: Any) -> bool:
        """Send nodes in one push and let a worker apply it; returns whether SF was told that it is taken."""
        return self.push_bytes(json.dumps({"Body": {"WaybillRoute": list(routes)}}).encode())

    def push_bytes(self, body: bytes, content_type: str = "application/json") -> bool:
        reply = self.receive(body, content_type)
        self.settle()
        return reply.status == 200 and b'"0000"' in reply.body

    def receive(self, body: bytes, content_type: str = "application/json", source: str = "127.0.0.1") -> HttpReply:
        return receive_callback(self.rt, CARRIER, Push(body, content_type, source))


def china(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
