"""What must not be written: withdrawn orders, changed lines, numbers that do not fit, sandbox waybills."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from sync.sandbox.shop import cancel_order
from tests.service.shop.yard import (
    NOW,
    PICKED_UP,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    refused,
    ship,
    the_order,
)

STORED_PICKUP = int(PICKED_UP.timestamp()) - 28800


@pytest.mark.parametrize(
    "withdrawn", [{"order_status": 2}, {"order_status": 3}, {"order_status": 4}, {"pay_status": 0}]
)
@pytest.mark.parametrize("write", ["claim", "write_note", "mark_shipped"])
@any_storage
def test_a_withdrawn_order_is_not_touched(yard: Yard, write: str, withdrawn: dict[str, int]) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    yard.alter("1", **withdrawn)
    subject = "1" if write == "claim" else parcel
    code = refused(yard, lambda: getattr(shop, write)(subject, NOW))
    assert code == "ecshop.write_back.order_withdrawn"


@any_storage
def test_an_order_cancelled_after_its_note_is_not_shipped(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    shop.write_note(parcel, NOW)
    cancel_order(yard.engine, "1", NOW)
    assert refused(yard, lambda: shop.mark_shipped(parcel, NOW)) == "ecshop.write_back.order_withdrawn"


@any_storage
def test_a_removed_or_merged_order_is_gone(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = replace(parcel_of(the_order(shop, "1")), shop_order_id="55")
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.order_gone"


@any_storage
def test_fewer_goods_than_the_parcel_holds_stop_it(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    yard.change(yard.tables.order_goods, {"order_id": 1}, goods_number=1)
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.lines_changed"


@any_storage
def test_sent_numbers_that_no_note_explains_are_for_a_person(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA | {"goods_number": 5})
    parcel = parcel_of(the_order(shop, "1"))
    partial = replace(parcel, line_quantities=dict.fromkeys(parcel.line_quantities, 2))
    yard.change(yard.tables.order_goods, {"order_id": 1}, send_number=1)
    assert refused(yard, lambda: shop.write_note(partial, NOW)) == "ecshop.write_back.sent_mismatch"


@pytest.mark.parametrize("number", ["", " ", "A" * 51, "A<br>B", "A,B", "A B"])
def test_what_cannot_be_one_number_in_ecshop_is_refused(sqlite_yard: Yard, number: str) -> None:
    shop = sqlite_yard.shop()
    sqlite_yard.order()
    parcel = parcel_of(the_order(shop, "1"), number)
    assert refused(sqlite_yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.number_invalid"


@any_storage
def test_a_number_that_would_be_cut_off_is_refused_before_anything_is_written(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, invoice_no="X" * 250)
    parcel = parcel_of(the_order(shop, "1"))
    assert refused(yard, lambda: shop.mark_shipped(parcel, NOW)) == "ecshop.write_back.invoice_full"


def test_a_waybill_of_a_sandbox_never_enters_a_production_shop(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.order()
    parcel = replace(parcel_of(the_order(yard.shop(), "1")), environment="sandbox")
    for write in (yard.shop().write_note, yard.shop().mark_shipped):
        assert refused(yard, partial(write, parcel, NOW)) == "ecshop.write_back.sandbox_waybill"
    ship(yard.shop(environment="sandbox"), parcel)
    assert yard.ledger("1").shipping_status == 1
