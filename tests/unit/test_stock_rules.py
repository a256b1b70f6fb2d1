"""What the shop must show of a SKU, and what one run may change: pure rules, held against what is really there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import PermanentError
from mappings.model import StockChange, StockLine, StockMode
from mappings.shops.ecshop.stock import (
    NEVER_GUARDED,
    Demand,
    Reckoning,
    StockRules,
    largest_number,
    plan_stock,
    reckon,
    stock_mode,
)

AT_ORDER, AT_SHIPPING = StockMode.AT_ORDER, StockMode.AT_SHIPPING
RULES = StockRules(AT_SHIPPING)

# --- one figure


@pytest.mark.parametrize(
    ("mode", "available", "unshipped", "demand", "safety", "shown"),
    [
        (AT_ORDER, 10, 0, Demand(), 0, 10),
        (AT_ORDER, 10, 3, Demand(known=3), 0, 10),
        (AT_ORDER, 10, 3, Demand(), 0, 7),
        (AT_ORDER, 10, 5, Demand(known=3), 0, 8),
        (AT_ORDER, 10, 0, Demand(unreported=4), 0, 6),
        (AT_ORDER, 2, 5, Demand(), 0, 0),
        (AT_ORDER, -3, 0, Demand(), 0, 0),
        (AT_ORDER, 10, 3, Demand(), 4, 3),
        (AT_ORDER, 3, 0, Demand(), 4, 0),
        (AT_SHIPPING, 10, 0, Demand(), 0, 10),
        (AT_SHIPPING, 10, 3, Demand(known=3), 0, 13),
        (AT_SHIPPING, 10, 3, Demand(), 0, 10),
        (AT_SHIPPING, 10, 5, Demand(known=3), 0, 13),
        (AT_SHIPPING, 10, 0, Demand(unreported=4), 0, 6),
        (AT_SHIPPING, 0, 3, Demand(known=3), 0, 3),
        (AT_SHIPPING, -1, 3, Demand(known=3), 0, 2),
        (AT_SHIPPING, -9, 3, Demand(known=3), 0, 0),
        (AT_SHIPPING, 10, 3, Demand(known=3), 4, 9),
        (AT_SHIPPING, 2, 3, Demand(known=3), 4, 3),
        (AT_SHIPPING, -1, 3, Demand(known=3), 4, 2),
    ],
)
def test_a_figure_is_what_its_mode_makes_of_the_erp_s(
    mode: StockMode, available: int, unshipped: int, demand: Demand, safety: int, shown: int
) -> None:
    assert reckon(mode, available, unshipped, demand, safety).shown == shown


def test_what_staff_shipped_a_moment_ago_is_not_given_back_to_the_shop() -> None:
    """We still believe it unsent; the shop's own tables know better."""
    assert reckon(AT_SHIPPING, 10, 0, Demand(known=3)).shown == 10


@pytest.mark.parametrize(
    ("mode", "available", "unshipped", "demand", "short"),
    [
        (AT_SHIPPING, 0, 3, Demand(known=3), 0),
        (AT_SHIPPING, -1, 3, Demand(known=3), 1),
        (AT_SHIPPING, -9, 3, Demand(known=3), 3),
        (AT_SHIPPING, 2, 3, Demand(known=3, unreported=4), 2),
        (AT_SHIPPING, -5, 0, Demand(), 0),  # negative by a setting of the ERP's, and nobody waits for it
        (AT_ORDER, -1, 3, Demand(known=3), 1),
        (AT_ORDER, 0, 5, Demand(known=3), 0),  # an order that is on its way to the ERP is no shortage
    ],
)
def test_what_open_orders_were_promised_and_is_not_there_is_short(
    mode: StockMode, available: int, unshipped: int, demand: Demand, short: int
) -> None:
    assert reckon(mode, available, unshipped, demand).short == short


def test_a_figure_can_be_reckoned_up_from_its_parts() -> None:
    assert reckon(AT_SHIPPING, 10, 5, Demand(known=3, unreported=1), 2) == Reckoning(10, 1, 2, 3)
    assert reckon(AT_ORDER, 10, 5, Demand(known=3, unreported=1), 2) == Reckoning(10, 3, 2, 0)


ORDERS = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.booleans()), max_size=12)
"""Quantity, whether it was pushed to the ERP, whether it was shipped."""


