"""Connections are kept for the next use: what may go wrong with a kept one, and what must not be kept with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, text

from mappings.errors import PermanentError, TransientError
from sync.shops import ecshop_db
from sync.shops.ecshop_sql import EcshopSqlShop
from tests.service.shop.yard import NOW, Crash, Yard, dying_after, parcel_of, the_order

OTHERS = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"


@dataclass(frozen=True)
class Watch:
    """Looks at the server's list of connections over one of its own."""

    connection: Connection
    before: frozenset[int]

    def opened(self) -> set[int]:
        """The connections that were opened since the watch began and live."""
        return set(self.connection.execute(text(OTHERS)).scalars()) - self.before


@pytest.fixture
def watch(mariadb_yard: Yard, fresh: EcshopSqlShop) -> Iterator[Watch]:
    with mariadb_yard.engine.connect() as connection:
        yield Watch(connection, frozenset(connection.execute(text(OTHERS)).scalars()))


@pytest.fixture
def fresh(mariadb_yard: Yard) -> EcshopSqlShop:
    """A shop that has opened nothing yet."""
    mariadb_yard.order()
    return EcshopSqlShop("main", {"dsn": mariadb_yard.url})


def test_reading_and_writing_keep_one_connection_each(watch: Watch, fresh: EcshopSqlShop) -> None:
    parcel = parcel_of(the_order(fresh, "1"))
    for _ in range(3):
        fresh.claim("1", NOW)
        fresh.write_note(parcel, NOW)
        fresh.read_standings(["1"])
    assert len(watch.opened()) == 2


@pytest.mark.parametrize("trusted_s", [0.0, 60.0])
def test_a_connection_dropped_while_it_idled_is_replaced(
    watch: Watch, fresh: EcshopSqlShop, monkeypatch: pytest.MonkeyPatch, trusted_s: float
) -> None:
    """At once where it idled for long; where it was used a moment ago, after one failure that may be repeated."""
    monkeypatch.setattr(ecshop_db, "_TRUSTED_S", trusted_s)
    assert fresh.find_id("none") is None
    fresh.claim("1", NOW)
    victims = watch.opened()
    assert len(victims) == 2
    for victim in victims:
        watch.connection.exec_driver_sql(f"KILL {victim}")
    if trusted_s:
        with pytest.raises(TransientError):
            fresh.find_id("none")
        with pytest.raises(TransientError):
            fresh.claim("1", NOW)
    assert fresh.find_id("none") is None
    fresh.claim("1", NOW)


def test_a_forked_child_leaves_the_connection_to_its_parent(
    watch: Watch, fresh: EcshopSqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fresh.find_id("none") is None
    of_parent = watch.opened()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert fresh.find_id("none") is None
    of_child = watch.opened() - of_parent
    assert len(of_child) == 1
    assert fresh.find_id("none") is None
    assert watch.opened() - of_parent == of_child


def test_the_order_is_free_for_other_writers_after_success_refusal_and_death(
    mariadb_yard: Yard, fresh: EcshopSqlShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named lock belongs to the connection, which lives on."""
    monkeypatch.setattr(ecshop_db, "LOCK_WAIT_S", 0)
    other = EcshopSqlShop("main", {"dsn": mariadb_yard.url})
    with dying_after(1), pytest.raises(Crash):
        fresh.claim("1", NOW)
    other.claim("1", NOW)
    fresh.claim("1", NOW)
    mariadb_yard.alter("1", order_status=2)
    for shop in (other, fresh):
        with pytest.raises(PermanentError, match="cancelled"):
            shop.claim("1", NOW)
