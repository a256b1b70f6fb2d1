"""Several parcels of one order, and what staff do to an order while it is ours."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import ShipmentRow, StepRow
from sync.db.orders import find_shipments
from sync.services.poll_shop import poll_shop
from sync.services.sweep_pickups import sweep_pickups
from sync.services.take_in import take_in
from sync.services.track import shown_status
from tests.service.house import SHOP, House, open_house
from tests.service.shop_people import CUP, TEA, TEA_ID, People
from tests.service.test_fulfilment import CARRIER, ERP, break_peer, documents, waybills
from tests.service.test_tracking import DELIVERED, PICKED_UP, TRANSIT, push, snapshot


@pytest.fixture
def people(house: House) -> People:
    return People(house.shop, house.rt.clock.now() - timedelta(minutes=30))


def parcels(house: House, order_sn: str) -> list[ShipmentRow]:
    with house.rt.database.reading() as session:
        return find_shipments(session, house.order(order_sn).id)


def problems(house: House, order_sn: str) -> list[str]:
    with house.rt.database.reading() as session:
        return [one.code for one in desk.list_open(session, order_id=house.order(order_sn).id)]


def told(house: House, kind: str, peer: str, method: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a connector is asked to send from now on."""
    connector = getattr(house.rt, kind)[peer]
    asked: list[Any] = []
    send = getattr(connector, method)

    def note_and_send(request: Any) -> Any:
        asked.append(request)
        return send(request)

    monkeypatch.setattr(connector, method, note_and_send)
    return asked


def steps(house: House, name: str) -> list[StepRow]:
    with house.rt.database.reading() as session:
        return list(session.execute(select(StepRow).where(StepRow.name == name)).scalars())


def paid(people: People, order_id: int, *lines: dict[str, Any]) -> str:
    order_sn = people.place(order_id, *lines)
    people.pay(order_id)
    return order_sn


