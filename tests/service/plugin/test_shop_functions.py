"""What only the shop's own code can do is done by it: after the log row, at most once, whatever becomes of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.service.plugin.php import PhpShop
from tests.service.shop.yard import CUP, TEA, Yard, parcel_of, ship, the_order

STUB = Path(__file__).parent / "stub_shop"


class Stub:
    """The stub shop's files beside the plug-in."""

    def __init__(self, shop: PhpShop) -> None:
        self.shop = shop

    def feels(self, mood: str) -> None:
        (self.shop.root / "data/mood").write_text(mood)

    @property
    def calls(self) -> list[str]:
        path = self.shop.root / "data/calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def stub(running_php: PhpShop, mariadb_yard: Yard) -> Iterator[Stub]:
    shop = running_php
    shop.is_set()
    shop.serves(mariadb_yard.url)
    shutil.copytree(STUB, shop.root, dirs_exist_ok=True)
    yield Stub(shop)
    shutil.rmtree(shop.root / "includes")
    for name in ("mood", "calls"):
        (shop.root / "data" / name).unlink(missing_ok=True)


def test_bonus_mail_and_cache_are_the_shops_own_and_happen_once(stub: Stub, mariadb_yard: Yard) -> None:
    stub.feels("mail")
    mariadb_yard.order(1, TEA, user_id=1)
    parcel = parcel_of(the_order(mariadb_yard.shop(), "1"))
    caller = stub.shop.caller
    planned = caller.planned(parcel)
    status, answer = caller.stage("1", "shipped", **planned)
    assert (status, answer["done"], answer["shop_functions"]) == (200, True, ["bonus", "mail", "cache"])
    mail = "send_mail a@shop.example deliver_notice str:sent: SN1 https://shop.example/receive.php?id=1&con=%E7%94%B2"
    assert stub.calls == ["send_order_bonus 1", mail, "clear_cache_files"]
    assert caller.stage("1", "shipped", **planned) == (200, {"done": True, "note_id": answer["note_id"]})
    assert len(stub.calls) == 3


def test_a_guest_gets_no_bonus_and_a_shop_that_sends_no_mail_sends_none(stub: Stub, mariadb_yard: Yard) -> None:
    mariadb_yard.order(1, TEA)
    stub.shop.caller.ship(parcel_of(the_order(mariadb_yard.shop(), "1")))
    assert stub.calls == ["clear_cache_files"]


def test_a_first_part_only_clears_the_cache(stub: Stub, mariadb_yard: Yard) -> None:
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    parcel = parcel_of(the_order(mariadb_yard.shop(), "1"))
    tea = min(parcel.line_quantities, key=int)
    stub.shop.caller.ship(replace(parcel, line_quantities={tea: 2}))
    assert stub.calls == ["clear_cache_files"]


def test_staff_who_shipped_the_order_gave_its_bonus(stub: Stub, mariadb_yard: Yard) -> None:
    """Only our log row is missing: the admin did the rest."""
    mariadb_yard.order(1, TEA, user_id=1)
    caller = stub.shop.caller
    parcel = parcel_of(the_order(mariadb_yard.shop(), "1"))
    _, answer = caller.stage("1", "note", **caller.planned(parcel))
    mariadb_yard.change(mariadb_yard.tables.delivery_order, {"delivery_id": answer["note_id"]}, status=0)
    mariadb_yard.alter("1", shipping_status=1, invoice_no="YT0001")
    assert caller.stage("1", "shipped", **caller.planned(parcel))[0] == 200
    assert stub.calls == ["clear_cache_files"]


@pytest.mark.parametrize("mood", ["closed", "broken", "unreadable", "throws"])
def test_whatever_the_shops_files_do_the_parcel_is_shipped_and_said_to_be(
    stub: Stub, mariadb_yard: Yard, mood: str
) -> None:
    stub.feels(mood)
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    parcel = parcel_of(the_order(mariadb_yard.shop(), "1"))
    fresh = mariadb_yard.keep()
    ship(mariadb_yard.shop(), parcel)
    by_sql = mariadb_yard.dump()
    mariadb_yard.restore(fresh)
    stub.shop.caller.ship(parcel, times=2)
    assert mariadb_yard.dump() == by_sql
    assert stub.calls == []


def test_ping_says_whether_the_shops_functions_are_there(stub: Stub) -> None:
    assert stub.shop.caller.get("ping")[1]["has_shop_functions"] is True
    (stub.shop.root / "includes/lib_order.php").unlink()
    assert stub.shop.caller.get("ping")[1]["has_shop_functions"] is False
