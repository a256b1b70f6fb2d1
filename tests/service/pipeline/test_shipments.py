"""ERPs whose warehouses send the parcels: their numbers become ours, once, and what does not fit goes to a person."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import PermanentError
from mappings.model import ErpShipment
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.orders import find_shipments
from sync.services.show_order import show_order
from sync.services.take_shipments import OVERLAP, take_shipments
from tests.service.pipeline.yard import NUMBER, Open, Yard, noted, order_of_several, packed, taken_in
from tests.service.test_fulfilment import CARRIER, ERP, waybills
from tests.service.withdrawals import codes, issued, lines, states, withdraw

# --- the number of the warehouse


def test_no_waybill_of_ours_is_booked_for_a_parcel_that_the_erp_sends(yard: Yard) -> None:
    order_sn = taken_in(yard)
    yard.house.settle()

    assert "book_waybill" not in states(yard.house, order_sn)
    assert (waybills(yard.house), yard.house.step("push_order", order_sn).state) == ({}, "done")
    assert f"parcel 1 waits for {ERP}" in show_order(yard.house.rt, yard.house.order(order_sn))["next"][-1]


def test_its_number_reaches_the_shop_and_is_followed(yard: Yard) -> None:
    order_sn = taken_in(yard)
    yard.send(order_sn)

    assert yard.look() == {"taken": 1}

    (parcel,) = yard.parcels(order_sn)
    assert (parcel.waybill_no, parcel.shipper_code, parcel.shipped_by) == (NUMBER, "YTO", ERP)
    assert noted(yard, order_sn) == [(NUMBER,)]
    assert yard.house.step("subscribe", order_sn).state == "done"
    assert yard.warehouse.answers == {f"k-{NUMBER}": ""}
    assert (issued(yard.house), codes(yard.house)) == (0, [])


def test_what_is_told_again_is_taken_once_and_answered_again(yard: Yard) -> None:
    order_sn = taken_in(yard)
    yard.send(order_sn)
    yard.look()
    yard.warehouse.answers.clear()

    assert [yard.look(), yard.look()] == [{"known": 1}, {"known": 1}]

    assert len(yard.parcels(order_sn)) == 1
    assert noted(yard, order_sn) == [(NUMBER,)]
    assert yard.warehouse.answers == {f"k-{NUMBER}": ""}


def test_two_looks_at_once_take_a_number_once(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen that nobody has the number yet; the second one to get the order's lock finds it taken."""
    order_sn = taken_in(yard)
    yard.send(order_sn)
    monkeypatch.setattr("sync.services.take_shipments.find_known", lambda session, told: set())

    assert [yard.look(), yard.look()] == [{"taken": 1}, {"known": 1}]

    assert len(yard.parcels(order_sn)) == 1
    assert noted(yard, order_sn) == [(NUMBER,)]


def test_without_a_carrier_that_follows_it_the_order_shows_as_shipped_at_once(opened: Open) -> None:
    with opened(ECSYNC_CARRIERS="manual,kdniao") as yard:
        order_sn = taken_in(yard)
        yard.send(order_sn)
        yard.look()
        yard.house.settle()

        assert yard.house.order(order_sn).state == "done"
        assert yard.house.step("write_shipped", order_sn).state == "done"


def test_who_follows_the_numbers_can_be_named(opened: Open) -> None:
    with opened(ECSYNC_CARRIERS="manual,kdniao", ECSYNC_ERP_GENERIC_REST_TRACK_BY="kdniao") as yard:
        order_sn = taken_in(yard)
        yard.send(order_sn)
        yard.look()

        assert yard.parcels(order_sn)[0].peer == CARRIER
        assert yard.house.step("subscribe", order_sn).state == "done"


@pytest.mark.parametrize(("word", "code"), [("ZTO", "ZTO"), ("顺丰速运", "SF"), (" zto ", "ZTO"), ("17", "STO")])
def test_the_courier_is_read_from_codes_names_and_our_own_table(opened: Open, word: str, code: str) -> None:
    with opened(ECSYNC_ERP_GENERIC_REST_COURIERS="17=STO") as yard:
        order_sn = taken_in(yard)
        yard.send(order_sn, shipper=word)
        take_shipments(yard.house.rt, ERP)

        assert yard.parcels(order_sn)[0].shipper_code == code


# --- part of an order


def test_part_of_an_order_makes_one_parcel_and_the_rest_another(yard: Yard) -> None:
    order_sn, (line, pieces) = order_of_several(yard)
    yard.send(order_sn, quantities={line: pieces})
    yard.look()
    yard.house.settle()
    yard.house.poll()

    first, second = yard.parcels(order_sn)
    assert (first.waybill_no, second.waybill_no) == (NUMBER, "")
    assert packed(yard, order_sn, 1) == {line: pieces}
    assert line not in packed(yard, order_sn, 2)

    yard.send(order_sn, "YT7300000000002")
    assert yard.look() == {"known": 1, "taken": 1}
    assert noted(yard, order_sn) == [(NUMBER,), ("YT7300000000002",)]
    assert (issued(yard.house), codes(yard.house)) == (0, [])


def test_a_second_parcel_told_at_once_waits_until_the_shop_has_the_first(yard: Yard) -> None:
    order_sn, (line, pieces) = order_of_several(yard)
    yard.send(order_sn, quantities={line: pieces})
    yard.send(order_sn, "YT7300000000002")
    before = utc_now()

    assert yard.look() == {"taken": 1, "waiting": 1}
    assert yard.cursor() < before - OVERLAP, "the next look asks for it again"
    assert list(yard.warehouse.answers) == [f"k-{NUMBER}"], "nobody has said yet that the second was taken"

    yard.house.settle()
    yard.house.poll()
    assert yard.look() == {"known": 1, "taken": 1}
    assert yard.cursor() > before - OVERLAP - timedelta(seconds=5)
    assert codes(yard.house) == []


