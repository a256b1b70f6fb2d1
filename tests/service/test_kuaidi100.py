"""A house whose carrier is Kuaidi100: from the paid order to the delivery, and every way it can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sync import exceptions as desk
from sync.clock import BusinessClock, utc_now
from sync.db.models import AttemptRow, InboxRow, LabelRow, StepRow, TrackingEventRow
from sync.gateway import CallContext
from sync.sandbox.http import HttpServer, Request, Response
from sync.sandbox.journeys import JourneyMix
from sync.services.poll_shop import poll_shop
from sync.services.receive_callback import Push, receive_callback
from sync.services.sweep_pickups import sweep_pickups
from tests.service.house import SHOP
from tests.service.kuaidi100_house import (
    CARRIER,
    DELIVERED,
    DELIVERING,
    ORDERED,
    PICKED_UP,
    TRANSIT,
    Kuaidi100House,
    open_kuaidi100_house,
)

UNCERTAIN = ["reset_after", "truncated", "garbage", "html_200", "html_502", "half_json"]


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[Kuaidi100House]:
    with open_kuaidi100_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened


@pytest.fixture
def shipped(house: Kuaidi100House) -> str:
    """An order with a waybill, not picked up yet."""
    (order_sn,) = house.seed()
    house.poll()
    return order_sn


def lines(house: Kuaidi100House) -> list[desk.OpenException]:
    with house.rt.database.reading() as session:
        return desk.list_open(session)


def attempts(house: Kuaidi100House) -> list[AttemptRow]:
    with house.rt.database.reading() as session:
        return [row for row in session.query(AttemptRow).order_by(AttemptRow.id) if row.peer == CARRIER]


def events(house: Kuaidi100House) -> list[tuple[str, str | None]]:
    with house.rt.database.reading() as session:
        rows = session.execute(select(TrackingEventRow).order_by(TrackingEventRow.id)).scalars()
        return [(row.fields["raw_code"], row.canonical) for row in rows]


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


@pytest.mark.parametrize("fault", UNCERTAIN)
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
    shares = dict.fromkeys(UNCERTAIN, 0.06) | {"too_many": 0.04, "reset_before": 0.04}
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

    (line,) = lines(house)
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

    step, (line,) = house.step("book_waybill", order_sn), lines(house)
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


# --- pushes


def test_pushes_lead_an_order_to_its_delivery(house: Kuaidi100House, shipped: str) -> None:
    assert house.push(house.told(shipped, ORDERED)) == {"result": True, "returnCode": "200", "message": "成功"}
    assert (house.shipment(shipped).status, house.shipment(shipped).pickup_at) == ("info_received", None)

    house.push(house.told(shipped, ORDERED, PICKED_UP))
    shipment, shown = house.shipment(shipped), house.shop_order(shipped)
    assert shipment.status == "picked_up"
    assert shipment.pickup_at is not None
    assert (shown.shipping_status, shown.invoice_nos) == (1, (shipment.waybill_no,))

    house.push(house.told(shipped, ORDERED, PICKED_UP, TRANSIT, DELIVERING, DELIVERED, status="shutdown"))
    assert house.shipment(shipped).status == "delivered"
    assert house.step("remind_review", shipped).state == "owed"
    assert lines(house) == []


def test_the_platform_s_own_pushes_lead_orders_to_their_delivery(tmp_path: Path) -> None:
    """Over HTTP, with the sandbox's own journeys: two days pass in some seconds."""
    now = utc_now()
    held: dict[str, Kuaidi100House] = {}

    def receiver(request: Request) -> Response:
        push = Push(request.body, request.headers.get("content-type", ""), "127.0.0.1")
        reply = receive_callback(held["house"].rt, CARRIER, push)
        return Response(reply.status, reply.body, reply.headers["content-type"])

    server = HttpServer(receiver)
    server.start()
    sandbox = {
        "clock": BusinessClock(now, now, 40_000),
        "mix": JourneyMix(locker=0, exception=0, returned=0),
        "faults": {"push": {"duplicate": 0.5, "reorder": 0.3, "forged": 0.3}},
        "push_backoff_s": 0.05,
    }
    hook = {"ECSYNC_CARRIER_KUAIDI100_CALLBACK_URL": f"{server.url}/callbacks/kuaidi100"}
    try:
        with open_kuaidi100_house(tmp_path, sandbox=sandbox, **hook) as house:
            held["house"] = house
            numbers = house.seed(3)
            house.poll()
            assert house.peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted", 0) >= 6 * 3, 60)
            assert house.peers.wait_until(lambda _: house.peers.kuaidi100_sender.waiting == 0, 30)
            house.settle()
            assert {house.shipment(order_sn).status for order_sn in numbers} == {"delivered"}
            assert "forged_accepted" not in house.peers.ledger()["pushes"]["counts"]
    finally:
        server.stop()


def test_an_unsigned_or_wrongly_signed_push_stores_nothing(house: Kuaidi100House, shipped: str) -> None:
    told = house.told(shipped, PICKED_UP, DELIVERED)

    heard = house.push(told, salt="another")
    unsigned = house.receive(b"param=%7B%22lastResult%22%3A%7B%7D%7D")

    assert (heard["result"], heard["returnCode"]) == (False, "500")
    assert unsigned.status == 401
    with house.rt.database.reading() as session:
        assert session.query(InboxRow).count() == 0
    assert house.shipment(shipped).status == "info_received"


def test_a_corrected_courier_company_is_the_parcel_s_from_then_on(house: Kuaidi100House, shipped: str) -> None:
    was = house.shipment(shipped).shipper_code
    corrected = house.told(shipped, PICKED_UP, autoCheck="1", comOld="zhongtong", comNew="yuantong")
    corrected["lastResult"]["com"] = "yuantong"

    house.push(corrected)

    shipment = house.shipment(shipped)
    assert (was != "YTO", shipment.shipper_code, shipment.status) == (True, "YTO", "picked_up")
    assert house.waybills() == {shipment.order_code: [shipment.waybill_no]}


def test_the_end_of_following_changes_nothing_and_is_kept(house: Kuaidi100House, shipped: str) -> None:
    house.push(house.told(shipped, PICKED_UP))

    heard = house.push(house.told(shipped, status="abort", message="3天查询无记录"))

    assert heard["result"] is True
    assert house.shipment(shipped).status == "picked_up"
    assert ("abort", None) in events(house)
    assert lines(house) == []


def test_a_code_nobody_mapped_goes_to_the_desk_and_moves_nothing(house: Kuaidi100House, shipped: str) -> None:
    house.push(house.told(shipped, PICKED_UP, ("987", "新状态")))

    assert house.shipment(shipped).status == "picked_up"
    assert {line.code for line in lines(house)} == {f"{CARRIER}.status_unmapped"}


def test_a_push_that_is_bad_in_part_is_applied_in_part_and_told(house: Kuaidi100House, shipped: str) -> None:
    told = house.told(shipped, PICKED_UP)
    told["lastResult"]["data"].insert(0, {"time": "soon", "context": "?"})

    assert house.push(told)["result"] is True

    assert house.shipment(shipped).status == "picked_up"
    assert {line.code for line in lines(house)} == {"callback.unreadable"}


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
    assert lines(house) == []


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
