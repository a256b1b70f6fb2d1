"""Staff work in the same shop: their delivery notes, their numbers, their shipping by hand."""

from __future__ import annotations

from dataclasses import replace

from mappings.model import Queue
from tests.service.shop.yard import (
    CUP,
    NOW,
    PACKAGE,
    PICKED_UP,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    refused,
    ship,
    staff_note,
    the_order,
)

STORED_PICKUP = int(PICKED_UP.timestamp()) - 28800


@any_storage
def test_what_staff_left_of_a_package_completes_it(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, PACKAGE, order_status=6, shipping_status=4)
    staff_note(yard, "1", status=0, invoice_no="SF1")
    part = {"goods_id": 2, "product_id": 1, "is_real": 1, "extension_code": "package_buy", "parent_id": 5}
    yard.put(yard.tables.delivery_goods, [part | {"delivery_id": 70, "send_number": 2}])
    order = the_order(shop, "1")
    assert [(line.sku, line.quantity) for line in order.lines] == [("SBX-TEA-100", 1), ("SBX-SNACK", 1)]
    ship(shop, parcel_of(order), times=2)
    ledger = yard.ledger("1")
    assert (list(ledger.sent.values()), ledger.shipping_status) == ([(1, 1)], 1)
    assert ledger.notes[1].goods == ((1, 0, 1), (7, 0, 1))


def test_a_staff_note_gets_the_number_and_no_line_is_counted_twice(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, order_status=5, shipping_status=5)
    staff_note(yard, "1", TEA, CUP)
    order = the_order(shop, "1")
    assert (order.queue, order.note_id) == (Queue.STAFF_NOTE, "70")
    parcel = parcel_of(order)
    assert {shop.write_note(parcel, NOW) for _ in range(2)} == {"70"}
    sent = yard.ledger("1").sent
    ship(shop, parcel, times=2)
    ledger = yard.ledger("1")
    assert ledger.sent == sent
    assert ([note.numbers for note in ledger.notes], ledger.shipping_status) == ([("YT0001",)], 1)
    assert (yard.stock(1), yard.stock(2, 1)) == (998, 999)


@any_storage
def test_a_note_staff_made_meanwhile_of_the_same_lines_is_used(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    parcel = parcel_of(the_order(shop, "1"))
    staff_note(yard, "1", TEA, CUP)
    yard.alter("1", order_status=5, shipping_status=5)
    assert shop.write_note(parcel, NOW) == "70"
    assert len(yard.ledger("1").notes) == 1


@any_storage
def test_a_note_staff_made_meanwhile_of_other_lines_stops_the_parcel(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    parcel = parcel_of(the_order(shop, "1"))
    staff_note(yard, "1", CUP)
    yard.alter("1", order_status=6, shipping_status=5)
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.lines_changed"


@any_storage
def test_the_second_of_two_staff_notes_comes_after_the_first(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, order_status=5, shipping_status=5)
    staff_note(yard, "1", TEA)
    staff_note(yard, "1", CUP, note_id=71)
    first = the_order(shop, "1")
    ship(shop, parcel_of(first))
    assert yard.ledger("1").shipping_status == 4
    second = the_order(shop, "1")
    assert (first.note_id, second.note_id, second.queue) == ("70", "71", Queue.STAFF_NOTE)
    ship(shop, parcel_of(second, "YT0002"))
    assert yard.ledger("1").shipping_status == 1


@any_storage
def test_a_deleted_or_taken_staff_note_stops_the_parcel(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, order_status=5, shipping_status=5)
    staff_note(yard, "1", TEA)
    parcel = parcel_of(the_order(shop, "1"))
    gone = replace(parcel, note_id="99")
    assert refused(yard, lambda: shop.write_note(gone, NOW)) == "ecshop.write_back.note_gone"
    yard.change(yard.tables.delivery_order, {"delivery_id": 70}, invoice_no="SF7")
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.note_taken"


@any_storage
def test_an_order_that_staff_shipped_with_another_number_is_left_as_it_is(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    ship(shop, replace(parcel, waybill_no="SF999"))
    assert refused(yard, lambda: shop.mark_shipped(parcel, NOW)) == "ecshop.write_back.already_shipped"


@any_storage
def test_a_note_that_staff_shipped_by_hand_is_only_logged(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    note_id = int(shop.write_note(parcel, NOW))
    yard.change(yard.tables.delivery_order, {"delivery_id": note_id}, status=0)
    yard.alter("1", shipping_status=1, invoice_no="YT0001", shipping_time=77)
    shop.mark_shipped(parcel, NOW)
    ledger = yard.ledger("1")
    assert (ledger.invoice_nos, ledger.shipping_time, ledger.shipping_status) == (("YT0001",), 77, 1)
    assert (len(ledger.actions), yard.stock(1)) == (2, 1000)


@any_storage
def test_a_number_typed_into_the_order_by_staff_is_not_repeated(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, invoice_no="yt0001")
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.ledger("1").invoice_nos, yard.ledger("1").shipping_status) == (("yt0001",), 1)
