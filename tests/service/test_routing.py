"""Rules choose carrier, courier company and account of each parcel: at intake, and again before the first call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from sync.db.models import AttemptRow, OrderLineRow, OrderRow, ShipmentRow, StepRow
from sync.db.steps import claim_next
from sync.sandbox.shop import seed_orders
from sync.services.poll_shop import poll_shop
from sync.services.push_now import push_now
from sync.services.show_order import show_order
from sync.shops.ecshop_tables import ecshop_tables
from tests.service.house import SHOP, House
from tests.service.test_fulfilment import change_order
from tests.service.test_relay import end_leases
from tests.service.two_carriers import FIRST, SECOND, TwoCarriers, open_two_carriers, remember_requests

BY_PROVINCE = '[[rule]]\nname = "south"\ncarrier = "backup"\nshipper = "ZTO"\nwhen = { provinces = ["广东"] }'
TO_BACKUP = '[[rule]]\nname = "to backup"\ncarrier = "backup"'


@pytest.fixture
def two(tmp_path: Path, database_url: str) -> Iterator[TwoCarriers]:
    with open_two_carriers(tmp_path, database_url) as opened:
        yield opened


def provinces(house: House) -> dict[str, str]:
    """Order number -> the province as the shop spells it."""
    return {order.order_sn: order.header["consignee"]["address"]["province"] for order in house.orders()}


def region_id(house: House, name: str, *, parent: int = 1) -> int:
    table = ecshop_tables("ecs_").region.c
    with house.shop.begin() as connection:
        wanted = select(table.region_id).where(table.region_name == name, table.parent_id == parent)
        return int(connection.scalars(wanted).one())


def test_parcels_go_by_province_to_their_carrier_and_courier_and_each_is_booked_once(two: TwoCarriers) -> None:
    two.use_rules(BY_PROVINCE)
    numbers = two.house.seed(30)

    two.house.poll()

    southern = {sn for sn, province in provinces(two.house).items() if province == "广东"}
    assert southern
    assert len(southern) < len(numbers)
    assert set(two.issued(SECOND)) == {f"{sn}-1" for sn in southern}
    assert set(two.issued(FIRST)) == {f"{sn}-1" for sn in set(numbers) - southern}
    assert set(two.waybills().values()) == {1}
    couriers = {order["shipper_code"] for order in two.backup.ledger()["carrier"]["orders"].values()}
    assert couriers == {"ZTO"}, "the rule's courier, whatever the shop's shipping method"


def test_a_rule_by_weight_looks_at_what_the_parcel_holds(two: TwoCarriers) -> None:
    two.use_rules('[[rule]]\nname = "heavy"\ncarrier = "backup"\nwhen = { min_weight_g = 1000 }')
    two.house.seed(20)

    two.house.poll()

    with two.house.rt.database.reading() as session:
        weights: dict[int, int] = {}
        for line in session.execute(select(OrderLineRow)).scalars():
            weights[line.order_id] = weights.get(line.order_id, 0) + line.weight_g * line.quantity
    by_peer = {shipment.order_id: shipment.peer for shipment in two.shipments()}
    assert by_peer == {order_id: SECOND if weight >= 1000 else FIRST for order_id, weight in weights.items()}
    assert len(set(by_peer.values())) == 2


def test_cash_on_delivery_goes_its_own_way(two: TwoCarriers) -> None:
    two.use_rules('[[rule]]\nname = "cod"\ncarrier = "backup"\nwhen = { cod = true }')
    paid = two.house.seed(3)
    placed = seed_orders(two.house.shop, 3, 11, two.house.rt.clock.now(), cod_share=1)

    two.house.poll()

    assert set(two.issued(FIRST)) == {f"{sn}-1" for sn in paid}
    assert set(two.issued(SECOND)) == {f"{order.order_sn}-1" for order in placed}


def test_the_reason_is_kept_and_shown_with_every_rule_that_was_passed_over(two: TwoCarriers) -> None:
    two.use_rules(
        '[[rule]]\nname = "nobody weighs that"\ncarrier = "backup"\nwhen = { min_weight_g = 900000 }\n' + TO_BACKUP
    )
    (order_sn,) = two.house.seed()

    two.house.poll()

    (parcel,) = show_order(two.house.rt, two.house.order(order_sn))["parcels"]
    assert parcel["route_reason"].startswith('rule "to backup": backup by ')
    assert 'passed over: rule "nobody weighs that" (' in parcel["route_reason"]
    assert parcel["carrier"] == SECOND


def test_the_account_of_a_rule_reaches_the_connector(two: TwoCarriers, monkeypatch: pytest.MonkeyPatch) -> None:
    two.use_rules('[[rule]]\nname = "one"\ncarrier = "kdniao"\naccount = "south"\nshipper = "YTO"')
    requests = remember_requests(monkeypatch)
    (order_sn,) = two.house.seed()

    two.house.poll()

    assert [(request.account, request.shipper_code) for request in requests] == [("south", "YTO")]
    assert two.house.shipment(order_sn).account == "south"


def test_an_address_edited_after_intake_moves_the_parcel_before_any_carrier_is_asked(two: TwoCarriers) -> None:
    two.use_rules(BY_PROVINCE)
    numbers = two.take_in(5)
    order_sn = next(sn for sn, province in provinces(two.house).items() if province != "广东")
    south = region_id(two.house, "广东")
    city = region_id(two.house, "深圳", parent=south)
    change_order(two.house, order_sn, province=south, city=city)

    two.ship(order_sn)

    assert two.steps(order_sn) == {FIRST: "dropped", SECOND: "done"}
    assert (two.calls(FIRST), list(two.issued(SECOND))) == (0, [f"{order_sn}-1"])
    assert two.house.shipment(order_sn).route_reason.startswith('rule "south"')
    two.house.settle()
    assert two.waybills() == {f"{sn}-1": 1 for sn in numbers}


def test_new_rules_count_for_parcels_that_nobody_was_asked_for(two: TwoCarriers) -> None:
    first, second = two.take_in(2)
    two.ship(first)
    two.use_rules(TO_BACKUP)

    two.ship(second)
    two.house.settle()

    assert (two.peer_of(first), two.peer_of(second)) == (FIRST, SECOND)
    assert two.waybills() == {f"{first}-1": 1, f"{second}-1": 1}


def test_a_parcel_whose_answer_was_lost_never_moves(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.fail(FIRST, reset_after=1.0)
    two.ship(order_sn)
    two.use_rules(TO_BACKUP)

    two.house.settle()

    assert (two.peer_of(order_sn), two.calls(SECOND)) == (FIRST, 0)
    assert two.waybills() == {f"{order_sn}-1": 1}


def forget_the_answer(house: House, *, attempts_too: bool) -> None:
    """The booking stands there as if it had never been made, though the carrier holds it."""
    with house.rt.database.writing() as session:
        booking = StepRow.name == "book_waybill"
        session.execute(update(StepRow).where(booking).values(state="owed", enqueued_at=None, finished_at=None))
        session.execute(update(StepRow).where(~booking).values(state="dropped"))
        session.execute(update(ShipmentRow).values(waybill_no="", booked_at=None, status="unknown"))
        session.execute(update(OrderRow).values(status="received"))
        if attempts_too:
            session.execute(delete(AttemptRow))


def test_a_parcel_with_an_answered_call_on_record_never_moves(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.ship(order_sn, follow=False)
    forget_the_answer(two.house, attempts_too=False)
    two.use_rules(TO_BACKUP)

    two.do("pause", "kdniao")
    assert two.move().moved == 0
    two.do("resume", "kdniao")
    two.ship(order_sn)

    assert two.steps(order_sn) == {FIRST: "done"}
    assert (two.calls(FIRST), two.calls(SECOND)) == (2, 0)
    assert two.waybills() == {f"{order_sn}-1": 1}


def test_a_parcel_whose_worker_died_in_the_middle_never_moves(two: TwoCarriers) -> None:
    two.use_rules(f'[[rule]]\nname = "usual"\ncarrier = "kdniao"\n{TO_BACKUP}')
    (order_sn,) = two.take_in()
    with two.house.rt.database.writing() as session:
        assert claim_next(session, two.house.order(order_sn).id, FIRST, 60)
    end_leases(two.house)
    two.do("pause", "kdniao")
    two.ship(order_sn)  # it finds the door closed, and leaves no record of a call
    assert two.steps(order_sn) == {FIRST: "owed"}

    assert two.move().moved == 0
    two.use_rules(TO_BACKUP)
    two.do("resume", "kdniao")
    two.house.settle()

    assert two.steps(order_sn) == {FIRST: "done"}
    assert (two.calls(SECOND), two.waybills()) == (0, {f"{order_sn}-1": 1})


def test_a_parcel_that_the_carrier_calls_a_second_one_never_moves(two: TwoCarriers) -> None:
    (order_sn,) = two.take_in()
    two.ship(order_sn, follow=False)
    forget_the_answer(two.house, attempts_too=True)
    two.fail(FIRST, bare_duplicate=1.0, max_per_order=0)
    two.ship(order_sn)
    assert two.steps(order_sn) == {FIRST: "parked"}
    two.use_rules(TO_BACKUP)
    two.do("pause", "kdniao")
    push_now(two.house.rt, order_sn, retry_parked=True)
    assert two.steps(order_sn) == {FIRST: "owed"}

    assert two.move().moved == 0
    two.do("resume", "kdniao")
    two.fail(FIRST)
    two.house.settle()

    assert two.steps(order_sn) == {FIRST: "done"}
    assert (two.calls(SECOND), two.waybills()) == (0, {f"{order_sn}-1": 1})


def test_a_rule_s_courier_survives_an_edit_of_the_order(two: TwoCarriers) -> None:
    two.use_rules('[[rule]]\nname = "one"\ncarrier = "backup"\nshipper = "ZTO"')
    (order_sn,) = two.take_in()
    change_order(two.house, order_sn, address="另一条路 2 号")
    poll_shop(two.house.rt, SHOP)

    two.house.settle()

    assert two.backup.ledger()["carrier"]["orders"][f"{order_sn}-1"]["shipper_code"] == "ZTO"
