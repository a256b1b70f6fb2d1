"""A house with one ERP in it, played by its sandbox: what the tests of every ERP hold and ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import select

from mappings.wire import Exchange
from sync.db.models import AttemptRow
from sync.exceptions import list_open
from sync.gateway import CallContext
from sync.sandbox.http import HttpServer
from sync.sandbox.ledger import Ledger
from sync.sandbox.peer import Peer
from tests.service.house import House, open_house

P = TypeVar("P", bound=Peer)

LOST_ANSWERS = ("reset_after", "hang_after", "truncated", "garbage", "html_200", "html_502", "gbk", "half_json")
"""Faults of a peer that has done what it was asked."""


@dataclass
class ErpHouse(Generic[P]):
    """The house, its ERP and that one's name in the settings."""

    house: House
    peer: P
    name: str

    @property
    def key(self) -> str:
        return f"erp.{self.name}"

    @property
    def connector(self) -> Any:
        return self.house.rt.erps[self.key]

    @property
    def ledger(self) -> Ledger:
        return self.peer.ledger

    def ask(self, exchange: Exchange[Any]) -> Any:
        return self.house.rt.gateway.run(self.key, exchange, CallContext())

    def push(self, count: int = 1, seed: int = 7) -> list[str]:
        """Paid orders, with all that follows from them."""
        placed = self.house.seed(count, seed=seed)
        self.house.poll()
        self.house.settle()
        return placed

    def documents(self) -> dict[str, list[str]]:
        """Order number -> the ERP's own numbers, of what it holds."""
        orders = self.ledger.snapshot(brief=True)["erp"]["orders"]
        return {order_sn: order["documents"] for order_sn, order in orders.items() if order["documents"]}

    def is_cancelled(self, order_sn: str) -> bool:
        return bool(self.ledger.snapshot(brief=True)["erp"]["orders"][order_sn]["cancelled"])

    def asked(self) -> list[str]:
        """The operations that the ERP was asked for, in their order."""
        return [call["operation"] for call in self.ledger.snapshot()["calls"]]

    def desk(self) -> list[str]:
        with self.house.rt.database.reading() as session:
            return [line.code for line in list_open(session)]

    def attempts(self) -> list[AttemptRow]:
        """What was kept of the calls to the ERP."""
        with self.house.rt.database.reading() as session:
            return list(session.execute(select(AttemptRow).where(AttemptRow.peer == self.key)).scalars())


@contextmanager
def serving(peer: Peer) -> Iterator[HttpServer]:
    server = HttpServer(peer)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def open_erp_house(
    tmp_path: Path, name: str, peer: P, settings: dict[str, str | None], **more: str | None
) -> Iterator[ErpHouse[P]]:
    """Everything up, with the ERP's `settings` (without their prefix; `{url}` is where it listens); closed at the end.

    `more` are variables of the house as a whole.
    """
    with serving(peer) as server:
        prefix = f"ECSYNC_ERP_{name.upper()}_"
        own = {prefix + word: text and text.replace("{url}", server.url) for word, text in settings.items()}
        without = {"ECSYNC_ERP_GENERIC_REST_BASE_URL": None, "ECSYNC_ERP_GENERIC_REST_TOKEN": None}
        with open_house(tmp_path, sandbox=None, **{"ECSYNC_ERPS": name, **without, **own, **more}) as house:
            yield ErpHouse(house, peer, name)
