"""What one run may not take away by itself, and what is never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from mappings.model import StockLine
from sync.db.models import AuditRow
from sync.services.poll_shop import poll_shop
from tests.service.house import SHOP, House
from tests.service.stock.hands import (
    change_goods,
    desk,
    erp,
    history,
    plain_order,
    run,
    sell_out,
    serve_only,
    shown,
    stock_up,
)


def test_a_run_that_would_empty_the_shop_waits_for_a_person(house: House) -> None:
    run(house)
    before = shown(house)
    sell_out(house)
    held, again = run(house), run(house)

    assert held.is_guarded
    assert "would fall to 0" in held.plan.guard
    assert shown(house) == before
    assert history(house) == []
    (line,) = desk(house)
    assert (line.code, line.peer) == ("stock.guarded", SHOP)
    assert "ecsync stock sync --shop main --approve" in line.message
    assert again.is_full, "what is put right need not count as changed"

    approved = run(house, approved_by="wang")
    assert set(shown(house).values()) == {0}
    assert {actor for *_, actor in history(house)} == {"wang"}
    assert len(approved.written) == len(before)
    assert desk(house) == []
    with house.rt.database.reading() as session:
        assert [(row.actor, row.action) for row in session.execute(select(AuditRow)).scalars()] == [
            ("wang", "stock.approve")
        ]


def test_a_guarded_run_is_forgotten_when_the_erp_is_right_again(house: House) -> None:
    sell_out(house)
    assert run(house).is_guarded
    stock_up(house)
    erp(house).stock.put("SBX-TEA-100", 999)

    assert [change.sku for change in run(house).written] == ["SBX-TEA-100"]
    assert desk(house) == []


def test_numbers_that_mean_two_goods_are_named_and_left_alone(house: House) -> None:
    change_goods(house, 4, goods_sn="SBX-TEA-100")
    change_goods(house, 5, goods_sn="")
    erp(house).stock.put("SBX-TEA-100", 3)
    erp(house).stock.put("SBX-SNACK", 998)
    result = run(house)

    assert [change.sku for change in result.written] == ["SBX-SNACK"]
    (line,) = desk(house)
    assert line.code == "stock.sku_unclear"
    assert "(blank), SBX-TEA-100" in line.message
    change_goods(house, 4, goods_sn="SBX-BOOK")
    change_goods(house, 5, goods_sn="SBX-LAMP")
    run(house)
    assert desk(house) == []


def test_a_figure_too_large_for_the_shop_is_named_and_left_alone(
    small_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = small_house
    read = house.rt.shops[SHOP].read_stock

    def limited() -> Iterator[StockLine]:
        return iter([replace(line, limit=65535) for line in read()])

    monkeypatch.setattr(house.rt.shops[SHOP], "read_stock", limited)
    erp(house).stock.put("SBX-TEA-100", 70_000)
    run(house)

    (line,) = desk(house)
    assert (line.code, shown(house)["SBX-TEA-100"]) == ("stock.too_large", 1000)
    assert "SBX-TEA-100" in line.message
    erp(house).stock.put("SBX-TEA-100", 60_000)
    run(house)
    assert (desk(house), shown(house)["SBX-TEA-100"]) == ([], 60_000)


def test_a_shortage_of_what_was_promised_is_told_until_there_is_enough(house: House) -> None:
    _, wanted = plain_order(house)
    poll_shop(house.rt, SHOP)
    serve_only(house, "erp.generic_rest")
    (sku, pieces), *_ = wanted.items()
    erp(house).stock.put(sku, pieces - 1)  # the ERP's people counted again
    run(house)

    (line,) = [one for one in desk(house) if one.code.startswith("stock.")]
    assert (line.code, line.peer) == ("stock.oversold", SHOP)
    assert f"{sku} (1 too few)" in line.message
    assert shown(house)[sku] == pieces - 1, "what is there may be sent"

    erp(house).stock.put(sku, pieces)
    run(house)
    assert [one.code for one in desk(house) if one.code.startswith("stock.")] == []


def test_a_sku_that_the_erp_does_not_name_is_left_alone(house: House) -> None:
    erp(house).stock.remove("SBX-TEA-100")
    erp(house).stock.put("OTHER", 5)
    result = run(house)

    assert (result.plan.changes, result.plan.silent, result.unsold) == ((), ("SBX-TEA-100",), ("OTHER",))


def test_a_sku_that_a_full_answer_leaves_out_is_let_go(house: House) -> None:
    erp(house).stock.put("SBX-TEA-100", 3)
    run(house)
    erp(house).stock.remove("SBX-TEA-100")
    change_goods(house, 1, goods_number=77)
    assert shown(house)["SBX-TEA-100"] == 77

    assert run(house, approved_by="li").plan.silent == ("SBX-TEA-100",)
    assert shown(house)["SBX-TEA-100"] == 77, "the old figure counts no more"
