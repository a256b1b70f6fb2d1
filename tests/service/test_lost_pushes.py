"""Pushes that never came are found by a query a day, within each platform's limits; nobody is alarmed by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event, func, insert, select, update

from sync.clock import utc_now
from sync.db.cursors import set_cursor
from sync.db.models import CursorRow, OrderRow, ShipmentRow, StepRow
from sync.db.steps import StepBook
from sync.services.apply_callback import apply_callback
from sync.services.query_parcel import STEP
from sync.services.relay import relay
from sync.services.sweep_parcels import BATCH, count_silent, sweep_parcels
from sync.services.switch_carriers import Wish, switch
from tests.service.days import Days
from tests.service.house import House, open_house
from tests.service.kuaidi100_house import SALT, Kuaidi100House, open_kuaidi100_house
from tests.service.test_tracking import CARRIER, PICKED_UP, open_lines, push, snapshot

FAR_AHEAD = "2099-01-01T00:00:00+00:00"


@pytest.fixture
def days(house: House) -> Days:
    return Days(house)


@pytest.fixture
def shipped(house: House, days: Days) -> str:
    """An order with a waybill; no push about it ever comes."""
    (order_sn,) = house.seed()
    house.poll()
    return order_sn


def lost(house: House) -> float:
    return float(house.rt.counters.lost_pushes.labels(CARRIER)._value.get())


def test_a_parcel_whose_pushes_are_all_lost_is_delivered_and_reviewed_by_daily_queries(
    house: House, days: Days, shipped: str
) -> None:
    seen = []
    for _ in range(4):
        days.go_by(hours=25)
        days.sweep()
        seen.append(house.shipment(shipped).status)

    assert seen[-1] == "delivered"
    assert house.shipment(shipped).heard_at is None, "it is over: nobody asks any more"
    assert house.step("remind_review", shipped).state == "owed"
    assert house.shop_order(shipped).shipping_status == 1
    assert days.queries() <= 3
    assert lost(house) >= 5
    assert open_lines(house) == []
    assert house.peers.ledger()["notices"] == []


def test_many_ticks_of_one_day_ask_once(house: House, days: Days, shipped: str) -> None:
    assert days.sweep() == {}, "it was heard of today"
    days.go_by(hours=25)

    owed = [days.sweep() for _ in range(5)]

    assert owed == [{"daily": 1}, {}, {}, {}, {}]
    assert days.queries() == 1
    assert house.rt.counters.queries.labels(CARRIER, "daily")._value.get() == 1


def test_a_query_that_fails_is_on_no_desk_and_is_made_again_the_next_day(
    house: House, days: Days, shipped: str
) -> None:
    push(house, snapshot(house, shipped, PICKED_UP))
    house.peers.configure_faults({"carrier": {"too_many": 1.0, "max_per_order": 0}})
    days.go_by(hours=25)
    days.sweep()

    assert house.step(STEP, shipped).state == "dropped"
    assert days.sweep() == {}, "not before the next day"
    assert open_lines(house) == []

    house.peers.configure_faults({"carrier": {}})
    house.open_doors()
    days.go_by(hours=24)
    assert days.sweep() == {"daily": 1}
    assert house.shipment(shipped).status == "delivered"


def test_a_carrier_that_is_paused_is_not_asked_before_it_is_resumed(house: House, days: Days, shipped: str) -> None:
    days.go_by(hours=25)
    switch(house.rt, Wish("pause", "kdniao", "their console is down", "ops"))
    house.rt.door.forget()

    assert days.sweep() == {}
    with house.rt.database.reading() as session:
        assert count_silent(house.rt, session) == {CARRIER: 1}


def test_a_parcel_that_is_over_by_the_time_of_its_query_is_not_asked_about(
    house: House, days: Days, shipped: str
) -> None:
    days.go_by(hours=25)
    swept = sweep_parcels(house.rt)
    with house.rt.database.writing() as session:
        session.execute(update(ShipmentRow).values(status="delivered"))

    house.serve(swept.wakes)

    assert house.step(STEP, shipped).state == "done"
    assert days.queries() == 0


def test_a_withdrawn_order_is_asked_about_only_when_the_courier_has_its_parcel(
    house: House, days: Days, shipped: str
) -> None:
    with house.rt.database.writing() as session:
        session.execute(update(OrderRow).values(state="withdrawn"))
    days.go_by(hours=25)
    assert days.sweep() == {}

    with house.rt.database.writing() as session:
        session.execute(update(ShipmentRow).values(pickup_at=house.rt.clock.now() - timedelta(hours=20)))
    assert days.sweep() == {"daily": 1}


def test_a_parcel_without_news_for_a_month_is_asked_about_no_more(house: House, days: Days, shipped: str) -> None:
    with house.rt.database.writing() as session:
        session.execute(update(ShipmentRow).values(pickup_due_from=None))
    days.go_by(days=29)
    with house.rt.database.reading() as session:
        assert count_silent(house.rt, session) == {CARRIER: 1}

    days.go_by(days=2)

    assert days.sweep() == {}
    with house.rt.database.reading() as session:
        assert count_silent(house.rt, session) == {}


# --- limits


@pytest.fixture
def kuaidi100(tmp_path: Path, database_url: str) -> Iterator[Kuaidi100House]:
    with open_kuaidi100_house(
        tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_PUBLIC_URL="http://127.0.0.1:9"
    ) as opened:
        yield opened


def owe_query(house: House, order_sn: str) -> None:
    shipment = house.shipment(order_sn)
    with house.rt.database.writing() as session:
        book = StepBook(session)
        book.owe_again(STEP, shipment.peer, [(shipment.order_id, shipment.id, shipment.parcel_no)])
    house.serve(book.wakes)


def queries(house: Kuaidi100House) -> int:
    return sum(operation.startswith("query") for operation, _ in house.asked())


def test_a_number_is_not_asked_about_again_within_its_spacing_however_often_that_is_owed(
    kuaidi100: Kuaidi100House,
) -> None:
    (order_sn,) = kuaidi100.seed()
    kuaidi100.poll()
    owe_query(kuaidi100, order_sn)
    assert kuaidi100.step(STEP, order_sn).state == "done"
    asked_at = kuaidi100.shipment(order_sn).queried_at
    assert asked_at is not None

    owe_query(kuaidi100, order_sn)
    kuaidi100.settle()

    waiting = kuaidi100.step(STEP, order_sn)
    assert (waiting.state, waiting.attempts) == ("owed", 0)
    assert kuaidi100.shipment(order_sn).queried_at == asked_at
    assert queries(kuaidi100) == 1

    with kuaidi100.rt.database.writing() as session:
        session.execute(update(ShipmentRow).values(queried_at=asked_at - timedelta(minutes=31)))
    kuaidi100.settle()
    assert kuaidi100.step(STEP, order_sn).state == "done"
    assert queries(kuaidi100) == 2


def test_a_query_whose_answer_is_lost_counts_as_one(kuaidi100: Kuaidi100House) -> None:
    (order_sn,) = kuaidi100.seed()
    kuaidi100.poll()
    kuaidi100.peers.configure_faults({"kuaidi100": {"reset_after": 1.0, "max_per_order": 0}})

    owe_query(kuaidi100, order_sn)
    kuaidi100.settle()

    assert queries(kuaidi100) == 1, "a retry after five seconds would break the spacing"


@pytest.fixture
def free_account(tmp_path: Path, database_url: str) -> Iterator[House]:
    """KDNiao's free query: 500 a day for the whole account."""
    free = "1002"
    with open_house(
        tmp_path, ECSYNC_CARRIER_KDNIAO_QUERY_REQUEST_TYPE=free, ECSYNC_DATABASE_URL=database_url
    ) as opened:
        yield opened