# --- what a person must see


def test_a_courier_that_no_table_names_goes_to_a_person_and_heals_by_a_setting(opened: Open) -> None:
    with opened() as yard:
        order_sn = taken_in(yard)
        yard.send(order_sn, shipper="飞毛腿")
        assert [yard.look(), yard.look()] == [{"parked": 1}, {"parked": 1}]
        (line,) = lines(yard.house)
        assert line.code == "erp.courier_unmapped"
        assert "飞毛腿=CODE (SF, ZTO, YTO …) to ECSYNC_ERP_GENERIC_REST_COURIERS" in line.message
        assert yard.warehouse.answers == {}

        cast(dict[str, str], yard.house.rt.peer(ERP).erp.couriers)["飞毛腿"] = "YTO"  # as after a restart

        assert yard.look() == {"taken": 1}
        assert codes(yard.house) == []


def test_a_number_for_an_order_that_nobody_gave_it_goes_to_a_person_once(yard: Yard) -> None:
    yard.send("2026999999999")

    assert [yard.look(), yard.look()] == [{"parked": 1}, {"parked": 1}]

    (line,) = lines(yard.house)
    assert (line.code, "2026999999999" in line.message) == ("erp.shipment_of_unknown_order", True)
    assert "no such order" in yard.warehouse.answers[f"k-{NUMBER}"]


def test_what_a_person_settled_is_not_asked_again(yard: Yard) -> None:
    yard.send("2026999999999")
    yard.look()
    with yard.house.rt.database.writing() as session:
        (line,) = desk.list_open(session)
        assert desk.resolve_exception(session, line.id, "han.mei", "an order of the other channel")

    assert yard.look() == {"known": 1}
    assert codes(yard.house) == []


def test_an_order_that_was_withdrawn_meanwhile_is_told_so_that_the_parcel_is_stopped(yard: Yard) -> None:
    order_sn = taken_in(yard)
    withdraw(yard.house, order_sn)
    yard.send(order_sn)

    assert yard.look() == {"parked": 1}

    (line,) = [line for line in lines(yard.house) if line.code == "erp.shipment_conflict"]
    assert "Ask the courier to stop the parcel" in line.message
    assert yard.parcels(order_sn)[0].waybill_no == ""


def test_one_number_for_two_orders_is_a_conflict(yard: Yard) -> None:
    first, second = yard.house.seed(2)
    yard.house.poll()
    yard.send(first)
    yard.send(second)

    assert yard.look() == {"taken": 1, "parked": 1}

    (line,) = lines(yard.house)
    assert (line.code, line.order_sn) == ("erp.shipment_conflict", second)
    assert f"the number of order {first} already" in line.message


def test_a_parcel_sent_by_the_erp_is_not_voided_at_a_carrier_that_never_issued_it(yard: Yard) -> None:
    order_sn = taken_in(yard)
    yard.send(order_sn)
    yard.look()

    withdraw(yard.house, order_sn)

    assert "cancel_waybill" not in states(yard.house, order_sn)
    assert states(yard.house, order_sn)["cancel_order"] == "done"


def test_a_booking_that_was_owed_from_before_is_called_off(opened: Open) -> None:
    with opened(ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS="0") as yard:
        yard.house.peers.configure_faults({"carrier": {"reset_before": 1.0, "max_per_order": 0}})
        order_sn = taken_in(yard)
        assert yard.house.step("book_waybill", order_sn).state in ("owed", "parked")
        yard.send(order_sn)

        result = yard.look()
        yard.house.peers.configure_faults({"carrier": {}})
        yard.house.settle()

        uncertain = result == {"waiting": 1}
        assert uncertain or (issued(yard.house), yard.parcels(order_sn)[0].waybill_no) == (0, NUMBER)


def test_a_waybill_of_ours_beside_the_erps_number_goes_to_a_person(opened: Open) -> None:
    with opened(
        ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS="0", ECSYNC_CARRIERS="kdniao", ECSYNC_SHIP_ON="waybill"
    ) as yard:
        order_sn = taken_in(yard)
        yard.house.settle()
        ours = yard.parcels(order_sn)[0].waybill_no
        with yard.house.rt.database.writing() as session:
            for parcel in find_shipments(session, yard.house.order(order_sn).id):
                parcel.noted_at = utc_now() - timedelta(hours=1)
        yard.send(order_sn)

        assert yard.look() == {"parked": 1}
        (line,) = lines(yard.house)
        assert (line.code, ours in line.message) == ("erp.shipment_conflict", True)


def test_a_look_that_the_erp_refuses_is_on_the_desk_until_one_goes_well(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, since: datetime) -> Generator[Any, Any, tuple[ErpShipment, ...]]:
        yield from ()
        raise PermanentError("generic_rest.shipments.refused", "it does not know this shop")

    with monkeypatch.context() as patch:
        patch.setattr(GenericRestErp, "poll_shipments", refuse)
        with pytest.raises(PermanentError):
            yard.look()
    assert codes(yard.house) == ["generic_rest.shipments.refused"]

    yard.look()

    assert codes(yard.house) == []


# --- where the next look begins


def test_the_next_look_begins_where_this_one_did_less_an_overlap(yard: Yard) -> None:
    began = utc_now()
    yard.look()
    yard.look()

    first, second = yard.warehouse.asked_since
    assert began - first == pytest.approx(timedelta(days=1), abs=timedelta(seconds=5))
    assert began - second == pytest.approx(OVERLAP, abs=timedelta(seconds=5))
