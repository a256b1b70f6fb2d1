"""Received, remarks, and the numbers an order shows."""

from __future__ import annotations

import pytest

from tests.service.shop.yard import (
    CUP,
    NOW,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    refused,
    ship,
    staff_note,
    the_order,
)

COD = {"pay_id": 3, "pay_name": "货到付款", "pay_status": 0, "order_amount": 264, "money_paid": 0, "pay_time": 0}


def test_a_shipped_order_is_shown_as_received_and_logged_once(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1)
    ship(shop, parcel_of(the_order(shop, "1")))
    for _ in range(3):
        shop.mark_received("1", NOW)
    ledger = yard.ledger("1")
    assert (ledger.order_status, ledger.shipping_status, ledger.pay_status) == (5, 2, 2)
    last = ledger.actions[-1]
    assert (last.user, last.order_status, last.shipping_status, last.place, last.note) == ("ecsync", 5, 2, 0, "")
    assert [action.shipping_status for action in ledger.actions].count(2) == 1


@any_storage
def test_what_the_courier_collected_is_not_booked_as_paid(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, **COD)
    ship(shop, parcel_of(the_order(shop, "1")))
    shop.mark_received("1", NOW)
    assert (yard.ledger("1").shipping_status, yard.ledger("1").pay_status) == (2, 0)


@pytest.mark.parametrize(
    "state", [(1, 0), (1, 3), (5, 5), (6, 4), (2, 1), (4, 0)], ids=lambda state: f"{state[0]}-{state[1]}"
)
@any_storage
def test_an_order_that_is_not_shipped_is_not_received(yard: Yard, state: tuple[int, int]) -> None:
    yard.order(1, order_status=state[0], shipping_status=state[1])
    before = yard.dump()
    yard.shop().mark_received("1", NOW)
    assert yard.dump() == before


@any_storage
def test_what_the_buyer_confirmed_is_left_as_it_is(yard: Yard) -> None:
    yard.order(1, order_status=5, shipping_status=2)
    yard.put(
        yard.tables.order_action,
        [{"order_id": 1, "action_user": "买家", "order_status": 5, "shipping_status": 2, "pay_status": 2}],
    )
    before = yard.dump()
    yard.shop().mark_received("1", NOW)
    assert yard.dump() == before


@any_storage
def test_an_order_that_is_gone_is_neither_received_nor_remarked(yard: Yard) -> None:
    shop = yard.shop()
    assert refused(yard, lambda: shop.mark_received("55", NOW)) == "ecshop.write_back.order_gone"
    assert refused(yard, lambda: shop.add_remark("x", "text", NOW)) == "ecshop.write_back.order_gone"
    assert shop.read_numbers("55") == shop.read_numbers("x") == ()


def test_a_remark_stands_in_the_log_once_and_moves_nothing(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, order_status=5, shipping_status=5)
    for _ in range(3):
        shop.add_remark("1", "物流异常：超时未揽收。", NOW)
    shop.add_remark("1", "快递已揽收。", NOW)
    ledger = yard.ledger("1")
    assert [action.note for action in ledger.actions] == ["物流异常：超时未揽收。", "快递已揽收。"]
    first = ledger.actions[0]
    assert (first.user, first.order_status, first.shipping_status, first.place) == ("ecsync", 5, 5, 0)
    assert (ledger.order_status, ledger.shipping_status) == (5, 5)


@any_storage
def test_a_remark_is_one_line_of_at_most_255_characters(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1)
    for _ in range(2):
        shop.add_remark("1", "第一行\r\n第二行 " + "长" * 300, NOW)
    (action,) = yard.ledger("1").actions
    assert (len(action.note), action.note[:8]) == (255, "第一行 第二行 ")


@any_storage
def test_a_remark_that_ends_with_a_number_does_not_pass_for_a_finished_note(yard: Yard) -> None:
    """The log says by its last word that a parcel's note was made to its end."""
    shop = yard.shop()
    yard.order(1)
    parcel = parcel_of(the_order(shop, "1"))
    shop.add_remark("1", "已取消运单 YT0001", NOW)
    ship(shop, parcel)
    assert [action.note for action in yard.ledger("1").actions][-2:] == ["圆通速递 YT0001"] * 2


@any_storage
def test_the_numbers_of_an_order_are_those_of_its_shipped_notes(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, order_status=6, shipping_status=4, invoice_no="sf1<br>SF2")
    staff_note(yard, "1", TEA, status=0, invoice_no="sf1<br>SF2")
    staff_note(yard, "1", CUP, note_id=71, invoice_no="YT9")
    assert shop.read_numbers("1") == ("SF1", "SF2")


@any_storage
def test_a_number_typed_into_a_shipped_order_alone_counts_too(yard: Yard) -> None:
    yard.order(1, order_status=5, shipping_status=1, invoice_no="SF7")
    staff_note(yard, "1", TEA, status=0)
    assert yard.shop().read_numbers("1") == ("SF7",)
    yard.alter("1", shipping_status=3)
    assert yard.shop().read_numbers("1") == ()
