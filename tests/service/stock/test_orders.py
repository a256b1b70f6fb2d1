"""Stock from the ERP into the shop, with orders on their way: the sandbox ERP reserves, the shop sells and ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sync.sandbox.shop import create_shop, open_shop, seed_orders
from sync.services.poll_shop import poll_shop
from tests.service.house import SHOP, House, open_house
from tests.service.stock.hands import (
    TABLES,
    configure_shop,
    desk,
    erp,
    erp_figures,
    history,
    less,
    plain_order,
    run,
    serve_only,
    shown,
    stock_up,
    take_at_order,
)


def test_the_shop_shows_what_the_erp_can_sell_and_a_second_run_changes_nothing(house: House) -> None:
    erp(house).stock.put("SBX-TEA-100", 12)
    erp(house).stock.put("SBX-CUP-2", 0)
    first, second = run(house), run(house)

    assert {change.sku: change.after for change in first.written} == {"SBX-TEA-100": 12, "SBX-CUP-2": 0}
    assert (first.is_full, second.is_full, second.written) == (True, False, ())
    assert (shown(house)["SBX-TEA-100"], shown(house)["SBX-CUP-2"]) == (12, 0)
    with house.shop.connect() as connection:
        assert connection.scalar(select(TABLES.goods.c.goods_number).where(TABLES.goods.c.goods_id == 2)) == 2000
    assert sorted(history(house)) == [("SBX-CUP-2", 1000, 0, "ecsync"), ("SBX-TEA-100", 1000, 12, "ecsync")]
    assert desk(house) == []


def test_an_order_is_counted_once_from_payment_to_pickup_where_stock_is_taken_at_shipping(house: House) -> None:
    before = shown(house)
    _, wanted = plain_order(house)
    assert run(house).plan.changes == (), "nobody but the shop knows of it; what it will take is still there"

    poll_shop(house.rt, SHOP)
    serve_only(house, "erp.generic_rest")
    assert erp_figures(house) == less(before, wanted), "the ERP has reserved it"
    assert run(house).plan.changes == (), "and it is still there"

    house.settle()
    assert shown(house) == less(before, wanted), "it was shipped"
    assert run(house).plan.changes == ()


def test_what_was_shipped_behind_the_erp_s_back_is_not_sold_twice(house: House) -> None:
    """The ERP is away while the parcel goes: its figure still has what has left the house."""
    before = shown(house)
    _, wanted = plain_order(house)
    poll_shop(house.rt, SHOP)
    serve_only(house, "carrier.kdniao")
    serve_only(house, SHOP)
    assert shown(house) == less(before, wanted)
    assert erp_figures(house) == before

    assert run(house).plan.changes == ()
    house.settle()
    assert run(house).plan.changes == (), "the ERP has heard of it now"


def test_an_order_is_counted_once_where_stock_is_taken_at_order(house: House) -> None:
    configure_shop(house, stock_dec_time="1")
    before = shown(house)
    order_sn, wanted = plain_order(house)
    take_at_order(house, wanted)
    assert run(house).plan.changes == (), "ECShop took it at checkout, the ERP does not know"

    with house.shop.begin() as connection:  # not even paid yet
        unpaid = {"pay_status": 0, "order_status": 0}
        connection.execute(update(TABLES.order_info).where(TABLES.order_info.c.order_sn == order_sn).values(unpaid))
    assert run(house).plan.changes == (), "an unpaid order holds its pieces, too"
    with house.shop.begin() as connection:
        paid = {"pay_status": 2, "order_status": 1}
        connection.execute(update(TABLES.order_info).where(TABLES.order_info.c.order_sn == order_sn).values(paid))

    house.poll()
    house.settle()
    assert erp_figures(house) == less(before, wanted) == shown(house)
    assert run(house).plan.changes == ()


def test_an_order_pushed_while_the_erp_is_asked_makes_no_figure_too_high(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ERP's figure may lack it already, or not yet: both must be safe."""
    before = shown(house)
    _, wanted = plain_order(house)
    poll_shop(house.rt, SHOP)
    connector = house.rt.erps["erp.generic_rest"]
    read = connector.read_stock

    def push_first(since: Any) -> Any:
        monkeypatch.undo()
        serve_only(house, "erp.generic_rest")
        return read(since)

    monkeypatch.setattr(connector, "read_stock", push_first)
    run(house)
    assert shown(house) == less(before, wanted), "too low for one run, which sells nothing twice"
    run(house)
    assert shown(house) == before

    def push_after(since: Any) -> Any:
        told = yield from read(since)
        monkeypatch.undo()
        serve_only(house, "erp.generic_rest")
        return told

    configure_shop(house, stock_dec_time="1")
    run(house)
    _, wanted = plain_order(house)
    take_at_order(house, wanted)
    poll_shop(house.rt, SHOP)
    before = shown(house)
    monkeypatch.setattr(connector, "read_stock", push_after)
    run(house)
    assert shown(house) == before


def test_a_parcel_that_goes_while_the_run_thinks_is_not_given_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shown(house)
    _, wanted = plain_order(house)
    poll_shop(house.rt, SHOP)
    serve_only(house, "erp.generic_rest")
    serve_only(house, "carrier.kdniao")
    shop = house.rt.shops[SHOP]
    read = shop.read_stock

    def ship_after() -> Any:
        lines = list(read())
        monkeypatch.undo()
        house.settle()
        return iter(lines)

    monkeypatch.setattr(shop, "read_stock", ship_after)
    result = run(house)

    assert result.moved == len(result.plan.changes) > 0, "what was planned on the old figures failed"
    assert shown(house) == less(before, wanted)
    assert run(house).plan.changes == ()


def test_what_another_shop_has_sold_and_not_told_the_erp_is_not_sold_here(tmp_path: Path) -> None:
    outlet = f"sqlite:///{tmp_path}/outlet.db"
    create_shop(outlet).dispose()
    more: dict[str, Any] = {"ECSYNC_SHOPS": "main,outlet", "ECSYNC_SHOP_OUTLET_DSN": outlet}
    with open_house(tmp_path, **more, ECSYNC_SHOP_OUTLET_ENVIRONMENT="sandbox") as house:
        stock_up(house)
        other = open_shop(outlet)
        seed_orders(other, 3, 21, house.rt.clock.now(), cod_share=0)
        other.dispose()
        poll_shop(house.rt, "shop.outlet")
        lower = run(house).written
        assert lower, "three orders want something"
        assert all(change.after < change.before for change in lower)
        house.settle()
        assert run(house).plan.changes == (), "the ERP has reserved it; its figure says so itself now"
