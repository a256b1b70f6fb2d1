"""Stock of ERPs that differ: one that must be told which SKUs, one that tells what lies there, one that tells none."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import PermanentError
from mappings.model import StockFigure
from sync.clock import utc_now
from tests.service.house import House, open_house
from tests.service.pipeline.two_erps import open_two
from tests.service.stock.hands import change_goods, configure_shop, desk, erp, plain_order, run, shown, stock_up

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


@dataclass
class Teller:
    """An ERP that answers by SKU, and says what changed since; `changed` is what it says of that."""

    figures: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def read_stock(
        self, since: datetime | None, skus: Collection[str] = ()
    ) -> Generator[Any, Any, tuple[StockFigure, ...]]:
        yield from ()
        if since is not None:
            self.times.append(since)
            return tuple(StockFigure(sku, pieces) for sku, pieces in self.changed.items())
        self.asked += skus
        return tuple(StockFigure(sku, self.figures[sku]) for sku in skus if sku in self.figures)


@pytest.fixture
def teller(monkeypatch: pytest.MonkeyPatch) -> Teller:
    teller = Teller()
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, skus_at_once=AT_ONCE, tells_changes=True))
    monkeypatch.setattr(GenericRestErp, "read_stock", lambda _, since, skus=(): teller.read_stock(since, skus))
    return teller


@pytest.fixture
def told(teller: Teller, tmp_path: Path) -> Iterator[House]:
    """Its first run read everything."""
    with open_house(tmp_path, ECSYNC_SHIP_ON="waybill", ECSYNC_SHOP_MAIN_STOCK_MOST_LOWERED_PERCENT="100") as house:
        teller.figures = dict.fromkeys((sku for sku in shown(house) if sku), 50)
        run(house, approved_by="ops")
        teller.asked.clear()
        yield house


def test_after_the_first_run_only_what_changed_is_asked_for(told: House, teller: Teller) -> None:
    first, *others = teller.figures
    teller.changed = {first: 9}

    later = run(told)

    assert (later.is_full, [change.sku for change in later.written], teller.asked) == (False, [first], [])
    assert {shown(told)[sku] for sku in others} == {50}
    assert [timedelta(minutes=4) < utc_now() - since < timedelta(minutes=6) for since in teller.times] == [True]


def test_goods_that_nothing_is_known_of_are_asked_for_by_name_each_time(told: House, teller: Teller) -> None:
    change_goods(told, 1, goods_sn="NEW-1")

    for _ in range(2):
        run(told)
    assert teller.asked == ["NEW-1", "NEW-1"]

    teller.figures["NEW-1"] = 3
    run(told)
    assert shown(told)["NEW-1"] == 3
    teller.asked.clear()
    run(told)
    assert teller.asked == []


def test_what_the_erp_reserves_for_our_order_is_seen_though_it_counts_as_no_change(told: House, teller: Teller) -> None:
    """Else the order, known to the ERP, would be taken off by nobody, and its pieces be sold twice."""
    configure_shop(told, stock_dec_time="1")
    run(told, approved_by="ops")
    _, wanted = plain_order(told)
    told.poll()
    told.settle()
    for sku, pieces in wanted.items():
        teller.figures[sku] -= pieces

    run(told)

    assert set(wanted) <= set(teller.asked)
    assert {sku: shown(told)[sku] for sku in wanted} == {sku: 50 - pieces for sku, pieces in wanted.items()}


def test_everything_is_asked_for_again_each_day(told: House, teller: Teller) -> None:
    told.rt.settings = replace(told.rt.settings, stock_full_interval_s=0.001)

    assert run(told).is_full
    assert sorted(teller.asked) == sorted(teller.figures)


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
