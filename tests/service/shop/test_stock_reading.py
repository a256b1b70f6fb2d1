"""Stock in the shop's own tables: what it shows, and what of it is ordered and not sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.model import StockChange, StockLine, StockMode
from tests.service.shop.stockroom import configure, read, write
from tests.service.shop.yard import (
    BLACK_CUP,
    CUP,
    NOW,
    PACKAGE,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    staff_note,
    the_order,
)

AT_ORDER = {"stock_dec_time": "1"}


def test_products_are_read_where_there_are_some_and_else_the_goods(yard: Yard) -> None:
    found = read(yard)

    assert found["SBX-TEA-100"] == StockLine("SBX-TEA-100", 1, 0, 1000, 0, found["SBX-TEA-100"].limit)
    assert (found["SBX-CUP-2"].goods_id, found["SBX-CUP-2"].product_id, found["SBX-CUP-2"].number) == (2, 2, 1000)
    assert "SBX-CUP" not in found


def test_virtual_cards_and_deleted_goods_are_not_read(yard: Yard) -> None:
    assert {"SBX-CARD", "SBX-NOWEIGHT"} & set(read(yard)) == set()


def test_the_columns_own_maximum_is_told(myisam_shop: Any, sqlite_shop: Any) -> None:
    assert {line.limit for line in read(myisam_shop.emptied()).values()} == {65535}
    assert {line.limit for line in read(sqlite_shop.emptied()).values()} == {None}


def test_a_product_without_a_number_of_its_own_is_known_by_its_goods(yard: Yard) -> None:
    yard.change(yard.tables.products, {"product_id": 7}, product_sn=None)
    yard.change(yard.tables.products, {"product_id": 8}, product_number=None)
    found = read(yard)

    assert (found["SBX-CABLE"].product_id, found["SBX-CABLE-2"].number) == (7, 0)
    assert write(yard, StockChange("SBX-CABLE-2", 6, 8, 0, 5)) == ["SBX-CABLE-2"]
    assert (yard.stock(6, 8), yard.stock(6)) == (5, 1005)


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({}, StockMode.AT_SHIPPING),
        (AT_ORDER, StockMode.AT_ORDER),
        ({"use_storage": "0"}, StockMode.OFF),
        ({"use_storage": "0", "stock_dec_time": "1"}, StockMode.OFF),
    ],
)
@any_storage
def test_the_shop_s_configuration_says_what_its_figures_mean(
    yard: Yard, config: dict[str, str], mode: StockMode
) -> None:
    configure(yard, **config)

    assert yard.shop().stock_mode() is mode


@any_storage
def test_where_another_program_keeps_the_stock_nothing_is_read_or_written(yard: Yard) -> None:
    for ask in (
        lambda: yard.shop(keep_stock=False).stock_mode(),
        lambda: list(yard.shop(keep_stock=False).read_stock()),
    ):
        with pytest.raises(PermanentError, match="KEEP_STOCK") as caught:
            ask()
        assert caught.value.code == "ecshop.stock.kept_elsewhere"
    configure(yard, **AT_ORDER)
    assert yard.shop(keep_stock=False).stock_mode() is StockMode.AT_ORDER, "nothing is taken at shipping there"


@any_storage
def test_a_shop_that_keeps_no_stock_shows_nothing_to_write(yard: Yard) -> None:
    configure(yard, use_storage="0")

    assert list(yard.shop().read_stock()) == []


def test_what_is_ordered_and_not_sent_is_counted_by_product(yard: Yard) -> None:
    yard.order(1, TEA | {"goods_number": 5, "send_number": 2}, CUP, BLACK_CUP | {"goods_number": 4})
    yard.order(2, TEA | {"goods_number": 1})
    found = read(yard)

    assert {sku: line.unshipped for sku, line in found.items() if line.unshipped} == {
        "SBX-TEA-100": 4,
        "SBX-CUP-1": 1,
        "SBX-CUP-2": 4,
    }


def test_packages_are_counted_by_their_parts(yard: Yard) -> None:
    yard.order(1, PACKAGE | {"goods_number": 3})
    noted = {"delivery_id": 70, "is_real": 1, "extension_code": "package_buy", "parent_id": 5}
    staff_note(yard, "1")
    yard.put(yard.tables.delivery_goods, [noted | {"goods_id": 1, "product_id": 0, "send_number": 2}])
    found = read(yard)

    shown = (found["SBX-TEA-100"].unshipped, found["SBX-CUP-1"].unshipped, found["SBX-SNACK"].unshipped)
    assert shown == (3, 6, 3), "two teas stand on a note that is not shipped, one on none; a package has two cups"
    yard.change(yard.tables.delivery_order, {"delivery_id": 70}, status=0)
    assert read(yard)["SBX-TEA-100"].unshipped == 1, "the note is shipped"


@pytest.mark.parametrize(
    ("status", "is_counted"),
    [
        ({}, (True, True)),
        ({"pay_status": 0}, (False, True)),
        ({"order_status": 0, "pay_status": 0}, (False, True)),
        ({"pay_status": 0, "pay_id": 3}, (True, True)),
        ({"order_status": 2}, (False, False)),
        ({"order_status": 3}, (False, False)),
        ({"order_status": 4}, (False, False)),
        ({"shipping_status": 1}, (False, False)),
        ({"shipping_status": 2}, (False, False)),
        ({"shipping_status": 3}, (True, True)),
        ({"shipping_status": 4, "order_status": 6}, (True, True)),
    ],
    ids=str,
)
@any_storage
def test_an_order_counts_where_the_shop_s_figure_holds_or_lacks_it(
    yard: Yard, status: dict[str, int], is_counted: tuple[bool, bool]
) -> None:
    yard.order(1, TEA, **status)
    at_shipping = read(yard)["SBX-TEA-100"].unshipped
    configure(yard, **AT_ORDER)

    assert (at_shipping == 2, read(yard)["SBX-TEA-100"].unshipped == 2) == is_counted


@any_storage
def test_orders_before_the_go_live_day_are_somebody_else_s(yard: Yard) -> None:
    yard.order(1, TEA)

    counted = [read(yard, go_live=date(2026, 11, day))["SBX-TEA-100"].unshipped for day in (22, 23)]

    assert counted == [2, 0]


def test_what_is_unsent_falls_in_the_moment_in_which_the_stock_is_taken(yard: Yard) -> None:
    """Otherwise a run between delivery note and pickup would give the shop pieces that are promised."""
    yard.order(1, TEA, CUP)
    shop, parcel = yard.shop(), parcel_of(the_order(yard.shop(), "1"))
    sums = {sku: line.number - line.unshipped for sku, line in read(yard).items()}
    steps: dict[str, Callable[[], object]] = {
        "claimed": lambda: shop.claim("1", NOW),
        "noted": lambda: shop.write_note(parcel, NOW),
        "shipped": lambda: shop.mark_shipped(parcel, NOW),
    }
    for step, take in steps.items():
        take()
        assert {sku: line.number - line.unshipped for sku, line in read(yard).items()} == sums, step
    assert read(yard)["SBX-TEA-100"] == StockLine("SBX-TEA-100", 1, 0, 998, 0, read(yard)["SBX-TEA-100"].limit)
