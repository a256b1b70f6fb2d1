"""Orders that an ERP's warehouse does not send: told once, and closed by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import ShipmentRow, StepRow
from sync.services.sweep_unsent import sweep_unsent
from tests.service.pipeline.yard import Open, Yard, noted, order_of_several, taken_in
from tests.service.test_fulfilment import ERP
from tests.service.withdrawals import codes, lines, withdraw


def pushed(yard: Yard, hours: float) -> str:
    """An order that the ERP has had for so long."""
    order_sn = taken_in(yard)
    yard.house.settle()
    age(yard, order_sn, hours)
    return order_sn


def age(yard: Yard, order_sn: str, hours: float) -> None:
    order_id = yard.house.order(order_sn).id
    mine = (StepRow.order_id == order_id, StepRow.name == "push_order")
    with yard.house.rt.database.writing() as session:
        session.execute(update(StepRow).where(*mine).values(finished_at=utc_now() - timedelta(hours=hours)))


@pytest.mark.parametrize(("hours", "told"), [(71, 0), (73, 1)])
def test_an_order_that_the_warehouse_does_not_send_is_told_once(yard: Yard, hours: float, told: int) -> None:
    order_sn = pushed(yard, hours)

    assert [sweep_unsent(yard.house.rt), sweep_unsent(yard.house.rt)] == [told, 0]
    found = lines(yard.house)
    assert [(line.code, line.peer, line.order_sn, line.times) for line in found] == [
        ("erp.shipment_late", ERP, order_sn, 1)
    ] * told
    assert all(f"order {order_sn} since" in line.message and "parcel 1" in line.message for line in found)


def test_it_closes_by_itself_once_the_parcel_is_sent(yard: Yard) -> None:
    order_sn = pushed(yard, 73)
    sweep_unsent(yard.house.rt)
    yard.send(order_sn)
    yard.look()

    assert sweep_unsent(yard.house.rt) == 0
    assert codes(yard.house) == []


def test_it_closes_when_the_shop_owes_the_order_no_more(yard: Yard) -> None:
    order_sn = pushed(yard, 73)
    sweep_unsent(yard.house.rt)
    withdraw(yard.house, order_sn)
    sweep_unsent(yard.house.rt)

    assert "erp.shipment_late" not in codes(yard.house)


def test_what_a_person_resolved_is_not_told_again(yard: Yard) -> None:
    pushed(yard, 73)
    sweep_unsent(yard.house.rt)
    (line,) = lines(yard.house)
    with yard.house.rt.database.writing() as session:
        desk.resolve_exception(session, line.id, "wang", "it is made to order")

    assert sweep_unsent(yard.house.rt) == 0
    assert codes(yard.house) == []


def test_the_rest_of_an_order_has_as_long_as_the_first_part_had(yard: Yard) -> None:
    order_sn, (sku, pieces) = order_of_several(yard)
    yard.send(order_sn, quantities={sku: pieces})
    yard.look()
    yard.house.settle()
    yard.house.poll()
    assert len(noted(yard, order_sn)) == 1
    age(yard, order_sn, 73)
    mine = ShipmentRow.order_id == yard.house.order(order_sn).id

    assert sweep_unsent(yard.house.rt) == 0, "a part went a moment ago"
    with yard.house.rt.database.writing() as session:
        for parcel in session.execute(select(ShipmentRow).where(mine, ShipmentRow.noted_at.is_not(None))).scalars():
            parcel.noted_at = utc_now() - timedelta(hours=73)
    assert sweep_unsent(yard.house.rt) == 1
    (line,) = lines(yard.house)
    assert "parcel 2" in line.message


@pytest.mark.parametrize(("within_s", "told"), [("0", 0), ("3600", 1)])
def test_how_long_it_may_take_is_a_setting_of_each_erp(opened: Open, within_s: str, told: int) -> None:
    with opened(ECSYNC_ERP_GENERIC_REST_SHIPS_WITHIN_S=within_s) as yard:
        pushed(yard, 2)
        assert sweep_unsent(yard.house.rt) == told


def test_orders_that_we_ship_ourselves_are_not_waited_for(opened: Open) -> None:
    with opened(ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS="0") as yard:
        yard.house.peers.configure_faults({"carrier": {"reset_before": 1.0, "max_per_order": 0}})
        pushed(yard, 73)
        assert sweep_unsent(yard.house.rt) == 0
    with opened() as yard:  # the same database, where the ERP sends from now on: what waits for our carrier is not its
        assert sweep_unsent(yard.house.rt) == 0
