"""Several ERPs: each holds its own document of an order, none waits for another, and the way there is explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import text

from sync import cli
from sync.db.migrate import _config, migrate
from sync.services.erp_documents import find_documents
from sync.services.poll_shop import poll_shop
from sync.services.show_order import show_order
from sync.services.withdraw import CODE
from tests.service.house import SHOP, House, open_house
from tests.service.pipeline.two_erps import FIRST, SECOND, SecondErp, open_two
from tests.service.test_fulfilment import documents, waybills
from tests.service.withdrawals import codes, live_documents, message, withdraw

Two = tuple[House, SecondErp]


@pytest.fixture
def two(tmp_path: Path, database_url: str) -> Iterator[Two]:
    with open_two(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened


def held(house: House, order_sn: str) -> dict[str, tuple[str, str]]:
    """What we know of the order's documents: ERP -> number and state."""
    with house.rt.database.reading() as session:
        found = find_documents(session, house.order(order_sn).id)
    return {peer: (row.erp_no, row.state) for peer, row in found.items()}


# --- a document in each


def test_each_erp_has_one_document_and_we_know_both_numbers(two: Two) -> None:
    house, second = two
    (order_sn,) = house.seed()

    house.poll()

    (here,), (there,) = documents(house)[order_sn], second.documents()[order_sn]
    assert here != there
    assert held(house, order_sn) == {FIRST: (here, "created"), SECOND: (there, "created")}


def test_lists_show_the_number_of_the_first_erp_whoever_answered_first(two: Two) -> None:
    house, second = two
    house.peers.configure_faults({"erp": {"outage": True}})
    (order_sn,) = house.seed()
    house.poll()
    assert house.order(order_sn).erp_no == second.documents()[order_sn][0], "the only one so far"

    house.peers.configure_faults({"erp": {}})
    house.open_doors()
    house.settle()

    assert house.order(order_sn).erp_no == documents(house)[order_sn][0]


def test_a_cancelled_order_is_cancelled_in_each_erp_under_its_own_number(two: Two) -> None:
    house, second = two
    (order_sn,) = house.seed()
    house.poll()
    numbers = {peer: number for peer, (number, _) in held(house, order_sn).items()}

    withdraw(house, order_sn)

    assert (live_documents(house), second.cancelled()) == ([], [order_sn])
    assert held(house, order_sn) == {peer: (number, "cancelled") for peer, number in numbers.items()}
    for peer, number in numbers.items():
        assert f"{peer}: document {number} cancelled" in message(house)


def test_an_erp_that_never_got_the_order_is_not_asked_to_cancel_it(two: Two) -> None:
    house, second = two
    (order_sn,) = house.seed()
    second.go_away()
    house.poll()

    withdraw(house, order_sn)
    second.come_back()
    house.open_doors()
    house.settle()

    assert "erp.cancel_order" not in second.ledger.snapshot()["counts"]
    assert (live_documents(house), codes(house)) == ([], [CODE])


# --- none waits for another


def test_one_erp_that_is_away_holds_back_neither_waybills_nor_the_other(two: Two) -> None:
    house, second = two
    numbers = house.seed(6)
    second.go_away()

    house.poll()

    assert len(waybills(house)) == len(numbers)
    assert sorted(documents(house)) == sorted(numbers)
    assert all(house.shop_order(order_sn).notes for order_sn in numbers)
    assert second.documents() == {}

    second.come_back()
    house.open_doors()
    house.settle()
    assert {order: len(found) for order, found in second.documents().items()} == dict.fromkeys(numbers, 1)


def test_each_erp_has_a_queue_of_its_own(two: Two) -> None:
    house, _ = two
    house.seed()
    peers = {wake.peer for wake in poll_shop(house.rt, SHOP).wakes}

    assert {FIRST, SECOND} < peers


# --- routing


def test_a_shop_that_names_its_erps_is_pushed_to_those_alone(tmp_path: Path) -> None:
    with open_two(tmp_path, ECSYNC_SHOP_MAIN_ERPS="second") as (house, second):
        (order_sn,) = house.seed()
        house.poll()

        assert (documents(house), list(second.documents())) == ({}, [order_sn])
        assert house.order(order_sn).erp_no == second.documents()[order_sn][0]


def test_the_orders_story_says_why_it_goes_to_which_erp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_two(tmp_path, ECSYNC_SHOP_MAIN_ERPS="second") as (house, _):
        (order_sn,) = house.seed()
        house.poll()

        shown = {line["erp"]: line for line in show_order(house.rt, house.order(order_sn))["erps"]}
        assert shown[SECOND]["reason"] == "ECSYNC_SHOP_MAIN_ERPS names it"
        assert (shown[SECOND]["state"], shown[FIRST]["state"]) == ("created", "none")
        assert shown[FIRST]["reason"] == "not sent there: ECSYNC_SHOP_MAIN_ERPS names others"

        monkeypatch.setattr(cli, "Runtime", lambda settings: house.rt)
        monkeypatch.setattr(cli, "load_settings", lambda: house.rt.settings)
        said = CliRunner().invoke(cli.main, ["order", "show", order_sn], catch_exceptions=False).stdout
        assert f"{SECOND}: {shown[SECOND]['erp_no']} (created)" in said
        assert "ECSYNC_SHOP_MAIN_ERPS names it" in said


def test_without_a_choice_every_erp_gets_the_order_and_the_story_says_so(two: Two) -> None:
    house, _ = two
    (order_sn,) = house.seed()
    house.poll()

    reasons = [line["reason"] for line in show_order(house.rt, house.order(order_sn))["erps"]]

    assert reasons == ["every ERP gets this shop's orders: ECSYNC_SHOP_MAIN_ERPS is not set"] * 2


# --- what was there before


def test_numbers_from_before_become_documents_and_survive_the_way_back(tmp_path: Path, database_url: str) -> None:
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as house:
        pushed, cancelled = house.seed(2)
        house.poll()
        withdraw(house, cancelled)
        before = held(house, pushed) | {cancelled: held(house, cancelled)[FIRST]}
        config = _config()
        with house.rt.database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "0007")
            assert connection.execute(text("SELECT COUNT(*) FROM orders WHERE erp_no <> ''")).scalar_one() == 2
        migrate(house.rt.database)

        assert held(house, pushed) | {cancelled: held(house, cancelled)[FIRST]} == before
        assert before[FIRST][1] == "created"
        assert before[cancelled][1] == "cancelled"
