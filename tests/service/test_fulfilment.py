"""The main job, order by order, against the sandbox peers' own ledgers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import TransientError
from sync import exceptions as desk
from sync.db.models import AttemptRow, LabelRow, ShipmentRow
from sync.db.steps import StepBook, Wake
from sync.sandbox.shop import cancel_order, seed_orders
from sync.services.poll_shop import poll_shop
from sync.services.reconcile import reconcile_shop
from sync.services.run_steps import StepParked, run_steps
from sync.services.withdraw import WHY
from sync.shops.ecshop_tables import ecshop_tables
from sync.shops.port import Standing
from tests.service.house import SHOP, House

CARRIER, ERP = "carrier.kdniao", "erp.generic_rest"


def waybills(house: House) -> dict[str, list[str]]:
    """The carrier's own list: order code -> the waybills it issued under it."""
    entries = house.peers.ledger()["carrier"]["orders"].items()
    return {code: entry["waybills"] for code, entry in entries if entry["waybills"]}


def documents(house: House) -> dict[str, list[str]]:
    return {order_id: entry["documents"] for order_id, entry in house.peers.ledger()["erp"]["orders"].items()}


def attempts(house: House, peer: str) -> list[AttemptRow]:
    with house.rt.database.reading() as session:
        return [row for row in session.query(AttemptRow).order_by(AttemptRow.id) if row.peer == peer]


def break_peer(house: House, name: str, **faults: Any) -> None:
    house.peers.configure_faults({name: {"max_per_order": 0, **faults}})


def test_a_paid_order_gets_one_waybill_an_erp_document_and_a_note_in_the_shop(house: House) -> None:
    (order_sn,) = house.seed()

    house.poll()

    shipment = house.shipment(order_sn)
    assert waybills(house) == {f"{order_sn}-1": [shipment.waybill_no]}
    assert len(documents(house)[order_sn]) == 1
    assert house.order(order_sn).erp_no == documents(house)[order_sn][0]
    assert [note.numbers for note in house.shop_order(order_sn).notes] == [(shipment.waybill_no,)]
    with house.rt.database.reading() as session:
        assert session.get_one(LabelRow, shipment.id).content
    assert shipment.estimated_delivery_at


def test_polling_again_and_losing_every_message_changes_nothing(house: House) -> None:
    numbers = house.seed(5)
    house.poll()
    before = waybills(house)

    for _ in range(3):
        house.poll()
        house.settle()

    assert waybills(house) == before
    assert len(documents(house)) == len(numbers)


def test_an_answer_lost_after_the_waybill_was_issued_brings_the_same_waybill(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"carrier": {"reset_after": 1.0, "max_per_order": 1}})

    house.poll()
    assert house.step("book_waybill", order_sn).is_uncertain
    house.settle()

    assert house.step("book_waybill", order_sn).state == "done"
    assert waybills(house) == {f"{order_sn}-1": [house.shipment(order_sn).waybill_no]}


def test_an_answer_lost_by_the_erp_is_looked_up_before_anything_is_repeated(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"erp": {"reset_after": 1.0, "max_per_order": 1}})

    house.poll()
    house.settle()

    assert [call.operation for call in attempts(house, ERP)][:2] == ["create_order", "find_order"]
    assert len(documents(house)[order_sn]) == 1
    assert house.step("push_order", order_sn).state == "done"


