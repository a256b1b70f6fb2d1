"""What a parcel leaves in the shop: as its admin would, once, and never where it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from mappings.connector import ParcelToWrite
from mappings.errors import PermanentError, TransientError
from mappings.model import Queue
from sync.sandbox.shop import LedgerAction, cancel_order
from sync.shops.ecshop_sql import EcshopSqlShop
from tests.service.shop.yard import (
    BLACK_CUP,
    CARD,
    CUP,
    DISCOUNT,
    GIFT_TEA,
    NOW,
    PACKAGE,
    PICKED_UP,
    STORED_NOW,
    TEA,
    Yard,
    open_yard,
    parcel_of,
    the_order,
)

STORED_PICKUP = int(PICKED_UP.timestamp()) - 28800


def ship(shop: EcshopSqlShop, parcel: ParcelToWrite, *, times: int = 1) -> None:
    for _ in range(times):
        shop.claim(parcel.shop_order_id, NOW)
        shop.write_note(parcel, NOW)
        shop.mark_shipped(parcel, NOW)


def refused(yard: Yard, write: Callable[[], Any]) -> str:
    """The code of the refusal, after making sure that nothing was written."""
    before = yard.dump()
    with pytest.raises(PermanentError) as caught:
        write()
    assert yard.dump() == before
    return caught.value.code


def staff_note(yard: Yard, order_id: str, *goods: dict[str, Any], note_id: int = 70, **changes: Any) -> None:
    """What the admin's split writes: the note, its goods, the raised numbers, the state."""
    row = {
        "delivery_id": note_id,
        "delivery_sn": f"SN{note_id}",
        "order_sn": "x",
        "order_id": int(order_id),
        "status": 2,
        "update_time": STORED_NOW - 300,
        "action_user": "admin",
    }
    yard.put(yard.tables.delivery_order, [row | changes])
    for item in goods:
        noted = {"goods_id": item["goods_id"], "product_id": item["product_id"], "is_real": 1, "parent_id": 0}
        quantity = item["goods_number"]
        yard.put(yard.tables.delivery_goods, [noted | {"delivery_id": note_id, "send_number": quantity}])
        line = {"order_id": int(order_id), "goods_id": item["goods_id"], "product_id": item["product_id"]}
        yard.change(yard.tables.order_goods, line, send_number=quantity)


def test_a_claim_shows_the_order_as_being_prepared_and_is_logged_once(yard: Yard) -> None:
    order_id = yard.order()
    for _ in range(3):
        yard.shop().claim(order_id, NOW)
    ledger = yard.ledger(order_id)
    assert (ledger.order_status, ledger.shipping_status) == (1, 3)
    assert [(one.user, one.order_status, one.shipping_status) for one in ledger.actions] == [("ecsync", 1, 3)]


def test_a_claimed_order_stays_in_its_queue(yard: Yard) -> None:
    shop = yard.shop()
    shop.claim(yard.order(), NOW)
    assert the_order(shop, "1").queue == Queue.AWAIT_SHIP


def test_a_claim_comes_too_late_for_an_order_that_is_further(yard: Yard) -> None:
    yard.order(1, order_status=5, shipping_status=5)
    before = yard.dump()
    yard.shop().claim("1", NOW)
    assert yard.dump() == before


def test_a_note_carries_its_number_before_the_pickup(yard: Yard) -> None:
    shop = yard.shop()
    order_id = yard.order(1, TEA, CUP, CARD, postscript="请分开包装", tel="000-1", best_time="工作日")
    parcel = parcel_of(the_order(shop, order_id), "yt0001b")
    note_ids = {shop.write_note(parcel, NOW) for _ in range(3)}
    ledger = yard.ledger(order_id)
    (note,) = ledger.notes
    assert note_ids == {str(note.delivery_id)}
    assert (note.numbers, note.status, note.action_user) == (("YT0001B",), 2, "ecsync")
    assert note.goods == ((1, 0, 2), (2, 1, 1))
    assert len(note.delivery_sn) == 17
    assert note.delivery_sn.startswith("202611221150")
    assert (ledger.order_status, ledger.shipping_status, ledger.invoice_nos) == (5, 5, ())
    assert list(ledger.sent.values()) == [(2, 2), (1, 1), (0, 2)]
    assert [(one.order_status, one.shipping_status, one.place, one.note) for one in ledger.actions] == [
        (5, 5, 0, "圆通速递 YT0001B")
    ]
    row = yard.dump()[yard.tables.delivery_order.name][0]
    assert (row["consignee"], row["postscript"], row["tel"], row["best_time"]) == (
        "测试甲",
        "请分开包装",
        "000-1",
        "工作日",
    )
    assert (row["add_time"], row["update_time"]) == (STORED_NOW - 600, STORED_NOW)


