"""A worker may die after any statement, on tables without transactions; the repeat must leave no trace of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mappings.connector import ParcelToWrite
from sync.shops.ecshop_sql import EcshopSqlShop
from tests.service.shop.yard import (
    BLACK_CUP,
    CUP,
    DISCOUNT,
    GIFT_TEA,
    NOW,
    PACKAGE,
    TEA,
    Crash,
    Yard,
    dying_after,
    parcel_of,
    staff_note,
    the_order,
)


def _plain(yard: Yard) -> ParcelToWrite:
    yard.order(1, TEA, CUP, BLACK_CUP, GIFT_TEA, DISCOUNT)
    return parcel_of(the_order(yard.shop(), "1"))


def _package(yard: Yard) -> ParcelToWrite:
    yard.order(1, PACKAGE | {"goods_number": 2}, TEA)
    return parcel_of(the_order(yard.shop(), "1"))


def _staff_note(yard: Yard) -> ParcelToWrite:
    yard.order(1, TEA, CUP, order_status=5, shipping_status=5)
    staff_note(yard, "1", TEA, CUP)
    return parcel_of(the_order(yard.shop(), "1"))


def _part(yard: Yard) -> ParcelToWrite:
    """One of two teas and the gift, which is the same goods on another line."""
    yard.order(1, TEA, CUP, GIFT_TEA)
    parcel = parcel_of(the_order(yard.shop(), "1"))
    tea, _, gift = sorted(parcel.line_quantities, key=int)
    return replace(parcel, line_quantities={tea: 1, gift: 1})


def _second(yard: Yard) -> ParcelToWrite:
    """What is left after a first parcel of the same goods was shipped."""
    first = _part(yard)
    write(yard.shop(), replace(first, waybill_no="YT0000"))
    return parcel_of(the_order(yard.shop(), "1"), parcel_no=2)


SCENES: dict[str, Callable[[Yard], ParcelToWrite]] = {
    "several lines": _plain,
    "a package": _package,
    "a staff-made note": _staff_note,
    "a first part": _part,
    "the second part": _second,
}


def write(shop: EcshopSqlShop, parcel: ParcelToWrite) -> None:
    shop.claim(parcel.shop_order_id, NOW)
    shop.write_note(parcel, NOW)
    shop.mark_shipped(parcel, NOW)


@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_after_any_statement_on_myisam_is_made_good_by_the_repeat(mariadb_yard: Yard, scene: str) -> None:
    die_everywhere(mariadb_yard, SCENES[scene])


def test_a_crash_where_there_are_transactions_is_made_good_too(yard: Yard) -> None:
    die_everywhere(yard, _second)


def die_everywhere(yard: Yard, scene: Callable[[Yard], ParcelToWrite]) -> None:
    """Die after each statement in turn, repeat, and compare with a run that was left in peace."""
    parcel, shop = scene(yard), yard.shop()
    fresh = yard.keep()
    with dying_after(0) as statements:
        write(shop, parcel)
    undisturbed = yard.dump()
    assert len(statements) >= 4
    for died_at in range(1, len(statements) + 1):
        yard.restore(fresh)
        with dying_after(died_at), pytest.raises(Crash):
            write(shop, parcel)
        write(shop, parcel)
        assert yard.dump() == undisturbed, f"died after {statements[died_at - 1]}"


def test_a_second_crash_in_the_repeat_is_made_good_too(mariadb_yard: Yard) -> None:
    """MyISAM keeps whatever was written, so the repeat starts from the worst."""
    parcel = _plain(mariadb_yard)
    fresh = mariadb_yard.keep()
    shop = mariadb_yard.shop()
    write(shop, parcel)
    undisturbed = mariadb_yard.dump()
    mariadb_yard.restore(fresh)
    for _ in range(60):
        try:
            with dying_after(2):  # what was done is found done; one statement may be repeated
                write(shop, parcel)
        except Crash:
            continue
        break
    else:
        pytest.fail("two statements at a time never came to an end")
    assert mariadb_yard.dump() == undisturbed


def test_myisam_really_keeps_what_a_dead_worker_wrote(mariadb_yard: Yard) -> None:
    """Otherwise the tests above would prove nothing there."""
    parcel = _plain(mariadb_yard)
    with dying_after(2), pytest.raises(Crash):
        mariadb_yard.shop().write_note(parcel, NOW)
    (note,) = mariadb_yard.ledger("1").notes
    assert len(note.goods) == 1
