"""Orders that the shop withdraws while answers are lost, peers refuse, or the courier is quicker; and owed again."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import select, update

from mappings.model import EventKind, TrackingEvent
from sync import exceptions as desk
from sync.db.models import OrderRow, PeerRow, ShipmentRow, TrackingEventRow
from sync.db.steps import StepBook
from sync.sandbox.erp import SandboxErp
from sync.services.poll_shop import poll_shop
from sync.services.track import merge_events
from sync.services.withdraw import CODE, withdraw_order
from sync.shops.port import Standing
from tests.service.house import SHOP, House
from tests.service.sandbox.by_hand import ask, waybill_order
from tests.service.test_fulfilment import CARRIER, ERP, attempts, break_peer, change_order
from tests.service.withdrawals import (
    codes,
    is_balanced,
    issued,
    lines,
    live_documents,
    live_waybills,
    made,
    message,
    states,
    withdraw,
)

# --- answers lost


def test_a_booking_whose_answer_was_lost_is_asked_again_so_that_it_can_be_voided(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"carrier": {"reset_after": 1.0, "only": ["book_waybill"]}})
    house.poll()
    assert (house.shipment(order_sn).waybill_no, len(live_waybills(house))) == ("", 1)

    withdraw(house, order_sn)
    house.settle()

    assert issued(house) == 1
    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [CODE])


def test_a_booking_parked_after_lost_answers_goes_on_and_is_voided(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "carrier", reset_after=1.0, only=["book_waybill"])
    house.poll()
    house.settle()
    assert states(house, order_sn)["book_waybill"] == "parked"
    house.peers.configure_faults({"carrier": {}})
    house.open_doors()

    withdraw(house, order_sn)
    house.settle()

    assert issued(house) == 1
    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [CODE])


@pytest.mark.parametrize("tells_now", [True, False])
def test_a_waybill_whose_number_the_carrier_did_not_tell_is_asked_for_once_more(house: House, tells_now: bool) -> None:
    (order_sn,) = house.seed()
    ask(house.peers.carrier_url, waybill_order(f"{order_sn}-1"))
    break_peer(house, "carrier", bare_duplicate=1.0)
    house.poll()
    step = house.step("book_waybill", order_sn)
    assert (step.state, step.last_outcome, step.is_uncertain) == ("parked", "duplicate", False)
    if tells_now:
        house.peers.configure_faults({"carrier": {}})

    withdraw(house, order_sn)
    house.settle()

    assert (issued(house), live_documents(house)) == (1, [])
    if tells_now:
        assert (live_waybills(house), codes(house)) == ([], [CODE])
    else:
        assert codes(house) == ["kdniao.waybill.number_not_returned"], "nobody but a person can find it now"


def test_a_push_whose_answer_was_lost_is_looked_up_and_cancelled(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"erp": {"reset_after": 1.0, "only": ["create_order"]}, "carrier": {"outage": True}})
    house.poll()
    assert (house.order(order_sn).erp_no, len(live_documents(house))) == ("", 1)

    withdraw(house, order_sn)
    house.settle()

    assert [call.operation for call in attempts(house, ERP)][-2:] == ["find_order", "cancel_order"]
    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [])


def test_a_push_that_the_erp_does_not_know_leaves_nothing_to_cancel(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"erp": {"reset_before": 1.0, "only": ["create_order"]}, "carrier": {"outage": True}})
    house.poll()

    withdraw(house, order_sn)
    house.settle()

    assert (made(house), states(house, order_sn)["cancel_order"], codes(house)) == (0, "done", [])
    assert "cancel_order" not in [call.operation for call in attempts(house, ERP)]


def test_a_cancel_whose_answer_was_lost_is_repeated_safely(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    lost = {"reset_after": 1.0, "max_per_order": 1}
    house.peers.configure_faults({"carrier": lost, "erp": lost})

    withdraw(house, order_sn)
    assert house.step("cancel_waybill", order_sn).is_uncertain
    house.settle()

    counts = house.peers.ledger()["counts"]
    assert (counts["carrier.cancel_waybill"], counts["erp.cancel_order"]) == (2, 2)
    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [CODE])
    assert "Only the physical parcel" in message(house)


def test_cancels_wait_for_a_peer_that_is_away(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    break_peer(house, "carrier", outage=True)
    break_peer(house, "erp", outage=True)

    withdraw(house, order_sn)
    house.settle()
    assert (len(live_waybills(house)), len(live_documents(house))) == (1, 1)
    house.peers.configure_faults({"carrier": {}, "erp": {}})
    house.open_doors()
    with house.rt.database.writing() as session:
        for peer in (CARRIER, ERP):
            since = session.get_one(PeerRow, peer).failing_since
            desk.resume_after_outage(session, peer, since or house.rt.clock.now() - timedelta(hours=1))
    house.settle()

    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [CODE])


# --- refused


def test_a_parcel_that_only_the_carrier_knows_as_picked_up_is_to_be_intercepted(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    house.carrier_scanned(order_sn, house.rt.clock.now())

    withdraw(house, order_sn)
    house.settle()

    assert live_waybills(house) == [house.shipment(order_sn).waybill_no], "a parcel on its way keeps its waybill"
    assert live_documents(house) == []
    assert codes(house) == ["kdniao.cancel.picked_up", CODE]
    assert "intercept" in next(line.message for line in lines(house) if line.code != CODE)
    assert "see its own line" in message(house)
    assert is_balanced(house)


def picked_up(house: House, order_sn: str, code: str = "1", canonical: str = "picked_up") -> None:
    """A push tells of the pickup, or of what comes later."""
    parcel, now = house.shipment(order_sn), house.rt.clock.now()
    with house.rt.database.reading() as session:
        facts = session.execute(select(TrackingEventRow)).scalars().all()
    assert all(fact.canonical == "cancelled" for fact in facts)
    scan = TrackingEvent(
        platform="kdniao",
        shipper_code=parcel.shipper_code,
        waybill_no=parcel.waybill_no,
        order_code=parcel.order_code,
        kind=EventKind.TRACE,
        event_at=now + timedelta(seconds=1),
        observed_at=now + timedelta(seconds=1),
        channel="kdniao_state_ex",
        raw_code=code,
        canonical=canonical,
        sequence=1,
    )
    with house.rt.database.writing() as session:
        merge_events(house.rt, StepBook(session), CARRIER, [scan])


@pytest.mark.parametrize(
    ("code", "canonical", "told"),
    [("1", "picked_up", "ask the carrier to intercept it"), ("301", "delivered", "delivered already")],
)
def test_a_parcel_known_to_be_on_its_way_is_not_voided_but_its_document_is_cancelled(
    house: House, code: str, canonical: str, told: str
) -> None:
    (order_sn,) = house.seed()
    house.poll()
    picked_up(house, order_sn, code, canonical)
    assert house.shipment(order_sn).pickup_at

    with house.rt.database.writing() as session:
        book = StepBook(session)
        assert withdraw_order(book, session.get_one(OrderRow, house.order(order_sn).id), Standing.WITHDRAWN)
    house.serve(book.wakes)

    assert (len(live_waybills(house)), live_documents(house), codes(house)) == (1, [], [CODE])
    assert told in message(house)
    assert "cancel_waybill" not in states(house, order_sn)


def test_a_pickup_between_withdrawal_and_void_goes_to_a_person_and_not_to_the_carrier(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    withdraw(house, order_sn, serve=False)
    picked_up(house, order_sn)

    house.settle()

    assert "carrier.cancel_waybill" not in house.peers.ledger()["counts"]
    assert codes(house) == ["cancel.picked_up", CODE]
    assert "ask the carrier to intercept it" in message(house)
    assert "write_shipped" not in states(house, order_sn), "the shop would refuse to show a cancelled order as shipped"


def test_a_scan_after_the_void_is_a_contradiction_for_a_person(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    withdraw(house, order_sn)

    picked_up(house, order_sn)

    assert codes(house) == [CODE, "tracking.picked_up"]


def test_a_carrier_that_refuses_for_a_reason_nobody_knows_is_parked_and_can_be_retried(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    break_peer(house, "carrier", business=1.0, business_reason="取消失败", only=["cancel_waybill"])

    withdraw(house, order_sn)
    house.settle()

    step = house.step("cancel_waybill", order_sn)
    assert (step.state, step.attempts, step.last_code) == ("parked", 3, "kdniao.cancel.reason_unknown")
    assert (len(live_waybills(house)), live_documents(house)) == (1, [])
    house.peers.configure_faults({"carrier": {}})
    house.open_doors()
    with house.rt.database.writing() as session:
        (line,) = [line for line in desk.list_open(session) if line.code != CODE]
        assert desk.retry_exception(session, line.id, "ops", "KDNiao says it is mended")
    house.settle()
    assert (live_waybills(house), codes(house)) == ([], [CODE])
    assert "Only the physical parcel" in message(house)


def test_an_erp_that_has_shipped_the_goods_is_for_a_person(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    cast(SandboxErp, house.peers._peers["erp"]).ship(order_sn)

    withdraw(house, order_sn)
    house.settle()

    assert codes(house) == ["generic_rest.cancel.too_late", CODE]
    assert (live_waybills(house), len(live_documents(house))) == ([], 1)
    assert "Take the parcel off the pickup pile" in message(house)


# --- owed again


def test_an_order_owed_again_after_it_was_taken_back_is_not_booked_anew(house: House) -> None:
    (order_sn,) = house.seed()
    wakes = poll_shop(house.rt, SHOP).wakes
    house.serve([wake for wake in wakes if wake.peer != SHOP], follow=False)  # no note: it may be owed again
    withdraw(house, order_sn)
    assert (live_waybills(house), live_documents(house)) == ([], [])

    change_order(house, order_sn, order_status=1, shipping_status=0, pay_status=2, pay_time=1)
    house.poll()
    house.settle()

    assert (issued(house), made(house), live_waybills(house), live_documents(house)) == (1, 1, [], [])
    assert codes(house) == ["order.revived_after_booking", CODE]
    assert house.order(order_sn).state == "withdrawn"
    assert is_balanced(house)


def test_an_order_owed_again_while_its_document_is_looked_for_is_left_to_a_person(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"erp": {"reset_after": 1.0, "only": ["create_order"]}, "carrier": {"outage": True}})
    house.poll()
    withdraw(house, order_sn, serve=False)

    change_order(house, order_sn, order_status=1, shipping_status=0, pay_status=2, pay_time=1)
    house.poll()
    house.settle()

    assert house.order(order_sn).state == "withdrawn"
    assert (live_waybills(house), live_documents(house)) == ([], [])


def test_only_an_open_order_is_withdrawn(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    with house.rt.database.writing() as session:
        session.execute(update(OrderRow).values(state="done"))

    with house.rt.database.writing() as session:
        assert not withdraw_order(StepBook(session), session.get_one(OrderRow, house.order(order_sn).id), Standing.GONE)
    house.settle()

    assert (len(live_waybills(house)), len(live_documents(house)), codes(house)) == (1, 1, [])
    with house.rt.database.reading() as session:
        assert session.execute(select(ShipmentRow.pickup_due_from)).scalar_one() is not None