@given(on_hand=st.integers(0, 60), orders=ORDERS)
def test_the_figure_is_what_is_really_there(on_hand: int, orders: list[tuple[int, bool, bool]]) -> None:
    """At shipping: what lies in the house. At order: what nobody has ordered yet."""
    available = on_hand - sum(q for q, pushed, _ in orders if pushed)
    unshipped = sum(q for q, _, shipped in orders if not shipped)
    demand = Demand(
        known=sum(q for q, pushed, shipped in orders if pushed and not shipped),
        unreported=sum(q for q, pushed, shipped in orders if shipped and not pushed),
    )

    assert reckon(AT_SHIPPING, available, unshipped, demand).shown == max(
        0, on_hand - sum(q for q, _, shipped in orders if shipped)
    )
    assert reckon(AT_ORDER, available, unshipped, demand).shown == max(0, on_hand - sum(q for q, _, _ in orders))


@given(
    mode=st.sampled_from([AT_ORDER, AT_SHIPPING]),
    available=st.integers(-50, 50),
    unshipped=st.integers(0, 50),
    known=st.integers(0, 80),
    unreported=st.integers(0, 80),
    safety=st.integers(0, 20),
)
def test_a_figure_is_never_negative_and_safety_never_adds_or_takes_what_is_promised(
    mode: StockMode, available: int, unshipped: int, known: int, unreported: int, safety: int
) -> None:
    demand = Demand(known, unreported)
    plain, careful = (reckon(mode, available, unshipped, demand, kept).shown for kept in (0, safety))

    assert 0 <= careful <= plain
    assert plain - careful <= safety
    if mode is AT_SHIPPING:
        assert careful >= min(plain, known, unshipped), "or staff could not ship what is ordered"


# --- the shop's configuration


@pytest.mark.parametrize(
    ("use_storage", "stock_dec_time", "keep_stock", "mode"),
    [
        ("1", "0", True, AT_SHIPPING),
        ("1", "1", True, AT_ORDER),
        ("1", "1", False, AT_ORDER),
        ("0", "0", False, StockMode.OFF),
        (None, None, False, StockMode.OFF),
        ("1", None, True, AT_SHIPPING),
    ],
)
def test_the_mode_follows_from_the_shop_s_configuration(
    use_storage: str | None, stock_dec_time: str | None, keep_stock: bool, mode: StockMode
) -> None:
    assert stock_mode(use_storage, stock_dec_time, keep_stock=keep_stock) is mode


def test_two_writers_of_one_stock_are_refused_with_what_to_do() -> None:
    with pytest.raises(PermanentError, match="KEEP_STOCK=1"):
        stock_mode("1", "0", keep_stock=False)


@pytest.mark.parametrize(
    ("column", "most"),
    [
        ("smallint(5) unsigned", 65535),
        ("mediumint(8) unsigned", 16777215),
        ("int(10) unsigned", 4294967295),
        ("int unsigned", 4294967295),
        ("SMALLINT(6)", 32767),
        ("varchar(10)", None),
        ("point", None),
    ],
)
def test_a_column_s_type_says_what_it_holds(column: str, most: int | None) -> None:
    assert largest_number(column) == most


# --- the plan


def line(sku: str, number: int, goods_id: int = 0, product_id: int = 0, **more: Any) -> StockLine:
    return StockLine(sku, goods_id or hash(sku) % 10_000 + 100, product_id, number, **more)


def lines(count: int, number: int = 10) -> list[StockLine]:
    return [StockLine(f"S{n}", n + 1, 0, number) for n in range(count)]


def test_only_what_differs_is_changed_from_what_is_shown() -> None:
    plan = plan_stock([line("A", 5, 1), line("B", 5, 2)], {"A": 5, "B": 7}, {}, RULES)

    assert plan.changes == (StockChange("B", 2, 0, 5, 7),)


def test_what_the_erp_is_silent_about_is_left_alone_and_counted() -> None:
    plan = plan_stock([line("A", 5), line("B", 5)], {"A": 5, "C": 9}, {}, RULES)

    assert (plan.changes, plan.silent) == ((), ("B",))


def test_a_blank_or_shared_number_is_never_guessed() -> None:
    sold = [line("", 5, 1), line("A", 5, 2), line("A", 5, 3), line("B", 5, 4)]
    plan = plan_stock(sold, {"": 1, "A": 1, "B": 1}, {}, RULES)

    assert [change.sku for change in plan.changes] == ["B"]
    assert plan.unclear == ("", "A")


