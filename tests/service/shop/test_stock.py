"""Stock in the shop's own tables: what may be written, and the sums that must hold whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.model import StockChange
from sync.shops.ecshop_stock import EcshopStock, _set_goods, _set_products
from tests.service.shop.conftest import Kept
from tests.service.shop.stockroom import broken_sums, change, numbers, read, sell, write
from tests.service.shop.yard import (
    CUP,
    TEA,
    Crash,
    Yard,
    dying_after,
    dying_at,
    parcel_of,
    ship,
    the_order,
)


def test_a_product_s_figure_is_set_and_its_goods_show_the_new_sum(yard: Yard) -> None:
    done = write(yard, change(yard, "SBX-CUP-1", 7), change(yard, "SBX-CUP-3", 0), change(yard, "SBX-TEA-100", 12))

    assert done == ["SBX-CUP-1", "SBX-CUP-3", "SBX-TEA-100"]
    assert (yard.stock(2, 1), yard.stock(2, 2), yard.stock(2, 3), yard.stock(2)) == (7, 1000, 0, 1007)
    assert yard.stock(1) == 12
    assert broken_sums(yard) == []


def test_a_database_that_counts_what_it_matched_is_not_asked_again(mariadb_yard: Yard) -> None:
    changes = [change(mariadb_yard, sku, 7) for sku in ("SBX-CUP-1", "SBX-CUP-3", "SBX-SHIRT-1", "SBX-TEA-100")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(EcshopStock, "_those_set", lambda *_, **__: pytest.fail("asked again"))
        assert len(write(mariadb_yard, *changes)) == 4


def test_a_sum_that_had_drifted_is_right_after_a_write(yard: Yard) -> None:
    yard.change(yard.tables.goods, {"goods_id": 2}, goods_number=1)
    write(yard, change(yard, "SBX-CUP-1", 999))

    assert yard.stock(2) == 2999


def test_a_second_write_of_the_same_change_changes_nothing(yard: Yard) -> None:
    first = [change(yard, "SBX-CUP-1", 7), change(yard, "SBX-TEA-100", 12)]
    write(yard, *first)
    before = yard.dump()

    assert write(yard, *first) == []
    assert yard.dump() == before


@pytest.mark.parametrize(("sku", "goods_id", "product_id"), [("SBX-CUP-1", 2, 1), ("SBX-TEA-100", 1, 0)])
def test_a_sale_between_reading_and_writing_is_not_lost(yard: Yard, sku: str, goods_id: int, product_id: int) -> None:
    stale = change(yard, sku, 500)
    other = change(yard, "SBX-SHIRT-1" if product_id else "SBX-LAMP", 77)
    sell(yard, goods_id, product_id)

    assert write(yard, stale, other) == [other.sku], "the others go on"
    assert yard.stock(goods_id, product_id) == 999
    assert broken_sums(yard) == []


@pytest.mark.parametrize(
    "taken", [{"extension_code": "virtual_card"}, {"is_real": 0}, {"is_delete": 1}], ids=lambda row: next(iter(row))
)
@pytest.mark.parametrize("sku", ["SBX-CUP-1", "SBX-TEA-100"])
def test_virtual_cards_and_deleted_goods_are_never_written(yard: Yard, sku: str, taken: dict[str, Any]) -> None:
    asked = change(yard, sku, 3)
    yard.change(yard.tables.goods, {"goods_id": asked.goods_id}, **taken)
    before = yard.dump()

    assert write(yard, asked) == []
    assert yard.dump() == before


def test_goods_that_got_products_meanwhile_keep_their_sum(yard: Yard) -> None:
    asked = change(yard, "SBX-TEA-100", 3)
    yard.put(yard.tables.products, [{"product_id": 90, "goods_id": 1, "product_sn": "T-1", "product_number": 1000}])

    assert write(yard, asked) == []
    assert broken_sums(yard) == []


def test_a_figure_that_fits_no_column_breaks_nothing(mariadb_yard: Yard) -> None:
    """The plan leaves these out; should one come all the same, MySQL must not clamp or stop half-way."""
    yard = mariadb_yard
    yard.change(yard.tables.products, {"product_id": 2}, product_number=60_000)
    before = yard.dump()

    assert write(yard, change(yard, "SBX-CUP-1", 9_000)) == []
    assert yard.dump() == before


def test_many_changes_take_few_statements(yard: Yard) -> None:
    goods = [{"goods_id": 1000 + n, "goods_sn": f"N{n}", "goods_number": 5, "goods_weight": 1} for n in range(450)]
    yard.put(yard.tables.goods, goods)
    products = [
        {"product_id": 1000 + n, "goods_id": 1400 + n % 50, "product_sn": f"P{n}", "product_number": 1}
        for n in range(450)
    ]
    yard.put(yard.tables.products, products)
    changes = [
        change_
        for sku, line in read(yard).items()
        for change_ in [StockChange(sku, line.goods_id, line.product_id, line.number, line.number + 3)]
    ]
    with dying_after(0) as statements:
        done = write(yard, *changes)

    assert len(done) == len(changes) > 850
    assert broken_sums(yard) == []
    if yard.engine.dialect.name == "mysql":
        assert len(statements) <= 6


SOLD = ["SBX-CUP-1", "SBX-CUP-2", "SBX-CUP-3", "SBX-SHIRT-1", "SBX-SHIRT-2", "SBX-TEA-100", "SBX-LAMP"]


@settings(max_examples=30, deadline=None)
@given(
    wanted=st.dictionaries(st.sampled_from(SOLD), st.integers(0, 20_000)),
    sales=st.lists(st.sampled_from([(2, 1), (2, 2), (3, 4)]), max_size=3),
)
def test_whatever_is_written_and_sold_the_sums_hold_and_a_second_write_does_nothing(
    kept_shop: Kept, wanted: dict[str, int], sales: list[tuple[int, int]]
) -> None:
    yard = kept_shop.emptied()
    asked = [change(yard, sku, after) for sku, after in wanted.items() if numbers(yard)[sku] != after]
    for goods_id, product_id in sales:
        sell(yard, goods_id, product_id)
    done = write(yard, *asked)
    shown = numbers(yard)

    assert broken_sums(yard) == []
    assert {sku: shown[sku] for sku in done} == {sku: wanted[sku] for sku in done}
    assert all(number >= 0 for number in shown.values())
    assert write(yard, *asked) == []
    assert numbers(yard) == shown


@pytest.fixture(scope="session", params=["sqlite", "myisam"])
def kept_shop(request: pytest.FixtureRequest) -> Kept:
    """Emptied by the test itself, for each of its examples."""
    kept: Kept = request.getfixturevalue(f"{request.param}_shop")
    return kept


def test_products_are_looked_through_once_a_statement(mariadb_yard: Yard) -> None:
    """2.7.3 has no index on products.goods_id: once more for each of the goods would take minutes in a large shop."""
    yard = mariadb_yard
    in_bulk = [change(yard, "SBX-TEA-100", 5), change(yard, "SBX-LAMP", 5)]
    by_product = [change(yard, "SBX-CUP-1", 5), change(yard, "SBX-SHIRT-1", 5)]
    for statement in (_set_goods(yard.tables, in_bulk), _set_products(yard.tables, by_product, 65535)):
        asked = str(statement.compile(yard.engine, compile_kwargs={"literal_binds": True})).replace("%%", "%")
        with yard.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN {asked}").mappings().all()
        repeated = [row for row in plan if row["select_type"] not in ("PRIMARY", "SIMPLE", "DERIVED")]
        assert {row["table"] for row in repeated} & {"ecs_products", "other"} == set()


def dying_before(writes: int) -> AbstractContextManager[list[str]]:
    """Die right before that many-th UPDATE would be sent."""
    return dying_at(writes, "before_cursor_execute", "UPDATE")


@pytest.mark.parametrize("dying", [dying_after, dying_before])
def test_a_worker_may_die_around_any_statement_and_the_sums_hold(
    yard: Yard, dying: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.shops.ecshop_stock._BATCH", 2)
    wanted = {"SBX-CUP-1": 7, "SBX-CUP-3": 0, "SBX-SHIRT-2": 3, "SBX-TEA-100": 1, "SBX-LAMP": 0, "SBX-BOOK": 2}
    fresh = yard.keep()
    with dying(0) as statements:
        write(yard, *(change(yard, sku, after) for sku, after in wanted.items()))
    undisturbed = yard.dump()
    assert len(statements) >= 4
    for died_at in range(1, len(statements) + 1):
        yard.restore(fresh)
        with dying(died_at), pytest.raises(Crash):
            write(yard, *(change(yard, sku, after) for sku, after in wanted.items()))
        assert broken_sums(yard) == [], f"died at {statements[died_at - 1]}"
        again = [change(yard, sku, after) for sku, after in wanted.items() if numbers(yard)[sku] != after]
        assert write(yard, *again) == [one.sku for one in again]
        assert yard.dump() == undisturbed


def test_the_write_back_and_the_stock_writer_meet_without_losing_a_piece(yard: Yard) -> None:
    yard.order(1, TEA, CUP)
    parcel = parcel_of(the_order(yard.shop(), "1"))
    stale = [change(yard, "SBX-CUP-1", 500), change(yard, "SBX-TEA-100", 500)]
    ship(yard.shop(), parcel)

    assert write(yard, *stale) == []
    assert (yard.stock(2, 1), yard.stock(2), yard.stock(1)) == (999, 2999, 998)
