"""Members' points of a fully shipped order: as the shop's admin grants them, and once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from mappings.shops.ecshop.points import grant_text, take_back_text
from tests.service.shop.test_reading import counting
from tests.service.shop.yard import (
    CARD,
    CUP,
    DISCOUNT,
    GIFT_TEA,
    NOW,
    PACKAGE,
    STORED_NOW,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    ship,
    the_order,
)

LAMP = TEA | {"goods_id": 5, "goods_sn": "SBX-LAMP", "goods_price": 159, "goods_number": 3}
"""Gives 30 points a piece to spend and none for the grade."""
SN = "2026112200001"


def test_a_fully_shipped_order_gives_its_member_points_once(yard: Yard) -> None:
    yard.order(1, TEA, LAMP, user_id=1)
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "1")), times=3)
    assert yard.points() == (256, 256 + 90)
    (row,) = yard.dump()[yard.tables.account_log.name]
    assert (row["rank_points"], row["pay_points"], row["change_type"]) == (256, 346, 99)
    assert (row["change_desc"], row["change_time"]) == (f"订单 {SN} 赠送的积分", STORED_NOW)
    assert yard.points(2) == (0, 0)


@pytest.mark.parametrize(
    ("line", "points"),
    [
        (GIFT_TEA, 0),
        (PACKAGE, 0),
        (DISCOUNT, 0),
        (TEA | {"parent_id": 2}, 0),
        (TEA | {"goods_id": 4000, "goods_sn": "GONE"}, 0),
        (CARD | {"goods_price": 50}, 100),
        (CUP | {"goods_price": "49.99", "goods_number": 1}, 49),
    ],
    ids=["gift", "package", "discount", "accessory", "deleted goods", "virtual card", "fen"],
)
@any_storage
def test_what_a_line_gives_is_what_ecshop_would_give(yard: Yard, line: dict[str, Any], points: int) -> None:
    yard.order(1, TEA | {"goods_number": 1}, line, user_id=1)
    ship(yard.shop(default_weight_g=1), parcel_of(the_order(yard.shop(default_weight_g=1), "1")))
    assert yard.points() == (128 + points, 128 + points)


@pytest.mark.parametrize(
    ("ext_info", "points"),
    [
        ('a:2:{s:13:"gift_integral";i:40;s:7:"deposit";i:0;}', 40),
        ('a:1:{s:13:"gift_integral";s:2:"40";}', 40),
        ('a:1:{s:13:"gift_integral";d:40.9;}', 40),
        ('a:1:{s:7:"deposit";i:5;}', 0),
        ("", 0),
    ],
)
@any_storage
def test_a_group_buy_gives_what_its_campaign_promised(yard: Yard, ext_info: str, points: int) -> None:
    activity = {"act_id": 9, "act_name": "", "act_desc": "", "act_type": 1, "goods_id": 1, "goods_name": "",
                "start_time": 0, "end_time": 0, "is_finished": 3, "ext_info": ext_info}  # fmt: skip
    yard.put(yard.tables.goods_activity, [activity])
    yard.order(1, user_id=1, extension_code="group_buy", extension_id=9, goods_amount="199.90")
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "1")))
    assert yard.points() == (199, points)


def test_part_of_an_order_gives_nothing_yet(yard: Yard) -> None:
    yard.order(1, TEA, CUP, user_id=1)
    whole = parcel_of(the_order(yard.shop(), "1"))
    tea, cup = sorted(whole.line_quantities, key=int)
    ship(yard.shop(), replace(whole, line_quantities={tea: 2}))
    assert (yard.points(), yard.point_log()) == ((0, 0), [])
    ship(yard.shop(), replace(whole, line_quantities={cup: 1}, waybill_no="YT0002", parcel_no=2))
    assert yard.points() == (384, 384)


@pytest.mark.parametrize(("user_id", "config"), [(0, {}), (77, {}), (1, {"grant_points": False})])
@any_storage
def test_a_guest_a_member_who_is_gone_and_a_shop_that_does_it_itself_get_none(
    yard: Yard, user_id: int, config: dict[str, Any]
) -> None:
    yard.order(1, user_id=user_id)
    ship(yard.shop(**config), parcel_of(the_order(yard.shop(), "1")))
    assert yard.ledger("1").shipping_status == 1
    assert (yard.points(), yard.dump()[yard.tables.account_log.name]) == ((0, 0), [])


def _said(text: str, points: int) -> dict[str, Any]:
    return {"user_id": 1, "rank_points": points, "pay_points": points, "change_time": 5, "change_desc": text}


def test_what_staff_granted_by_shipping_the_rest_is_not_granted_again(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, user_id=1)
    parcel = parcel_of(the_order(shop, "1"))
    note_id = int(shop.write_note(parcel, NOW))
    yard.change(yard.tables.delivery_order, {"delivery_id": note_id}, status=0)
    yard.alter("1", shipping_status=1, invoice_no="YT0001")
    yard.put(yard.tables.account_log, [_said(grant_text(SN), 256)])
    yard.change(yard.tables.users, {"user_id": 1}, rank_points=256, pay_points=256)
    shop.mark_shipped(parcel, NOW)
    assert (yard.points(), len(yard.point_log())) == ((256, 256), 1)


def test_points_that_staff_took_back_are_granted_anew_with_the_next_parcel(yard: Yard) -> None:
    yard.put(yard.tables.account_log, [_said(grant_text(SN), 256), _said(take_back_text(SN), -256)])
    yard.order(1, user_id=1)
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "1")), times=2)
    assert yard.points() == (256, 256)
    assert [points for points, _, _ in yard.point_log()] == [256, -256, 256]


@any_storage
def test_the_points_of_another_order_do_not_count(yard: Yard) -> None:
    yard.put(yard.tables.account_log, [_said(grant_text("2026112200002"), 9)])
    yard.order(1, user_id=1)
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "1")))
    assert len(yard.point_log()) == 2


@any_storage
def test_more_points_than_the_log_can_hold_are_cut_to_what_it_holds(yard: Yard) -> None:
    yard.order(1, TEA | {"goods_price": 9_000_000}, user_id=1)
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "1")))
    assert yard.points() == (8_388_607, 8_388_607)


def test_points_cost_four_statements_and_a_guests_order_none(mariadb_yard: Yard) -> None:
    counts = []
    for order_id, user_id, config in ((1, 0, {"grant_points": False}), (2, 0, {}), (3, 1, {})):
        yard_shop = mariadb_yard.shop(**config)
        mariadb_yard.order(order_id, user_id=user_id)
        parcel = parcel_of(the_order(yard_shop, str(order_id)), f"YT{order_id}")
        yard_shop.write_note(parcel, NOW)
        with counting() as statements:
            yard_shop.mark_shipped(parcel, NOW)
        counts.append(len(statements))
    assert (counts[1] - counts[0], counts[2] - counts[0]) == (0, 4)


def test_staff_who_grant_at_the_same_moment_are_the_ones_who_did(mariadb_yard: Yard) -> None:
    """They write between our look at the log and our line in it."""
    yard, shop = mariadb_yard, mariadb_yard.shop()
    yard.order(1, user_id=1)
    parcel = parcel_of(the_order(shop, "1"))
    shop.write_note(parcel, NOW)
    staff: list[str] = []

    def grant(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO ecs_account_log") and not staff:
            staff.append("came")
            yard.put(yard.tables.account_log, [_said(grant_text(SN), 256)])
            yard.change(yard.tables.users, {"user_id": 1}, rank_points=256, pay_points=256)

    event.listen(Engine, "before_cursor_execute", grant)
    try:
        shop.mark_shipped(parcel, NOW)
    finally:
        event.remove(Engine, "before_cursor_execute", grant)
    assert (yard.points(), [points for points, _, _ in yard.point_log()]) == ((256, 256), [256])
