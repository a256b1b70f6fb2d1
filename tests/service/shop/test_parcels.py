"""Several parcels of one order: every number once, every line once, whoever made the note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text

from mappings.connector import ParcelToWrite
from mappings.errors import PermanentError
from sync.shops.ecshop_sql import EcshopSqlShop
from sync.shops.port import Shop
from tests.service.shop.test_crashes import repeated_after_each_death
from tests.service.shop.yard import (
    BLACK_CUP,
    CUP,
    NOW,
    PACKAGE,
    TEA,
    Yard,
    any_storage,
    parcel_of,
    refused,
    ship,
    staff_note,
    the_order,
)


def split(yard: Yard, shop: Shop, *quantities: dict[int, int]) -> list[ParcelToWrite]:
    """Parcels of order 1, each by the place of its lines in the order."""
    whole = parcel_of(the_order(shop, "1"))
    lines = sorted(yard.ledger("1").sent)
    return [
        replace(
            whole,
            waybill_no=f"YT000{no}",
            parcel_no=no,
            line_quantities={str(lines[place]): quantity for place, quantity in some.items()},
        )
        for no, some in enumerate(quantities, start=1)
    ]


def shown(yard: Yard) -> tuple[int, int, tuple[str, ...]]:
    ledger = yard.ledger("1")
    return ledger.order_status, ledger.shipping_status, ledger.invoice_nos


def test_three_parcels_end_as_one_shipped_order_with_three_numbers(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, BLACK_CUP, user_id=1)
    first, second, third = split(yard, shop, {0: 1, 1: 1}, {0: 1}, {2: 1})
    ship(shop, first, times=2)
    assert shown(yard) == (6, 4, ("YT0001",))
    ship(shop, second, times=2)
    assert shown(yard) == (6, 4, ("YT0001", "YT0002"))
    ship(shop, third, times=2)
    ship(shop, first)
    assert shown(yard) == (5, 1, ("YT0001", "YT0002", "YT0003"))
    ledger = yard.ledger("1")
    assert [note.goods for note in ledger.notes] == [((1, 0, 1), (2, 1, 1)), ((1, 0, 1),), ((2, 2, 1),)]
    assert (yard.stock(1), yard.stock(2), yard.points()) == (998, 2998, (512, 512))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_notes_may_be_made_all_at_once_and_shipped_in_any_order(yard: Yard, order: Sequence[int]) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, PACKAGE)
    parcels = split(yard, shop, {0: 2}, {1: 1}, {2: 1})
    for parcel in parcels:
        shop.write_note(parcel, NOW)
    assert shown(yard) == (5, 5, ())
    for place in order:
        shop.mark_shipped(parcels[place], NOW)
        shop.mark_shipped(parcels[place], NOW)
    assert shown(yard) == (5, 1, tuple(parcels[place].waybill_no for place in order))
    text_shown = yard.dump()[yard.tables.order_info.name][0]["invoice_no"]
    assert text_shown == "<br>".join(parcels[place].waybill_no for place in order)


def test_a_crash_anywhere_in_three_parcels_is_made_good_by_the_repeat(mariadb_yard: Yard) -> None:
    yard, shop = mariadb_yard, mariadb_yard.shop()
    yard.order(1, TEA, CUP, BLACK_CUP, user_id=1)
    parcels = split(yard, shop, {0: 1}, {0: 1, 1: 1}, {2: 1})

    ship(shop, parcels[0])

    def act() -> None:
        for parcel in parcels[1:]:
            ship(shop, parcel)

    assert repeated_after_each_death(yard, act) > 14
    assert shown(yard) == (5, 1, ("YT0001", "YT0002", "YT0003"))


def test_a_staff_note_serves_one_parcel_and_a_note_of_ours_the_other(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, order_status=6, shipping_status=5)
    staff_note(yard, "1", TEA)
    theirs, ours = split(yard, shop, {0: 2}, {1: 1})
    ours = replace(ours, note_id="")
    assert theirs.note_id == "70"

    def act() -> None:
        ship(shop, ours)
        ship(shop, theirs)

    repeated_after_each_death(yard, act)
    act()
    assert shown(yard) == (5, 1, ("YT0002", "YT0001"))
    assert [(note.action_user, note.numbers) for note in yard.ledger("1").notes] == [
        ("admin", ("YT0001",)),
        ("ecsync", ("YT0002",)),
    ]
    assert (yard.stock(1), yard.stock(2, 1)) == (998, 999)


@any_storage
def test_numbers_that_staff_typed_into_the_order_are_not_appended_again(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, invoice_no="yt0002,YT0001")
    for parcel in split(yard, shop, {0: 2}, {1: 1}):
        ship(shop, parcel, times=2)
    assert yard.dump()[yard.tables.order_info.name][0]["invoice_no"] == "yt0002,YT0001"
    assert shown(yard)[:2] == (5, 1)


@any_storage
def test_a_number_that_only_begins_like_another_is_another(yard: Yard) -> None:
    shop = yard.shop()
    yard.order(1, TEA, CUP, invoice_no="YT00011")
    first, _ = split(yard, shop, {0: 2}, {1: 1})
    ship(shop, first)
    assert shown(yard)[2] == ("YT00011", "YT0001")


def test_four_numbers_of_fifty_characters_fit_and_the_fifth_is_refused(yard: Yard) -> None:
    """ECShop joins with four characters: 4 * 50 + 3 * 4 = 212, the fifth would need 266 of 255."""
    shop = yard.shop()
    yard.order(1, TEA | {"goods_number": 5})
    parcels = [
        replace(parcel, waybill_no=f"{number}".rjust(50, "Y"))
        for number, parcel in enumerate(split(yard, shop, *[{0: 1}] * 5))
    ]
    for parcel in parcels[:4]:
        ship(shop, parcel)
    assert shown(yard) == (6, 4, tuple(parcel.waybill_no for parcel in parcels[:4]))
    shop.write_note(parcels[4], NOW)
    assert refused(yard, lambda: shop.mark_shipped(parcels[4], NOW)) == "ecshop.write_back.invoice_full"


def test_our_connections_are_strict_whatever_the_server_or_the_shop_says(mariadb_yard: Yard) -> None:
    """ECShop itself sets sql_mode='' and loses what does not fit; a write of ours must fail instead."""
    shop = mariadb_yard.shop()
    assert isinstance(shop, EcshopSqlShop)
    order_id = int(mariadb_yard.order(1))
    database = shop._database
    with database.reading() as reading, database.writing(order_id) as writing:
        for connection in (reading, writing):
            assert connection.scalar(text("SELECT @@SESSION.sql_mode")) == "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
    name = mariadb_yard.tables.order_info.name
    cut = text(f"UPDATE {name} SET invoice_no = REPEAT('X', 256) WHERE order_id = 1")
    with mariadb_yard.engine.begin() as as_ecshop:
        as_ecshop.execute(text("SET SESSION sql_mode = ''"))
        as_ecshop.execute(cut)
    assert len(shown(mariadb_yard)[2][0]) == 255
    with pytest.raises(PermanentError), database.writing(order_id) as writing:
        writing.execute(cut)
