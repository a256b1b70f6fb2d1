"""What KDNiao does beside waybills and pushes: numbers shipped by hand, replaced numbers, packages, quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from mappings.model import NumberChange
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow, WaybillAliasRow
from sync.db.steps import StepBook, Wake
from sync.sandbox.kdniao import SandboxKdniao
from sync.sandbox.kdniao_rules import Refusal
from sync.services.numbers import follow_changes
from sync.services.parcels import adopt_shipped
from sync.services.poll_shop import poll_shop
from sync.services.show_order import show_order
from sync.services.sweep_parcels import sweep_parcels
from tests.service.house import SHOP, House, open_house
from tests.service.kdniao_hands import pickup_push, sandbox
from tests.service.test_tracking import CARRIER, DELIVERED, PICKED_UP, TRANSIT, push, snapshot

# --- numbers that staff shipped by hand


def shipped_by_hand(house: House, *numbers: str, shipper_code: str = "YTO") -> str:
    """An order that staff shipped in the shop under numbers of their own, before any carrier was asked."""
    (order_sn,) = house.seed()
    poll_shop(house.rt, SHOP)
    with house.rt.database.writing() as session:
        book = StepBook(session)
        row = session.get_one(OrderRow, house.order(order_sn).id)
        session.execute(update(ShipmentRow).values(shipper_code=shipper_code))
        adopt_shipped(house.rt, book, row, numbers, house.rt.clock.now())
    house.serve(book.wakes)
    return order_sn


def test_every_number_that_staff_shipped_by_hand_is_subscribed_and_followed(house: House) -> None:
    order_sn = shipped_by_hand(house, "YT0000000000001", "YT0000000000002")

    assert house.calls("subscribe_tracking") == 2
    assert house.calls("recognise") == 0, "nobody doubts a YT number of YTO"
    assert {"YT0000000000001", "YT0000000000002"} <= sandbox(house)._by_waybill.keys()
    assert house.order(order_sn).state == "done"
    assert house.problems() == {}


def test_a_waybill_that_kdniao_issued_itself_is_not_subscribed(house: House) -> None:
    house.seed()
    house.poll()
    assert house.calls("subscribe_tracking") == 0


def test_a_number_that_contradicts_its_courier_is_recognised_first(house: House) -> None:
    order_sn = shipped_by_hand(house, "SF0000000000001", shipper_code="ZTO")

    assert house.calls("recognise") == 1
    assert house.shipment(order_sn).shipper_code == "SF"
    assert sandbox(house)._by_waybill["SF0000000000001"].shipper_code == "SF"


def test_a_number_of_nobody_is_told_and_holds_up_nothing(house: House) -> None:
    order_sn = shipped_by_hand(house, "X1", shipper_code="")

    assert list(house.problems()) == ["kdniao.recognise.unknown"]
    assert "X1 is no number that KDNiao knows" in house.problems()["kdniao.recognise.unknown"]
    assert house.order(order_sn).state == "done"
    assert house.calls("subscribe_tracking") == 0


def test_a_plan_without_subscriptions_is_told_and_waybills_go_on(house: House) -> None:
    house.peers.configure_faults(
        {"carrier": {"business": 1.0, "business_code": "105", "business_reason": "没有可用套餐", "max_per_order": 0}}
    )
    shipped_by_hand(house, "YT0000000000001")
    assert list(house.problems()) == ["kdniao.subscribe.no_plan"]

    house.peers.configure_faults({"carrier": {}})
    assert house.rt.door.ask(CARRIER) is None, "only this kind of call was refused"


# --- replaced numbers


def test_a_replaced_number_is_told_in_the_shop_and_on_the_desk_and_both_are_followed(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    old = house.shipment(order_sn).waybill_no

    push(house, pickup_push(house, order_sn, "302", LogisticCode="NEW1", OldLogisticCode=old))
    house.settle()

    assert house.shipment(order_sn).waybill_no == "NEW1"
    message = house.problems()["waybill.number_changed"]
    assert f"put NEW1 in place of {old} on the delivery note" in message
    assert house.step("write_number", order_sn).state == "done"
    push(house, pickup_push(house, order_sn, "301", LogisticCode=old, OrderCode=""))
    assert house.shipment(order_sn).status == "picked_up"
    shown = house.shop_order(order_sn)
    assert (shown.shipping_status, shown.invoice_nos) == (1, (old,)), "shipped, under the number that staff see"
    assert any(f"运单号变更：{old} → NEW1" in action.note for action in shown.actions)
    assert list(house.problems()) == ["waybill.number_changed"]


def test_a_late_repeat_of_an_older_change_brings_no_old_number_back(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    first = house.shipment(order_sn).waybill_no
    older = pickup_push(house, order_sn, "302", LogisticCode="NEW1", OldLogisticCode=first)
    push(house, older)
    push(house, pickup_push(house, order_sn, "302", LogisticCode="NEW2", OldLogisticCode="NEW1"))
    push(house, older + b"&again=1")

    assert house.shipment(order_sn).waybill_no == "NEW2"


def test_a_new_courier_without_a_number_keeps_the_old_one_until_the_number_comes(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    old = house.shipment(order_sn).waybill_no

    push(house, pickup_push(house, order_sn, "109", ShipperCode="JTSD", LogisticCode="", OldLogisticCode=old))
    waiting = house.shipment(order_sn)
    assert (waiting.waybill_no, waiting.shipper_code) == (old, "JTSD")
    assert "Keep the parcel until the number is here" in house.problems()["waybill.number_changed"]

    push(house, pickup_push(house, order_sn, "120", ShipperCode="JTSD", LogisticCode="JT1"))
    assert house.shipment(order_sn).waybill_no == "JT1"
    assert "JT1 in place of" in house.problems()["waybill.number_changed"]


def test_a_number_replaced_before_the_booking_was_recorded_stands(house: House) -> None:
    (order_sn,) = house.seed()
    house.peers.configure_faults({"carrier": {"reset_after": 1.0, "max_per_order": 1}})
    house.poll()
    assert house.shipment(order_sn).waybill_no == ""
    issued = next(iter(house.peers.ledger()["carrier"]["orders"].values()))["waybills"][0]
    push_change(house, order_sn, issued)

    house.settle()

    assert house.shipment(order_sn).waybill_no == "NEW1"
    assert [note.numbers for note in house.shop_order(order_sn).notes] == [("NEW1",)]


def push_change(house: House, order_sn: str, old: str) -> None:
    code = house.shipment(order_sn).order_code
    with house.rt.database.writing() as session:
        follow_changes(StepBook(session), CARRIER, [NumberChange(code, old, "NEW1", "ZTO")])


# --- several packages


@pytest.fixture
def heavy(database_url: str, tmp_path: Path) -> Iterator[House]:
    """Parcels above 1 g go out as several packages."""
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_CARRIER_KDNIAO_PACKAGE_WEIGHT_G="300") as house:
        yield house


def packages(house: House, order_sn: str) -> list[str]:
    (parcel,) = show_order(house.rt, house.order(order_sn))["parcels"]
    return list(parcel["packages"])


def test_pushes_about_any_package_are_the_parcels_and_it_is_delivered_with_the_last(heavy: House) -> None:
    (order_sn,) = heavy.seed(seed=3)
    heavy.poll()
    numbers = packages(heavy, order_sn)
    assert numbers, "the order is heavier than one package"
    mother = heavy.shipment(order_sn)

    push(heavy, about(heavy, order_sn, numbers[0], PICKED_UP, TRANSIT))
    assert heavy.shipment(order_sn).pickup_at is not None
    push(heavy, snapshot(heavy, order_sn, PICKED_UP, TRANSIT, DELIVERED))
    assert heavy.shipment(order_sn).status == "in_transit", "one package is still on its way"
    assert heavy.shipment(order_sn).delivered_at is None
    push(heavy, about(heavy, order_sn, numbers[0], PICKED_UP, TRANSIT, ("2", "又到一站"), DELIVERED))

    assert heavy.shipment(order_sn).status == "delivered"
    assert heavy.shipment(order_sn).waybill_no == mother.waybill_no


def about(house: House, order_sn: str, number: str, *scans: tuple[str, str]) -> bytes:
    """A push about one package alone: it names the package and no order."""
    parcel = house.shipment(order_sn)
    parcel.waybill_no, parcel.order_code = number, ""
    return snapshot(house, parcel, *scans)


def test_a_package_that_was_pushed_before_the_booking_was_recorded_finds_its_parcel(heavy: House) -> None:
    (order_sn,) = heavy.seed(seed=3)
    heavy.peers.configure_faults({"carrier": {"reset_after": 1.0, "max_per_order": 1}})
    heavy.poll()
    issued = next(iter(heavy.peers.ledger()["carrier"]["orders"].values()))["waybills"][0]
    push(heavy, about(heavy, order_sn, f"{issued}001", PICKED_UP))
    heavy.settle()

    assert heavy.shipment(order_sn).status == "picked_up"


# --- the free query's quota


def test_a_used_quota_marks_the_overdue_pickup_at_once_and_says_that_nobody_was_asked(
    database_url: str, tmp_path: Path
) -> None:
    with open_house(
        tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_CARRIER_KDNIAO_QUERY_REQUEST_TYPE="1002"
    ) as house:
        (order_sn,) = house.seed()
        house.poll()
        sandbox(house).free_queries = 0
        with house.rt.database.writing() as session:
            session.execute(
                update(ShipmentRow).values(shipper_code="YTO", pickup_due_from=utc_now().replace(year=2020))
            )
        house.serve(sweep_parcels(house.rt).wakes)

        assert house.order(order_sn).status == "stale_pickup"
        assert "could not be asked" in house.problems()["stale_pickup"]
        assert house.rt.door.ask(CARRIER) is None


def test_a_number_stands_once_whatever_it_is(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    for _ in range(2):
        push(house, pickup_push(house, order_sn, "302", LogisticCode="NEW1"))
    with house.rt.database.reading() as session:
        rows = session.execute(select(WaybillAliasRow)).scalars().all()
    assert [row.kind for row in rows] == ["replaced"]


# --- a refused account


def test_a_refused_account_is_told_once_and_its_other_orders_wait_while_the_platform_goes_on(house: House) -> None:
    reason = {"business_code": "105", "business_reason": "月结账号错误", "max_per_order": 0}
    house.peers.configure_faults({"carrier": {"business": 1.0, **reason}})
    house.seed(8)
    poll_shop(house.rt, SHOP)
    by_courier: dict[str, list[str]] = {}
    for order in house.orders():
        by_courier.setdefault(house.shipment(order.order_sn).shipper_code, []).append(order.order_sn)
    courier, orders = max(by_courier.items(), key=lambda one: len(one[1]))
    assert len(orders) > 1
    for order_sn in orders:
        house.serve([Wake(house.order(order_sn).id, CARRIER)], follow=False)

    states = [house.step("book_waybill", order_sn).state for order_sn in orders]
    assert states == ["parked"] + ["owed"] * (len(orders) - 1)
    assert list(house.problems()) == ["kdniao.waybill.account_rejected"]
    (switch,) = house.rt.switchboard.read().switches.values()
    assert (switch.what, switch.actor) == (f"{CARRIER}/{courier}", "ecsync")
    assert house.rt.door.ask(CARRIER) is None


# --- a refused signature


def test_a_wrong_key_is_told_once_parks_nothing_and_costs_no_order(house: House) -> None:
    good, sandbox(house).app_key = sandbox(house).app_key, "another"
    orders = house.seed(3)
    house.poll()
    assert list(house.problems()) == [f"{CARRIER}.refused"]
    assert {house.step("book_waybill", order_sn).state for order_sn in orders} == {"owed"}
    assert {house.step("push_order", order_sn).state for order_sn in orders} == {"done"}

    sandbox(house).app_key = good
    house.open_doors()
    house.settle()

    assert all(house.shipment(order_sn).waybill_no for order_sn in orders)
    assert house.problems() == {}


def test_an_order_whose_text_breaks_the_signature_parks_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned, *others = house.seed(3)
    check = SandboxKdniao._check_envelope

    def strict(kdniao: SandboxKdniao, form: Mapping[str, str], data: dict[str, Any] | None) -> None:
        check(kdniao, form, data)
        if form["RequestType"] == "1007" and poisoned in form["RequestData"]:
            raise Refusal("102", "验证数据签名失败")

    monkeypatch.setattr(SandboxKdniao, "_check_envelope", strict)
    house.poll()

    assert list(house.problems()) == ["kdniao.waybill.text_refused"]
    assert house.step("book_waybill", poisoned).state == "parked"
    assert all(house.shipment(order_sn).waybill_no for order_sn in others)
    assert house.rt.door.ask(CARRIER) is None


# --- a sandbox carrier at a real shop


def test_nothing_of_a_sandbox_carrier_enters_a_real_shop_by_any_step(database_url: str, tmp_path: Path) -> None:
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url, ECSYNC_SHOP_MAIN_ENVIRONMENT="production") as house:
        (order_sn,) = house.seed()
        house.poll()
        number = house.shipment(order_sn).waybill_no
        assert "ecshop.write_back.sandbox_waybill" in house.problems()
        with house.rt.database.writing() as session:  # as if the shop's environment had been wrong at first
            session.execute(update(ShipmentRow).values(noted_at=utc_now()))
        drop_parked(house)
        push(house, pickup_push(house, order_sn, "302", LogisticCode="NEW1", OldLogisticCode=number))
        push(house, snapshot(house, order_sn, PICKED_UP, ("416", "无法联系收件人")))
        house.settle()
        drop_parked(house)
        house.settle()

        assert house.step("write_number", order_sn).state == "done"
        assert house.step("write_remark", order_sn).state == "done"
        shown = house.shop_order(order_sn)
        assert number
        assert (shown.notes, shown.invoice_nos) == ((), ())
        assert not any(number in action.note or "NEW1" in action.note for action in shown.actions)


def drop_parked(house: House) -> None:
    """A person settles what lies on the desk another way."""
    with house.rt.database.writing() as session:
        session.execute(update(StepRow).where(StepRow.state == "parked").values(state="dropped"))