@pytest.mark.parametrize(
    ("wanted", "set_", "held"),
    [
        ({"A": 65535}, ["A"], ()),
        ({"A": 65536}, [], ("A",)),
        ({"P1": 30000, "P2": 30000, "P3": 5535}, ["P1", "P2", "P3"], ()),
        ({"P1": 30000, "P2": 30000, "P3": 30000}, [], ("P1", "P2", "P3")),
        ({"P1": 3, "P2": 65535}, ["P1"], ("P2",)),
        ({"P1": 3, "P2": 70000, "A": 9}, ["A", "P1"], ("P2",)),
    ],
    ids=str,
)
def test_a_figure_or_sum_that_fits_no_column_is_held_back_and_named(
    wanted: dict[str, int], set_: list[str], held: tuple[str, ...]
) -> None:
    products = [StockLine(f"P{n}", 7, n, 5, limit=65535) for n in (1, 2, 3)]
    plan = plan_stock([line("A", 5, 1, limit=65535), *products], wanted, {}, RULES)

    assert (sorted(change.sku for change in plan.changes), plan.too_large) == (set_, held)


@pytest.mark.parametrize(
    ("count", "zeroed", "is_guarded"),
    [(10, NEVER_GUARDED, False), (10, NEVER_GUARDED + 1, True), (100, 20, False), (100, 21, True), (3, 3, False)],
)
def test_a_run_may_zero_a_few_skus_or_a_fifth(count: int, zeroed: int, is_guarded: bool) -> None:
    available = {f"S{n}": 0 if n < zeroed else 10 for n in range(count)}
    plan = plan_stock(lines(count), available, {}, RULES)

    assert bool(plan.guard) == is_guarded
    assert len(plan.changes) == zeroed, "what is held back can still be looked at"


def test_skus_that_are_sold_out_already_do_not_make_the_share_smaller() -> None:
    sold = [*lines(10), *(replace(one, sku=f"out-{one.sku}", number=0) for one in lines(90))]

    assert plan_stock(sold, {one.sku: 0 for one in sold}, {}, RULES).guard.startswith("10 of 10 SKUs")


@pytest.mark.parametrize(("to", "is_guarded"), [(5, False), (4, True), (11, False)])
def test_a_run_may_lower_half_of_all_pieces(to: int, is_guarded: bool) -> None:
    plan = plan_stock(lines(20), {f"S{n}": to for n in range(20)}, {}, RULES)

    assert bool(plan.guard) == is_guarded
    assert ("pieces" in plan.guard) == is_guarded


def test_a_handful_of_skus_may_fall_as_far_as_they_like() -> None:
    assert plan_stock(lines(NEVER_GUARDED), {f"S{n}": 1 for n in range(NEVER_GUARDED)}, {}, RULES).guard == ""


def test_the_caps_are_settings() -> None:
    free = StockRules(AT_SHIPPING, most_zeroed_percent=100, most_lowered_percent=100)

    assert plan_stock(lines(50), {f"S{n}": 0 for n in range(50)}, {}, free).guard == ""


SHOP = st.lists(
    st.builds(
        StockLine,
        sku=st.sampled_from(["", "A", "B", "C", "D", "E", "F"]),
        goods_id=st.integers(1, 4),
        product_id=st.integers(0, 3),
        number=st.integers(0, 200),
        unshipped=st.integers(0, 20),
        limit=st.sampled_from([None, 255]),
    ),
    max_size=9,
)


@given(
    sold=SHOP,
    available=st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(-20, 300)),
    mode=st.sampled_from([AT_ORDER, AT_SHIPPING]),
)
def test_carrying_a_plan_out_leaves_nothing_to_change_and_breaks_no_column(
    sold: list[StockLine], available: dict[str, int], mode: StockMode
) -> None:
    rules = StockRules(mode)
    plan = plan_stock(sold, available, {}, rules)
    after = {change.sku: change.after for change in plan.changes}
    then = [replace(one, number=after.get(one.sku, one.number)) for one in sold]

    assert all(change.after >= 0 and change.after != change.before for change in plan.changes)
    assert plan_stock(then, available, {}, rules).changes == ()
    for goods_id in {one.goods_id for one in sold if one.limit}:
        before, now = (sum(one.number for one in some if one.goods_id == goods_id) for some in (sold, then))
        assert now <= max(before, 255 if all(o.limit for o in sold if o.goods_id == goods_id) else now)