def fill(house: House, count: int, *, silent_for: timedelta = timedelta(days=2)) -> None:
    """So many parcels on their way, the first ones silent for the longest."""
    now, business = utc_now(), house.rt.clock.now()
    address = {"province": "广东省", "city": "深圳市", "district": "南山区", "street": "", "postcode": ""}
    header: dict[str, Any] = {"consignee": {"name": "", "phone": "", "email": "", "address": address}}
    header |= dict.fromkeys(
        ("shipping_code", "shipping_name", "shipper_code", "buyer_note", "seller_note", "note_id"), ""
    )
    header |= dict.fromkeys(("cod_fen", "shipping_fee_fen", "discount_fen", "user_id"), 0)
    orders = [
        {
            "id": n, "shop": "main", "shop_order_id": str(n), "order_sn": f"F{n}", "state": "open",
            "status": "in_transit", "queue": "await_ship", "content_hash": "", "header": header, "total_fen": 1,
            "placed_at": now, "received_at": now,
            "updated_at": now,
        }
        for n in range(1, count + 1)
    ]  # fmt: skip
    parcels = [
        {
            "id": n, "order_id": n, "parcel_no": 1, "peer": CARRIER, "shipper_code": "YTO", "order_code": f"F{n}-1",
            "environment": "sandbox", "waybill_no": f"YT{n:010}", "status": "in_transit", "booked_at": business,
            "pickup_at": business, "moved_at": business, "deliver_by": business + timedelta(days=7),
            "heard_at": business - silent_for + timedelta(seconds=n),
        }
        for n in range(1, count + 1)
    ]  # fmt: skip
    with house.rt.database.writing() as session:
        session.execute(insert(OrderRow), orders)
        session.execute(insert(ShipmentRow), parcels)


