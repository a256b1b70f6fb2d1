"""What replies brought and later calls need: for all workers, encrypted; without a key for this process only."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.db.cursors import read_cursors
from sync.db.migrate import migrate
from sync.db.session import Database, make_engine
from sync.keeper import Keeper
from sync.secrets_box import new_key

PEER, PAIR = "erp.jushuitan", {"access_token": "newtoken", "refresh_token": "newrefresh"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(make_engine(f"sqlite:///{tmp_path}/kept.db"))
    migrate(database)
    yield database
    database.close()


def stored(database: Database) -> str:
    with database.reading() as session:
        return "".join(value for value, _ in read_cursors(session, "kept.").values())


def test_what_one_worker_keeps_another_one_reads_and_the_table_does_not_show_it(database: Database) -> None:
    key = new_key()
    Keeper(database, key).write(PEER, PAIR)

    assert Keeper(database, key).read(PEER) == PAIR
    assert Keeper(database, key).read("erp.other") == {}
    assert stored(database).startswith("fernet:")
    assert "newtoken" not in stored(database)


def test_the_last_that_was_kept_counts(database: Database) -> None:
    keeper = Keeper(database, new_key())
    keeper.write(PEER, PAIR)
    keeper.write(PEER, {"access_token": "third"})

    assert keeper.read(PEER) == {"access_token": "third"}


def test_a_key_that_replaces_another_still_opens_what_that_one_closed(database: Database) -> None:
    old, new = new_key(), new_key()
    Keeper(database, old).write(PEER, PAIR)

    assert Keeper(database, f"{new},{old}").read(PEER) == PAIR


def test_what_no_key_opens_counts_as_nothing_and_is_said(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    Keeper(database, new_key()).write(PEER, PAIR)

    with caplog.at_level(logging.WARNING):
        assert Keeper(database, new_key()).read(PEER) == {}
    assert PEER in caplog.text
    assert "ECSYNC_SECRETS_KEY" in caplog.text


def test_without_a_key_it_stays_in_the_process(database: Database) -> None:
    keeper = Keeper(database, "")
    keeper.write(PEER, PAIR)

    assert keeper.read(PEER) == PAIR
    assert Keeper(database, "").read(PEER) == {}
    assert stored(database) == ""
