"""A house with two ERPs: the usual one, and another at an address and with a ledger of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync.sandbox.erp import SandboxErp
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.http import HttpServer
from sync.sandbox.ledger import Ledger
from tests.service.house import House, open_house

FIRST, SECOND = "erp.generic_rest", "erp.second"


@dataclass
class SecondErp:
    """The other ERP, seen from its own side."""

    ledger: Ledger
    erp: SandboxErp

    def documents(self) -> dict[str, list[str]]:
        orders = self.ledger.snapshot()["erp"]["orders"].items()
        return {order: entry["documents"] for order, entry in orders if entry["documents"]}

    def cancelled(self) -> list[str]:
        orders = self.ledger.snapshot()["erp"]["orders"].items()
        return [order for order, entry in orders if entry["cancelled"]]

    def go_away(self) -> None:
        self.erp.injector.configure(Faults.read({"outage": True}))

    def come_back(self) -> None:
        self.erp.injector.configure(Faults())


@contextmanager
def open_two(tmp_path: Path, **more: str | None) -> Iterator[tuple[House, SecondErp]]:
    ledger = Ledger()
    second = SecondErp(ledger, SandboxErp(ledger, FaultInjector(99), token="another-token"))
    server = HttpServer(second.erp, 0)
    server.start()
    settings: dict[str, str | None] = {
        "ECSYNC_ERPS": "generic_rest,second",
        "ECSYNC_ERP_SECOND_CONNECTOR": "generic_rest",
        "ECSYNC_ERP_SECOND_BASE_URL": server.url,
        "ECSYNC_ERP_SECOND_TOKEN": "another-token",
    }
    try:
        with open_house(tmp_path, sandbox=None, **(settings | more)) as house:
            yield house, second
    finally:
        server.stop()
