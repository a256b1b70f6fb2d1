"""Pushes from the carrier, the overdue pickup, and what follows: shop, desk, notices."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import cast
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, select, update

from mappings.carriers.kdniao import tracking
from mappings.model import NumberChange
from mappings.status import Meaning
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import InboxRow, OrderRow, ShipmentRow, StepRow, TrackingEventRow
from sync.db.steps import StepBook
from sync.sandbox.kdniao_rules import sign
from sync.services.receive_callback import Push, receive_callback
from sync.services.replay_callback import replay_callback
from sync.services.sweep_pickups import sweep_pickups
from sync.services.track import merge_events
from tests.service.house import House

CARRIER = "carrier.kdniao"
CHINA = timezone(timedelta(hours=8))
FORM = "application/x-www-form-urlencoded;charset=utf-8"

PICKED_UP, TRANSIT, DELIVERING, DELIVERED = ("1", "已揽收"), ("2", "运输中"), ("202", "派件中"), ("301", "已签收")


def snapshot(house: House, parcel: str | ShipmentRow, *scans: tuple[str, str], step_s: float = 60) -> bytes:
    """A signed push 102 about a parcel, or about an order's only one, beginning right after the booking."""
    shipment = house.shipment(parcel) if isinstance(parcel, str) else parcel
    first = shipment.booked_at or house.rt.clock.now()
    traces = [
        {
            "AcceptTime": wire_time(first + timedelta(seconds=1 + step_s * index / 100)),
            "AcceptStation": text,
            "Location": "深圳市",
            "Action": action,
            "Remark": "",
        }
        for index, (action, text) in enumerate(scans)
    ]
    item = {
        "EBusinessID": house.peers.settings.ebusiness_id,
        "OrderCode": shipment.order_code,
        "ShipperCode": shipment.shipper_code,
        "LogisticCode": shipment.waybill_no,
        "Success": True,
        "Reason": "",
        "State": "3" if scans[-1][0].startswith("3") else "2",
        "StateEx": scans[-1][0],
        "Traces": traces,
    }
    return signed(house, [item])


def signed(house: House, items: list[dict[str, object]], *, push_time: datetime | None = None) -> bytes:
    given = house.peers.settings
    data = {
        "EBusinessID": given.ebusiness_id,
        "PushTime": wire_time(push_time or house.rt.clock.now()),
        "Count": str(len(items)),
        "Data": items,
    }
    text = json.dumps(data, ensure_ascii=False)
    return urlencode({"RequestData": text, "RequestType": "102", "DataSign": sign(text, given.app_key)}).encode()


def wire_time(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def push(house: House, body: bytes) -> bool:
    """Send a push to the receiver and let a worker apply it; returns whether the platform was told Success."""
    reply = receive_callback(house.rt, CARRIER, Push(body, FORM, "127.0.0.1"))
    house.settle()
    return bool(json.loads(reply.body)["Success"])


@pytest.fixture
def shipped(house: House) -> str:
    """An order with a waybill, not picked up yet."""
    (order_sn,) = house.seed()
    house.poll()
    return order_sn


def test_a_pickup_shows_the_order_as_shipped_in_the_shop_with_the_pickup_time(house: House, shipped: str) -> None:
    assert house.shop_order(shipped).shipping_status != 1

    assert push(house, snapshot(house, shipped, PICKED_UP))

    shipment, shown = house.shipment(shipped), house.shop_order(shipped)
    assert shipment.status == "picked_up"
    assert shipment.pickup_at is not None
    assert shown.shipping_status == 1
    assert shown.shipping_time == int(shipment.pickup_at.timestamp()) - 28800
    assert shown.invoice_nos == (shipment.waybill_no,)


def test_a_delivery_schedules_one_review_reminder_and_sends_it_once(house: House, shipped: str) -> None:
    push(house, snapshot(house, shipped, PICKED_UP, TRANSIT, DELIVERED))
    step = house.step("remind_review", shipped)
    assert step.state == "owed"
    assert step.not_before - utc_now() > timedelta(hours=71)

    with house.rt.database.writing() as session:
        session.execute(update(StepRow).where(StepRow.id == step.id).values(not_before=utc_now()))
    house.settle()
    push(house, snapshot(house, shipped, PICKED_UP, TRANSIT, DELIVERED, ("2", "晚到的轨迹")))
    house.settle()

    notices = [notice for notice in house.peers.ledger()["notices"] if shipped in notice["title"]]
    assert len(notices) == 1
    assert house.order(shipped).state == "done"


def test_pushes_in_any_order_and_twice_end_in_the_same_status(house: House, shipped: str) -> None:
    scans = [PICKED_UP, TRANSIT, DELIVERING, DELIVERED]
    bodies = [snapshot(house, shipped, *scans[: n + 1]) for n in range(4)] * 2
    random.Random(3).shuffle(bodies)

    for body in bodies:
        assert push(house, body)

    assert house.shipment(shipped).status == "delivered"
    with house.rt.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(InboxRow)) == 4
        assert {row.verdict for row in session.query(InboxRow)} <= {"applied", "stale"}