def test_an_order_with_a_note_under_way_is_in_no_open_queue(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    shop.write_note(parcel_of(the_order(shop, "1")), NOW)
    assert list(shop.read_open(NOW)) == []
    assert str(shop.read_standings(["1"])["1"]) == "owed"


def test_a_shipped_parcel_looks_as_if_the_admin_had_shipped_it(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    ship(shop, parcel_of(the_order(shop, "1")))
    ledger = yard.ledger("1")
    assert (ledger.order_status, ledger.shipping_status, ledger.pay_status) == (5, 1, 2)
    assert (ledger.invoice_nos, ledger.shipping_time) == (("YT0001",), STORED_PICKUP)
    assert [note.status for note in ledger.notes] == [0]
    assert ledger.actions[-1] == LedgerAction("ecsync", 1, 1, 2, 1, "圆通速递 YT0001", STORED_NOW)
    assert str(shop.read_standings(["1"])["1"]) == "shipped"


@pytest.mark.parametrize(
    "lines",
    [(TEA,), (TEA, CUP, BLACK_CUP, GIFT_TEA), (PACKAGE, TEA), (TEA, DISCOUNT), (CUP, CARD)],
    ids=["one", "several", "package", "discount", "virtual"],
)
def test_writing_twice_writes_once(yard: Yard, lines: tuple[dict[str, Any], ...]) -> None:
    shop = yard.shop()
    yard.order(1, *lines)
    parcel = parcel_of(the_order(shop, "1"))
    ship(shop, parcel)
    once = yard.dump()
    ship(shop, parcel, times=2)
    shop.write_note(parcel, NOW)
    assert yard.dump() == once


def test_a_parcel_marked_as_shipped_without_a_note_gets_one(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    shop.mark_shipped(parcel, NOW)
    ledger = yard.ledger("1")
    assert (ledger.shipping_status, len(ledger.notes), ledger.notes[0].status) == (1, 1, 0)


def test_stock_is_taken_once_for_every_real_line(yard: Yard) -> None:
    """ECShop's own sum forgets goods without products beside goods with."""
    shop = yard.shop()
    yard.order(1, TEA, CUP, BLACK_CUP, GIFT_TEA, CARD)
    ship(shop, parcel_of(the_order(shop, "1")), times=2)
    assert (yard.stock(1), yard.stock(2), yard.stock(2, 1), yard.stock(2, 2)) == (997, 2998, 999, 999)
    assert (yard.stock(2, 3), yard.stock(9)) == (1000, 1000)


def test_a_packages_stock_is_that_of_its_parts(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, PACKAGE)
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.stock(1), yard.stock(2, 1), yard.stock(7), yard.stock(5)) == (999, 998, 999, 1000)
    ledger = yard.ledger("1")
    assert list(ledger.sent.values()) == [(1, 1)]
    row = yard.dump()[yard.tables.delivery_goods.name][0]
    assert (row["extension_code"], row["parent_id"], row["goods_name"]) == ("package_buy", 5, "示例龙井茶 100g--[1]")


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


def test_stock_stops_at_zero_instead_of_failing(yard: Yard) -> None:
    yard.change(yard.tables.goods, {"goods_id": 1}, goods_number=1)
    shop = yard.shop()
    yard.order()
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.stock(1), yard.ledger("1").shipping_status) == (0, 1)


@pytest.mark.parametrize(
    ("config", "code", "value"),
    [({"keep_stock": False}, "", ""), ({}, "use_storage", "0"), ({}, "stock_dec_time", "1")],
)
def test_stock_is_left_to_whoever_else_keeps_it(yard: Yard, config: dict[str, Any], code: str, value: str) -> None:
    if code:
        yard.change(yard.tables.shop_config, {"code": code}, value=value)
    shop = yard.shop(**config)
    yard.order(1, TEA, CUP)
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.stock(1), yard.stock(2, 1), yard.ledger("1").shipping_status) == (1000, 1000, 1)


