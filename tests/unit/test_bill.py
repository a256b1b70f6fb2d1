"""An order's lines and money as a bill: every sum agrees to the fen, whatever the discount."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.bill import Bill, make_bill
from mappings.errors import PermanentError
from mappings.model import Order, OrderLine, Queue
from tests.contract.erps.hands import erp_order
from tests.contract.erps.sealed import goods


def order(*lines: OrderLine, **changes: Any) -> Order:
    total = sum(line.price_fen * line.quantity for line in (*lines, *changes.get("later_lines", ())))
    return erp_order(*lines, **{"total_fen": total, **changes}).order


def bill(*lines: OrderLine, **changes: Any) -> Bill:
    return make_bill(order(*lines, **changes), "erp.order")


@given(
    prices=st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 99)), min_size=1, max_size=20),
    discount=st.floats(0, 1),
    freight=st.integers(0, 10**5),
    fees=st.integers(0, 10**5),
)
def test_the_sums_of_any_bill_agree_to_the_fen(
    prices: list[tuple[int, int]], discount: float, freight: int, fees: int
) -> None:
    lines = [goods(str(number), f"S{number}", price, pieces) for number, (price, pieces) in enumerate(prices)]
    worth = sum(price * pieces for price, pieces in prices)
    off = int((worth + freight) * discount)

    made = make_bill(
        erp_order(*lines, total_fen=worth - off + freight + fees, discount_fen=off, shipping_fee_fen=freight).order,
        "erp.order",
    )

    assert sum(item.amount_fen for item in made.items) - made.discount_fen + made.freight_fen + made.other_fen == (
        made.total_fen
    )
    assert sum(item.share_fen for item in made.items) == made.discount_fen
    assert all(0 <= item.share_fen <= item.amount_fen for item in made.items)
    assert (made.freight_fen >= 0, made.other_fen) == (True, fees)


def test_a_discount_is_shared_by_amount_and_no_fen_is_lost() -> None:
    made = bill(goods("1", "A", 100), goods("2", "B", 100), goods("3", "C", 100), total_fen=200, discount_fen=100)

    assert [item.share_fen for item in made.items] == [33, 33, 34]


def test_a_discount_beyond_the_goods_makes_the_freight_cheaper() -> None:
    made = bill(goods("1", "A", 100), total_fen=50, discount_fen=150, shipping_fee_fen=100)

    assert (made.discount_fen, made.freight_fen, made.items[0].share_fen) == (100, 50, 100)


def test_what_is_neither_goods_nor_freight_stands_apart() -> None:
    made = bill(goods("1", "A", 100), total_fen=135, shipping_fee_fen=20)

    assert (made.freight_fen, made.other_fen) == (20, 15)


def test_a_line_that_staff_split_into_two_parcels_is_one_item_under_the_same_key() -> None:
    whole = bill(goods("7", "A", 100, 3))
    split = bill(goods("7", "A", 100, 1), later_lines=(goods("7", "A", 100, 2),))

    assert [(item.key, item.line.quantity) for item in split.items] == [("7", 3)]
    assert split == whole


def test_the_parts_of_a_package_have_keys_of_their_own() -> None:
    made = bill(
        goods("7", "A", 100, goods_id=1, package_id=9),
        goods("7", "B", 100, goods_id=2, product_id=5, package_id=9),
    )

    assert [item.key for item in made.items] == ["7.1.0", "7.2.5"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"total_fen": 99}, "sums_differ"),
        ({"total_fen": 100, "shipping_fee_fen": 1}, "sums_differ"),
        ({"total_fen": 120, "queue": Queue.REMAINDER}, "sums_differ"),
        ({"total_fen": 0, "discount_fen": 101, "shipping_fee_fen": 0}, "sums_differ"),
    ],
)
def test_a_bill_that_cannot_add_up_goes_to_a_person(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        bill(goods("1", "A", 100), **changes)

    assert caught.value.code == f"erp.order.{code}"
    assert "nothing was sent" in caught.value.message


def test_a_line_without_a_sku_never_becomes_a_bill() -> None:
    with pytest.raises(PermanentError) as caught:
        bill(goods("1", " ", 100))

    assert caught.value.code == "erp.order.sku_missing"
