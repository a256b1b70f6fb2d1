"""A house whose carrier is SF: booked once whatever happens, decided by hand, tracked by pushes and queries, voided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update

from mappings.routing_rules import parse_routing
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.labels import LabelFilter
from sync.db.models import AttemptRow, InboxRow, LabelRow, ShipmentRow, StepRow, TrackingEventRow
from sync.sandbox.sf import ACCEPTED, BY_HAND, OPERATIONS, REFUSED
from sync.sandbox.sf_rules import Refusal, check_envelope
from sync.services.labels import print_waiting
from sync.services.route import has_unclear_call
from sync.services.sweep_pickups import sweep_pickups
from sync.services.withdraw import CODE
from tests.service.label_samples import texts_of
from tests.service.sf_house import CARRIER, DELIVERED, DELIVERING, PICKED_UP, TRANSIT, SfHouse, china, open_sf_house
from tests.service.withdrawals import codes, issued, lines, live_waybills, withdraw


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[SfHouse]:
    with open_sf_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened


@pytest.fixture
def shipped(house: SfHouse) -> str:
    """An order with a waybill, not picked up yet."""
    (order_sn,) = house.seed()
    house.poll()
    return order_sn


def retry(house: SfHouse) -> None:
    """A person retries every line of the desk."""
    with house.rt.database.writing() as session:
        for line in desk.list_open(session):
            desk.retry_exception(session, line.id, "a person")
    house.settle()


# --- booking


def test_an_order_gets_one_waybill_and_the_shop_its_number(house: SfHouse, shipped: str) -> None:
    shipment = house.shipment(shipped)

    assert house.waybills() == {f"{shipped}-1": [shipment.waybill_no]}
    assert (shipment.shipper_code, shipment.status) == ("SF", "info_received")
    assert house.asked() == [("book_waybill", "issued")]
    assert codes(house) == []


@pytest.mark.parametrize("fault", ["reset_after", "truncated", "garbage", "html_200", "html_502", "half_json"])
def test_an_order_taken_whose_answer_is_lost_is_found_by_its_id_and_never_booked_twice(
    house: SfHouse, fault: str
) -> None:
    house.peers.configure_faults({"sf": {fault: 1.0, "only": "book_waybill"}})
    (order_sn,) = house.seed()

    house.poll()
    house.settle()

    shipment = house.shipment(order_sn)
    assert house.waybills() == {f"{order_sn}-1": [shipment.waybill_no]}
    assert [note for _, note in house.asked()][:3] == ["issued", "refused 8016", "found"]
    assert codes(house) == []


def test_many_orders_with_lost_answers_have_one_waybill_each(house: SfHouse) -> None:
    house.peers.configure_faults({"sf": {"reset_after": 0.15, "html_502": 0.15, "server_error": 0.1}})
    orders = house.seed(40)

    house.poll()
    house.settle()

    assert {code: len(numbers) for code, numbers in house.waybills().items()} == {f"{sn}-1": 1 for sn in orders}
    assert {house.shipment(sn).waybill_no for sn in orders} == {no for [no] in house.waybills().values()}


def test_a_search_that_fails_leaves_the_booking_to_be_asked_for_again(house: SfHouse) -> None:
    house.peers.configure_faults(
        {"sf": {"reset_after": 1.0, "max_per_order": 2, "only": ["book_waybill", "find_waybill"]}}
    )
    (order_sn,) = house.seed()

    house.poll()
    house.settle()

    assert house.waybills() == {f"{order_sn}-1": [house.shipment(order_sn).waybill_no]}


def test_a_card_that_sf_refuses_pauses_sf_and_the_orders_go_on_by_themselves(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, ECSYNC_CARRIER_SF_MONTHLY_CARD="7550000001") as house:
        orders = house.seed(2)
        house.poll()
        assert house.waybills() == {}
        assert codes(house) == [f"{CARRIER}.refused"]

        house.peers.sf.monthly_cards = frozenset({"7550000001"})
        house.open_doors()
        house.settle()

        assert set(house.waybills()) == {f"{sn}-1" for sn in orders}
        assert codes(house) == []


def test_a_check_word_that_sf_refuses_closes_sf_with_one_line_and_no_order_is_parked(house: SfHouse) -> None:
    good, house.peers.sf.checkword = house.peers.sf.checkword, "another"
    orders = house.seed(3)
    house.poll()
    assert codes(house) == [f"{CARRIER}.refused"]
    assert {house.step("book_waybill", sn).state for sn in orders} == {"owed"}
    assert len(house.asked()) == 2, "the order and one plain question; then nobody asks"

    with house.rt.database.reading() as session:
        assert not session.execute(select(StepRow.id).where(has_unclear_call())).all(), (
            "any other carrier may have them"
        )

    house.peers.sf.checkword = good
    house.open_doors()
    house.settle()

    assert set(house.waybills()) == {f"{sn}-1" for sn in orders}
    assert codes(house) == []


def test_one_order_whose_text_sf_reads_otherwise_parks_alone(house: SfHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned, others = house.seed(1), house.seed(2, seed=8)

    def strict(form: Mapping[str, str], *more: Any) -> None:
        if form["serviceCode"] == "EXP_RECE_CREATE_ORDER" and poisoned[0] in form["msgData"]:
            raise Refusal("A1006", "数字签名无效")
        check_envelope(form, *more)

    monkeypatch.setattr("sync.sandbox.sf.check_envelope", strict)
    house.poll()

    assert codes(house) == ["sf.waybill.text_refused"]
    assert set(house.waybills()) == {f"{sn}-1" for sn in others}


def test_a_refused_card_that_a_rule_names_pauses_that_card_and_no_other(tmp_path: Path) -> None:
    far = '[[rule]]\nname = "heavy"\ncarrier = "sf"\naccount = "branch"\nwhen = { min_weight_g = 1 }'
    with open_sf_house(tmp_path, ECSYNC_CARRIER_SF_MONTHLY_CARDS="branch=7550000009", ECSYNC_ROUTING=far) as house:
        first, *others = house.seed(4)
        house.poll()

        assert codes(house) == ["sf.waybill.monthly_card_refused"]
        assert house.rt.door.ask(CARRIER) is None
        standing = house.rt.switchboard.read()
        assert standing.pause_of(CARRIER, "branch") is not None
        assert standing.pause_of(CARRIER) is None
        assert set(house.waybills()) == {f"{sn}-1" for sn in others}, "the next rule, without the card, takes them"
        assert house.step("book_waybill", first).state == "parked"


def test_no_secret_and_no_private_word_stands_in_what_is_recorded_of_a_call(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, ECSYNC_CARRIER_SF_PRINT_TEMPLATE="fm_150_standard_TEST") as house:
        (order_sn,) = house.seed()
        house.poll()
        with house.rt.database.reading() as session:
            recorded = "\n".join(f"{row.request}\n{row.reply}" for row in session.execute(select(AttemptRow)).scalars())
        number = house.shipment(order_sn).waybill_no

    assert number in recorded
    for secret in ("sandbox-checkword", house.peers.sf._label_token(number)):
        assert secret not in recorded


# --- the label

TEMPLATE: dict[str, Any] = {"ECSYNC_CARRIER_SF_PRINT_TEMPLATE": "fm_150_standard_TEST"}


def label(house: SfHouse) -> LabelRow | None:
    with house.rt.database.reading() as session:
        return session.execute(select(LabelRow)).scalar_one_or_none()


def test_a_label_is_fetched_for_each_waybill_where_a_template_is_set(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        (order_sn,) = house.seed()
        house.poll()

        number, kept = house.shipment(order_sn).waybill_no, label(house)
        assert kept is not None
        assert (kept.kind, kept.waybill_no) == ("pdf", number)
        sheet = print_waiting(house.rt, LabelFilter(), "li", form="pdf", sort="sku")
        assert number in texts_of(sheet.pdf)[0]


def test_without_a_template_no_label_is_asked_for(house: SfHouse, shipped: str) -> None:
    assert label(house) is None
    assert house.asked() == [("book_waybill", "issued")]


@pytest.mark.parametrize("only", ["print_label", "fetch_label"])
@pytest.mark.parametrize("fault", ["reset_before", "html_502", "garbage"])
def test_a_label_that_fails_once_is_fetched_again_and_costs_neither_waybill_nor_number(
    tmp_path: Path, only: str, fault: str
) -> None:
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        house.peers.configure_faults({"sf": {fault: 1.0, "only": only, "max_per_order": 1}})
        (order_sn,) = house.seed()
        house.poll()
        house.settle()

        assert house.waybills() == {f"{order_sn}-1": [house.shipment(order_sn).waybill_no]}
        assert label(house) is not None
        assert codes(house) == []


def test_a_label_that_cannot_be_had_is_told_holds_nothing_up_and_is_fetched_when_it_is_retried(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        house.peers.configure_faults({"sf": {"html_502": 1.0, "only": "fetch_label", "max_per_order": 0}})
        (order_sn,) = house.seed()
        house.poll()
        house.settle()

        [line] = lines(house)
        assert line.code == "sf.label.server_error"
        assert house.step("write_note", order_sn).state == "done"
        assert house.rt.door.ask(CARRIER) is None, "files lie elsewhere: SF is well"

        house.peers.configure_faults({"sf": {}})
        retry(house)
        assert label(house) is not None
        assert codes(house) == []


def test_a_print_service_that_nobody_associated_stops_no_waybill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPERATIONS, "COM_RECE_CLOUD_PRINT_WAYBILLS", "unknown")
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        orders = house.seed(3)
        house.poll()

        assert set(house.waybills()) == {f"{sn}-1" for sn in orders}
        assert {line.code for line in lines(house)} == {"sf.label.service_not_allowed"}


def test_a_label_that_nobody_needs_any_more_leaves_the_desk_at_the_pickup(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        house.peers.configure_faults({"sf": {"html_502": 1.0, "only": "fetch_label", "max_per_order": 0}})
        (order_sn,) = house.seed()
        house.poll()
        house.settle()

        assert house.push(*house.routes(order_sn, PICKED_UP))

        assert codes(house) == []
        assert house.step("fetch_label", order_sn).state == "dropped"


def test_no_label_is_fetched_for_a_parcel_that_the_courier_had_before_its_number_reached_us(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        house.peers.configure_faults({"sf": {"reset_after": 1.0, "only": "book_waybill"}})
        (order_sn,) = house.seed()
        house.poll()
        with house.rt.database.writing() as session:
            session.execute(update(ShipmentRow).values(pickup_at=utc_now()))

        house.settle()

        assert house.shipment(order_sn).waybill_no
        assert not {"print_label", "fetch_label"} & {operation for operation, _ in house.asked()}
        assert label(house) is None


def test_no_label_is_fetched_for_an_order_that_was_withdrawn_meanwhile(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, **TEMPLATE) as house:
        house.peers.configure_faults({"sf": {"html_502": 1.0, "only": "fetch_label", "max_per_order": 0}})
        (order_sn,) = house.seed()
        house.poll()

        withdraw(house, order_sn)
        house.settle()

        assert house.step("fetch_label", order_sn).state == "dropped"
        assert label(house) is None


# --- decided by hand


def test_an_order_that_sf_confirms_by_hand_is_asked_for_later_and_gets_its_number(house: SfHouse) -> None:
    house.peers.sf.decide = lambda order: BY_HAND
    (order_sn,) = house.seed()

    house.poll()

    step = house.step("book_waybill", order_sn)
    assert (step.state, step.last_code, step.is_uncertain) == ("owed", "sf.waybill.awaits_confirmation", True)
    assert timedelta(minutes=9) < step.not_before - utc_now() <= timedelta(minutes=10)
    assert house.rt.door.ask(CARRIER) is None

    house.peers.sf.settle(f"{order_sn}-1", ACCEPTED)
    house.settle()

    assert house.waybills() == {f"{order_sn}-1": [house.shipment(order_sn).waybill_no]}
    assert [note for _, note in house.asked()] == ["held", "refused 8016", "found"]


def test_orders_that_wait_for_sfs_people_do_not_stop_the_others(house: SfHouse) -> None:
    house.peers.sf.decide = lambda order: BY_HAND
    house.seed(8)
    house.poll()
    house.peers.sf.decide = lambda order: ACCEPTED
    (order_sn,) = house.seed(seed=8)

    house.poll()

    assert house.shipment(order_sn).waybill_no


def test_an_order_that_sf_never_confirms_is_parked_with_a_sentence_and_can_be_asked_for_again(house: SfHouse) -> None:
    house.peers.sf.decide = lambda order: BY_HAND
    (order_sn,) = house.seed()
    house.poll()
    house.settle()

    [line] = lines(house)
    assert line.code == "sf.waybill.awaits_confirmation"
    assert "Nothing is booked twice: retry this line later" in line.message

    house.peers.sf.settle(f"{order_sn}-1", ACCEPTED)
    retry(house)

    assert codes(house) == []
    assert house.waybills() == {f"{order_sn}-1": [house.shipment(order_sn).waybill_no]}


def test_an_order_withdrawn_while_sf_decides_is_voided_once_it_has_a_number(house: SfHouse) -> None:
    house.peers.sf.decide = lambda order: BY_HAND
    (order_sn,) = house.seed()
    house.poll()
    withdraw(house, order_sn)
    house.peers.sf.settle(f"{order_sn}-1", ACCEPTED)

    house.settle()

    assert (issued(house), live_waybills(house)) == (1, [])


@pytest.mark.parametrize("is_held_first", [False, True])
def test_an_order_that_sf_will_not_carry_goes_to_a_person(house: SfHouse, is_held_first: bool) -> None:
    house.peers.sf.decide = lambda order: BY_HAND if is_held_first else REFUSED
    (order_sn,) = house.seed()
    house.poll()
    if is_held_first:
        house.peers.sf.settle(f"{order_sn}-1", REFUSED)
        house.settle()

    [line] = lines(house)
    assert line.code == "sf.waybill.undeliverable"
    assert "does not deliver to the consignee's address" in line.message
    assert house.shipment(order_sn).waybill_no == ""


def test_an_order_that_sf_will_not_carry_goes_another_way_once_a_rule_says_so(tmp_path: Path) -> None:
    with open_sf_house(tmp_path, ECSYNC_CARRIERS="sf,manual") as house:
        house.peers.sf.decide = lambda order: REFUSED
        (order_sn,) = house.seed()
        house.poll()
        assert codes(house) == ["sf.waybill.undeliverable"]

        rules = parse_routing('[[rule]]\nname = "own driver"\ncarrier = "manual"', ("sf", "manual"))
        house.rt.settings = replace(house.rt.settings, routing=rules)
        retry(house)

        assert house.shipment(order_sn).peer == "carrier.manual"
        assert codes(house) == ["manual.waybill.number_needed"]


# --- pushes


def test_pushes_take_an_order_to_its_delivery_and_the_shop_shows_it(house: SfHouse, shipped: str) -> None:
    for route in house.routes(shipped, PICKED_UP, TRANSIT, DELIVERING, DELIVERED):
        assert house.push(route)

    shipment, shown = house.shipment(shipped), house.shop_order(shipped)
    assert (shipment.status, shown.shipping_status) == ("delivered", 1)
    assert shipment.pickup_at is not None
    assert shown.shipping_time == int(shipment.pickup_at.timestamp()) - 28800
    assert house.step("remind_review", shipped).state == "owed"


def test_nodes_out_of_order_and_told_twice_come_to_the_same_and_are_kept_once(house: SfHouse, shipped: str) -> None:
    picked_up, transit, delivering, delivered = house.routes(shipped, PICKED_UP, TRANSIT, DELIVERING, DELIVERED)

    assert house.push(delivered, delivering)
    assert house.push(transit)
    assert house.push(picked_up, transit, delivered)

    assert house.shipment(shipped).status == "delivered"
    with house.rt.database.reading() as session:
        facts = session.execute(select(TrackingEventRow)).scalars().all()
    assert sorted(fact.fields["raw_code"] for fact in facts) == ["30", "44", "50", "80"]


def test_a_push_of_an_old_contract_is_applied_too(house: SfHouse, shipped: str) -> None:
    shipment = house.shipment(shipped)
    node = (
        f'<WaybillRoute id="1" mailno="{shipment.waybill_no}" orderid="{shipment.order_code}" '
        f'acceptTime="{china(utc_now())}" acceptAddress="深圳" remark="已收取快件" opCode="50"/>'
    )
    content = f'<Request service="RoutePushService" lang="zh-CN"><Body>{node}</Body></Request>'

    assert house.push_bytes(urlencode({"content": content}).encode(), "application/x-www-form-urlencoded")

    assert house.shipment(shipped).status == "picked_up"


def test_a_signature_at_a_locker_reminds_nobody_of_a_review(house: SfHouse, shipped: str) -> None:
    assert house.push(*house.routes(shipped, PICKED_UP, ("80", "快件已放入自助柜")))

    assert house.shipment(shipped).status == "ready_for_pickup"


def test_a_new_number_in_a_remark_changes_no_number_and_tells_a_person(house: SfHouse, shipped: str) -> None:
    number = house.shipment(shipped).waybill_no

    assert house.push(*house.routes(shipped, PICKED_UP, ("648", "快件已退回,新单号为:SF2000000000009")))

    assert house.shipment(shipped).waybill_no == number
    assert codes(house) == ["tracking.return_in_progress"]


def test_an_unknown_code_is_kept_and_told_with_the_line_to_add(house: SfHouse, shipped: str) -> None:
    assert house.push(*house.routes(shipped, PICKED_UP, ("4711", "神秘状态")))

    [line] = lines(house)
    assert line.code == f"{CARRIER}.status_unmapped"
    assert "[sf_opcode]" in line.message
    assert house.shipment(shipped).status == "picked_up"


def test_a_spoiled_node_costs_the_others_nothing_and_is_told(house: SfHouse, shipped: str) -> None:
    assert house.push(None, *house.routes(shipped, PICKED_UP), {"mailno": None})

    assert house.shipment(shipped).status == "picked_up"
    assert codes(house) == ["callback.unreadable"]


def test_a_push_that_cannot_be_read_is_answered_in_sfs_form_and_kept_as_evidence(house: SfHouse) -> None:
    reply = house.receive(b"<Request><Body>")

    assert (reply.status, b'"return_code":"1000"' in reply.body) == (400, True)
    with house.rt.database.reading() as session:
        assert session.execute(select(InboxRow.verdict)).scalars().all() == ["unreadable"]


# --- queries and cancels


def test_a_lost_pickup_push_is_found_by_the_query(house: SfHouse, shipped: str) -> None:
    parcel = house.peers.sf.parcel_of(house.shipment(shipped).order_code)
    with house.rt.database.writing() as session:
        past = utc_now() - timedelta(hours=49)
        session.execute(update(ShipmentRow).values(pickup_due_from=past, booked_at=past))
    parcel.scans = (replace(parcel.scans[0], at=utc_now() - timedelta(hours=3)),)

    house.serve(sweep_pickups(house.rt))
    house.settle()

    assert house.shipment(shipped).status == "picked_up"
    assert ("query_tracking", "traces") in house.asked()


def test_a_withdrawn_order_is_cancelled_at_sf(house: SfHouse, shipped: str) -> None:
    withdraw(house, shipped)

    assert live_waybills(house) == []
    assert house.shipment(shipped).status == "cancelled"
    assert ("cancel_waybill", "cancelled") in house.asked()


@pytest.mark.parametrize("fault", ["reset_after", "html_502"])
def test_a_cancel_whose_answer_is_lost_is_asked_again_and_is_done(house: SfHouse, shipped: str, fault: str) -> None:
    house.peers.configure_faults({"sf": {fault: 1.0, "only": "cancel_waybill"}})
    withdraw(house, shipped)
    house.settle()

    assert [note for operation, note in house.asked() if operation == "cancel_waybill"] == ["cancelled", "refused 8037"]
    assert live_waybills(house) == []
    assert house.shipment(shipped).status == "cancelled"
    assert codes(house) == [CODE]


def test_a_parcel_that_sf_has_collected_is_not_cancelled_and_a_person_hears_of_it(house: SfHouse, shipped: str) -> None:
    parcel = house.peers.sf.parcel_of(house.shipment(shipped).order_code)
    parcel.scans = (replace(parcel.scans[0], at=utc_now() - timedelta(minutes=1)),)

    withdraw(house, shipped)
    house.settle()

    assert "sf.cancel.confirmed" in codes(house)
    assert live_waybills(house) == [house.shipment(shipped).waybill_no]
