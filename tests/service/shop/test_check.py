"""What `ecsync check` sees in a shop before the first order is taken, and what it says to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import bindparam, make_url, text
from sqlalchemy.exc import DBAPIError

from sync.sandbox.shop import load_fixture, seed_orders
from sync.shops import ecshop_check_server
from sync.shops.ecshop_db import as_peer_error
from sync.shops.ecshop_sql import EcshopSqlShop
from sync.shops.port import Finding
from tests.contract.ecshop_recorded import NAMES, recorded
from tests.service.shop.conftest import fresh_mariadb
from tests.service.shop.test_rights import PASSWORD, WRITTEN, account, grant
from tests.service.shop.yard import NOW, STORED_NOW, Yard, any_storage, open_yard

__all__ = ["account"]


def found(yard: Yard, **config: Any) -> dict[str, Finding]:
    return {one.subject: one for one in yard.shop(**config).check(NOW)}


def wrong(yard: Yard, **config: Any) -> dict[str, Finding]:
    return {subject: one for subject, one in found(yard, **config).items() if not one.is_ok}


@pytest.fixture
def own_yard() -> Iterator[Yard]:
    """A shop whose tables a test may alter."""
    with fresh_mariadb() as url:
        yield open_yard(url)


def alter(yard: Yard, table: str, change: str) -> None:
    with yard.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE ecs_{table} {change}"))


def test_a_shop_as_it_should_be_is_well_in_every_respect(yard: Yard) -> None:
    seed_orders(yard.engine, 30, 1, NOW)
    assert wrong(yard) == {}
    findings = found(yard)
    assert findings["version"].detail == "ECShop 2.7.3"
    assert "agree with an offset of 28800 s" in findings["clock"].detail
    assert findings["cash on delivery"].detail == "货到付款"


def test_a_server_that_takes_no_writes_is_named(mariadb_yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "SELECT 'read_only', 'ON' UNION SELECT 'super_read_only', 'OFF' UNION SELECT 'tx_read_only', 'ON'"
    assert wrong(mariadb_yard) == {}
    monkeypatch.setattr(ecshop_check_server, "_READ_ONLY", text(told))
    assert wrong(mariadb_yard)["read-only server"].detail == "the server has read_only on"


def test_a_table_that_has_crashed_is_named(mariadb_yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server knows no engine of it, and what is read from it fails with a number of its own."""
    told = "SELECT 'ecs_goods', NULL, NULL FROM DUAL WHERE 'ecs_goods' IN :names"
    monkeypatch.setattr(ecshop_check_server, "_STORAGE", text(told).bindparams(bindparam("names", expanding=True)))
    assert wrong(mariadb_yard)["engine"].detail == "unreadable: ecs_goods"
    error = as_peer_error(DBAPIError("", {}, Exception(1194, "Table is marked as crashed")), "main")
    assert (error.code, "REPAIR TABLE" in error.message) == ("ecshop.db.table_crashed", True)


def test_mixed_engines_are_named_where_we_write(own_yard: Yard) -> None:
    alter(own_yard, "region", "ENGINE=InnoDB")
    assert wrong(own_yard) == {}
    alter(own_yard, "account_log", "ENGINE=InnoDB")
    finding = wrong(own_yard)["engine"]
    assert finding.detail == "mixed: MyISAM on 8 tables; InnoDB: ecs_account_log"
    assert "ALTER TABLE" in finding.remedy


def test_mixed_and_unknown_character_sets_are_named(own_yard: Yard) -> None:
    alter(own_yard, "delivery_order", "CONVERT TO CHARACTER SET gbk")
    assert "gbk: ecs_delivery_order" in wrong(own_yard)["character set"].detail
    for table in own_yard.tables.metadata.tables:
        alter(own_yard, table.removeprefix("ecs_"), "DEFAULT CHARACTER SET latin1")
    assert wrong(own_yard)["character set"].detail == "latin1"


def test_a_missing_column_of_any_table_is_named_and_ends_the_look(own_yard: Yard) -> None:
    alter(own_yard, "order_goods", "DROP COLUMN send_number")
    findings = own_yard.shop().check(NOW)
    assert (findings[-1].subject, findings[-1].detail) == ("columns", "missing: ecs_order_goods.send_number")


