"""PHP, its host or the way to the database may die after any statement; the repeat leaves no trace of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import make_url

from mappings.connector import ParcelToWrite
from tests.service.plugin.cutting import Cut, cut_way
from tests.service.plugin.php import Caller, PhpShop
from tests.service.plugin.test_equal_tables import SCENES, SETTINGS
from tests.service.shop.yard import CUP, NOW, PACKAGE, TEA, Yard, dying_after, parcel_of, ship, the_order

WRITES = ("claim", "note", "shipped")


def _write(caller: Caller, parcel: ParcelToWrite, *, stages: tuple[str, ...] = WRITES) -> bool:
    """Whether all stages were taken."""
    for stage in stages:
        fields = {} if stage == "claim" else caller.planned(parcel)
        status, answer = caller.stage(parcel.shop_order_id, stage, **fields)
        if status != 200:
            assert (status, answer["error"]["code"]) == (503, "database_away"), answer
            return False
    return True


def die_everywhere(yard: Yard, php_shop: PhpShop, parcel: ParcelToWrite, write: Callable[[], bool]) -> list[str]:
    """Die after each statement in turn, repeat, and compare with a run that was left in peace."""
    parts = make_url(yard.url)
    fresh = yard.keep()
    quiet = Cut()
    with cut_way(str(parts.host), parts.port or 3306, quiet) as port:
        php_shop.serves(yard.url, port=port)
        assert write()
    undisturbed = yard.dump()
    for died_at in range(1, len(quiet.statements) + 1):
        yard.restore(fresh)
        cut = Cut(after=died_at)
        with cut_way(str(parts.host), parts.port or 3306, cut) as port:
            php_shop.serves(yard.url, port=port)
            assert not write(), cut.statements
            assert len(cut.statements) == died_at
            assert write()
        assert yard.dump() == undisturbed, f"died after {quiet.statements[died_at - 1]}"
    return quiet.statements


@pytest.mark.parametrize("scene", ["a product and a gift", "a package", "a staff note", "a remainder", "a member"])
def test_a_crash_after_any_statement_on_myisam_is_made_good_by_the_repeat(
    mariadb_yard: Yard, php_shop: PhpShop, scene: str
) -> None:
    (parcel,) = SCENES[scene](mariadb_yard)
    statements = die_everywhere(mariadb_yard, php_shop, parcel, lambda: _write(php_shop.caller, parcel))
    assert len(statements) >= 4


def test_a_crash_where_there_may_be_transactions_is_made_good_too(yard: Yard, php_shop: PhpShop) -> None:
    """One call does it all here, as for a parcel that is picked up before its note was made."""
    yard.order(1, PACKAGE | {"goods_number": 2}, TEA, user_id=1)
    parcel = parcel_of(the_order(yard.shop(), "1"))
    die_everywhere(yard, php_shop, parcel, lambda: _write(php_shop.caller, parcel, stages=("shipped",)))


def test_the_very_same_request_may_be_repeated_after_a_crash(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    """A caller that did not read the order again plans from before the crash."""
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    parcel, caller = parcel_of(the_order(mariadb_yard.shop(), "1")), php_shop.caller
    planned = caller.planned(parcel)
    die_everywhere(mariadb_yard, php_shop, parcel, lambda: caller.stage("1", "shipped", **planned)[0] == 200)


def test_myisam_really_keeps_what_a_dead_request_wrote(mariadb_yard: Yard, php_shop: PhpShop) -> None:
    """Otherwise the tests above would prove nothing there."""
    mariadb_yard.order(1, TEA, CUP)
    parcel = parcel_of(the_order(mariadb_yard.shop(), "1"))
    parts = make_url(mariadb_yard.url)
    with cut_way(str(parts.host), parts.port or 3306, Cut(after=2)) as port:
        php_shop.serves(mariadb_yard.url, port=port)
        assert not _write(php_shop.caller, parcel, stages=("note",))
    (note,) = mariadb_yard.ledger("1").notes
    assert len(note.goods) == 1


@pytest.mark.parametrize("scene", SCENES)
def test_both_paths_make_the_same_statements_in_the_same_order(
    mariadb_yard: Yard, php_shop: PhpShop, scene: str
) -> None:
    """So that whoever of them dies anywhere, the other can go on."""
    *_, parcel = SCENES[scene](mariadb_yard)
    fresh = mariadb_yard.keep()
    with dying_after(0) as by_sql:
        ship(mariadb_yard.shop(**SETTINGS), parcel)
    mariadb_yard.restore(fresh)
    cut, parts = Cut(), make_url(mariadb_yard.url)
    with cut_way(str(parts.host), parts.port or 3306, cut) as port:
        php_shop.serves(mariadb_yard.url, port=port)
        assert _write(php_shop.caller, parcel)
    assert [_aim(one) for one in cut.statements] == [_aim(one) for one in by_sql]


def _aim(statement: str) -> Any:
    """What a statement does to which table, without how it says so."""
    words = statement.replace("`", " ").replace("(", " ").replace(",", " ").split()
    return words[0], next(word for word in words if word.startswith("ecs_"))


@pytest.mark.parametrize("first", ["sql", "plug-in"])
def test_what_one_path_began_the_other_ends(mariadb_yard: Yard, php_shop: PhpShop, first: str) -> None:
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    shop, caller = mariadb_yard.shop(), php_shop.caller
    parcel = parcel_of(the_order(shop, "1"))
    fresh = mariadb_yard.keep()
    ship(shop, parcel)
    undisturbed = mariadb_yard.dump()
    mariadb_yard.restore(fresh)
    if first == "sql":
        shop.claim("1", NOW)
        shop.write_note(parcel, NOW)
        caller.ship(parcel)
    else:
        assert _write(caller, parcel, stages=("claim", "note"))
        ship(shop, parcel)
    assert mariadb_yard.dump() == undisturbed
