"""The pipeline with the generic ERP in JSON and in XML, by a token that runs out: one document an order, whatever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mappings.errors import AuthError
from mappings.model import StockFigure
from mappings.wire import Exchange
from sync.db.models import AttemptRow
from sync.exceptions import list_open
from sync.gateway import CallContext
from sync.sandbox.erp import SandboxErp
from sync.sandbox.erp_tokens import TokenOffice
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.http import HttpServer
from sync.sandbox.ledger import Ledger
from tests.service.house import House, open_house

ERP = "erp.generic_rest"
SECRET = "sandbox-client-secret"
ANSWERS_LOST = ("reset_after", "truncated", "garbage", "html_200", "html_502", "half_json")
ORDERS = 40


@dataclass
class Installation:
    """The house, and the ERP that it is told of."""

    house: House
    peer: SandboxErp

    def ask(self, exchange: Exchange[Any]) -> Any:
        return self.house.rt.gateway.run(ERP, exchange, CallContext())

    def documents(self) -> dict[str, list[str]]:
        orders = self.peer.ledger.snapshot(brief=True)["erp"]["orders"]
        return {order_sn: order["documents"] for order_sn, order in orders.items() if order["documents"]}

    def desk(self) -> list[str]:
        with self.house.rt.database.reading() as session:
            return [line.code for line in list_open(session)]

    def attempts(self) -> list[AttemptRow]:
        with self.house.rt.database.reading() as session:
            return list(session.execute(select(AttemptRow).where(AttemptRow.peer == ERP)).scalars())


@pytest.fixture(params=["json", "xml"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    office = TokenOffice("ecsync", SECRET)
    peer = SandboxErp(Ledger(), FaultInjector(11), tokens=office)
    server = HttpServer(peer)
    server.start()
    settings = {
        "BASE_URL": server.url,
        "TOKEN": None,
        "FORMAT": request.param,
        "AUTH": "oauth2",
        "TOKEN_URL": f"{server.url}/oauth/token",
        "CLIENT_ID": "ecsync",
        "CLIENT_SECRET": SECRET,
        "STOCK_LIST_FIELD": "stock" if request.param == "json" else "stock.item",
        "READ_TIMEOUT_S": "2",
    }
    named = {f"ECSYNC_ERP_GENERIC_REST_{name}": value for name, value in settings.items()}
    try:
        with open_house(tmp_path, sandbox=None, ECSYNC_BREAKER_FAILURES="1000000", **named) as house:
            yield Installation(house, peer)
    finally:
        server.stop()


def test_orders_whose_answers_get_lost_have_one_document_each(installed: Installation) -> None:
    house, peer = installed.house, installed.peer
    lost = dict.fromkeys(ANSWERS_LOST, 0.1)
    peer.injector.configure(Faults.read({**lost, "only": ["create_order", "find_order"], "max_per_order": 2}))
    order_sns = house.seed(ORDERS)
    house.poll()
    house.settle()

    documents = installed.documents()
    assert sorted(documents) == sorted(order_sns)
    assert {len(numbers) for numbers in documents.values()} == {1}
    assert installed.desk() == []
    assert [row.outcome for row in installed.attempts()].count("uncertain") > ORDERS / 10


def test_a_token_is_asked_for_once_and_again_when_it_is_taken_away(installed: Installation) -> None:
    house, peer = installed.house, installed.peer
    first, second = house.seed(2)
    house.poll()
    house.settle()
    peer.tokens.revoke_all()
    house.cancel(first)
    house.poll()
    house.settle()

    asked = [row.operation for row in installed.attempts()].count("ask_token")
    assert asked == 2
    assert peer.ledger.snapshot()["erp"]["orders"][first]["cancelled"]
    assert sorted(installed.documents()) == sorted([first, second])


def test_no_record_shows_a_token_or_the_secret(installed: Installation) -> None:
    installed.house.seed()
    installed.house.poll()
    installed.house.settle()

    rows = installed.attempts()
    recorded = "".join(f"{row.request}{row.reply}" for row in rows)
    assert {row.operation for row in rows} >= {"ask_token", "create_order"}
    assert SECRET not in recorded
    assert "sandbox-access-" not in recorded


def test_a_client_that_is_not_known_pauses_the_erp_and_no_order_is_lost(installed: Installation) -> None:
    peer, connector = installed.peer, installed.house.rt.erps[ERP]
    peer.tokens.client_secret = "another"

    with pytest.raises(AuthError) as caught:
        installed.ask(connector.find("1"))
    assert caught.value.code == "generic_rest.token.refused"
    [order_sn] = installed.house.seed()
    installed.house.poll()
    assert installed.house.step("push_order", order_sn).state == "owed"

    peer.tokens.client_secret = SECRET
    installed.house.open_doors()
    installed.house.settle()
    assert sorted(installed.documents()) == [order_sn]


def test_stock_is_read_page_by_page(installed: Installation) -> None:
    for number in range(7):
        installed.peer.stock.put(f"SKU-{number}", number, "SZ")

    figures = installed.ask(installed.house.rt.erps[ERP].read_stock(None))

    assert figures == tuple(StockFigure(f"SKU-{number}", number, "SZ") for number in range(7))