def test_an_order_that_staff_split_gets_a_waybill_for_each_part_and_one_erp_document(
    house: House, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_erp = told(house, "erps", ERP, "create", monkeypatch)
    order_sn = paid(people, 1, TEA, CUP)
    note_id = people.split(1, TEA_ID)

    house.poll()
    first, *others = parcels(house, order_sn)
    assert not others, "the rest of the order must wait until the first part stands on its note"
    house.poll()
    house.poll()

    first, second = parcels(house, order_sn)
    assert waybills(house) == {f"{order_sn}-1": [first.waybill_no], f"{order_sn}-2": [second.waybill_no]}
    assert [(note["delivery_id"] == note_id, note["invoice_no"]) for note in people.notes(1)] == [
        (True, first.waybill_no),
        (False, second.waybill_no),
    ]
    assert len(documents(house)[order_sn]) == 1
    assert [len(sent.order.lines) for sent in at_erp] == [2], "the ERP gets the order whole"


def test_a_look_taken_before_the_note_was_written_never_becomes_a_second_waybill(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    read_at = utc_now()
    (stale,) = list(house.rt.shops[SHOP].read_open(house.rt.clock.now()))
    house.poll()

    take_in(house.rt, house.rt.peer(SHOP), [stale], read_at)
    house.settle()

    assert len(parcels(house, order_sn)) == 1
    assert list(waybills(house)) == [f"{order_sn}-1"]


def test_a_second_parcel_that_the_shop_does_not_owe_after_all_is_not_booked(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    (stale,) = list(house.rt.shops[SHOP].read_open(house.rt.clock.now()))
    house.poll()

    take_in(house.rt, house.rt.peer(SHOP), [stale], utc_now())  # as if the clocks of two machines disagreed
    house.settle()

    assert list(waybills(house)) == [f"{order_sn}-1"]
    assert problems(house, order_sn) == ["order.nothing_left_to_ship"]


def test_goods_added_after_the_first_parcel_left_go_out_in_a_second(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    house.poll()

    people.add_line(1, CUP)
    house.poll()

    first, second = parcels(house, order_sn)
    assert list(waybills(house).values()) == [[first.waybill_no], [second.waybill_no]]
    assert people.row(1)["order_status"] == 5
    assert problems(house, order_sn) == ["order.edited_after_booking"], "a person compares the ERP's document"


def test_the_buyer_is_asked_for_a_review_once_after_the_last_parcel(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA, CUP)
    people.split(1, TEA_ID)
    house.poll()
    house.poll()
    first, second = parcels(house, order_sn)

    push(house, snapshot(house, first, PICKED_UP, DELIVERED))
    assert house.order(order_sn).status != "delivered"
    assert steps(house, "remind_review") == []
    push(house, snapshot(house, second, PICKED_UP, DELIVERED))
    push(house, snapshot(house, second, PICKED_UP, TRANSIT, DELIVERED))

    assert house.order(order_sn).status == "delivered"
    assert len(steps(house, "remind_review")) == 1


def test_an_address_edited_between_poll_and_booking_is_the_one_on_the_waybill(
    house: House, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_carrier = told(house, "carriers", CARRIER, "book_waybill", monkeypatch)
    order_sn = paid(people, 1, TEA)
    wakes = poll_shop(house.rt, SHOP).wakes

    people.edit_address(1, "新地址路 99 号")
    house.serve(wakes)

    assert house.order(order_sn).header["consignee"]["address"]["street"] == "新地址路 99 号"
    assert [sent.order.consignee.address.street for sent in at_carrier] == ["新地址路 99 号"]
    assert problems(house, order_sn) == []


def test_an_address_edited_before_the_waybill_simply_counts(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    poll_shop(house.rt, SHOP)

    people.edit_address(1, "新地址路 99 号")
    found = poll_shop(house.rt, SHOP)

    assert found.changed == 1
    assert house.order(order_sn).header["consignee"]["address"]["street"] == "新地址路 99 号"
    assert problems(house, order_sn) == []


def test_an_address_edited_after_the_note_was_written_is_told_once(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    house.poll()

    people.edit_address(1, "新地址路 99 号")
    house.poll()
    house.poll()

    assert problems(house, order_sn) == ["order.edited_after_booking"]
    assert len(waybills(house)) == 1


def test_an_order_that_staff_shipped_before_its_booking_keeps_their_number(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    wakes = poll_shop(house.rt, SHOP).wakes

    people.ship_note(1, people.split(1), "SF1234567890")
    house.serve(wakes)
    house.poll()

    assert waybills(house) == {}
    assert [parcel.waybill_no for parcel in parcels(house, order_sn)] == ["SF1234567890"]
    assert (house.order(order_sn).state, house.order(order_sn).status) == ("done", "shipped")
    assert len(documents(house)[order_sn]) == 1, "the ERP still gets the order"
    assert people.row(1)["invoice_no"] == "SF1234567890"


def test_a_parked_order_that_staff_ship_by_hand_leaves_the_desk(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    break_peer(house, "carrier", business=1.0)
    house.poll()
    house.settle()
    assert problems(house, order_sn)

    people.ship_note(1, people.split(1), "SF1234567890")
    house.poll()

    assert problems(house, order_sn) == []
    assert house.order(order_sn).state == "done"
    assert waybills(house) == {}


def test_goods_that_staff_put_on_a_numbered_note_are_not_booked_again(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    wakes = poll_shop(house.rt, SHOP).wakes

    note_id = people.split(1)
    note = people.tables.delivery_order
    with house.shop.begin() as connection:
        connection.execute(note.update().where(note.c.delivery_id == note_id).values(invoice_no="SF1"))
    house.serve(wakes)

    assert waybills(house) == {}
    assert problems(house, order_sn) == ["order.nothing_left_to_ship"]


def test_an_unreadable_edit_right_before_booking_parks_the_order_with_the_reason(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    wakes = poll_shop(house.rt, SHOP).wakes

    people.edit_address(1, "")
    house.serve(wakes)

    assert waybills(house) == {}
    assert problems(house, order_sn) == ["ecshop.order.address_blank"]


def test_an_order_is_shown_as_received_some_time_after_its_delivery_if_wanted(
    tmp_path: Path, database_url: str
) -> None:
    day = "86400"
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_RECEIVE_AFTER_S=day) as house:
        people = People(house.shop, house.rt.clock.now() - timedelta(minutes=30))
        order_sn = paid(people, 1, TEA)
        house.poll()
        push(house, snapshot(house, order_sn, PICKED_UP, DELIVERED))
        (step,) = steps(house, "mark_received")
        assert timedelta(hours=23) < step.not_before - utc_now() < timedelta(hours=25)
        assert people.row(1)["shipping_status"] == 1

        with house.rt.database.writing() as session:
            session.execute(update(StepRow).where(StepRow.id == step.id).values(not_before=utc_now()))
        house.settle()

        assert people.row(1)["shipping_status"] == 2


def test_staff_read_in_the_orders_log_that_a_pickup_is_overdue(house: House, people: People) -> None:
    order_sn = paid(people, 1, TEA)
    house.poll()
    with house.rt.database.writing() as session:
        due = house.rt.clock.now() - timedelta(hours=49)
        session.execute(update(ShipmentRow).values(pickup_due_from=due, booked_at=due))

    sweep_pickups(house.rt)
    house.settle()

    number = parcels(house, order_sn)[0].waybill_no
    assert [note for note in people.log(1) if number in note and "超时未揽收" in note]


def test_a_stale_pickup_of_one_parcel_is_what_the_order_shows(house: House, people: People) -> None:
    parcel = ShipmentRow(status="in_transit", waybill_no="1", stale_since=None)
    overdue = ShipmentRow(status="info_received", waybill_no="2", stale_since=utc_now())
    unbooked = ShipmentRow(status="unknown", waybill_no="", stale_since=None)
    cancelled = ShipmentRow(status="cancelled", waybill_no="3", stale_since=None)

    assert shown_status([parcel, overdue]) == "stale_pickup"
    assert shown_status([parcel, unbooked]) == "received"
    assert shown_status([parcel, cancelled]) == "in_transit"
    assert shown_status([cancelled]) == "cancelled"
