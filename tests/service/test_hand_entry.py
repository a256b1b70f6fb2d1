"""Courier companies without an interface: staff write the waybill and type its number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from mappings.waybill_number import parse_waybill_number
from sync import cli
from sync.db.models import AuditRow, OrderRow, StepRow
from sync.db.steps import StepBook
from sync.sandbox.kdniao import SandboxKdniao
from sync.services.enter_number import Entered, NumberRefused, enter_number
from sync.services.parcels import adopt_shipped
from sync.services.poll_shop import poll_shop
from sync.services.push_now import push_now
from sync.services.show_order import show_order
from sync.settings import SettingsError
from tests.service.house import SHOP, House, open_house
from tests.service.test_tracking import DELIVERED, PICKED_UP, push, snapshot

NEEDED = "manual.waybill.number_needed"


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Callable[..., AbstractContextManager[House]]:
    def open_it(**more: str | None) -> AbstractContextManager[House]:
        settings: dict[str, str | None] = {"ECSYNC_CARRIERS": "manual,kdniao", "ECSYNC_DATABASE_URL": database_url}
        return open_house(tmp_path, sandbox=None, **(settings | more))

    return open_it


@pytest.fixture
def hand_house(opened: Callable[..., AbstractContextManager[House]]) -> Iterator[House]:
    """Numbers are entered by hand, and KDNiao follows them."""
    with opened(ECSYNC_CARRIER_MANUAL_TRACK_BY="kdniao") as house:
        yield house


@pytest.fixture
def lonely_house(opened: Callable[..., AbstractContextManager[House]]) -> Iterator[House]:
    """Nobody follows the numbers."""
    with opened() as house:
        yield house


def parked(house: House) -> str:
    """A paid order that waits for its number."""
    (order_sn,) = house.seed()
    house.poll()
    assert house.step("book_waybill", order_sn).state == "parked"
    return order_sn


def enter(house: House, order_sn: str, number: str = "YT7300000000001", **more: Any) -> Entered:
    entered = enter_number(house.rt, order_sn, number, actor="li.lei", **more)
    house.serve(list(entered.wakes))
    return entered


def test_a_parcel_waits_for_a_person_and_no_platform_is_asked(hand_house: House) -> None:
    order_sn = parked(hand_house)

    assert f"ecsync order number {order_sn} WAYBILL_NO" in hand_house.problems()[NEEDED]
    assert hand_house.calls("book_waybill") == 0
    assert hand_house.shop_order(order_sn).invoice_nos == ()


def test_an_entered_number_reaches_the_shop_and_is_subscribed(hand_house: House) -> None:
    order_sn = parked(hand_house)
    entered = enter(hand_house, order_sn, shipper_code="YTO")
    hand_house.settle()

    shipment = hand_house.shipment(order_sn)
    assert (shipment.waybill_no, shipment.shipper_code, shipment.peer) == ("YT7300000000001", "YTO", "carrier.kdniao")
    assert entered.followed_by == "carrier.kdniao"
    assert hand_house.calls("subscribe_tracking") == 1
    assert hand_house.step("write_note", order_sn).state == "done"
    assert hand_house.problems() == {}
    assert hand_house.step("book_waybill", order_sn).state == "done"


def test_an_entered_number_is_followed_to_its_delivery(hand_house: House) -> None:
    order_sn = parked(hand_house)
    enter(hand_house, order_sn, shipper_code="YTO")
    push(hand_house, snapshot(hand_house, order_sn, PICKED_UP, DELIVERED))
    hand_house.settle()

    assert hand_house.shipment(order_sn).status == "delivered"
    assert hand_house.shop_order(order_sn).invoice_nos == ("YT7300000000001",)


def test_no_courier_is_booked_for_a_waybill_that_was_written_by_hand(
    opened: Callable[..., AbstractContextManager[House]],
) -> None:
    with opened(ECSYNC_CARRIER_MANUAL_TRACK_BY="kdniao", ECSYNC_CARRIER_KDNIAO_PICKUP="booked") as house:
        order_sn = parked(house)
        enter(house, order_sn, shipper_code="YTO")
        house.settle()
        with house.rt.database.reading() as session:
            owed = list(session.execute(select(StepRow.name)).scalars())

    assert "book_pickup" not in owed


def test_the_audit_says_who_entered_it(hand_house: House) -> None:
    order_sn = parked(hand_house)
    enter(hand_house, order_sn, shipper_code="YTO")
    with hand_house.rt.database.reading() as session:
        (row,) = session.execute(select(AuditRow)).scalars()

    assert (row.actor, row.action) == ("li.lei", "parcels.number")
    assert "YT7300000000001 (YTO)" in row.reason


def test_a_number_that_nobody_follows_is_written_as_shipped_at_once(lonely_house: House) -> None:
    order_sn = parked(lonely_house)
    entered = enter(lonely_house, order_sn)
    lonely_house.settle()

    shipment = lonely_house.shipment(order_sn)
    assert entered.followed_by == ""
    assert (shipment.peer, shipment.pickup_due_from, shipment.heard_at) == ("carrier.manual", None, None)
    assert lonely_house.shop_order(order_sn).invoice_nos == ("YT7300000000001",)
    assert (lonely_house.order(order_sn).status, lonely_house.order(order_sn).state) == ("shipped", "done")
    assert lonely_house.calls("subscribe_tracking") == 0
    assert lonely_house.problems() == {}


def test_a_number_of_another_parcel_is_refused(hand_house: House) -> None:
    first, second = hand_house.seed(2)
    hand_house.poll()
    enter(hand_house, first, shipper_code="YTO")
    with pytest.raises(NumberRefused, match=f"that of a parcel of order {first}"):
        enter(hand_house, second)

    assert hand_house.shipment(second).waybill_no == ""
    assert list(hand_house.problems()) == [NEEDED]


def test_a_second_number_for_a_parcel_is_refused(hand_house: House) -> None:
    order_sn = parked(hand_house)
    enter(hand_house, order_sn, shipper_code="YTO")
    with pytest.raises(NumberRefused, match="waits for a number by hand"):
        enter(hand_house, order_sn, "YT7300000000002")

    assert hand_house.shipment(order_sn).waybill_no == "YT7300000000001"


@pytest.mark.parametrize(
    "text", ["1", "单号12345678", "YT 12_34567", "X" * 41, "ABCDEFGH", "-YT12345678", "YT12345';--"]
)
def test_what_is_no_waybill_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="waybill number"):
        parse_waybill_number(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (" yt7300000000001 ", "YT7300000000001"),
        ("YT７３０００００００００１", "YT730000000001"),
        ("JD-0012-34", "JD-0012-34"),
    ],
)
def test_a_number_is_taken_as_people_type_it(text: str, number: str) -> None:
    assert parse_waybill_number(text) == number


def test_a_bad_number_changes_nothing(hand_house: House) -> None:
    order_sn = parked(hand_house)
    for number, shipper in (("12", ""), ("YT7300000000001", "中通"), ("YT7300000000001", "X" * 21)):
        with pytest.raises(NumberRefused, match="Nothing was changed"):
            enter(hand_house, order_sn, number, shipper_code=shipper)
    with pytest.raises(NumberRefused, match="waits for a number"):
        enter(hand_house, order_sn, parcel_no=7)
    with pytest.raises(NumberRefused, match="We hold no order"):
        enter(hand_house, "2026000000000")

    assert hand_house.step("book_waybill", order_sn).state == "parked"


def test_a_withdrawn_order_takes_no_number(hand_house: House) -> None:
    order_sn = parked(hand_house)
    hand_house.cancel(order_sn)
    hand_house.poll()
    with pytest.raises(NumberRefused):
        enter(hand_house, order_sn)


def test_a_withdrawn_parcel_is_voided_by_a_person_and_not_by_its_follower(hand_house: House) -> None:
    order_sn = parked(hand_house)
    enter(hand_house, order_sn, shipper_code="YTO")
    hand_house.cancel(order_sn)
    hand_house.poll()
    hand_house.settle()

    assert hand_house.step("cancel_waybill", order_sn).peer == "carrier.manual"
    assert hand_house.calls("cancel_waybill") == 0
    assert "written by hand" in hand_house.problems()["manual.cancel.by_hand"]


def test_a_number_that_staff_typed_into_the_shop_is_followed_too(hand_house: House) -> None:
    order_sn = parked(hand_house)
    with hand_house.rt.database.writing() as session:
        book = StepBook(session)
        row = session.get_one(OrderRow, hand_house.order(order_sn).id)
        adopt_shipped(hand_house.rt, book, row, ["YT7300000000009"], hand_house.rt.clock.now())
    hand_house.serve(book.wakes)

    assert hand_house.shipment(order_sn).peer == "carrier.kdniao"
    sandbox = cast(SandboxKdniao, hand_house.peers._peers["carrier"])
    assert "YT7300000000009" in sandbox._by_waybill
    assert NEEDED not in hand_house.problems()


def test_the_order_page_shows_the_number_and_who_follows_it(hand_house: House) -> None:
    order_sn = parked(hand_house)
    enter(hand_house, order_sn, shipper_code="YTO")

    (parcel,) = show_order(hand_house.rt, hand_house.order(order_sn))["parcels"]
    assert (parcel["waybill_no"], parcel["carrier"]) == ("YT7300000000001", "carrier.kdniao")


def test_pushing_an_order_again_parks_it_again_and_asks_nobody(hand_house: House) -> None:
    order_sn = parked(hand_house)
    push_now(hand_house.rt, order_sn, retry_parked=True)
    poll_shop(hand_house.rt, SHOP)

    assert list(hand_house.problems()) == [NEEDED]
    assert hand_house.calls("book_waybill") == 0


@pytest.mark.parametrize("name", ["yunda", "manual"])
def test_only_a_carrier_that_is_called_can_follow(
    opened: Callable[..., AbstractContextManager[House]], name: str
) -> None:
    with (
        pytest.raises(SettingsError, match="ECSYNC_CARRIER_MANUAL_TRACK_BY"),
        opened(ECSYNC_CARRIER_MANUAL_TRACK_BY=name),
    ):
        pass


def test_the_shell_takes_the_number_and_tells_the_shop_at_once(
    hand_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_sn = parked(hand_house)
    monkeypatch.setattr(cli, "Runtime", lambda settings: hand_house.rt)
    monkeypatch.setattr(cli, "load_settings", lambda: hand_house.rt.settings)
    words = ["order", "number", order_sn, "yt7300000000001", "--shipper", "yto", "--json"]
    result = CliRunner().invoke(cli.main, words, catch_exceptions=False)
    again = CliRunner().invoke(cli.main, words, catch_exceptions=False)

    said = json.loads(result.stdout)
    assert (said["waybill_no"], said["shipper_code"]) == ("YT7300000000001", "YTO")
    assert {row["result"] for row in said["did"]} == {"ok"}
    assert hand_house.step("write_note", order_sn).state == "done"
    assert again.exit_code == 1
    assert "waits for a number by hand" in json.loads(again.stdout)["error"]