def test_a_forged_push_is_refused_and_stores_nothing(house: House, shipped: str) -> None:
    body = snapshot(house, shipped, DELIVERED).replace(b"DataSign=", b"DataSign=A")

    assert not push(house, body)

    with house.rt.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(InboxRow)) == 0
    assert house.shipment(shipped).status == "info_received"


def test_a_push_about_parcels_of_others_is_kept_as_orphan_and_answered_well(house: House, shipped: str) -> None:
    text = snapshot(house, shipped, PICKED_UP)
    shipment = house.shipment(shipped)
    with house.rt.database.writing() as session:
        session.execute(
            update(ShipmentRow).where(ShipmentRow.id == shipment.id).values(waybill_no="OTHER1", order_code="OTHER-1")
        )

    assert push(house, text)

    with house.rt.database.reading() as session:
        assert session.scalars(select(InboxRow.verdict)).all() == ["orphan"]
        assert session.scalar(select(TrackingEventRow.shipment_id)) is None


@pytest.mark.parametrize("names_our_code", [False, True])
def test_a_push_that_comes_before_we_know_the_waybill_is_not_lost(house: House, names_our_code: bool) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"carrier": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()
    issued = house.peers.ledger()["carrier"]["orders"][f"{order_sn}-1"]["waybills"][0]
    item = {
        "EBusinessID": house.peers.settings.ebusiness_id,
        "OrderCode": f"{order_sn}-1" if names_our_code else "",
        "ShipperCode": house.shipment(order_sn).shipper_code,
        "LogisticCode": issued,
        "Success": True,
        "State": "1",
        "StateEx": "1",
        "Traces": [
            {"AcceptTime": wire_time(house.rt.clock.now()), "AcceptStation": "已揽收", "Action": "1", "Location": ""}
        ],
    }
    receive_callback(house.rt, CARRIER, Push(signed(house, [item]), FORM, "127.0.0.1"))
    house.settle()

    assert house.shipment(order_sn).waybill_no == issued
    assert house.shipment(order_sn).status == "picked_up"
    assert house.shipment(order_sn).pickup_due_from is None
    assert house.shop_order(order_sn).shipping_status == 1


def test_scans_from_before_a_booking_that_we_recorded_late_still_count(house: House, shipped: str) -> None:
    bodies = [snapshot(house, shipped, PICKED_UP), snapshot(house, shipped, PICKED_UP, TRANSIT)]
    with house.rt.database.writing() as session:
        session.execute(update(ShipmentRow).values(booked_at=house.rt.clock.now() + timedelta(days=3)))

    for body in bodies:
        push(house, body)

    assert house.shipment(shipped).status == "in_transit"
    assert house.shipment(shipped).pickup_at is not None


