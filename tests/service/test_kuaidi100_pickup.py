"""A house that orders a courier for every parcel (Kuaidi100's merchant pickup): never two of them, and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import ShipmentRow, StepRow, TrackingEventRow
from sync.services.enter_number import NumberRefused, enter_number
from sync.services.poll_shop import poll_shop
from tests.service.house import ANSWERS_LOST, SHOP
from tests.service.kuaidi100_house import CARRIER, PICKUP, Kuaidi100House, open_kuaidi100_house


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[Kuaidi100House]:
    with open_kuaidi100_house(tmp_path, sandbox=None, ECSYNC_DATABASE_URL=database_url, **PICKUP) as opened:
        yield opened


@pytest.fixture
def ordered(house: Kuaidi100House) -> str:
    """An order whose courier is ordered."""
    return house.ship()


def bookings(house: Kuaidi100House) -> list[str]:
    return [note for operation, note in house.asked() if operation == "book_waybill"]


def tell(house: Kuaidi100House, order_sn: str, *codes: str, **fields: Any) -> None:
    """Push states of the order of a parcel, one after the other."""
    shipment = house.shipment(order_sn)
    order_id = (shipment.carrier_order_no or "20066771").split()[0]
    for code in codes:
        order = {"orderId": order_id, "status": code, "courierName": "赵六", "courierMobile": "13900000003"}
        head = {"kuaidicom": "zhongtong", "kuaidinum": shipment.waybill_no, "status": "200", "message": "成功"}
        assert house.push({**head, "data": order} | fields)["result"]


def let_wait_end(house: Kuaidi100House, order_sn: str) -> None:
    """As if the time until the next look were over."""
    with house.rt.database.writing() as session:
        now = utc_now()
        step = house.step("book_waybill", order_sn)
        session.execute(update(StepRow).where(StepRow.id == step.id).values(not_before=now, enqueued_at=now))
    house.settle()


def retry(house: Kuaidi100House, code: str) -> None:
    with house.rt.database.writing() as session:
        (line,) = [line for line in desk.list_open(session) if line.code == code]
        assert desk.retry_exception(session, line.id, "tester")
    house.settle()


# --- booking


def test_a_paid_order_gets_one_courier_and_its_number_stands_in_the_shop(house: Kuaidi100House, ordered: str) -> None:
    shipment = house.shipment(ordered)
    assert bookings(house) == ["issued"]
    assert house.waybills() == {shipment.order_code: [shipment.waybill_no]}
    assert house.peers.kuaidi100._by_waybill[shipment.waybill_no].ordered_as == tuple(shipment.carrier_order_no.split())
    assert [note.numbers for note in house.shop_order(ordered).notes] == [(shipment.waybill_no,)]


@pytest.mark.parametrize("fault", ANSWERS_LOST)
def test_an_order_whose_answer_was_lost_is_never_sent_again(house: Kuaidi100House, fault: str) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {fault: 1.0, "max_per_order": 1}})

    house.poll()
    assert house.step("book_waybill", order_sn).is_uncertain
    house.settle()

    step, (line,) = house.step("book_waybill", order_sn), house.lines()
    assert bookings(house) == ["issued"]
    assert (step.state, step.last_code, step.is_uncertain) == ("parked", "waybill.outcome_unknown", True)
    assert (line.code, line.peer) == ("waybill.outcome_unknown", CARRIER)
    for word in (house.shipment(order_sn).order_code, "console", f"ecsync order number {order_sn}"):
        assert word in line.message

    retry(house, "waybill.outcome_unknown")
    assert bookings(house) == ["issued"]
    assert house.step("book_waybill", order_sn).state == "parked"


def test_a_call_that_died_with_its_worker_is_not_repeated_either(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {"too_many": 1.0, "max_per_order": 1}})
    house.poll()
    row = house.step("book_waybill", order_sn)
    with house.rt.database.writing() as session:
        session.execute(update(StepRow).where(StepRow.id == row.id).values(losses=1, is_uncertain=True))
    asked = len(bookings(house))

    house.settle()

    assert house.step("book_waybill", order_sn).last_code == "waybill.outcome_unknown"
    assert len(bookings(house)) == asked


def test_what_never_reached_kuaidi100_is_sent_again(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {"too_many": 1.0, "max_per_order": 1}})

    house.poll()
    house.settle()

    assert house.shipment(order_sn).waybill_no
    assert len(house.waybills()) == 1


def test_a_person_enters_the_number_that_stands_in_the_console(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()
    house.settle()
    ((number,),) = house.waybills().values()
    head = {"kuaidicom": "zhongtong", "kuaidinum": number, "status": "200", "message": "成功"}
    house.push({**head, "data": {"orderId": "20066771", "status": "10"}})  # the courier was there meanwhile

    entered = enter_number(house.rt, order_sn, number, actor="tester")
    house.serve(list(entered.wakes))
    house.settle()

    shipment = house.shipment(order_sn)
    assert (shipment.waybill_no, shipment.status) == (number, "picked_up")
    assert house.step("book_waybill", order_sn).state == "done"
    assert [note.numbers for note in house.shop_order(order_sn).notes] == [(number,)]
    assert (house.lines(), bookings(house)) == ([], ["issued"])


def test_a_booking_that_is_not_in_doubt_takes_no_number_by_hand(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    told = {"business": 1.0, "business_code": "400", "business_reason": "参数错误", "max_per_order": 0}
    house.peers.configure_faults({"kuaidi100": told})
    house.poll()

    with pytest.raises(NumberRefused):
        enter_number(house.rt, order_sn, "YT2213099035201", actor="tester")


# --- the number comes later


@pytest.fixture
def awaited(house: Kuaidi100House) -> str:
    """An order that Kuaidi100 took and gave no number yet."""
    house.peers.kuaidi100.numbers_later = True
    (order_sn,) = house.seed()
    house.poll()
    return order_sn


def test_a_number_that_a_push_brings_is_adopted(house: Kuaidi100House, awaited: str) -> None:
    ((number,),) = house.waybills().values()
    assert (house.shipment(awaited).waybill_no, house.lines()) == ("", [])

    tell(house, awaited, "0", kuaidinum=number)
    tell(house, awaited, "1")  # names the order alone
    let_wait_end(house, awaited)

    shipment = house.shipment(awaited)
    assert (shipment.waybill_no, shipment.status, bookings(house)) == (number, "awaiting_pickup", ["issued"])
    assert shipment.carrier_order_no == " ".join(house.peers.kuaidi100._by_waybill[number].ordered_as or ())
    assert [note.numbers for note in house.shop_order(awaited).notes] == [(number,)]
    tell(house, awaited, "10")
    assert house.shipment(awaited).status == "picked_up"


def test_a_number_that_does_not_come_is_asked_of_a_person_with_the_order_s_name(
    house: Kuaidi100House, awaited: str
) -> None:
    ((number,),) = house.waybills().values()
    let_wait_end(house, awaited)
    let_wait_end(house, awaited)

    (line,) = house.lines()
    assert (line.code, bookings(house)) == ("waybill.number_awaited", ["issued"])
    assert house.shipment(awaited).carrier_order_no in line.message

    tell(house, awaited, "0", kuaidinum=number)
    retry(house, "waybill.number_awaited")
    assert (house.shipment(awaited).waybill_no, bookings(house), house.lines()) == (number, ["issued"], [])


# --- pushes


def test_the_states_of_the_order_lead_a_parcel_to_its_delivery(house: Kuaidi100House, ordered: str) -> None:
    tell(house, ordered, "1", "2")
    assert (house.shipment(ordered).status, house.shipment(ordered).pickup_at) == ("awaiting_pickup", None)

    tell(house, ordered, "10")
    shipment, shown = house.shipment(ordered), house.shop_order(ordered)
    assert shipment.status == "picked_up"
    assert shipment.pickup_at is not None
    assert (shown.shipping_status, shown.invoice_nos) == (1, (shipment.waybill_no,))

    tell(house, ordered, "155", "15", "15")
    assert house.shipment(ordered).status == "picked_up"
    tell(house, ordered, "101", "400", "13", "15")
    assert (house.shipment(ordered).status, house.lines()) == ("delivered", [])


@pytest.mark.parametrize("code", ["9", "99"])
def test_a_courier_that_was_cancelled_there_goes_to_a_person_and_may_revive(
    house: Kuaidi100House, ordered: str, code: str
) -> None:
    tell(house, ordered, "1", code)
    assert house.shipment(ordered).status == "cancelled"
    assert [line.code for line in house.lines()] == ["tracking.cancelled"]

    tell(house, ordered, "166")
    assert house.shipment(ordered).status == "awaiting_pickup"
    tell(house, ordered, "10")
    assert house.shipment(ordered).status == "picked_up"
    assert bookings(house) == ["issued"]


@pytest.mark.parametrize("code", ["11", "610"])
def test_a_courier_who_did_not_get_the_parcel_goes_to_a_person(house: Kuaidi100House, ordered: str, code: str) -> None:
    tell(house, ordered, code)
    assert house.shipment(ordered).status == "pickup_failed"
    assert [line.code for line in house.lines()] == ["tracking.dispatch_failed"]


def test_what_bills_and_weighs_is_kept_by_nobody(house: Kuaidi100House, ordered: str) -> None:
    tell(house, ordered, "15", "155")
    with house.rt.database.reading() as session:
        assert session.execute(select(TrackingEventRow)).all() == []
    assert house.shipment(ordered).status == "info_received"


# --- cancelling


def withdraw(house: Kuaidi100House, order_sn: str) -> None:
    house.cancel(order_sn)
    house.serve(poll_shop(house.rt, SHOP).wakes)
    house.settle()


def test_a_withdrawn_order_s_courier_is_cancelled_by_both_names(house: Kuaidi100House, ordered: str) -> None:
    withdraw(house, ordered)

    assert house.asked()[-1] == ("cancel_waybill", "cancelled")
    assert house.peers.ledger()["carrier"]["orders"][house.shipment(ordered).order_code]["cancelled"]
    assert house.step("cancel_waybill", ordered).state == "done"


def test_a_cancel_whose_answer_was_lost_ends_well_the_second_time(house: Kuaidi100House, ordered: str) -> None:
    house.peers.configure_faults({"kuaidi100": {"reset_after": 1.0, "max_per_order": 1, "only": ["cancel_waybill"]}})

    withdraw(house, ordered)

    assert [note for operation, note in house.asked() if operation == "cancel_waybill"] == ["cancelled", "refused 500"]
    assert house.step("cancel_waybill", ordered).state == "done"


def test_a_courier_whose_order_has_no_name_is_cancelled_by_a_person(house: Kuaidi100House, ordered: str) -> None:
    with house.rt.database.writing() as session:
        session.execute(update(ShipmentRow).values(carrier_order_no=""))

    withdraw(house, ordered)

    assert house.step("cancel_waybill", ordered).last_code == "kuaidi100.cancel.order_unnamed"
    assert [operation for operation, _ in house.asked()] == ["book_waybill"]


def test_an_order_withdrawn_while_its_outcome_is_unknown_sends_nothing(house: Kuaidi100House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"kuaidi100": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()

    withdraw(house, order_sn)

    assert (bookings(house), house.step("book_waybill", order_sn).last_code) == (["issued"], "waybill.outcome_unknown")
