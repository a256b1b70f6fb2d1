"""Stock over the plug-in: as by SQL, in pages, and only where the figure still is what it was."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.model import StockChange
from tests.service.plugin.php import Caller
from tests.service.shop.yard import BLACK_CUP, CUP, NOW, PACKAGE, TEA, Yard, parcel_of, staff_note, the_order

COLUMNS = ("sku", "goods_id", "product_id", "number", "unshipped")
COD = {"pay_id": 3, "pay_name": "货到付款", "pay_status": 0}


def _busy(yard: Yard) -> None:
    """Orders in every state that decides what is still to be sent."""
    yard.order(1, TEA, CUP, BLACK_CUP)
    yard.order(2, PACKAGE | {"goods_number": 3}, TEA)
    yard.order(3, TEA, pay_status=0)
    yard.order(4, TEA, order_status=2)
    yard.order(5, CUP, **COD)
    yard.order(6, CUP, order_status=0, **COD)
    yard.order(7, TEA, CUP, order_status=5, shipping_status=5)
    staff_note(yard, "7", TEA, CUP)
    yard.order(8, TEA, pay_status=1)
    yard.order(9, TEA, add_time=1)
    yard.order(10, TEA, order_status=5, shipping_status=1)


def _lines(caller: Caller, **parameters: Any) -> list[tuple[Any, ...]]:
    found, after = [], "0:0"
    while after is not None:
        status, page = caller.get("stock", after=after, **parameters)
        assert status == 200
        assert len(page["lines"]) <= parameters.get("limit", 2000)
        found += [tuple(line[name] for name in COLUMNS) for line in page["lines"]]
        after = page["next"]
    return found


@pytest.mark.parametrize("dec_time", ["0", "1"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 2000])
def test_the_figures_are_those_of_the_sql_path_whatever_a_page_holds(
    mariadb_yard: Yard, caller: Caller, limit: int, dec_time: str
) -> None:
    mariadb_yard.change(mariadb_yard.tables.shop_config, {"code": "stock_dec_time"}, value=dec_time)
    _busy(mariadb_yard)
    lines = mariadb_yard.shop().read_stock()
    by_sql = [(one.sku, one.goods_id, one.product_id, one.number, one.unshipped) for one in lines]
    assert _lines(caller, limit=limit) == by_sql
    assert sum(line[4] for line in by_sql) > 10
    assert caller.get("stock")[1]["mode"] == ("at_order" if dec_time == "1" else "at_shipping")


def test_a_shop_that_keeps_no_stock_has_no_figures(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.change(mariadb_yard.tables.shop_config, {"code": "use_storage"}, value="0")
    assert caller.get("stock") == (200, {"mode": "off", "limit": 65535, "lines": [], "next": None})


def test_escrow_and_a_floor_change_what_counts_as_ordered(mariadb_yard: Yard, caller: Caller) -> None:
    _busy(mariadb_yard)

    def teas(**parameters: Any) -> int:
        return int(next(line[4] for line in _lines(caller, **parameters) if line[1] == 1))

    assert (teas(), teas(accept_paying=1), teas(floor=2)) == (11, 13, 9)


CHANGES = [
    (1, 0, 1000, 5),  # goods without products
    (2, 1, 1000, 7),
    (2, 2, 999, 8),  # somebody else was faster
    (2, 0, 3000, 1),  # has products: its own figure is their sum
    (9, 0, 1000, 3),  # a virtual card
    (4000, 0, 1, 2),  # gone
]


def test_figures_change_as_by_sql(yard: Yard, caller: Caller) -> None:
    changes = [StockChange("", *change) for change in CHANGES]
    fresh = yard.keep()
    done = yard.shop().write_stock(changes, NOW)
    by_sql = yard.dump()
    yard.restore(fresh)
    status, answer = caller.post("stock", {"changes": [_body(change) for change in changes]})
    assert (status, [changes[index] for index in answer["changed"]]) == (200, list(done))
    assert yard.dump() == by_sql
    assert (yard.stock(1), yard.stock(2, 1), yard.stock(2), yard.stock(9)) == (5, 7, 2007, 1000)


def test_a_change_made_twice_is_made_once(yard: Yard, caller: Caller) -> None:
    body = {"changes": [_body(StockChange("", 1, 0, 1000, 5))]}
    assert caller.post("stock", body) == (200, {"changed": [0]})
    once = yard.dump()
    assert caller.post("stock", body) == (200, {"changed": []})
    assert yard.dump() == once


def test_a_sum_that_fits_no_column_is_not_written(mariadb_yard: Yard, caller: Caller) -> None:
    change = _body(StockChange("", 2, 1, 1000, 65000))
    before = mariadb_yard.dump()
    assert caller.post("stock", {"changes": [change]}) == (200, {"changed": []})
    assert caller.post("stock", {"changes": [change | {"after": 65536}]})[0] == 400
    assert mariadb_yard.dump() == before


@pytest.mark.parametrize(
    "changes", [[{}], [{"goods_id": 1, "before": -1, "after": 1}], "all", [[1]], [{"goods_id": 1, "before": 1}] * 501]
)
def test_changes_that_make_no_sense_are_refused(mariadb_yard: Yard, caller: Caller, changes: Any) -> None:
    status, answer = caller.post("stock", {"changes": changes})
    assert (status, answer["error"]["code"]) == (400, "bad_request")


def test_what_a_parcel_took_is_seen_at_once(mariadb_yard: Yard, caller: Caller) -> None:
    mariadb_yard.order(1, TEA)
    before = next(line for line in _lines(caller) if line[1] == 1)
    caller.ship(parcel_of(the_order(mariadb_yard.shop(), "1")))
    after = next(line for line in _lines(caller) if line[1] == 1)
    assert (before[3:], after[3:]) == ((1000, 2), (998, 0))


def _body(change: StockChange) -> dict[str, int]:
    return {
        "goods_id": change.goods_id,
        "product_id": change.product_id,
        "before": change.before,
        "after": change.after,
    }