def test_no_more_queries_are_owed_than_the_account_has_left(free_account: House) -> None:
    fill(free_account, 70)

    assert sweep_parcels(free_account.rt).owed == {"daily": 50}, "a tenth of the day's 500 at once"
    assert sweep_parcels(free_account.rt).owed == {}, "what is owed already takes turns, too"
    with free_account.rt.database.writing() as session:
        asked = set(session.scalars(select(StepRow.shipment_id)))
        assert asked == set(range(1, 51)), "those silent for the longest"
        session.execute(update(StepRow).values(state="done"))
        set_cursor(session, f"queries {CARRIER}", FAR_AHEAD)
    assert sweep_parcels(free_account.rt).owed == {}


def test_a_query_waits_for_the_account_s_next_turn(free_account: House) -> None:
    (order_sn,) = free_account.seed()
    free_account.poll()
    with free_account.rt.database.writing() as session:
        set_cursor(session, f"queries {CARRIER}", FAR_AHEAD)

    owe_query(free_account, order_sn)

    waiting = free_account.step(STEP, order_sn)
    assert (waiting.state, waiting.attempts) == ("owed", 0)
    assert waiting.not_before.year >= 2098
    assert free_account.shipment(order_sn).queried_at is None
    assert not [call for call in free_account.peers.ledger()["calls"] if call["operation"].startswith("query")]


def test_every_query_moves_the_account_s_mark(free_account: House) -> None:
    fill(free_account, 3)
    for wake in sweep_parcels(free_account.rt).wakes:
        free_account.serve([wake])

    with free_account.rt.database.reading() as session:
        mark = session.scalar(select(CursorRow.value).where(CursorRow.name == f"queries {CARRIER}"))
    assert mark is not None
    assert timedelta(minutes=8) < datetime.fromisoformat(mark) - utc_now() < timedelta(minutes=10), (
        "three times 24 h / 451"
    )


