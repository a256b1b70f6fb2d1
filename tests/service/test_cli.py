"""The shell: every command, for people and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mappings.erps.generic_rest import GenericRestErp
from sync import cli, cli_worker
from sync.db.models import AuditRow
from tests.service.house import House, open_house

Shell = Callable[..., Result]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
def shell(house: House, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command as an engineer would, in the house's settings."""
    monkeypatch.setattr(cli, "Runtime", lambda settings: house.rt)
    monkeypatch.setattr(cli, "load_settings", lambda: house.rt.settings)
    return lambda *words: CliRunner().invoke(cli.main, list(words), catch_exceptions=False)


def read(result: Result) -> Any:
    return json.loads(result.stdout)


def test_pushing_one_order_takes_it_in_and_does_all_it_owes(house: House, shell: Shell) -> None:
    first, second = house.seed(2)

    result = shell("order", "push", first, "--json")

    assert result.exit_code == 0
    assert {row["peer"] for row in read(result)} == {"shop.main", "carrier.kdniao", "erp.generic_rest"}
    assert house.shipment(first).waybill_no
    assert [order.order_sn for order in house.orders()] == [first], f"{second} was not asked for"


def test_pushing_twice_does_nothing_twice(house: House, shell: Shell) -> None:
    (order_sn,) = house.seed(1)
    shell("order", "push", order_sn)

    again = shell("order", "push", order_sn)

    assert "Nothing is due" in again.stdout
    assert house.peers.ledger()["carrier"]["waybills_issued"] == 1


def test_a_failed_push_says_what_happened_and_exits_with_1(house: House, shell: Shell) -> None:
    (order_sn,) = house.seed(1)
    house.peers.configure_faults({"erp": {"outage": True}})

    result = shell("order", "push", order_sn)

    assert result.exit_code == 1
    assert "generic_rest.order.unavailable" in result.stdout


def test_an_order_nobody_knows_is_said_so(shell: Shell) -> None:
    result = shell("order", "push", "2026000000000")
    assert result.exit_code == 1
    assert "No shop has an order 2026000000000" in result.stderr
    assert "error" in read(shell("order", "show", "2026000000000", "--json"))


