"""ERPs that accept an order first and number it later: the push is done, the number is asked for ever more rarely."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from mappings.erps.generic_rest import GenericRestErp
from mappings.model import ErpDocument
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import ErpDocumentRow
from sync.services.erp_documents import find_documents
from sync.services.relay import relay
from tests.service.house import House, open_house
from tests.service.test_fulfilment import ERP, documents
from tests.service.withdrawals import codes, live_documents, states, withdraw


@pytest.fixture
def late(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """An ERP whose answer to a push names no number; a look-up does."""
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, numbers_later=True))
    with open_house(
        tmp_path,
        ECSYNC_DATABASE_URL=database_url,
        ECSYNC_ERP_GENERIC_REST_ERP_NO_FIELD="there_is_none",
        ECSYNC_ERP_GENERIC_REST_FIND_ERP_NO_FIELD="erp_no",
    ) as opened:
        yield opened


@pytest.fixture
def slow(late: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """It has not numbered the order yet, and says so when it is looked up."""

    def find(self: object, external_ref: str) -> Generator[Any, Any, ErpDocument | None]:
        yield from ()
        return ErpDocument("", external_ref)

    monkeypatch.setattr(GenericRestErp, "find", find)
    return late


def document(house: House, order_sn: str) -> ErpDocumentRow:
    with house.rt.database.reading() as session:
        return find_documents(session, house.order(order_sn).id)[ERP]


def grow_old(house: House, order_sn: str, age: timedelta) -> None:
    with house.rt.database.writing() as session:
        mine = ErpDocumentRow.order_id == house.order(order_sn).id
        session.execute(update(ErpDocumentRow).where(mine).values(taken_at=utc_now() - age))


def ask(house: House) -> None:
    """The time for the next question has come, once."""
    house.forget_messages()
    house.serve(relay(house.rt, {}).wakes)


def wait_s(house: House, order_sn: str) -> float:
    return (house.step("number_order", order_sn).not_before - utc_now()).total_seconds()


def test_an_accepted_order_counts_as_pushed_and_its_number_comes_later(late: House) -> None:
    (order_sn,) = late.seed()
    late.poll()

    assert late.step("push_order", order_sn).state == "done"
    assert (document(late, order_sn).erp_no, document(late, order_sn).state) == ("", "accepted")
    assert late.order(order_sn).erp_no == "accepted"
    assert 10 < wait_s(late, order_sn) <= 15, "not at once: the ERP has just got it"

    ask(late)

    (number,) = documents(late)[order_sn]
    assert (document(late, order_sn).erp_no, document(late, order_sn).state) == (number, "created")
    assert late.order(order_sn).erp_no == number
    assert late.step("number_order", order_sn).state == "done"


@pytest.mark.parametrize(
    ("age", "expected_s"), [(timedelta(0), 15), (timedelta(minutes=8), 8 * 60), (timedelta(hours=9), 3600)]
)
def test_it_is_asked_again_at_growing_distance(slow: House, age: timedelta, expected_s: float) -> None:
    (order_sn,) = slow.seed()
    slow.poll()
    grow_old(slow, order_sn, age)

    ask(slow)

    assert slow.step("number_order", order_sn).state == "owed"
    assert wait_s(slow, order_sn) == pytest.approx(expected_s, abs=5)
    assert codes(slow) == []


def test_after_a_day_a_person_is_told_and_a_retry_takes_the_number(
    late: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order_sn,) = late.seed()
    late.poll()
    grow_old(late, order_sn, timedelta(hours=25))
    with monkeypatch.context() as patch:
        patch.setattr(GenericRestErp, "find", lambda self, ref: _nothing())
        ask(late)

    assert codes(late) == ["erp.number_missing"]
    with late.rt.database.writing() as session:
        (line,) = desk.list_open(session)
        assert order_sn in line.message
        assert "nothing is sent a second time" in line.message
        assert desk.retry_exception(session, line.id, "ops")
    late.settle()
    assert late.order(order_sn).erp_no == documents(late)[order_sn][0]
    assert codes(late) == []


def _nothing() -> Generator[Any, Any, ErpDocument | None]:
    yield from ()
    return None


def test_where_nobody_wants_the_number_it_is_never_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, numbers_later=True))
    never = {"ECSYNC_ERP_GENERIC_REST_NUMBER_WITHIN_S": "0", "ECSYNC_ERP_GENERIC_REST_ERP_NO_FIELD": "there_is_none"}
    with open_house(tmp_path, sandbox=None, **never) as house:
        (order_sn,) = house.seed()
        house.poll()

        assert "number_order" not in states(house, order_sn)
        assert house.order(order_sn).erp_no == "accepted"


def test_an_accepted_order_that_is_withdrawn_is_looked_up_and_cancelled(late: House) -> None:
    (order_sn,) = late.seed()
    late.poll()

    withdraw(late, order_sn)

    assert live_documents(late) == []
    assert states(late, order_sn)["number_order"] == "dropped"
    assert document(late, order_sn).state == "cancelled"


def test_an_accepted_order_that_the_erp_does_not_show_yet_is_not_taken_for_cancelled(
    late: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order_sn,) = late.seed()
    late.poll()
    with monkeypatch.context() as patch:
        patch.setattr(GenericRestErp, "find", lambda self, ref: _nothing())
        withdraw(late, order_sn)
    assert late.step("cancel_order", order_sn).state == "owed", "it comes into sight soon"
    assert live_documents(late) == documents(late)[order_sn]

    late.settle()

    assert live_documents(late) == []