def test_the_clock_is_measured_by_what_the_shop_wrote_itself(yard: Yard) -> None:
    for name in NAMES:
        load_fixture(yard.engine, recorded(name))
    assert "clock" not in wrong(yard)
    for offset_s in (0, 25200, 27900, 32400):
        finding = wrong(yard, utc_offset_s=offset_s)["clock"]
        assert finding.remedy.startswith("set utc_offset_s to 28800")


@any_storage
def test_our_own_notes_do_not_measure_the_clock(yard: Yard) -> None:
    """Their numbers are made of the order's time."""
    note = {"order_id": 1, "order_sn": "x", "status": 0, "delivery_sn": "20261122033000001", "update_time": STORED_NOW}
    yard.order(1)
    yard.put(yard.tables.delivery_order, [note | {"action_user": "ecsync"}])
    assert "clock" not in wrong(yard)
    yard.put(yard.tables.delivery_order, [note | {"action_user": "admin", "update_time": STORED_NOW + 8 * 3600}])
    assert wrong(yard)["clock"].remedy.startswith("set utc_offset_s to -900,")


@any_storage
def test_orders_of_the_mobile_api_are_counted_and_do_not_alarm(yard: Yard) -> None:
    for order_id in range(1, 7):
        yard.order(order_id)
    yard.order(7, add_time=STORED_NOW + 28800 - 600, pay_id=127, pay_name="货到付款")
    findings = found(yard)
    assert findings["clock"].is_ok
    assert "1 of the orders keep plain Unix time" in findings["clock"].detail
    assert "1 of the newest orders are so by the payment's name alone" in findings["cash on delivery"].detail


@pytest.mark.parametrize(
    ("version", "is_ok"),
    [("v2.7.3", True), ("v2.8.0", True), ("v4.0.0", True), ("v2.7.2", False), ("v5.1", False), ("", False)],
)
@any_storage
def test_a_version_that_was_never_tried_is_named(yard: Yard, version: str, is_ok: bool) -> None:
    yard.change(yard.tables.shop_config, {"code": "ecs_version"}, value=version)
    assert found(yard)["version"].is_ok is is_ok


def test_rights_are_told_without_writing_anything(mariadb_yard: Yard, account: str) -> None:
    grant(mariadb_yard, account)
    before = mariadb_yard.dump()
    findings = {one.subject: one for one in EcshopSqlShop("main", {"dsn": account}).check(NOW)}
    assert [one for one in findings.values() if not one.is_ok] == []
    assert findings["rights"].is_ok
    assert mariadb_yard.dump() == before


@pytest.mark.parametrize("table", [table for _, table in WRITTEN])
def test_each_missing_right_is_named_with_the_line_to_grant_it(mariadb_yard: Yard, account: str, table: str) -> None:
    grant(mariadb_yard, account, read_only=table)
    shop = EcshopSqlShop("main", {"dsn": account})
    (finding,) = [one for one in shop.check(NOW) if not one.is_ok]
    assert finding.subject == "rights"
    assert f" ON {table}" in finding.remedy


def test_rights_that_the_settings_make_needless_are_not_asked_for(mariadb_yard: Yard, account: str) -> None:
    for table in ("ecs_goods", "ecs_products", "ecs_users", "ecs_account_log"):
        grant(mariadb_yard, account, read_only=table)
    url = make_url(account)
    with mariadb_yard.engine.connect() as connection:
        connection.execute(text(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{url.username}'@'%'"))
        connection.execute(text(f"GRANT SELECT ON `{url.database}`.* TO '{url.username}'@'%'"))
        for rights, table in WRITTEN:
            if table not in ("ecs_goods", "ecs_products", "ecs_users", "ecs_account_log"):
                connection.execute(text(f"GRANT {rights} ON `{url.database}`.{table} TO '{url.username}'@'%'"))
    spare = EcshopSqlShop("main", {"dsn": account, "keep_stock": False, "grant_points": False})
    assert [one for one in spare.check(NOW) if not one.is_ok] == []
    assert [one.subject for one in EcshopSqlShop("main", {"dsn": account}).check(NOW) if not one.is_ok] == ["rights"]
    assert PASSWORD not in str(spare.check(NOW))
