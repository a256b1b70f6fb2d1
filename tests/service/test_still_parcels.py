"""Parcels that do not move or do not arrive: one query first, told once, closed by the next movement."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from sync.db.models import OrderRow, ShipmentRow
from tests.service.days import Days
from tests.service.house import House
from tests.service.test_tracking import DELIVERED, PICKED_UP, TRANSIT, open_lines, push, snapshot

REJECTED = ("404", "收件人拒收")


@pytest.fixture
def days(house: House) -> Days:
    return Days(house)


@pytest.fixture
def still(house: House, days: Days) -> str:
    """A parcel that was picked up and is not scanned any more."""
    (order_sn,) = house.seed()
    house.poll()
    days.stand_still(order_sn)
    push(house, snapshot(house, order_sn, PICKED_UP))
    return order_sn


def codes(house: House) -> list[str]:
    return [line.code for line in open_lines(house)]


def told(house: House, word: str) -> int:
    return sum(word in notice["title"] for notice in house.peers.ledger()["notices"])


def scan(house: House, days: Days, order_sn: str, *scans: tuple[str, str]) -> None:
    """A push about scans of this moment."""
    shipment = house.shipment(order_sn)
    assert shipment.booked_at is not None
    since = (house.rt.clock.now() - shipment.booked_at).total_seconds()
    push(house, snapshot(house, order_sn, PICKED_UP, *scans, step_s=100 * (since - 60) / len(scans)))


def test_a_parcel_without_a_scan_for_72_hours_is_asked_about_once_and_told_once(
    house: House, days: Days, still: str
) -> None:
    days.go_by(hours=71)
    days.sweep()
    assert codes(house) == []
    asked = days.queries()
    days.go_by(hours=6)

    owed = [days.sweep() for _ in range(3)]

    assert owed == [{"still": 1}, {}, {}]
    assert days.queries() == asked + 1
    assert codes(house) == ["parcel.no_movement"]
    assert told(house, "物流停滞") == 1
    (line,) = open_lines(house)
    assert still in line.message
    assert "knows no more" in line.message
    assert house.order(still).status == "picked_up", "the order shows where the parcel is"


def test_a_parcel_that_stands_still_for_weeks_is_told_of_once(house: House, days: Days, still: str) -> None:
    for _ in range(20):
        days.go_by(days=1)
        days.sweep()

    assert codes(house) == ["parcel.no_movement"], "that it is late as well says nothing new"
    assert told(house, "物流停滞") == 1
    assert told(house, "超时未签收") == 0
    assert days.queries() <= 20


def test_the_next_scan_closes_it_and_another_standstill_is_told_again(house: House, days: Days, still: str) -> None:
    days.go_by(hours=77)
    days.sweep()
    assert codes(house) == ["parcel.no_movement"]

    scan(house, days, still, TRANSIT)
    assert codes(house) == []
    days.sweep()
    assert codes(house) == []

    days.go_by(hours=73)
    days.sweep()
    assert codes(house) == ["parcel.no_movement"]
    assert told(house, "物流停滞") == 2

    scan(house, days, still, TRANSIT, DELIVERED)
    assert house.shipment(still).status == "delivered"
    assert codes(house) == []


def test_a_late_push_about_an_old_scan_is_no_movement(house: House, days: Days, still: str) -> None:
    days.go_by(hours=77)
    days.sweep()

    push(house, snapshot(house, still, ("10", "待揽件"), ("1", "已揽收，称重"), step_s=-50))

    assert codes(house) == ["parcel.no_movement"]


def test_scans_whose_pushes_were_lost_alarm_nobody(house: House, days: Days) -> None:
    (order_sn,) = house.seed()
    house.poll()
    push(house, snapshot(house, order_sn, PICKED_UP))
    days.go_by(hours=77)

    assert days.sweep() == {"still": 1}

    assert house.shipment(order_sn).status == "delivered"
    assert codes(house) == []
    assert house.peers.ledger()["notices"] == []


def test_a_carrier_that_cannot_be_asked_does_not_hide_a_standstill(house: House, days: Days, still: str) -> None:
    days.go_by(hours=77)
    house.peers.configure_faults({"carrier": {"too_many": 1.0, "max_per_order": 0}})

    days.sweep()

    (line,) = open_lines(house)
    assert line.code == "parcel.no_movement"
    assert "could not be asked" in line.message
    assert told(house, "物流停滞") == 1


def test_a_withdrawn_order_s_parcel_is_not_told_of(house: House, days: Days, still: str) -> None:
    with house.rt.database.writing() as session:
        session.execute(update(OrderRow).values(state="withdrawn"))
    days.go_by(hours=77)

    assert days.sweep() == {"daily": 1}

    assert codes(house) == []


def live(house: House, days: Days, order_sn: str, count: int) -> list[tuple[int, list[str]]]:
    """Days with one scan each; what was new on the desk, by day."""
    seen: list[tuple[int, list[str]]] = []
    days.go_by(minutes=5)
    for day in range(1, count + 1):
        days.go_by(days=1)
        scan(house, days, order_sn, *[("2", f"运输中 {number}") for number in range(day)])
        days.sweep()
        if codes(house):
            seen.append((day, codes(house)))
    return seen


def sent_to(house: House, order_sn: str, province: str) -> None:
    order = house.order(order_sn)
    header = {**order.header, "consignee": {**order.header["consignee"], "address": address(order, province)}}
    with house.rt.database.writing() as session:
        session.execute(update(OrderRow).where(OrderRow.id == order.id).values(header=header))
        session.execute(update(ShipmentRow).values(deliver_by=None))


def address(order: OrderRow, province: str) -> dict[str, str]:
    return {**order.header["consignee"]["address"], "province": province}


@pytest.mark.parametrize(("province", "day"), [("广东省", 4), ("湖南", 7), ("新疆", 12)])
def test_a_parcel_that_moves_and_does_not_arrive_is_told_of_after_its_usual_travel_time(
    house: House, days: Days, still: str, province: str, day: int
) -> None:
    sent_to(house, still, province)

    seen = live(house, days, still, day + 1)

    assert seen == [(day, ["parcel.undelivered"])], "the next day's scan closed it"
    assert told(house, "超时未签收") == 1
    assert told(house, "物流停滞") == 0


def test_a_parcel_that_goes_in_circles_is_told_of_once_in_each_travel_time(
    house: House, days: Days, still: str
) -> None:
    sent_to(house, still, "广东")

    seen = [day for day, _ in live(house, days, still, 10)]

    assert seen == [4, 9]
    assert told(house, "超时未签收") == 2


def test_a_parcel_on_its_way_back_is_not_late(house: House, days: Days, still: str) -> None:
    sent_to(house, still, "广东")
    for day in range(6):
        days.go_by(days=1)
        scan(house, days, still, REJECTED, *[("407", f"退回中 {number}") for number in range(day)])
        days.sweep()

    assert house.shipment(still).deliver_by is None
    assert "parcel.undelivered" not in codes(house)
