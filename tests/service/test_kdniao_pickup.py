"""Couriers that are booked at KDNiao for every parcel: one each, cancelled with the waybill; what is pushed of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sync import exceptions as desk
from sync.db.models import StepRow
from tests.service.house import House, open_house
from tests.service.kdniao_hands import pickup_push, sandbox
from tests.service.test_tracking import PICKED_UP, push, snapshot, wire_time


@pytest.fixture
def booking_house(database_url: str, tmp_path: Path) -> Iterator[House]:
    """Couriers are booked for every parcel."""
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_CARRIER_KDNIAO_PICKUP="booked") as house:
        yield house


def test_a_courier_is_booked_for_the_next_window_after_the_waybill(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()

    (booking,) = sandbox(house).pickups.bookings.values()
    shipment = house.shipment(order_sn)
    assert booking.data["OrderCode"] == f"{shipment.order_code}-P"
    assert booking.data["LogisticCode"] == shipment.waybill_no
    assert shipment.estimated_pickup_at is not None
    assert wire_time(shipment.estimated_pickup_at) == booking.data["StartDate"]
    assert house.problems() == {}


def test_couriers_come_by_themselves_unless_a_setting_says_otherwise(house: House) -> None:
    house.seed()
    house.poll()
    assert house.calls("book_pickup") == 0


def test_a_lost_answer_books_one_courier(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.peers.configure_faults({"carrier": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()
    house.settle()
    assert house.step("book_pickup", order_sn).state == "done"
    assert len(sandbox(house).pickups.bookings) == 1
    assert house.calls("book_pickup") == 1, "the second try looked it up"
    assert house.calls("find_pickup") >= 1


def test_the_courier_is_cancelled_together_with_the_waybill(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()
    house.cancel(order_sn)
    house.poll()
    house.settle()

    (booking,) = sandbox(house).pickups.bookings.values()
    assert booking.is_cancelled
    assert house.shipment(order_sn).status == "cancelled"
    assert (house.calls("cancel_pickup"), house.calls("cancel_waybill")) == (1, 1)


def test_a_booking_that_failed_is_forgotten_when_the_courier_comes_all_the_same(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()
    with house.rt.database.writing() as session:
        step = session.get_one(StepRow, house.step("book_pickup", order_sn).id)
        desk.park_step(session, step, "kdniao.pickup.address_rejected", "No courier comes there", order_sn)

    push(house, snapshot(house, order_sn, PICKED_UP))

    assert house.problems() == {}
    assert house.step("book_pickup", order_sn).state == "dropped"


def test_a_courier_under_a_number_of_its_own_is_told_and_its_pushes_are_the_parcels(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()
    number = house.shipment(order_sn).waybill_no
    code = f"{house.shipment(order_sn).order_code}-P"

    push(house, pickup_push(house, order_sn, "120", LogisticCode="SF9", OrderCode=code))
    push(house, pickup_push(house, order_sn, "301", LogisticCode="SF9", OrderCode=""))

    assert house.shipment(order_sn).waybill_no == number
    assert house.shipment(order_sn).status == "picked_up"
    assert list(house.problems()) == ["pickup.second_number"]


def test_a_booking_that_the_platform_cancels_is_a_persons_while_the_buyer_waits(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()

    push(house, pickup_push(house, order_sn, "203"))

    assert list(house.problems()) == ["tracking.cancelled"]


def test_a_false_pickup_takes_the_pickup_back_and_its_48_hours_begin_anew(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()
    later = house.rt.clock.now() + timedelta(seconds=30)
    push(house, pickup_push(house, order_sn, "301"))
    assert (house.shipment(order_sn).status, house.shipment(order_sn).pickup_due_from) == ("picked_up", None)

    push(house, pickup_push(house, order_sn, "206", CreateTime=wire_time(later)))

    shipment = house.shipment(order_sn)
    assert (shipment.status, shipment.pickup_at) == ("pickup_failed", None)
    assert shipment.pickup_due_from == later.replace(microsecond=0)
    assert list(house.problems()) == ["tracking.false_pickup"]


def test_bills_and_tickets_of_a_pickup_change_nothing_however_often_they_come(booking_house: House) -> None:
    house = booking_house
    (order_sn,) = house.seed()
    house.poll()
    push(house, pickup_push(house, order_sn, "301"))
    before = house.shipment(order_sn)
    for state in ("121", "122", "207", "208", "208", "401", "402", "501", "502", "601", "601", "701"):
        push(house, pickup_push(house, order_sn, state, Weight="1.2", Cost="12"))

    after = house.shipment(order_sn)
    assert (after.status, after.pickup_at, after.waybill_no) == (before.status, before.pickup_at, before.waybill_no)
    assert house.problems() == {}
