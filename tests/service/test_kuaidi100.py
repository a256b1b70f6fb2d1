"""A house whose carrier is Kuaidi100: from the paid order to the delivery, and every way it can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import AttemptRow, LabelRow, StepRow
from sync.gateway import CallContext
from sync.services.poll_shop import poll_shop
from sync.services.sweep_pickups import sweep_pickups
from tests.service.house import ANSWERS_LOST, SHOP
from tests.service.kuaidi100_house import CARRIER, Kuaidi100House, open_kuaidi100_house


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[Kuaidi100House]:
    with open_kuaidi100_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened


@pytest.fixture
def shipped(house: Kuaidi100House) -> str:
    return house.ship()


def attempts(house: Kuaidi100House) -> list[AttemptRow]:
    with house.rt.database.reading() as session:
        return [row for row in session.query(AttemptRow).order_by(AttemptRow.id) if row.peer == CARRIER]


# --- booking


def test_a_paid_order_gets_one_waybill_its_label_and_a_note_in_the_shop(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()

    house.poll()

    shipment = house.shipment(order_sn)
    assert house.waybills() == {shipment.order_code: [shipment.waybill_no]}
    assert shipment.carrier_order_no.startswith("K")
    assert [note.numbers for note in house.shop_order(order_sn).notes] == [(shipment.waybill_no,)]
    with house.rt.database.reading() as session:
        assert session.get_one(LabelRow, shipment.id).content.startswith("https://")


def test_no_secret_name_phone_or_street_stands_in_any_record(house: Kuaidi100House, shipped: str) -> None:
    who, config = house.order(shipped).header["consignee"], house.rt.peer(CARRIER).config
    written = "".join(call.request + call.reply for call in attempts(house))
    assert '"orderId"' in written
    secrets = [config[name] for name in ("key", "secret", "customer", "salt", "callback_url")]
    for word in (who["name"], who["phone"], who["address"]["street"], *secrets):
        assert word
        assert word not in written


@pytest.mark.parametrize("fault", ANSWERS_LOST)
def test_an_answer_lost_after_the_waybill_was_issued_brings_the_same_waybill(house: Kuaidi100House, fault: str) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {fault: 1.0, "max_per_order": 2}})

    house.poll()
    assert house.step("book_waybill", order_sn).is_uncertain
    house.settle()

    shipment = house.shipment(order_sn)
    assert house.waybills() == {shipment.order_code: [shipment.waybill_no]}
    assert [note for operation, note in house.asked() if operation == "book_waybill"] == [
        "issued",
        "adopted",
        "adopted",
    ]


def test_however_the_answers_fail_every_order_has_exactly_one_waybill(tmp_path: Path) -> None:
    shares = dict.fromkeys(ANSWERS_LOST, 0.06) | {"too_many": 0.04, "reset_before": 0.04}
    faults = {"kuaidi100": {**shares, "max_per_order": 2}}
    with open_kuaidi100_house(tmp_path, sandbox={"faults": faults}, ECSYNC_BREAKER_FAILURES="1000") as house:
        numbers = house.seed(60)
        house.poll()
        house.settle()

        assert len(house.waybills()) == len(numbers)
        assert {len(issued) for issued in house.waybills().values()} == {1}
        for order_sn in numbers:
            shipment = house.shipment(order_sn)
            assert house.waybills()[shipment.order_code] == [shipment.waybill_no]
        assert any(note == "adopted" for _, note in house.asked())


def test_a_failure_of_theirs_is_never_taken_for_undone(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    told = {"business": 1.0, "business_code": "500", "business_reason": "服务器错误", "max_per_order": 1}
    house.peers.configure_faults({"kuaidi100": told})

    house.poll()

    step = house.step("book_waybill", order_sn)
    assert (step.state, step.last_outcome, step.is_uncertain) == ("owed", "uncertain", True)
    house.settle()
    assert house.shipment(order_sn).waybill_no


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (("400", "参数错误"), "format_refused"),
        (("500", "收件地址超区"), "address_rejected"),
        (("888", "?"), "result_unmapped"),
    ],
)
def test_a_refusal_goes_to_the_desk_at_once(house: Kuaidi100House, told: tuple[str, str], code: str) -> None:
    house.seed()
    fault = {"business": 1.0, "business_code": told[0], "business_reason": told[1], "max_per_order": 0}
    house.peers.configure_faults({"kuaidi100": fault})

    house.poll()

    (line,) = house.lines()
    assert line.code == f"kuaidi100.waybill.{code}"
    assert told[1] in line.message


# --- an outcome that stayed unknown


def lose_answer(house: Kuaidi100House) -> str:
    """An order that Kuaidi100 took, and whose answer never came."""
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()
    house.peers.configure_faults({"kuaidi100": {}})
    return order_sn


def make_older(house: Kuaidi100House, order_sn: str, *, tried: timedelta, owed: timedelta, **step: Any) -> None:
    """As if the step had been owed so long ago, and its first call made so long ago."""
    row = house.step("book_waybill", order_sn)
    with house.rt.database.writing() as session:
        session.execute(update(AttemptRow).where(AttemptRow.step_id == row.id).values(started_at=utc_now() - tried))
        values = {"created_at": utc_now() - owed, **step}
        session.execute(update(StepRow).where(StepRow.id == row.id).values(**values))


def test_an_order_that_kuaidi100_may_have_forgotten_is_never_sent_again(house: Kuaidi100House) -> None:
    order_sn = lose_answer(house)
    before = house.asked()
    make_older(house, order_sn, tried=timedelta(hours=48), owed=timedelta(hours=49))

    house.settle()

    step, (line,) = house.step("book_waybill", order_sn), house.lines()
    assert (step.state, step.last_code, step.is_uncertain) == ("parked", "waybill.outcome_unknown", True)
    assert house.asked() == before
    assert (line.code, line.peer) == ("waybill.outcome_unknown", CARRIER)
    assert house.shipment(order_sn).order_code in line.message
    assert "console" in line.message


def test_a_person_s_retry_does_not_send_it_either(house: Kuaidi100House) -> None:
    order_sn = lose_answer(house)
    make_older(house, order_sn, tried=timedelta(hours=60), owed=timedelta(hours=60))
    house.settle()
    before = house.asked()

    with house.rt.database.writing() as session:
        (line,) = desk.list_open(session)
        assert desk.retry_exception(session, line.id, "tester")
    house.settle()

    assert house.asked() == before
    assert house.step("book_waybill", order_sn).state == "parked"


def test_within_the_promise_it_is_sent_again_however_old_the_order_is(house: Kuaidi100House) -> None:
    order_sn = lose_answer(house)
    make_older(house, order_sn, tried=timedelta(hours=47), owed=timedelta(days=9))

    house.settle()

    shipment = house.shipment(order_sn)
    assert house.waybills() == {shipment.order_code: [shipment.waybill_no]}


def test_a_call_that_died_with_its_worker_counts_from_when_it_was_owed(house: Kuaidi100House) -> None:
    order_sn = lose_answer(house)
    before = house.asked()
    make_older(house, order_sn, tried=timedelta(hours=1), owed=timedelta(hours=49), losses=1)

    house.settle()

    assert house.step("book_waybill", order_sn).last_code == "waybill.outcome_unknown"
    assert house.asked() == before


def test_an_order_that_was_never_sent_is_sent_whenever_it_is(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {"too_many": 1.0, "max_per_order": 1}})
    house.poll()
    make_older(house, order_sn, tried=timedelta(days=9), owed=timedelta(days=9))

    house.settle()

    assert house.shipment(order_sn).waybill_no


# --- the overdue pickup, and what is taken back


def test_an_overdue_pickup_is_asked_about_once_and_a_lost_push_comes_to_light(
    house: Kuaidi100House, shipped: str
) -> None:
    parcel = house.peers.kuaidi100._by_order[house.shipment(shipped).order_code]
    scan = parcel.scans[0]
    made: datetime = house.rt.clock.now() - timedelta(minutes=1)
    parcel.scans = (type(scan)(made, scan.action, scan.state, scan.text, scan.location),)
    rt = house.rt
    with rt.database.writing() as session:
        shipment = session.merge(house.shipment(shipped))
        shipment.pickup_due_from = rt.clock.now() - timedelta(hours=49)

    house.serve(sweep_pickups(rt))

    assert ("query_tracking", "traces") in house.asked()
    assert house.shipment(shipped).status == "picked_up"
    assert house.lines() == []


def test_a_withdrawn_order_s_waybill_is_voided_by_the_couriers_order_number(
    house: Kuaidi100House, shipped: str
) -> None:
    house.cancel(shipped)
    house.serve(poll_shop(house.rt, SHOP).wakes)
    house.settle()

    assert house.asked()[-1] == ("cancel_waybill", "cancelled")
    assert house.peers.ledger()["carrier"]["orders"][house.shipment(shipped).order_code]["cancelled"]
    assert house.step("cancel_waybill", shipped).state == "done"


def test_a_cancel_whose_answer_was_lost_ends_well_the_second_time(house: Kuaidi100House, shipped: str) -> None:
    house.peers.configure_faults({"kuaidi100": {"reset_after": 1.0, "max_per_order": 1, "only": ["cancel_waybill"]}})

    house.cancel(shipped)
    house.serve(poll_shop(house.rt, SHOP).wakes)
    house.settle()

    assert [note for operation, note in house.asked() if operation == "cancel_waybill"] == ["cancelled", "refused 500"]
    assert house.step("cancel_waybill", shipped).state == "done"


def test_a_number_of_anybody_s_can_be_followed_twice_without_harm(house: Kuaidi100House) -> None:
    for _ in range(2):
        exchange = house.rt.carriers[CARRIER].subscribe(
            shipper_code="YTO", waybill_no="YT1", order_code="", phone="", callback_url="http://127.0.0.1:9/x"
        )
        house.rt.gateway.run(CARRIER, exchange, CallContext())
    assert house.asked() == [("subscribe", "subscribed"), ("subscribe", "refused 501")]