def test_a_duplicate_without_its_number_is_adopted_from_a_push_about_our_order_code(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"carrier": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()
    issued = house.peers.ledger()["carrier"]["orders"][f"{order_sn}-1"]["waybills"][0]
    house.peers.configure_faults({"carrier": {"bare_duplicate": 1.0}})
    house.settle()
    assert house.step("book_waybill", order_sn).state == "parked", "nobody knows the number yet"

    shipment = house.shipment(order_sn)
    trace = {"AcceptTime": wire_time(house.rt.clock.now()), "AcceptStation": "已揽收", "Action": "1", "Location": ""}
    item = {
        "EBusinessID": house.peers.settings.ebusiness_id,
        "OrderCode": shipment.order_code,
        "ShipperCode": shipment.shipper_code,
        "LogisticCode": issued,
        "Success": True,
        "State": "1",
        "StateEx": "1",
        "Traces": [trace],
    }
    push(house, signed(house, [item]))
    (line,) = open_lines(house)
    with house.rt.database.writing() as session:
        assert desk.retry_exception(session, line.id, "ops")
    house.settle()

    assert house.shipment(order_sn).waybill_no == issued
    assert house.shop_order(order_sn).shipping_status == 1


def test_an_unmapped_code_changes_no_status_and_goes_to_a_person_with_the_line_to_add(
    house: House, shipped: str
) -> None:
    push(house, snapshot(house, shipped, PICKED_UP, ("9876", "外星中转")))

    assert house.shipment(shipped).status in ("picked_up", "in_transit")
    with house.rt.database.reading() as session:
        lines = [line for line in desk.list_open(session) if line.code.endswith("status_unmapped")]
    assert len(lines) >= 1
    assert "9876" in lines[0].message
    assert "status.toml" in lines[0].message


def overdue(house: House, order_sn: str) -> None:
    """49 hours have passed since the order came in and its waybill was booked."""
    with house.rt.database.writing() as session:
        session.execute(
            update(OrderRow).where(OrderRow.order_sn == order_sn).values(received_at=utc_now() - timedelta(hours=49))
        )
        session.execute(
            update(ShipmentRow)
            .where(ShipmentRow.id == house.shipment(order_sn).id)
            .values(
                pickup_due_from=house.rt.clock.now() - timedelta(hours=49),
                booked_at=house.rt.clock.now() - timedelta(hours=49),
            )
        )


def test_a_pickup_overdue_by_48_hours_is_asked_about_once_then_marked_and_told_once(house: House, shipped: str) -> None:
    house.serve(sweep_pickups(house.rt))
    assert house.order(shipped).status == "info_received", "nothing is overdue yet"
    overdue(house, shipped)

    for _ in range(3):
        house.serve(sweep_pickups(house.rt))
        house.settle()

    assert house.order(shipped).status == "stale_pickup"
    assert [line.code for line in open_lines(house)] == ["stale_pickup"]
    assert sum("物流异常" in notice["title"] for notice in house.peers.ledger()["notices"]) == 1
    queries = [call for call in house.peers.ledger()["calls"] if call["operation"].startswith("query")]
    assert len(queries) == 1


def test_a_later_pickup_closes_the_overdue_one(house: House, shipped: str) -> None:
    overdue(house, shipped)
    house.serve(sweep_pickups(house.rt))
    house.settle()
    assert open_lines(house)

    push(house, snapshot(house, shipped, PICKED_UP, step_s=100))

    assert house.order(shipped).status == "picked_up"
    assert open_lines(house) == []


def test_a_lost_pickup_push_is_found_by_the_query_and_nobody_is_alarmed(house: House, shipped: str) -> None:
    overdue(house, shipped)
    booked_at = house.shipment(shipped).booked_at
    assert booked_at is not None
    house.carrier_scanned(shipped, booked_at + timedelta(hours=3))

    house.serve(sweep_pickups(house.rt))
    house.settle()

    assert house.shipment(shipped).status == "picked_up"
    assert open_lines(house) == []
    assert house.peers.ledger()["notices"] == []


def test_a_carrier_that_cannot_be_asked_does_not_hide_an_overdue_pickup(house: House, shipped: str) -> None:
    overdue(house, shipped)
    house.peers.configure_faults({"carrier": {"too_many": 1.0, "max_per_order": 0}})

    house.serve(sweep_pickups(house.rt))
    house.settle()

    assert house.order(shipped).status == "stale_pickup"
    assert "stale_pickup" in {line.code for line in open_lines(house)}


def test_a_replay_applies_the_stored_bytes_again_without_a_second_effect(house: House, shipped: str) -> None:
    push(house, snapshot(house, shipped, PICKED_UP))
    with house.rt.database.reading() as session:
        inbox_id = session.scalars(select(InboxRow.id)).one()
    before = house.shop_order(shipped)

    verdict, detail, wakes = replay_callback(house.rt, inbox_id, "ops")
    house.serve(wakes)

    assert verdict == "stale"
    assert "known before" in detail
    assert house.shop_order(shipped) == before


def open_lines(house: House) -> list[desk.OpenException]:
    with house.rt.database.reading() as session:
        return desk.list_open(session)


def test_a_code_mapped_later_counts_when_its_push_is_replayed(
    house: House, shipped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(house, snapshot(house, shipped, PICKED_UP, ("9876", "外星中转")))
    with house.rt.database.reading() as session:
        inbox_id = session.scalars(select(InboxRow.id)).one()
    line = Meaning(code="9876", zh="外星中转", canonical="customs")
    monkeypatch.setitem(cast(dict[str, Meaning], tracking.TABLE.channels["kdniao_state_ex"]), "9876", line)

    replay_callback(house.rt, inbox_id, "ops")

    assert house.shipment(shipped).status == "customs"


def test_a_changed_number_finds_its_parcel_by_our_code_and_never_an_unbooked_one(house: House) -> None:
    house.peers.configure_faults({"carrier": {"outage": True}})
    unbooked, booked = house.seed(2)
    house.poll()
    with house.rt.database.writing() as session:
        session.execute(
            update(ShipmentRow).where(ShipmentRow.id == house.shipment(booked).id).values(waybill_no="OLD1")
        )
        change = NumberChange(f"{booked}-1", "", "NEW1", "")
        merge_events(house.rt, StepBook(session), CARRIER, (), (change,))
        merge_events(house.rt, StepBook(session), CARRIER, (), (NumberChange("", "", "NEW2", ""),))

    assert house.shipment(booked).waybill_no == "NEW1"
    assert house.shipment(unbooked).waybill_no == ""
