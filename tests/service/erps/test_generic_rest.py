"""The pipeline with the generic ERP in JSON and in XML, by a token that runs out: one document an order, whatever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mappings.errors import AuthError
from mappings.model import StockFigure
from sync.sandbox.erp import SandboxErp
from sync.sandbox.erp_tokens import TokenOffice
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.ledger import Ledger
from tests.service.erps.erp_house import ErpHouse, open_erp_house
from tests.service.house import SHOP

SECRET = "sandbox-client-secret"
ANSWERS_LOST = ("reset_after", "truncated", "garbage", "html_200", "html_502", "half_json")
ORDERS = 40

Installation = ErpHouse[SandboxErp]


@pytest.fixture(params=["json", "xml"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    peer = SandboxErp(Ledger(), FaultInjector(11), tokens=TokenOffice("ecsync", SECRET))
    settings: dict[str, str | None] = {
        "BASE_URL": "{url}",
        "FORMAT": request.param,
        "AUTH": "oauth2",
        "TOKEN_URL": "{url}/oauth/token",
        "CLIENT_ID": "ecsync",
        "CLIENT_SECRET": SECRET,
        "STOCK_LIST_FIELD": "stock" if request.param == "json" else "stock.item",
        "READ_TIMEOUT_S": "2",
    }
    with open_erp_house(tmp_path, "generic_rest", peer, settings, ECSYNC_BREAKER_FAILURES="1000000") as opened:
        yield opened


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


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_sku_that_the_erp_does_not_know_parks_the_order_before_anything_is_sent(tmp_path: Path, form: str) -> None:
    peer = SandboxErp(Ledger(), FaultInjector(11), token="sandbox-erp-token")
    settings: dict[str, str | None] = {
        "BASE_URL": "{url}",
        "TOKEN": "sandbox-erp-token",
        "FORMAT": form,
        "SKU_PATH": "/api/goods/{sku}",
    }
    with open_erp_house(tmp_path, "generic_rest", peer, settings) as opened:
        [known] = opened.push()
        peer.unknown_skus = frozenset(line.sku for line in opened.house.rt.shops[SHOP].read_stock())
        opened.push(seed=8)

        assert list(opened.documents()) == [known]
        assert opened.asked().count("create_order") == 1
        assert opened.desk() == ["generic_rest.order.sku_unknown"]


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
    peer, connector = installed.peer, installed.connector
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

    figures = installed.ask(installed.connector.read_stock(None))

    assert figures == tuple(StockFigure(f"SKU-{number}", number, "SZ") for number in range(7))
