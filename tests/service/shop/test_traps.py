"""Why parcels are written as they are: the same order written at the first attempt, and by us."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sync.shops.port import Standing
from tests.contract import ecshop_naive as naive
from tests.service.shop.yard import (
    BLACK_CUP,
    CUP,
    NOW,
    STORED_NOW,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    refused,
    ship,
    the_order,
)


def ship_naively(yard: Yard, order_id: int = 1, number: str = "YT0001", *, times: int = 1) -> None:
    for _ in range(times):
        with yard.engine.begin() as connection:
            naive.ship(connection, order_id, number, NOW)


def return_in_admin(yard: Yard, user_id: int, points: int) -> None:
    """Of all that the admin's return does, what it takes from the member."""
    with yard.engine.begin() as connection:
        taken = "UPDATE ecs_users SET rank_points = rank_points - :points, pay_points = pay_points - :points"
        connection.execute(text(f"{taken} WHERE user_id = :user"), {"points": points, "user": user_id})


@any_storage
def test_what_is_shipped_twice_costs_its_stock_once(yard: Yard) -> None:
    """An answer that was lost is asked for again, here as in the admin."""
    for order_id in (1, 2):
        yard.order(order_id)
    ship_naively(yard, times=2)
    assert (yard.stock(1), len(yard.ledger("1").actions)) == (996, 2)
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "2")), times=2)
    assert yard.stock(1) == 994


@any_storage
def test_a_colours_stock_and_that_of_its_goods_stay_in_step(yard: Yard) -> None:
    """The goods' number is the sum of the products', and lines without a product count as well."""
    for order_id in (1, 2):
        yard.order(order_id, TEA, CUP, BLACK_CUP)
    ship_naively(yard)
    sums = [sum(yard.stock(2, product) for product in (1, 2, 3))]
    assert (yard.stock(2), sums) == (2998, [3000])
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "2")))
    assert (yard.stock(2), sum(yard.stock(2, product) for product in (1, 2, 3))) == (2996, 2998)
    assert yard.stock(1) == 996


@any_storage
def test_the_second_parcel_leaves_the_first_ones_number(yard: Yard) -> None:
    for order_id in (1, 2):
        yard.order(order_id, TEA, CUP)
    ship_naively(yard, 1, "YT0001")
    ship_naively(yard, 1, "YT0002")
    assert yard.ledger("1").invoice_nos == ("YT0002",)
    shop = yard.shop()
    whole = parcel_of(the_order(shop, "2"))
    tea, cup = sorted(whole.line_quantities, key=int)
    ship(shop, replace(whole, line_quantities={tea: 2}))
    ship(shop, replace(whole, line_quantities={cup: 1}, waybill_no="YT0002", parcel_no=2))
    assert yard.ledger("2").invoice_nos == ("YT0001", "YT0002")


@any_storage
def test_one_parcel_of_two_does_not_ship_the_order(yard: Yard) -> None:
    for order_id in (1, 2):
        yard.order(order_id, TEA, CUP)
    ship_naively(yard)
    assert str(yard.shop().read_standings(["1"])["1"]) == "shipped"  # and the cup is forgotten
    whole = parcel_of(the_order(yard.shop(), "2"))
    tea = min(whole.line_quantities, key=int)
    ship(yard.shop(), replace(whole, line_quantities={tea: 2}))
    assert str(yard.shop().read_standings(["2"])["2"]) == "owed"
    assert [(line.sku, line.quantity) for line in the_order(yard.shop(), "2").lines] == [("SBX-CUP-1", 1)]


@any_storage
def test_an_order_that_was_merged_is_not_written_into_nothing(yard: Yard) -> None:
    ship_naively(yard, 55)
    assert [row["order_id"] for row in yard.dump()[yard.tables.order_action.name]] == [55]
    yard.order(1)
    gone = replace(parcel_of(the_order(yard.shop(), "1")), shop_order_id="56")
    assert refused(yard, lambda: yard.shop().mark_shipped(gone, NOW)) == "ecshop.write_back.order_gone"
    assert yard.shop().read_standings(["56"]) == {"56": Standing.GONE}


@any_storage
def test_an_order_cancelled_in_between_is_not_shipped(yard: Yard) -> None:
    for order_id in (1, 2):
        yard.order(order_id)
    parcel = parcel_of(the_order(yard.shop(), "2"))
    for key in ("1", "2"):
        yard.alter(key, order_status=2, pay_status=0)
    ship_naively(yard)
    assert (yard.ledger("1").order_status, yard.ledger("1").shipping_status) == (2, 1)
    assert refused(yard, lambda: yard.shop().mark_shipped(parcel, NOW)) == "ecshop.write_back.order_withdrawn"


@any_storage
def test_a_return_finds_the_notes_and_quantities_that_it_takes_back(yard: Yard) -> None:
    for order_id in (1, 2):
        yard.order(order_id)
    ship_naively(yard)
    assert (yard.ledger("1").order_status, yard.ledger("1").notes) == (1, ())
    assert list(yard.ledger("1").sent.values()) == [(0, 2)]
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "2")))
    assert (yard.ledger("2").order_status, len(yard.ledger("2").notes)) == (5, 1)
    assert list(yard.ledger("2").sent.values()) == [(2, 2)]


@any_storage
def test_times_are_written_by_the_shops_own_clock(yard: Yard) -> None:
    for order_id in (1, 2):
        yard.order(order_id)
    ship_naively(yard)
    assert yard.ledger("1").shipping_time == STORED_NOW + 28800  # shown as eight hours from now
    ship(yard.shop(), replace(parcel_of(the_order(yard.shop(), "2")), shipped_at=NOW))
    assert yard.ledger("2").shipping_time == STORED_NOW


@any_storage
def test_a_return_takes_no_points_that_were_never_given(yard: Yard) -> None:
    yard.order(1, user_id=1)
    yard.order(2, user_id=2)
    ship_naively(yard)
    return_in_admin(yard, 1, 256)
    assert yard.points(1) == (-256, -256)
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "2")))
    return_in_admin(yard, 2, 256)
    assert yard.points(2) == (0, 0)


def test_stock_below_zero_is_an_error_to_the_server_and_none_to_us(mariadb_yard: Yard) -> None:
    """Whatever its sql_mode: ECShop silences the error, and its stock does not move at all."""
    yard = mariadb_yard
    for order_id in (1, 2):
        yard.order(order_id)
    yard.change(yard.tables.goods, {"goods_id": 1}, goods_number=1)
    with yard.engine.connect() as connection:
        connection.execute(text("SET SESSION sql_mode = ''"))
        with pytest.raises(DBAPIError) as caught:
            naive.ship(connection, 1, "YT0001", NOW)
    assert caught.value.orig is not None
    assert caught.value.orig.args[0] == 1690
    assert (yard.stock(1), yard.ledger("1").shipping_status, yard.ledger("1").actions) == (1, 1, ())
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "2")))
    assert (yard.stock(1), yard.ledger("2").shipping_status) == (0, 1)
