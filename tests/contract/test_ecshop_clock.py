"""What the numbers of a shop tell of its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mappings.shops.ecshop.clock import ShopClock
from tests.contract.ecshop_recorded import NAMES, recorded

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def clock_of(placed: list[datetime], offset_s: int, *, plain: int = 0) -> ShopClock:
    """Orders placed at these true times in a shop of this offset; the last `plain` of them by the mobile API."""
    zone = timezone(timedelta(seconds=offset_s))
    orders = []
    for index, at in enumerate(placed):
        is_plain = index >= len(placed) - plain
        stored = int(at.timestamp()) - (0 if is_plain else offset_s)
        orders.append((f"{at.astimezone(zone):%Y%m%d}{index:05d}", stored))
    return ShopClock.read(orders, [], NOW)


def through_a_day(count: int = 48) -> list[datetime]:
    """Every half hour of the day before, the newest just now."""
    return [NOW - timedelta(minutes=30 * step, seconds=30) for step in reversed(range(count))]


def test_the_notes_of_a_real_shop_tell_its_offset_exactly() -> None:
    fixtures = [recorded(name) for name in NAMES]
    orders = [(one["order_info"]["order_sn"], one["order_info"]["add_time"]) for one in fixtures]
    notes = [(row["delivery_sn"], row["update_time"]) for one in fixtures for row in one["delivery_order"]]
    clock = ShopClock.read(orders, notes, NOW)
    assert (clock.offsets(), clock.likely(), clock.agrees(28800)) == ((28800,), 28800, True)
    assert [offset for offset in range(-43200, 50401, 900) if clock.agrees(offset)] == [28800]


@pytest.mark.parametrize("offset_s", [28800, 0, 25200, -18000, 20700])
def test_orders_through_a_day_tell_the_offset_without_any_note(offset_s: int) -> None:
    clock = clock_of(through_a_day(), offset_s)
    assert (offset_s in clock.offsets(), clock.agrees(offset_s)) == (True, True)
    for wrong in (28800, 0, 14400, 36000):
        assert clock.agrees(wrong) == (wrong == offset_s)


def test_orders_of_the_mobile_api_are_told_apart_and_do_not_shift_the_offset() -> None:
    clock = clock_of(through_a_day(96), 28800, plain=24)
    assert clock.agrees(28800)
    assert not clock.agrees(0)
    assert clock.plain(28800) >= 12


def test_a_shop_of_mobile_orders_alone_is_not_told_a_wrong_offset() -> None:
    placed = [NOW.replace(hour=14) - timedelta(days=day) for day in range(1, 9)]
    assert clock_of(placed, 28800, plain=8).agrees(28800)


def test_one_order_leaves_a_choice_and_china_is_proposed() -> None:
    clock = clock_of([NOW - timedelta(minutes=10)], 28800)
    assert len(clock.offsets()) > 1
    assert clock.likely() == 28800
    assert not clock.agrees(57600)


def test_numbers_of_another_form_say_nothing() -> None:
    clock = ShopClock.read([("A-1", 5), ("2026139900001", 5), ("2026112200001", 0)], [("ERP-7", 5), ("x", None)], NOW)
    assert clock.rows == 0
