"""What a parcel leaves in the shop: as its admin would, and once."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from mappings.errors import PermanentError, TransientError
from mappings.model import Queue
from sync.sandbox.shop import LedgerAction
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
    any_storage,
    open_yard,
    parcel_of,
    ship,
    the_order,
)

STORED_PICKUP = int(PICKED_UP.timestamp()) - 28800


def test_a_claim_shows_the_order_as_being_prepared_and_is_logged_once(yard: Yard) -> None:
    order_id = yard.order()
    for _ in range(3):
        yard.shop().claim(order_id, NOW)
    ledger = yard.ledger(order_id)
    assert (ledger.order_status, ledger.shipping_status) == (1, 3)
    assert [(one.user, one.order_status, one.shipping_status) for one in ledger.actions] == [("ecsync", 1, 3)]


@any_storage
def test_a_claimed_order_stays_in_its_queue(yard: Yard) -> None:
    shop = yard.shop()
    shop.claim(yard.order(), NOW)
    assert the_order(shop, "1").queue == Queue.AWAIT_SHIP


@any_storage
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


@any_storage
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


@any_storage
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
@any_storage
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


@any_storage
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


@any_storage
def test_an_order_with_a_discount_line_is_finished_all_the_same(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, DISCOUNT, CARD)
    ship(shop, parcel_of(the_order(shop, "1")))
    assert (yard.ledger("1").order_status, yard.ledger("1").shipping_status) == (5, 1)


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


def test_a_note_names_the_brand_of_goods_and_none_of_a_packages_parts(yard: Yard) -> None:
    yard.order(1, TEA, CUP)
    yard.order(2, PACKAGE)
    for order_id in ("1", "2"):
        yard.shop().write_note(parcel_of(the_order(yard.shop(), order_id), f"YT{order_id}"), NOW)
    rows = yard.dump()[yard.tables.delivery_goods.name]
    brands = {(row["goods_sn"], row["extension_code"]): row["brand_name"] for row in rows}
    assert brands == {
        ("SBX-TEA-100", None): "示例茶园",
        ("SBX-CUP", None): "",
        ("SBX-TEA-100", "package_buy"): "",
        ("SBX-CUP", "package_buy"): "",
        ("SBX-SNACK", "package_buy"): "",
    }
