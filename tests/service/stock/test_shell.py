"""`ecsync stock …` and the settings behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mappings.errors import PermanentError
from sync import cli
from sync.services.poll_shop import poll_shop
from sync.settings import SettingsError
from sync.settings_stock import StockSettings
from tests.service.house import SHOP, House, open_house
from tests.service.stock.hands import (
    change_goods,
    erp,
    plain_order,
    run,
    sell_out,
    serve_only,
    shown,
    stock_up,
)


def test_the_stock_master_must_be_named_where_there_are_several_erps(tmp_path: Path) -> None:
    two: dict[str, Any] = {
        "ECSYNC_ERPS": "generic_rest,second",
        "ECSYNC_ERP_SECOND_CONNECTOR": "generic_rest",
        "ECSYNC_ERP_SECOND_BASE_URL": "https://erp.example.com",
        "ECSYNC_ERP_SECOND_TOKEN": "x",
    }
    with (
        pytest.raises(SettingsError, match="ECSYNC_SHOP_MAIN_STOCK_ERP"),
        open_house(tmp_path, **two, ECSYNC_SHOP_MAIN_STOCK_INTERVAL_S="300"),
    ):
        pass
    with pytest.raises(SettingsError, match="third"), open_house(tmp_path, **two, ECSYNC_SHOP_MAIN_STOCK_ERP="third"):
        pass
    with open_house(tmp_path, **two) as house, pytest.raises(PermanentError, match="STOCK_ERP"):
        run(house)
    with open_house(tmp_path, **two, ECSYNC_SHOP_MAIN_STOCK_ERP="generic_rest") as house:
        assert run(house).plan.silent


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SAFETY", "-1"),
        ("MOST_ZEROED_PERCENT", "101"),
        ("MOST_LOWERED_PERCENT", "half"),
        ("INTERVAL_S", "often"),
        ("WAREHOUSES", "N1,S1,N1"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named_at_start(tmp_path: Path, name: str, text: str) -> None:
    wrong: dict[str, Any] = {f"ECSYNC_SHOP_MAIN_STOCK_{name}": text}
    with pytest.raises(SettingsError, match=f"STOCK_{name}"), open_house(tmp_path, **wrong):
        pass


def test_stock_is_left_alone_unless_it_is_switched_on(small_house: House) -> None:
    assert small_house.rt.settings.shops[0].stock == StockSettings(interval_s=0)


def shell(house: House, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setattr(cli, "Runtime", lambda settings: house.rt)
    monkeypatch.setattr(cli, "load_settings", lambda: house.rt.settings)
    return CliRunner().invoke(cli.main, ["stock", *words], catch_exceptions=False)


def test_the_shell_shows_the_difference_and_then_makes_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    erp(house).stock.put("SBX-TEA-100", 12)

    told = shell(house, monkeypatch, "diff").stdout
    assert told.splitlines()[1:] == [
        f"  {'SKU':<24} {'shop':>8} {'ERP':>8} {'to be':>8}",
        f"  {'SBX-TEA-100':<24} {1000:>8} {12:>8} {12:>8}",
    ]
    (row,) = json.loads(shell(house, monkeypatch, "diff", "--shop", "main", "--json").stdout)
    assert (row["sku"], row["before"], row["available"], row["after"]) == ("SBX-TEA-100", 1000, 12, 12)
    assert "1 to change" in shell(house, monkeypatch, "sync", "--dry-run").stdout
    assert shown(house)["SBX-TEA-100"] == 1000
    (done,) = json.loads(shell(house, monkeypatch, "sync", "--json").stdout)
    assert (done["written"], done["guard"], done["mode"]) == (1, "", "at_shipping")
    assert shown(house)["SBX-TEA-100"] == 12

    told = shell(house, monkeypatch, "history", "SBX-TEA-100").stdout
    assert "1000 -> 12" in told
    assert "the ERP can sell 12, the shop shows 12" in told
    kept = json.loads(shell(house, monkeypatch, "history", "SBX-TEA-100", "--shop", "main", "--json").stdout)
    assert (kept["levels"][0]["figures"], kept["changes"][0]["after"]) == ({"": 12}, 12)
    assert "Nothing is known" in shell(house, monkeypatch, "history", "NO-SUCH").stdout


def test_the_difference_says_why_a_figure_is_not_the_erp_s_and_what_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_house(tmp_path, ECSYNC_SHIP_ON="waybill", ECSYNC_SHOP_MAIN_STOCK_SAFETY="3") as house:
        stock_up(house)
        _, wanted = plain_order(house)
        poll_shop(house.rt, SHOP)
        serve_only(house, "erp.generic_rest")
        (sku, pieces), *_ = wanted.items()
        other = "SBX-BOOK" if sku != "SBX-BOOK" else "SBX-SNACK"
        erp(house).stock.remove(other)
        change_goods(house, 8, goods_sn="")

        rows = {row["sku"]: row for row in json.loads(shell(house, monkeypatch, "diff", "--json").stdout)}
        told = shell(house, monkeypatch, "diff").stdout

    promised = rows[sku]
    assert (promised["before"], promised["available"], promised["after"]) == (1000, 1000 - pieces, 1000 - 3)
    assert promised["why"] == f"+{pieces} promised to unsent orders, -3 kept back"
    silent = rows[other]
    assert (silent["action"], silent["before"], silent["available"]) == ("leave", 1000, None)
    assert rows[""]["why"] == "the number is blank, or several goods have it"
    assert f"{other:<24} {1000:>8} {'-':>8} {'-':>8}  left alone: erp.generic_rest does not name it" in told


def test_the_shell_says_what_is_held_back_and_lets_it_through_when_told(
    small_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell_out(small_house)
    held = shell(small_house, monkeypatch, "sync", "--shop", "main")

    assert held.exit_code == 1
    assert "--approve" in held.stdout
    assert shell(small_house, monkeypatch, "sync", "--shop", "main", "--approve").exit_code == 0
    assert set(shown(small_house).values()) == {0}
    assert "no shop is called x" in shell(small_house, monkeypatch, "sync", "--shop", "x").stderr
