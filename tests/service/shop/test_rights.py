"""The account of the documents is enough for all that ecsync does in a shop, and no right of it is spare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from mappings.errors import PermanentError
from sync.shops.ecshop_sql import EcshopSqlShop
from tests.service.shop.yard import CUP, NOW, TEA, Yard, parcel_of, ship, the_order

ROOT = Path(__file__).parents[3]
PASSWORD = "hunter2-geheim"
PAGES = "".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("connect*.md") if ".zh-" not in page.name)
GRANTS = sorted(set(re.findall(r"^GRANT (.+) ON ecshop\.(\w+) ", PAGES, re.MULTILINE)))
WRITTEN = [(rights, table) for rights, table in GRANTS if "INSERT" in rights or "UPDATE" in rights]


@pytest.fixture
def account(mariadb_yard: Yard) -> Iterator[str]:
    """The address of an account without any right."""
    url = make_url(mariadb_yard.url)
    name = (url.database or "")[-12:]
    with mariadb_yard.engine.connect() as connection:
        connection.execute(text(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'"))
        yield url.set(username=name, password=PASSWORD).render_as_string(hide_password=False)
        connection.execute(text(f"DROP USER '{name}'@'%'"))


def grant(yard: Yard, account: str, *, read_only: str = "") -> None:
    """All of the documents' rights, of one table only that of reading."""
    url = make_url(account)
    with yard.engine.connect() as connection:
        for rights, table in GRANTS:
            given = "SELECT" if table == read_only else rights
            connection.execute(text(f"GRANT {given} ON `{url.database}`.{table} TO '{url.username}'@'%'"))


def test_the_documented_rights_are_enough(mariadb_yard: Yard, account: str) -> None:
    grant(mariadb_yard, account)
    shop = EcshopSqlShop("main", {"dsn": account})
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    ship(shop, parcel_of(the_order(shop, "1")))
    shop.mark_received("1", NOW)
    shop.add_remark("1", "已签收。", NOW)
    assert (mariadb_yard.ledger("1").shipping_status, mariadb_yard.points()) == (2, (384, 384))


@pytest.mark.parametrize("table", [table for _, table in WRITTEN])
def test_each_documented_right_to_write_is_needed(mariadb_yard: Yard, account: str, table: str) -> None:
    grant(mariadb_yard, account, read_only=table)
    shop = EcshopSqlShop("main", {"dsn": account})
    mariadb_yard.order(1, TEA, CUP, user_id=1)
    with pytest.raises(PermanentError) as caught:
        ship(shop, parcel_of(the_order(shop, "1")))
    assert caught.value.code == "ecshop.db.right_missing"
