"""Stock of ERPs that differ: one that must be told which SKUs, one that tells what lies there, one that tells none."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import PermanentError
from mappings.model import StockFigure
from tests.service.house import House, open_house
from tests.service.pipeline.two_erps import open_two
from tests.service.stock.hands import configure_shop, desk, erp, plain_order, run, shown, stock_up

AT_ONCE = 4


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What an ERP that answers by SKU was asked, question by question; it has 7 of each and knows no SKU in `-B`."""
    questions: list[list[str]] = []

    def read_stock(
        self: object, since: datetime | None, skus: Collection[str] = ()
    ) -> Generator[Any, Any, tuple[StockFigure, ...]]:
        assert since is None, "by SKU it is always asked for all of what the shop shows"
        questions.append(list(skus))
        yield from ()
        return tuple(StockFigure(sku, 7) for sku in skus if not sku.endswith("-B"))

    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, skus_at_once=AT_ONCE))
    monkeypatch.setattr(GenericRestErp, "read_stock", read_stock)
    return questions


@pytest.fixture
def by_sku(asked: list[list[str]], tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path, ECSYNC_SHIP_ON="waybill", ECSYNC_SHOP_MAIN_STOCK_MOST_ZEROED_PERCENT="100") as house:
        yield house


def test_an_erp_is_asked_for_what_the_shop_shows_some_at_a_time(by_sku: House, asked: list[list[str]]) -> None:
    sold = sorted(sku for sku in shown(by_sku) if sku)
    run(by_sku, approved_by="ops")

    assert [sku for question in asked for sku in question] == sold
    assert {len(question) for question in asked[:-1]} == {AT_ONCE}
    assert set(shown(by_sku).values()) == {7}


def test_each_run_asks_for_all_of_them_again(by_sku: House, asked: list[list[str]]) -> None:
    run(by_sku, approved_by="ops")
    first = list(asked)
    asked.clear()

    assert run(by_sku).is_full
    assert asked == first


def test_figures_that_lie_there_are_less_by_what_is_ordered_and_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, stock_is_physical=True))
    with open_house(tmp_path, sandbox={"faults": {"carrier": {"outage": True}}}) as house:
        stock_up(house)
        configure_shop(house, stock_dec_time="1")
        order_sn, wanted = plain_order(house)
        before = shown(house)
        house.poll()
        assert house.step("push_order", order_sn).state == "done"
        for sku in wanted:
            erp(house).stock.put(sku, before[sku] + 2 * wanted[sku])  # the sandbox takes the order off; SAP would not

        run(house, approved_by="ops")

        for sku, pieces in wanted.items():
            assert shown(house)[sku] == before[sku] + 2 * pieces - pieces - pieces


def test_an_erp_that_cannot_be_asked_is_said_at_start_and_at_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, reads_stock=False))
    with open_house(tmp_path) as house:
        with pytest.raises(PermanentError, match="cannot be asked for stock"):
            run(house)
        assert [line.code for line in desk(house)] == ["stock.erp_cannot"]


def test_the_figures_of_one_erp_count_where_several_get_the_orders(tmp_path: Path) -> None:
    with open_two(tmp_path, ECSYNC_SHOP_MAIN_STOCK_ERP="second") as (house, second):
        for line in house.rt.shops["shop.main"].read_stock():
            second.erp.stock.put(line.sku, 5, "east")
            second.erp.stock.put(line.sku, 6, "west")

        run(house, approved_by="ops")

        assert set(shown(house).values()) == {11}, "all warehouses count, less the safety stock, which is 0 here"
