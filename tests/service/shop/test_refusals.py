"""What a shop's database refuses, what that becomes, and what `check` says before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url, text

from mappings.errors import PermanentError, TransientError
from sync.sandbox.shop import seed_orders
from sync.shops.ecshop_settings import SPEC
from sync.shops.ecshop_sql import EcshopSqlShop
from sync.shops.port import Finding
from tests.service.shop.yard import NOW, Yard, parcel_of, the_order

PASSWORD = "hunter2-geheim"


def sweep(dsn: str, **config: Any) -> list[Any]:
    return list(EcshopSqlShop("main", {"dsn": dsn, **config}).read_open(NOW))


def bad(findings: list[Finding]) -> list[str]:
    return [finding.subject for finding in findings if not finding.is_ok]


@pytest.fixture
def limited(mariadb_yard: Yard) -> Iterator[str]:
    """The address of an account that may read the shop and write nothing."""
    url = make_url(mariadb_yard.url)
    account = f"'{url.database[-12:] if url.database else ''}'@'%'"
    with mariadb_yard.engine.connect() as connection:
        connection.execute(text(f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'"))
        connection.execute(text(f"GRANT SELECT ON `{url.database}`.* TO {account}"))
        name = account.split("'")[1]
        yield url.set(username=name, password=PASSWORD).render_as_string(hide_password=False)
        connection.execute(text(f"DROP USER {account}"))


@contextmanager
def killed_at_first_insert(yard: Yard) -> Iterator[None]:
    """The server drops the writer's connection right before its first INSERT."""

    def kill(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT"):
            event.remove(Engine, "before_cursor_execute", kill)
            victim = connection.connection.dbapi_connection.thread_id()
            with yard.engine.connect() as other:
                other.exec_driver_sql(f"KILL {victim}")

    event.listen(Engine, "before_cursor_execute", kill)
    yield


def test_a_database_that_is_away_may_come_back() -> None:
    with pytest.raises(TransientError) as caught:
        sweep(f"mysql+pymysql://ecsync:{PASSWORD}@127.0.0.1:9/shop")
    assert caught.value.code == "ecshop.db.unreachable"
    assert PASSWORD not in repr(caught.value) + str(caught.value)


def test_a_connection_lost_while_writing_may_be_repeated(mariadb_yard: Yard) -> None:
    shop = mariadb_yard.shop()
    mariadb_yard.order()
    parcel = parcel_of(the_order(shop, "1"))
    with killed_at_first_insert(mariadb_yard), pytest.raises(TransientError) as caught:
        shop.write_note(parcel, NOW)
    assert caught.value.code == "ecshop.db.unreachable"
    shop.mark_shipped(parcel, NOW)
    assert mariadb_yard.ledger("1").shipping_status == 1


def test_a_wrong_prefix_is_named(yard: Yard) -> None:
    with pytest.raises(PermanentError) as caught:
        sweep(yard.url, prefix="shop_")
    assert caught.value.code == "ecshop.db.table_missing"
    assert "prefix" in caught.value.message
    (finding,) = [one for one in yard.shop(prefix="shop_").check(NOW) if not one.is_ok]
    assert "stand under ecs_" in finding.detail


def test_a_wrong_database_and_a_wrong_password_are_named(mariadb_yard: Yard, limited: str) -> None:
    for url, code in (
        (make_url(mariadb_yard.url).set(database="nowhere_at_all"), "ecshop.db.database_missing"),
        (make_url(limited).set(password="wrong-" + PASSWORD), "ecshop.db.access_denied"),
    ):
        dsn = url.render_as_string(hide_password=False)
        with pytest.raises(PermanentError) as caught:
            sweep(dsn)
        assert caught.value.code == code
        assert PASSWORD not in str(caught.value)
        (finding,) = EcshopSqlShop("main", {"dsn": dsn}).check(NOW)
        assert not finding.is_ok
        assert PASSWORD not in str(finding)


def test_an_account_that_may_not_write_reads_all_the_same(mariadb_yard: Yard, limited: str) -> None:
    mariadb_yard.order()
    shop = EcshopSqlShop("main", {"dsn": limited})
    parcel = parcel_of(the_order(shop, "1"))
    with pytest.raises(PermanentError) as caught:
        shop.write_note(parcel, NOW)
    assert caught.value.code == "ecshop.db.right_missing"


def test_a_read_only_file_is_named(sqlite_yard: Yard) -> None:
    sqlite_yard.order()
    parcel = parcel_of(the_order(sqlite_yard.shop(), "1"))
    path = make_url(sqlite_yard.url).database
    shop = EcshopSqlShop("main", {"dsn": f"sqlite:///file:{path}?mode=ro&uri=true"})
    with pytest.raises(PermanentError) as caught:
        shop.write_note(parcel, NOW)
    assert caught.value.code == "ecshop.db.read_only"


def test_a_file_that_is_not_there_is_away(tmp_path: Path) -> None:
    with pytest.raises(TransientError):
        sweep(f"sqlite:///{tmp_path}/no/shop.db")


def test_a_sound_shop_has_no_bad_finding(yard: Yard) -> None:
    seed_orders(yard.engine, 3, 1, NOW)
    findings = yard.shop().check(NOW)
    assert bad(findings) == []
    assert {"connection", "tables", "columns", "clock", "stock", "couriers", "lastmodify"} <= {
        one.subject for one in findings
    }


def test_check_sees_engine_and_character_set(mariadb_yard: Yard) -> None:
    findings = {one.subject: one.detail for one in mariadb_yard.shop().check(NOW)}
    assert findings["engine"].startswith("MyISAM")
    assert findings["character set"].startswith("utf8")


def test_check_sees_a_clock_that_runs_ahead(sqlite_yard: Yard) -> None:
    seed_orders(sqlite_yard.engine, 1, 1, NOW)
    assert bad(sqlite_yard.shop(utc_offset_s=57600).check(NOW)) == ["clock"]


def test_check_names_the_line_to_add_for_an_unmapped_courier(sqlite_yard: Yard) -> None:
    sqlite_yard.change(sqlite_yard.tables.shipping, {"shipping_code": "flat"}, enabled=1)
    (finding,) = [one for one in sqlite_yard.shop().check(NOW) if not one.is_ok]
    assert finding.remedy == "add to shipper_map: flat=COURIER"
    assert bad(sqlite_yard.shop(shipper_map={"flat": "YTO"}).check(NOW)) == []


def test_check_counts_goods_without_weight_and_products_without_number(sqlite_yard: Yard) -> None:
    sqlite_yard.change(sqlite_yard.tables.goods, {"goods_id": 1}, goods_weight=0)
    sqlite_yard.change(sqlite_yard.tables.products, {"product_id": 1}, product_sn="")
    assert bad(sqlite_yard.shop().check(NOW)) == ["weights", "product numbers"]
    assert bad(sqlite_yard.shop(default_weight_g=1).check(NOW)) == ["product numbers"]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("dsn", f"not a url {PASSWORD}"),
        ("dsn", f"postgresql://u:{PASSWORD}@h/d"),
        ("prefix", "ecs_; DROP"),
        ("utc_offset_s", "8h"),
        ("utc_offset_s", "99999"),
        ("settle_s", "-1"),
        ("go_live", "yesterday"),
        ("accept_paying", "maybe"),
        ("action_user", "x" * 31),
        ("shipper_map", "flat"),
        ("page_size", "0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_without_repeating_secrets(name: str, word: str) -> None:
    setting = next(one for one in SPEC.settings if one.name == name)
    with pytest.raises(ValueError, match=r".+") as caught:
        setting.parse(word)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("shipper_map", "flat=YTO, fpd = zto", {"flat": "YTO", "fpd": "ZTO"}),
        ("accept_paying", "yes", True),
        ("keep_stock", "false", False),
        ("go_live", "", None),
        ("utc_offset_s", "-18000", -18000),
    ],
)
def test_settings_are_read_from_text(name: str, word: str, value: Any) -> None:
    assert next(one for one in SPEC.settings if one.name == name).parse(word) == value


def test_the_dsn_alone_is_required_and_secret() -> None:
    assert [one.name for one in SPEC.settings if one.required] == ["dsn"]
    assert [one.name for one in SPEC.settings if one.secret] == ["dsn"]