def test_a_transient_error_is_tried_three_times_in_all_and_then_parked_with_its_cause(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", too_many=1.0)

    house.poll()
    order_id = house.order(order_sn).id
    for _ in range(2):
        house.forget_messages()
        with pytest.raises((TransientError, StepParked)):
            run_steps(house.rt, order_id, ERP)
    house.settle()

    step = house.step("push_order", order_sn)
    assert (step.state, step.attempts, len(attempts(house, ERP))) == ("parked", 3, 3)
    with house.rt.database.reading() as session:
        (line,) = desk.list_open(session)
    assert order_sn in line.message
    assert line.code == step.last_code
    assert house.shipment(order_sn).waybill_no, "an ERP that is away holds no waybill back"


def test_the_third_failure_raises_parked_so_that_a_worker_shows_it(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", too_many=1.0)
    house.poll()
    order_id = house.order(order_sn).id
    house.forget_messages()
    with pytest.raises(TransientError):
        run_steps(house.rt, order_id, ERP)
    house.forget_messages()
    with pytest.raises(StepParked, match=order_sn):
        run_steps(house.rt, order_id, ERP)


def test_a_parked_step_goes_on_when_a_person_retries_it(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", too_many=1.0)
    house.poll()
    house.settle()
    house.peers.configure_faults({"erp": {}})

    with house.rt.database.writing() as session:
        (line,) = desk.list_open(session)
        assert desk.retry_exception(session, line.id, "ops", "the ERP is back")
    house.settle()

    assert house.step("push_order", order_sn).state == "done"
    assert len(documents(house)[order_sn]) == 1
    with house.rt.database.reading() as session:
        assert desk.list_open(session) == []


def test_an_outage_of_a_carrier_makes_orders_wait_and_leaves_nothing_for_a_person(house: House) -> None:
    numbers = house.seed(8)
    break_peer(house, "carrier", outage=True)
    house.poll()
    for _ in range(6):
        house.forget_messages()
        house.serve([Wake(house.order(sn).id, CARRIER) for sn in numbers])
    assert all(house.step("book_waybill", sn).state in ("owed", "parked") for sn in numbers)
    assert house.rt.door.ask(CARRIER) is not None

    house.peers.configure_faults({"carrier": {}})
    house.open_doors()
    house.settle()

    assert all(len(house.shipment(sn).waybill_no) > 5 for sn in numbers)
    with house.rt.database.reading() as session:
        assert desk.list_open(session) == []


def test_refused_credentials_pause_the_peer_with_one_line_on_the_desk(house: House) -> None:
    numbers = house.seed(4)
    house.rt.erps[ERP] = GenericRestErp({**house.rt.peer(ERP).config, "token": "revoked"})
    house.poll()
    house.settle()

    assert {house.step("push_order", sn).state for sn in numbers} == {"owed"}
    assert {house.step("push_order", sn).attempts for sn in numbers} == {0}
    with house.rt.database.reading() as session:
        (line,) = desk.list_open(session)
    assert line.subject == f"peer:{ERP}"
    assert len(attempts(house, ERP)) == 1


def test_an_order_cancelled_before_its_waybill_never_reaches_the_carrier(house: House) -> None:
    numbers = house.seed(2)
    break_peer(house, "carrier", outage=True)
    house.poll()
    house.cancel(numbers[0])
    house.peers.configure_faults({"carrier": {}})
    house.open_doors()
    house.settle()

    assert list(waybills(house)) == [f"{numbers[1]}-1"]
    assert house.order(numbers[0]).state == "withdrawn"


def test_an_order_cancelled_after_its_waybill_is_told_to_a_person(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    house.cancel(order_sn)
    house.poll()

    assert house.order(order_sn).state == "withdrawn"
    with house.rt.database.reading() as session:
        (line,) = desk.list_open(session)
    assert house.shipment(order_sn).waybill_no in line.message
    assert WHY[Standing.WITHDRAWN] in line.message


def test_an_order_that_cannot_be_read_is_parked_and_the_others_go_on(house: House) -> None:
    house.seed(3, bad=4)

    found = house.poll()

    assert (found.new, found.parked) == (3, 4)
    assert len(waybills(house)) == 3
    with house.rt.database.reading() as session:
        lines = desk.list_open(session)
    assert len(lines) == 4
    assert all("next poll takes it in by itself" in line.message for line in lines)


def test_every_paid_order_is_in_exactly_one_bucket(house: House) -> None:
    house.seed(4, bad=2)
    unseen = reconcile_shop(house.rt, SHOP)
    assert (unseen.paid, unseen.difference) == (6, 0)

    house.poll()
    account = reconcile_shop(house.rt, SHOP)

    assert (account.paid, account.in_flight, account.with_person) == (6, 4, 2)
    assert account.difference == 0
    assert account.unaccounted == ()


def test_an_order_that_fell_out_of_every_bucket_is_named(house: House) -> None:
    (order_sn, _) = house.seed(2)
    house.poll()
    with house.rt.database.writing() as session:
        StepBook(session).drop(house.order(order_sn).id)
        session.get_one(ShipmentRow, house.shipment(order_sn).id).waybill_no = ""

    account = reconcile_shop(house.rt, SHOP)

    assert account.difference == 1
    assert account.unaccounted == (house.order(order_sn).shop_order_id,)


def test_no_name_phone_or_street_stands_in_any_record(house: House) -> None:
    house.seed(3)
    break_peer(house, "erp", business=0.5)
    house.poll()
    house.settle()

    with house.rt.database.reading() as session:
        texts = "\n".join(f"{row.request}\n{row.reply}" for row in session.query(AttemptRow))
        for row in house.orders():
            who = row.header["consignee"]
            for private in (who["name"], who["phone"], who["address"]["street"]):
                assert private not in texts
    assert '"OrderCode":' in texts, "a form is decoded before it is masked"
    assert house.rt.peer(CARRIER).config["app_key"] not in texts


def test_an_unreadable_order_leaves_the_desk_when_the_shop_no_longer_owes_it(house: House) -> None:
    (_, *bad) = seed_orders(house.shop, 1, 7, house.rt.clock.now(), bad=1, cod_share=0)
    house.poll()
    assert len(open_codes(house)) == 1

    cancel_order(house.shop, bad[0].order_id, house.rt.clock.now())
    house.poll()

    assert open_codes(house) == []


def test_an_edit_after_the_waybill_is_told_and_still_reaches_the_erp(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", outage=True)
    wakes = poll_shop(house.rt, SHOP).wakes
    house.serve([wake for wake in wakes if wake.peer == CARRIER], follow=False)  # no note yet: still in its queue
    assert house.shipment(order_sn).waybill_no

    change_order(house, order_sn, consignee="改名先生")
    poll_shop(house.rt, SHOP)

    assert "order.edited_after_booking" in open_codes(house)
    assert house.order(order_sn).header["consignee"]["name"] == "改名先生"


def test_a_withdrawn_orders_parked_steps_leave_the_desk(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", too_many=1.0)
    break_peer(house, "carrier", outage=True)
    house.poll()
    house.settle()
    assert open_codes(house)

    house.cancel(order_sn)
    house.poll()

    assert open_codes(house) == []


def test_a_withdrawn_order_that_is_owed_again_goes_on_if_nothing_was_booked(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", outage=True)
    break_peer(house, "carrier", outage=True)
    house.poll()
    house.cancel(order_sn)
    house.poll()
    assert house.order(order_sn).state == "withdrawn"

    change_order(house, order_sn, order_status=1, pay_status=2, pay_time=1)
    house.peers.configure_faults({"carrier": {}, "erp": {}})
    house.open_doors()
    house.poll()
    house.settle()

    assert house.order(order_sn).state == "open"
    assert house.shipment(order_sn).waybill_no


def open_codes(house: House) -> list[str]:
    with house.rt.database.reading() as session:
        return [line.code for line in desk.list_open(session)]


def change_order(house: House, order_sn: str, **values: object) -> None:
    """Staff edit the order in the shop."""
    table = ecshop_tables("ecs_").order_info
    with house.shop.begin() as connection:
        connection.execute(update(table).where(table.c.order_sn == order_sn).values(**values))