def test_goods_deleted_from_the_catalogue_do_not_stop_a_parcel(yard: Yard) -> None:
    shop = yard.shop(default_weight_g=100)
    yard.order(1, TEA | {"goods_id": 4000}, CUP)
    yard.order(2, TEA | {"goods_id": 4001})
    for order_id in ("1", "2"):
        ship(shop, parcel_of(the_order(shop, order_id), f"YT{order_id}"))
        assert yard.ledger(order_id).shipping_status == 1
    assert yard.stock(2, 1) == 999


def test_two_parcels_of_one_order_ship_one_after_the_other(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    whole = parcel_of(the_order(shop, "1"))
    tea = min(whole.line_quantities, key=int)
    first = replace(whole, line_quantities={tea: 1})
    ship(shop, first, times=2)
    ledger = yard.ledger("1")
    assert (ledger.order_status, ledger.shipping_status, ledger.sent[int(tea)]) == (6, 4, (1, 2))
    rest = the_order(shop, "1")
    assert (rest.queue, [line.quantity for line in rest.lines]) == (Queue.REMAINDER, [1, 1])
    second = parcel_of(rest, "YT0002", parcel_no=2)
    shop.write_note(second, NOW)
    shop.mark_shipped(first, NOW)
    assert yard.ledger("1").shipping_status == 5
    ship(shop, second, times=2)
    ledger = yard.ledger("1")
    assert (ledger.order_status, ledger.shipping_status) == (5, 1)
    assert ledger.invoice_nos == ("YT0001", "YT0002")
    assert (yard.stock(1), yard.stock(2)) == (998, 2999)


def test_a_note_written_again_does_not_undo_what_another_parcel_showed_since(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    whole = parcel_of(the_order(shop, "1"))
    tea, cup = sorted(whole.line_quantities, key=int)
    first = replace(whole, line_quantities={tea: 2})
    shop.write_note(first, NOW)
    ship(shop, replace(whole, line_quantities={cup: 1}, waybill_no="YT0002", parcel_no=2))
    before = yard.dump()
    shop.write_note(first, NOW)
    assert yard.dump() == before
    assert yard.ledger("1").shipping_status == 4


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


def test_a_note_staff_made_meanwhile_of_the_same_lines_is_used(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    parcel = parcel_of(the_order(shop, "1"))
    staff_note(yard, "1", TEA, CUP)
    yard.alter("1", order_status=5, shipping_status=5)
    assert shop.write_note(parcel, NOW) == "70"
    assert len(yard.ledger("1").notes) == 1


def test_a_note_staff_made_meanwhile_of_other_lines_stops_the_parcel(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP)
    parcel = parcel_of(the_order(shop, "1"))
    staff_note(yard, "1", CUP)
    yard.alter("1", order_status=6, shipping_status=5)
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.lines_changed"


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


def test_a_deleted_or_taken_staff_note_stops_the_parcel(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, order_status=5, shipping_status=5)
    staff_note(yard, "1", TEA)
    parcel = parcel_of(the_order(shop, "1"))
    gone = replace(parcel, note_id="99")
    assert refused(yard, lambda: shop.write_note(gone, NOW)) == "ecshop.write_back.note_gone"
    yard.change(yard.tables.delivery_order, {"delivery_id": 70}, invoice_no="SF7")
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.note_taken"


@pytest.mark.parametrize(
    "withdrawn", [{"order_status": 2}, {"order_status": 3}, {"order_status": 4}, {"pay_status": 0}]
)
@pytest.mark.parametrize("write", ["claim", "write_note", "mark_shipped"])
def test_a_withdrawn_order_is_not_touched(yard: Yard, write: str, withdrawn: dict[str, int]) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    yard.alter("1", **withdrawn)
    subject = "1" if write == "claim" else parcel
    code = refused(yard, lambda: getattr(shop, write)(subject, NOW))
    assert code == "ecshop.write_back.order_withdrawn"


def test_an_order_cancelled_after_its_note_is_not_shipped(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    shop.write_note(parcel, NOW)
    cancel_order(yard.engine, "1", NOW)
    assert refused(yard, lambda: shop.mark_shipped(parcel, NOW)) == "ecshop.write_back.order_withdrawn"


def test_a_removed_or_merged_order_is_gone(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = replace(parcel_of(the_order(shop, "1")), shop_order_id="55")
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.order_gone"


def test_an_order_that_staff_shipped_with_another_number_is_left_as_it_is(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    ship(shop, replace(parcel, waybill_no="SF999"))
    assert refused(yard, lambda: shop.mark_shipped(parcel, NOW)) == "ecshop.write_back.already_shipped"


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


def test_fewer_goods_than_the_parcel_holds_stop_it(yard: Yard) -> None:
    shop = yard.shop()
    yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    yard.change(yard.tables.order_goods, {"order_id": 1}, goods_number=1)
    assert refused(yard, lambda: shop.write_note(parcel, NOW)) == "ecshop.write_back.lines_changed"


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


def test_a_number_that_would_be_cut_off_is_refused_before_anything_is_written(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, invoice_no="X" * 250)
    parcel = parcel_of(the_order(shop, "1"))
    assert refused(yard, lambda: shop.mark_shipped(parcel, NOW)) == "ecshop.write_back.invoice_full"


def test_a_number_typed_into_the_order_by_staff_is_not_repeated(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, invoice_no="yt0001")
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.ledger("1").invoice_nos, yard.ledger("1").shipping_status) == (("yt0001",), 1)


def test_an_order_with_a_discount_line_is_finished_all_the_same(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, DISCOUNT, CARD)
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.ledger("1").order_status, yard.ledger("1").shipping_status) == (5, 1)


def test_a_waybill_of_a_sandbox_never_enters_a_production_shop(sqlite_yard: Yard) -> None:
    yard = sqlite_yard
    yard.order()
    parcel = replace(parcel_of(the_order(yard.shop(), "1")), environment="sandbox")
    for write in ("write_note", "mark_shipped"):
        code = refused(yard, lambda write=write: getattr(yard.shop(), write)(parcel, NOW))  # type: ignore[misc]
        assert code == "ecshop.write_back.sandbox_waybill"
    ship(yard.shop(environment="sandbox"), parcel)
    assert yard.ledger("1").shipping_status == 1


def test_a_long_address_and_a_long_courier_name_fit_the_narrower_columns(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, address="路" * 255)
    ship(shop, parcel_of(the_order(shop, "1"), carrier_name="快" * 300))
    ledger = yard.ledger("1")
    assert (len(ledger.actions[-1].note), ledger.actions[-1].note[-7:]) == (255, " YT0001")


def test_lastmodify_is_written_where_the_shop_has_it(tmp_path: Any) -> None:
    yard = open_yard(f"sqlite:///{tmp_path}/shop.db", with_lastmodify=True)
    yard.order()
    ship(yard.shop(), parcel_of(the_order(yard.shop(), "1")))
    assert yard.dump()[yard.tables.order_info.name][0]["lastmodify"] == STORED_NOW


@pytest.mark.parametrize("lines", [(TEA, CUP, BLACK_CUP), (PACKAGE,)], ids=["plain", "package"])
def test_two_workers_on_the_same_parcel_write_it_once(yard: Yard, lines: tuple[dict[str, Any], ...]) -> None:
    shop = yard.shop()
    yard.order(1, *lines)
    order = the_order(shop, "1")
    fresh = yard.keep()
    ship(shop, parcel_of(order))
    alone = yard.dump()
    yard.restore(fresh)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            ship(yard.shop(), parcel_of(order))
        except (PermanentError, TransientError) as problem:
            problems.append(problem)

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == []
    assert yard.dump() == alone