def test_an_unpaid_order_is_not_pushed(house: House, shell: Shell) -> None:
    (order_sn,) = house.seed(1)
    house.poll()
    house.cancel(order_sn)
    with house.rt.database.writing() as session:
        for row in house.orders():
            session.delete(session.merge(row))
        for table in ("order_lines", "labels", "attempts", "steps", "shipments", "erp_documents"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    result = shell("order", "push", order_sn)
    assert "does not owe it" in result.stderr


def test_an_order_is_shown_with_its_parcel_what_is_next_and_its_timeline(house: House, shell: Shell) -> None:
    (order_sn,) = house.seed(1)
    shell("order", "push", order_sn)

    shown = read(shell("order", "show", order_sn, "--json"))

    assert shown["parcels"][0]["waybill_no"] == house.shipment(order_sn).waybill_no
    assert any("waits for pickup" in text for text in shown["next"])
    assert {line["kind"] for line in shown["timeline"]} >= {"business", "api"}
    who = house.order(order_sn).header["consignee"]
    text = shell("order", "show", order_sn).stdout
    assert who["name"] not in text
    assert who["phone"] not in text


def test_orders_are_listed_by_status(house: House, shell: Shell) -> None:
    numbers = house.seed(2)
    shell("poll")
    house.settle()
    assert {row["order_sn"] for row in read(shell("order", "list", "--status", "info_received", "--json"))} == set(
        numbers
    )
    assert shell("order", "list", "--status", "delivered").stdout.strip() == "No such orders."


def test_a_poll_says_what_it_found(house: House, shell: Shell) -> None:
    house.seed(3)
    assert read(shell("poll", "--json"))["shop.main"]["new"] == 3
    assert "no shop is called nowhere" in shell("poll", "nowhere").stderr


def test_exceptions_are_listed_retried_and_resolved_with_a_trace(house: House, shell: Shell) -> None:
    (order_sn,) = house.seed(1)
    house.peers.configure_faults({"erp": {"too_many": 1.0, "max_per_order": 0}})
    house.poll()
    house.settle()
    (line,) = read(shell("exceptions", "list", "--json"))
    assert order_sn in line["message"]

    house.peers.configure_faults({"erp": {}})
    assert shell("exceptions", "retry", str(line["id"])).exit_code == 0
    assert shell("exceptions", "retry", str(line["id"])).exit_code == 1, "it is closed now"
    house.settle()
    assert house.step("push_order", order_sn).state == "done"
    assert "Nothing needs you." in shell("exceptions", "list").stdout
    with house.rt.database.reading() as session:
        assert [row.action for row in session.query(AuditRow)] == ["exceptions.retry"]


def test_a_resolved_exception_needs_a_reason_and_drops_its_step(house: House, shell: Shell) -> None:
    (order_sn,) = house.seed(1)
    house.peers.configure_faults({"erp": {"too_many": 1.0, "max_per_order": 0}})
    house.poll()
    house.settle()
    (line,) = read(shell("exceptions", "list", "--json"))
    assert shell("exceptions", "resolve", str(line["id"])).exit_code == 2
    assert shell("exceptions", "resolve", str(line["id"]), "--reason", "entered by hand").exit_code == 0
    assert house.step("push_order", order_sn).state == "dropped"


def test_check_looks_at_everything_and_says_what_to_do(shell: Shell) -> None:
    findings = {row["subject"]: row for row in read(shell("check", "--json"))}
    assert findings["database"]["ok"]
    assert findings["carrier.kdniao"]["ok"]
    assert findings["erp.generic_rest"]["ok"]
    assert "clock offset" in findings["erp.generic_rest"]["detail"]
    assert not findings["workers"]["ok"]
    assert "start Beat" in findings["workers"]["remedy"]
    assert any(subject.startswith("shop.main") for subject in findings)


def test_check_names_a_refused_key(house: House, shell: Shell) -> None:

    house.rt.erps["erp.generic_rest"] = GenericRestErp({**house.rt.peer("erp.generic_rest").config, "token": "old"})
    findings = {row["subject"]: row for row in read(shell("check", "--json"))}
    assert "credentials" in findings["erp.generic_rest"]["remedy"]


def test_a_callback_that_does_not_exist_cannot_be_replayed(shell: Shell) -> None:
    assert "no callback 99" in shell("callbacks", "replay", "99").stderr
    assert shell("callbacks", "list").stdout.strip() == "The inbox has none of these."
    assert shell("sweep", "pickups").stdout.strip() == "No pickup is overdue."
    assert shell("sweep", "parcels").stdout.strip() == "No parcel wants a query."
    counts = read(shell("sweep", "parcels", "--json"))
    assert counts == {"pickup": 0, "still": 0, "late": 0, "daily": 0, "asked": 0, "failed": 0}


def test_a_worker_takes_its_queues_from_the_settings_and_its_options_from_celery(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(cli_worker, "load_settings", lambda: house.rt.settings)
    monkeypatch.setattr(os, "execv", lambda program, words: ran.append(words))

    CliRunner().invoke(cli.main, ["worker", "carriers,notices", "--concurrency", "4"], catch_exceptions=False)

    (words,) = ran
    assert Path(words[0]).name == "celery"
    assert words[words.index("-Q") + 1] == "carrier.kdniao,notices"
    assert words[words.index("-n") + 1] == "carriers-notices@%h"
    assert words[-2:] == ["--concurrency", "4"]


def test_a_worker_for_nobody_says_which_there_are() -> None:
    result = CliRunner().invoke(cli.main, ["worker", "carrier"])

    assert result.exit_code == 2
    assert "no family is called carrier" in result.output
    assert "carriers, erps, shops" in result.output