def test_ten_thousand_parcels_are_swept_in_bounded_batches_and_few_statements(house: House) -> None:
    fill(house, 10_000)
    statements: list[str] = []
    event.listen(house.rt.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    swept_ids: list[int] = []

    for tick in range(5):
        statements.clear()
        swept = sweep_parcels(house.rt)
        assert len(swept.wakes) == BATCH
        assert len(statements) <= 20, statements
        with house.rt.database.writing() as session:
            new = list(session.scalars(select(StepRow.shipment_id).where(StepRow.state == "owed")))
            swept_ids += [one for one in new if one is not None]
            session.execute(update(StepRow).values(state="done"))
            session.execute(update(ShipmentRow).where(ShipmentRow.id.in_(new)).values(queried_at=utc_now()))
        assert sorted(swept_ids) == list(range(1, BATCH * (tick + 1) + 1)), "the oldest first, and nobody twice"


def test_a_step_of_an_earlier_query_is_owed_anew_and_an_unfinished_one_is_left_alone(house: House) -> None:
    fill(house, 3)
    sweep_parcels(house.rt)
    with house.rt.database.writing() as session:
        for shipment_id, state in ((1, "done"), (2, "dropped"), (3, "running")):
            session.execute(update(StepRow).where(StepRow.shipment_id == shipment_id).values(state=state, attempts=2))

    assert sweep_parcels(house.rt).owed == {"daily": 2}

    with house.rt.database.reading() as session:
        rows = session.execute(select(StepRow.state, StepRow.attempts).order_by(StepRow.shipment_id)).all()
        assert session.scalar(select(func.count()).select_from(StepRow)) == 3
    assert [tuple(row) for row in rows] == [("owed", 0), ("owed", 0), ("running", 2)]


# --- subscriptions that the platform ended


def test_a_subscription_that_ended_is_renewed_half_an_hour_later(kuaidi100: Kuaidi100House) -> None:
    (order_sn,) = kuaidi100.seed()
    kuaidi100.poll()

    receive_abort(kuaidi100, order_sn, "3天查询无记录")

    step = kuaidi100.step("subscribe", order_sn)
    assert step.state == "owed"
    assert timedelta(minutes=29) < step.not_before - utc_now() <= timedelta(minutes=30)
    kuaidi100.settle()
    assert kuaidi100.step("subscribe", order_sn).state == "done"


def test_a_number_is_subscribed_four_times_a_month_at_most(kuaidi100: Kuaidi100House) -> None:
    (order_sn,) = kuaidi100.seed()
    kuaidi100.poll()
    renewed = 0
    for number in range(6):
        receive_abort(kuaidi100, order_sn, f"3天查询无记录 {number}")
        renewed += is_subscribing(kuaidi100)
        kuaidi100.settle()

    assert renewed == 3, "the first one and three more"


def test_a_number_that_is_followed_at_another_company_is_not_subscribed_again(kuaidi100: Kuaidi100House) -> None:
    (order_sn,) = kuaidi100.seed()
    kuaidi100.poll()

    receive_abort(kuaidi100, order_sn, "单号不正确", comNew="yuantong")

    assert not is_subscribing(kuaidi100)
    assert kuaidi100.shipment(order_sn).shipper_code == "YTO"


def receive_abort(house: Kuaidi100House, order_sn: str, message: str, **fields: str) -> None:
    """The platform says that it follows the number no more; what that asks for is not done yet."""
    text = json.dumps(house.told(order_sn, status="abort", message=message, **fields), ensure_ascii=False)
    sign = hashlib.md5((text + SALT).encode()).hexdigest().upper()
    house.receive(urlencode({"param": text, "sign": sign}).encode())
    for inbox_id in relay(house.rt, {}).inbox_ids:
        apply_callback(house.rt, inbox_id)


def is_subscribing(house: House) -> bool:
    with house.rt.database.reading() as session:
        wanted = select(StepRow.state).where(StepRow.name == "subscribe", StepRow.state == "owed")
        return session.execute(wanted).first() is not None
