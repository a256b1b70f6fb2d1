"""A worker may die after any statement, on tables without transactions; the repeat must leave no trace of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mappings.connector import ParcelToWrite
from sync.shops.port import Shop
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
    """A member's whole order: its last steps grant points."""
    yard.order(1, TEA, CUP, BLACK_CUP, GIFT_TEA, DISCOUNT, user_id=1)
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
    yard.order(1, TEA, CUP, GIFT_TEA, user_id=2)
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


def write(shop: Shop, parcel: ParcelToWrite) -> None:
    shop.claim(parcel.shop_order_id, NOW)
    shop.write_note(parcel, NOW)
    shop.mark_shipped(parcel, NOW)


@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_after_any_statement_on_myisam_is_made_good_by_the_repeat(mariadb_yard: Yard, scene: str) -> None:
    die_everywhere(mariadb_yard, SCENES[scene])


def test_a_crash_where_there_are_transactions_is_made_good_too(yard: Yard) -> None:
    die_everywhere(yard, _second)


def die_everywhere(yard: Yard, scene: Callable[[Yard], ParcelToWrite]) -> None:
    parcel, shop = scene(yard), yard.shop()
    assert repeated_after_each_death(yard, lambda: write(shop, parcel)) >= 4


def repeated_after_each_death(yard: Yard, act: Callable[[], None]) -> int:
    """Die after each statement in turn, repeat, and compare with a run that was left in peace; how many there were."""
    fresh = yard.keep()
    with dying_after(0) as statements:
        act()
    undisturbed = yard.dump()
    for died_at in range(1, len(statements) + 1):
        yard.restore(fresh)
        with dying_after(died_at), pytest.raises(Crash):
            act()
        act()
        assert yard.dump() == undisturbed, f"died after {statements[died_at - 1]}"
    return len(statements)


def test_a_crash_while_receiving_or_remarking_is_made_good_by_the_repeat(yard: Yard) -> None:
    parcel, shop = _plain(yard), yard.shop()
    write(shop, parcel)
    assert repeated_after_each_death(yard, lambda: shop.mark_received("1", NOW)) == 2
    assert repeated_after_each_death(yard, lambda: shop.add_remark("1", "已签收。", NOW)) == 1


def test_the_crashes_above_pass_through_the_granting_of_points(mariadb_yard: Yard) -> None:
    """A row of no points and no time is all that a death in between leaves."""
    yard, shop = mariadb_yard, mariadb_yard.shop()
    parcel = _plain(yard)
    fresh = yard.keep()
    seen = set()
    with dying_after(0) as statements:
        write(shop, parcel)
    (full,) = yard.point_log()
    for died_at in range(1, len(statements) + 1):
        yard.restore(fresh)
        with dying_after(died_at), pytest.raises(Crash):
            write(shop, parcel)
        seen.add((yard.points(), tuple(points for points, _, _ in yard.point_log())))
    assert seen == {((0, 0), ()), ((0, 0), (0,)), (full[:2], full[:1])}


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
