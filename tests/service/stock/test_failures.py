"""Reading in part, warehouses, and what goes wrong on the way."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from mappings.errors import PermanentError, TransientError
from mappings.model import StockMode
from sync.clock import utc_now
from sync.db.cursors import read_cursors
from sync.db.models import CursorRow, StockChangeRow, StockLevelRow
from tests.service.house import SHOP, House, open_house
from tests.service.stock.hands import (
    change_goods,
    configure_shop,
    desk,
    erp,
    history,
    run,
    shown,
)


def test_between_full_runs_only_changes_are_asked_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = house.rt.erps["erp.generic_rest"]
    since: list[Any] = []
    read = connector.read_stock

    def remember(time: datetime | None) -> Any:
        since.append(time)
        return read(time)

    monkeypatch.setattr(connector, "read_stock", remember)
    run(house)
    run(house)
    age_memory(house, hours=25)
    run(house)

    assert since[0] is None
    assert timedelta(0) < utc_now() - since[1] < timedelta(minutes=6)
    assert since[2] is None, "once a day all of it"


def age_memory(house: House, *, hours: int) -> None:
    with house.rt.database.writing() as session:
        row = session.get_one(CursorRow, f"stock.{SHOP}")
        said = json.loads(row.value)
        past = utc_now() - timedelta(hours=hours)
        row.value = json.dumps({**said, "full_at": past.isoformat()})


def test_the_shop_s_own_drift_is_put_right_though_the_erp_has_no_news(house: House) -> None:
    run(house)
    change_goods(house, 1, goods_number=1234)

    result = run(house)
    assert not result.is_full
    assert shown(house)["SBX-TEA-100"] == 1000


def test_warehouses_that_count_are_summed_also_when_only_one_of_them_changed(tmp_path: Path) -> None:
    with open_house(tmp_path, ECSYNC_SHOP_MAIN_STOCK_WAREHOUSES="SZ, BJ") as house:
        for warehouse, number in (("SZ", 30), ("BJ", 4), ("FAULTY", 500)):
            erp(house).stock.put("SBX-TEA-100", number, warehouse)
        run(house)
        assert shown(house)["SBX-TEA-100"] == 34
        erp(house).stock.put("SBX-TEA-100", 5, "BJ")
        run(house)
        assert shown(house)["SBX-TEA-100"] == 35


def test_a_misspelt_warehouse_is_said_with_those_that_exist(tmp_path: Path) -> None:
    with open_house(tmp_path, ECSYNC_SHOP_MAIN_STOCK_WAREHOUSES="Shenzen") as house:
        erp(house).stock.put("SBX-TEA-100", 3, "SZ")
        with pytest.raises(PermanentError, match="SZ"):
            run(house)
        (line,) = desk(house)
        assert (line.code, shown(house)["SBX-TEA-100"]) == ("stock.warehouse_unknown", 1000)


def test_safety_stock_is_kept_back(tmp_path: Path) -> None:
    with open_house(tmp_path, ECSYNC_SHOP_MAIN_STOCK_SAFETY="3") as house:
        erp(house).stock.put("SBX-TEA-100", 30)
        erp(house).stock.put("SBX-LAMP", 2)
        run(house)
        assert (shown(house)["SBX-TEA-100"], shown(house)["SBX-LAMP"]) == (27, 0)


def test_a_dry_run_tells_everything_and_leaves_no_trace(house: House) -> None:
    erp(house).stock.put("SBX-TEA-100", 12)
    before = shown(house)
    result = run(house, is_dry=True)

    assert [change.after for change in result.plan.changes] == [12]
    assert (result.written, shown(house)) == ((), before)
    with house.rt.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StockLevelRow)) == 0
        assert read_cursors(session, "stock") == {}


def test_a_shop_that_keeps_no_stock_is_left_alone(house: House) -> None:
    configure_shop(house, use_storage="0")
    erp(house).stock.put("SBX-TEA-100", 12)

    assert (run(house).mode, run(house).written) == (StockMode.OFF, ())
    assert "read_stock" not in str(house.peers.ledger()["counts"])


def test_a_shop_whose_stock_another_program_keeps_is_refused_until_that_is_settled(tmp_path: Path) -> None:
    with open_house(tmp_path, ECSYNC_SHOP_MAIN_KEEP_STOCK="0") as house:
        erp(house).stock.put("SBX-TEA-100", 1000)
        with pytest.raises(PermanentError, match="KEEP_STOCK"):
            run(house)
        (line,) = desk(house)
        assert (line.code, line.peer) == ("ecshop.stock.kept_elsewhere", SHOP)
        configure_shop(house, stock_dec_time="1")
        run(house)
        assert desk(house) == [], "there nothing is taken twice"


def test_an_erp_that_is_away_leaves_all_as_it_is_and_the_next_run_catches_up(house: House) -> None:
    run(house)
    erp(house).stock.put("SBX-TEA-100", 12)
    house.peers.configure_faults({"erp": {"outage": True}})
    with pytest.raises(TransientError):
        run(house)
    assert (shown(house)["SBX-TEA-100"], desk(house)) == (1000, [])
    house.peers.configure_faults({"erp": {}})

    run(house)
    assert shown(house)["SBX-TEA-100"] == 12


def test_an_erp_without_such_a_path_is_on_the_desk_until_it_has_one(tmp_path: Path) -> None:
    with open_house(tmp_path, ECSYNC_ERP_GENERIC_REST_STOCK_PATH="/nothing") as house:
        with pytest.raises(PermanentError):
            run(house)
        assert [line.code for line in desk(house)] == ["generic_rest.stock.refused"]


def test_a_sale_while_the_run_thinks_is_not_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    erp(house).stock.put("SBX-TEA-100", 12)
    erp(house).stock.put("SBX-LAMP", 12)
    shop = house.rt.shops[SHOP]
    write = shop.write_stock

    def sell_first(*arguments: Any) -> Any:
        change_goods(house, 1, goods_number=999)
        return write(*arguments)

    monkeypatch.setattr(shop, "write_stock", sell_first)
    result = run(house)

    assert ([change.sku for change in result.written], result.moved) == (["SBX-LAMP"], 1)
    assert shown(house)["SBX-TEA-100"] == 999
    monkeypatch.undo()
    run(house)
    assert shown(house)["SBX-TEA-100"] == 12


@pytest.mark.parametrize("place", ["before the write", "after a portion", "before the record"])
def test_a_worker_may_die_anywhere_and_the_next_run_finishes(
    house: House, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for sku, number in (("SBX-TEA-100", 12), ("SBX-LAMP", 13), ("SBX-CUP-1", 14)):
        erp(house).stock.put(sku, number)
    monkeypatch.setattr("sync.services.sync_stock.WRITTEN_AT_ONCE", 1)
    shop, times = house.rt.shops[SHOP], {"before the write": 0, "after a portion": 1, "before the record": 99}[place]
    write = shop.write_stock

    class Died(BaseException):
        pass

    def die(*arguments: Any) -> Any:
        nonlocal times
        times -= 1
        if times < 0:
            raise Died
        return write(*arguments)

    def die_at_once(*_: Any, **__: Any) -> Any:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(shop, "write_stock", die)
        if place == "before the record":
            patched.setattr("sync.services.sync_stock._finish", die_at_once)
        with pytest.raises(Died):
            run(house)
    run(house)

    assert {sku: shown(house)[sku] for sku in ("SBX-TEA-100", "SBX-LAMP", "SBX-CUP-1")} == {
        "SBX-TEA-100": 12,
        "SBX-LAMP": 13,
        "SBX-CUP-1": 14,
    }
    assert len(history(house)) == 3, "every change is in the history once"
    assert run(house).plan.changes == ()


def test_the_history_ends_after_its_time(house: House) -> None:
    erp(house).stock.put("SBX-TEA-100", 12)
    run(house)
    with house.rt.database.writing() as session:
        session.execute(update(StockChangeRow).values(changed_at=utc_now() - timedelta(days=91)))
    erp(house).stock.put("SBX-LAMP", 12)
    run(house, approved_by="li")

    assert [sku for sku, *_ in history(house)] == ["SBX-LAMP"]
