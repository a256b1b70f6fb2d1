"""Houses whose only ERP is one of the Chinese clouds, played by its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sync.db.models import AttemptRow, ExceptionGroupRow, ExceptionRow, OrderRow, StepRow
from sync.exceptions import retry_exception
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.http import HttpServer
from sync.sandbox.jushuitan import SandboxJushuitan
from sync.sandbox.ledger import Ledger
from sync.sandbox.wangdiantong import PATH, SandboxWangdiantong
from tests.service.house import House, open_house

WITHOUT_GENERIC: dict[str, str | None] = {
    "ECSYNC_ERP_GENERIC_REST_BASE_URL": None,
    "ECSYNC_ERP_GENERIC_REST_TOKEN": None,
}

Cloud = SandboxJushuitan | SandboxWangdiantong


def jushuitan(**own: Any) -> SandboxJushuitan:
    return SandboxJushuitan(Ledger(), FaultInjector(1), **{"per_second": 0, "per_minute": 0, **own})


def wangdiantong(**own: Any) -> SandboxWangdiantong:
    return SandboxWangdiantong(Ledger(), FaultInjector(1), **own)


def settings_of(peer: Cloud, url: str) -> dict[str, str]:
    """The settings of its connector."""
    if isinstance(peer, SandboxJushuitan):
        own = {
            "BASE_URL": url,
            "APP_KEY": peer.app_key,
            "APP_SECRET": peer.app_secret,
            "ACCESS_TOKEN": peer.access_token,
            "REFRESH_TOKEN": peer.refresh_token,
            "SHOP_ID": str(peer.shop_id),
        }
    else:
        own = {
            "URL": url + PATH,
            "SID": peer.sid,
            "APP_KEY": peer.app_key,
            "APP_SECRET": peer.app_secret,
            "SHOP_NO": peer.shop_no,
        }
    name = name_of(peer)
    common = {"ECSYNC_ERPS": name} | {f"ECSYNC_ERP_{name.upper()}_RATE_PER_{time}": "1000" for time in ("S", "MINUTE")}
    return common | {f"ECSYNC_ERP_{name.upper()}_{word}": text for word, text in own.items() if text}


def name_of(peer: Cloud) -> str:
    return "jushuitan" if isinstance(peer, SandboxJushuitan) else "wangdiantong"


@dataclass
class CloudHouse:
    """A house and the ERP beside it."""

    house: House
    erp: Cloud

    @property
    def key(self) -> str:
        return f"erp.{name_of(self.erp)}"

    def faults(self, **shares: Any) -> None:
        self.erp.injector.configure(Faults.read(shares))

    def documents(self) -> dict[str, list[str]]:
        """What the ERP made, by our number."""
        orders = self.erp.ledger.snapshot()["erp"]["orders"]
        return {number: order["documents"] for number, order in orders.items() if order["documents"]}

    def cancelled(self) -> list[str]:
        orders = self.erp.ledger.snapshot()["erp"]["orders"]
        return sorted(number for number, order in orders.items() if order["cancelled"])

    def asked(self, *operations: str) -> list[tuple[str, str]]:
        """What the ERP was asked, and how it took it."""
        calls = self.erp.ledger.snapshot()["calls"]
        return [(call["operation"], call["note"]) for call in calls if call["operation"] in operations]

    def pushes(self) -> list[StepRow]:
        with self.house.rt.database.reading() as session:
            return list(session.execute(select(StepRow).where(StepRow.name == "push_order")).scalars())

    def desk(self) -> list[str]:
        """The codes of what stands on the desk."""
        lines = select(ExceptionGroupRow.code).join(ExceptionRow).where(ExceptionRow.resolved_at.is_(None))
        with self.house.rt.database.reading() as session:
            return sorted(session.execute(lines).scalars())

    def retry_all(self) -> None:
        """A person has put things right and tries again what lies on the desk."""
        with self.house.rt.database.writing() as session:
            for line in session.execute(select(ExceptionRow.id).where(ExceptionRow.resolved_at.is_(None))).scalars():
                retry_exception(session, line, "ops")
        self.house.settle()

    def records(self) -> str:
        """All that was written down of the calls to the ERP."""
        with self.house.rt.database.reading() as session:
            rows = session.execute(select(AttemptRow).where(AttemptRow.peer == self.key)).scalars()
            return "\n".join(f"{row.request}\n{row.reply}" for row in rows)

    def consignees(self) -> list[Any]:
        with self.house.rt.database.reading() as session:
            return [row.header["consignee"] for row in session.execute(select(OrderRow)).scalars()]


@contextmanager
def open_cloud_house(tmp_path: Path, peer: Cloud, **more: str | None) -> Iterator[CloudHouse]:
    """Everything up; closed again at the end."""
    server = HttpServer(peer, 0)
    server.start()
    try:
        settings: dict[str, str | None] = {**WITHOUT_GENERIC, **settings_of(peer, server.url), **more}
        with open_house(tmp_path, sandbox=None, **settings) as house:
            yield CloudHouse(house, peer)
    finally:
        server.stop()
