"""What Jushuitan holds: looking an order up, cancelling it, reading its stock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.errors import PermanentError, TransientError
from mappings.model import ErpDocument, StockFigure
from tests.contract.erps.hands import SN, failure
from tests.contract.erps.jushuitan.cases import SHAPES, biz, erp, good, held, stock
from tests.contract.erps.sealed import NOW, talk

DOCUMENT = ErpDocument("1528134", SN)
DONE = good()


# --- look-up


def test_an_order_is_looked_up_by_our_number_in_our_shop() -> None:
    document, [call] = talk(erp().find(SN), held({}))

    assert document == ErpDocument("1528134", SN, adopted=True)
    assert (call.url, call.changes_peer) == ("https://openapi.jushuitan.com/open/orders/single/query", False)
    assert biz(call) == {"shop_id": 10406394, "so_ids": [SN], "page_index": 1, "page_size": 50}


@pytest.mark.parametrize(
    "reply", [held(), good(data_count=0), good(orders=None), good(), held({"so_id": "x"}), held({"shop_id": 9})]
)
def test_what_is_not_ours_is_not_found(reply: Any) -> None:
    assert talk(erp().find(SN), reply)[0] is None


def test_of_several_parts_the_oldest_that_is_alive_stands_for_the_order() -> None:
    parts = held({"o_id": 30}, {"o_id": 9, "status": "Split"}, {"o_id": 20}, {"o_id": 10, "status": "Cancelled"})

    assert talk(erp().find(SN), parts)[0] == ErpDocument("20", SN, adopted=True)


def test_the_path_of_the_look_up_can_be_another_one() -> None:
    _, [call] = talk(erp(find_path="/open/jushuitan/orders/query").find(SN), held())

    assert call.url.endswith("/open/jushuitan/orders/query")


# --- cancel


def test_an_order_is_cancelled_by_jushuitans_own_number() -> None:
    _, calls = talk(erp(cancel_reason="拍错").cancel(DOCUMENT), held({}), DONE)

    assert [call.operation for call in calls] == ["find_order", "cancel_order"]
    assert calls[1].url.endswith("/open/jushuitan/orderbyoid/cancel")
    assert biz(calls[1]) == {"o_ids": [1528134], "cancel_type": "拍错"}


def test_every_living_part_is_cancelled() -> None:
    parts = held({"o_id": 9, "status": "Split"}, {"o_id": 20}, {"o_id": 30, "status": "Question"})

    _, calls = talk(erp().cancel(DOCUMENT), parts, DONE)

    assert biz(calls[1])["o_ids"] == [20, 30]


def test_what_is_cancelled_already_needs_no_call() -> None:
    talk(erp().cancel(DOCUMENT), held({"status": "Cancelled"}))


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (held(), "not_found"),
        (held({"status": "Sent"}), "too_late"),
        (held({"o_id": 20}, {"o_id": 30, "status": "Sent"}), "too_late"),
        (held({"status": "Merged"}), "cannot_cancel"),
    ],
)
def test_what_cannot_be_cancelled_goes_to_a_person_and_nothing_is_sent(reply: Any, code: str) -> None:
    problem = failure(erp().cancel(DOCUMENT), reply)

    assert (type(problem), problem.code) == (PermanentError, f"jushuitan.cancel.{code}")
    assert "nothing was cancelled" in problem.message


@pytest.mark.parametrize("status", sorted({*SHAPES["order_states"]} - {"Sent", "Merged", "Cancelled", "Split"}))
def test_an_order_in_any_other_state_is_cancelled(status: str) -> None:
    _, calls = talk(erp().cancel(DOCUMENT), held({"status": status}), DONE)

    assert calls[-1].operation == "cancel_order"


def test_a_cancel_that_finds_jushuitan_busy_is_tried_again() -> None:
    busy = good(datas=[{"o_id": 1528134, "issuccess": False, "msg": "系统繁忙，请稍后再试"}])

    problem = failure(erp().cancel(DOCUMENT), held({}), busy)

    assert (type(problem), problem.code) == (TransientError, "jushuitan.cancel.busy")


def test_a_row_of_the_cancel_that_says_no_is_a_no() -> None:
    problem = failure(
        erp().cancel(DOCUMENT), held({}), good(datas=[{"o_id": 1528134, "issuccess": False, "msg": "已打单"}])
    )

    assert (type(problem), problem.code, problem.peer_text) == (PermanentError, "jushuitan.cancel.rejected", "已打单")


# --- stock


def test_stock_is_what_is_there_less_what_is_locked() -> None:
    row = {"sku_id": "A", "qty": 10, "order_lock": 3, "pick_lock": 1, "virtual_qty": 2}

    figures, [call] = talk(erp().read_stock(None, ["A", "B"]), stock(row))

    assert figures == (StockFigure("A", 8, "", datetime(2026, 11, 22, 3, 0, tzinfo=UTC)),)
    assert biz(call) == {"wms_co_id": 0, "page_index": 1, "page_size": 100, "sku_ids": "A,B"}
    assert (call.url.endswith("/open/inventory/query"), call.changes_peer) == (True, False)


def test_the_formula_the_path_and_the_warehouse_are_settings() -> None:
    peer = erp(stock_formula="qty-order_lock", stock_path="/open/jushuitan/inventory/query", wms_co_id="55")

    figures, [call] = talk(
        peer.read_stock(None, ["A"]), stock({"sku_id": "A", "qty": 10, "order_lock": 3, "virtual_qty": 2})
    )

    assert [(figure.available, figure.warehouse) for figure in figures] == [(7, "55")]
    assert (call.url.endswith("/jushuitan/inventory/query"), biz(call)["wms_co_id"]) == (True, 55)


def test_many_skus_are_asked_for_a_hundred_at_a_time_and_page_by_page() -> None:
    skus = [f"S{number:03}" for number in range(150)]

    figures, calls = talk(
        erp().read_stock(None, skus),
        stock({"sku_id": "S000", "qty": 1}, has_next=True),
        stock({"sku_id": "S001", "qty": 2}),
        stock({"sku_id": "S100", "qty": 3}),
    )

    assert [len(biz(call)["sku_ids"].split(",")) for call in calls] == [100, 100, 50]
    assert [biz(call)["page_index"] for call in calls] == [1, 2, 1]
    assert [figure.sku for figure in figures] == ["S000", "S001", "S100"]
    assert erp().spec.skus_at_once <= 100


def test_what_is_locked_by_hand_is_asked_for_where_the_formula_names_it() -> None:
    peer = erp(stock_formula="qty-order_lock-lock_qty")

    figures, [call] = talk(peer.read_stock(None, ["A"]), stock({"sku_id": "A", "qty": 10, "lock_qty": 4}))

    assert (figures[0].available, biz(call)["has_lock_qty"]) == (6, True)


def test_changes_are_asked_for_by_time_in_pieces_of_seven_days_at_most() -> None:
    """And a quarter of an hour more, by which the clocks may differ."""
    figures, calls = talk(
        erp().read_stock(NOW - timedelta(days=10)), stock({"sku_id": "A", "qty": 1}), stock({"sku_id": "A", "qty": 2})
    )

    assert [(biz(call)["modified_begin"], biz(call)["modified_end"]) for call in calls] == [
        ("2026-11-12 11:45:00", "2026-11-19 11:45:00"),
        ("2026-11-19 11:45:00", "2026-11-22 12:00:00"),
    ]
    assert [figure.available for figure in figures] == [2], "the later answer counts"


def test_no_rows_are_no_figures() -> None:
    assert talk(erp().read_stock(None, ["A"]), good(inventorys=None))[0] == ()


def test_stock_without_skus_or_a_time_cannot_be_asked_for() -> None:
    assert failure_of_nothing() == "jushuitan.stock.skus_needed"


def failure_of_nothing() -> str:
    with pytest.raises(PermanentError) as caught:
        next(erp().read_stock(None))
    return caught.value.code


# --- settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shop_id", "main"),
        ("base_url", "http://openapi.jushuitan.com"),
        ("app_secret", "a\nb"),
        ("app_key", ""),
        ("cod", "maybe"),
        ("find_path", "open/orders"),
        ("stock_formula", "qty*2"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_at_start(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        erp(**{name: text})
