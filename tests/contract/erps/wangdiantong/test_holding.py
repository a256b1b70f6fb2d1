"""What Wangdiantong holds: looking a raw trade up, closing it, its stock, what its warehouse sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.model import ErpDocument, ErpShipment, StockFigure
from tests.contract.erps.hands import SN, failure, said
from tests.contract.erps.sealed import NOW, talk
from tests.contract.erps.wangdiantong.cases import (
    CHANGED,
    SHAPES,
    args,
    erp,
    found,
    good,
    pushed,
    query,
    stock,
    trade,
    waiting,
)

DOCUMENT = ErpDocument(SN, SN)


# --- look-up


def test_a_raw_trade_is_looked_up_by_our_number() -> None:
    document, [call] = talk(erp().find(SN), found(trade()))

    assert document == ErpDocument(SN, SN, adopted=True)
    assert (query(call)["method"], args(call)) == ("sales.RawTrade.searchSelfOrder", [{"tid": SN}])
    assert (query(call)["page_no"], call.changes_peer) == ("0", False)


def test_nothing_is_found_when_there_is_nothing_of_our_number() -> None:
    assert talk(erp().find(SN), found())[0] is None
    assert talk(erp().find(SN), found(trade(tid="another")))[0] is None


def test_the_method_of_the_look_up_can_be_another_one() -> None:
    _, [call] = talk(erp(find_method="sales.RawTrade.search").find(SN), found())

    assert query(call)["method"] == "sales.RawTrade.search"


@pytest.mark.parametrize("trades", [(trade(shop_no="other"),), (trade(), trade())])
def test_a_number_that_is_another_shops_or_there_twice_goes_to_a_person(trades: tuple[dict[str, Any], ...]) -> None:
    problem = failure(erp().find(SN), found(*trades))

    assert (type(problem), problem.code) == (PermanentError, "wangdiantong.order.found_other")


# --- cancel


def test_a_paid_trade_is_closed_as_refunded_with_what_wangdiantong_holds_of_it() -> None:
    _, calls = talk(erp().cancel(DOCUMENT), found(trade()), CHANGED)
    shop_no, [closed], [line] = args(calls[1])

    assert [call.operation for call in calls] == ["find_order", "cancel_order"]
    assert query(calls[1])["method"] == "sales.RawTrade.pushSelf2"
    assert (shop_no, closed["tid"], closed["receivable"]) == ("ecshop", SN, 2786)
    assert (closed["trade_status"], closed["refund_status"], closed["process_status"]) == (80, 3, 70)
    assert (line["oid"], line["status"], line["refund_status"], line["refund_amount"]) == (f"{SN}-7", 80, 5, 2776)


def test_an_unpaid_trade_is_closed_without_a_refund() -> None:
    _, calls = talk(erp().cancel(DOCUMENT), found(trade(pay_status=0)), CHANGED)
    _, [closed], [line] = args(calls[1])

    assert (closed["trade_status"], closed["refund_status"], line["refund_status"]) == (90, 0, 6)
    assert line["refund_amount"] == 0


@pytest.mark.parametrize("changes", [{"process_status": 70}, {"trade_status": 80}, {"trade_status": 90}])
def test_what_is_closed_already_needs_no_call(changes: dict[str, Any]) -> None:
    talk(erp().cancel(DOCUMENT), found(trade(**changes)))


@pytest.mark.parametrize(
    ("trades", "settings", "code"),
    [
        ((), {}, "not_found"),
        ((trade(process_status=40),), {}, "too_late"),
        ((trade(process_status=30),), {}, "too_late"),
        ((trade(receiver_mobile="138****8000"),), {}, "cannot_cancel"),
        ((trade(),), {"cancel": "0"}, "cannot_cancel"),
    ],
)
def test_what_cannot_be_closed_goes_to_a_person_and_nothing_is_sent(
    trades: tuple[dict[str, Any], ...], settings: dict[str, str], code: str
) -> None:
    problem = failure(erp(**settings).cancel(DOCUMENT), found(*trades))

    assert (type(problem), problem.code) == (PermanentError, f"wangdiantong.cancel.{code}")
    assert "nothing was cancelled" in problem.message


def test_a_cancel_that_changes_nothing_is_looked_up_before_it_is_believed() -> None:
    talk(erp().cancel(DOCUMENT), found(trade()), pushed(), found(trade(trade_status=80)))
    problem = failure(erp().cancel(DOCUMENT), found(trade()), pushed(), found(trade()))

    assert (type(problem), problem.code) == (PermanentError, "wangdiantong.cancel.rejected")


# --- stock


def test_stock_is_what_is_there_less_all_that_is_promised() -> None:
    figures, [call] = talk(erp().read_stock(None, ["ECS000000"]), said(SHAPES["stock_by_spec"]))

    assert figures == (StockFigure("ECS000000", 35, "wdtapi3-test", datetime(2026, 11, 21, 8, 15, tzinfo=UTC)),)
    assert args(call) == [{"spec_nos": ["ECS000000"]}]


def test_the_figure_that_wangdiantong_calls_available_can_be_taken_instead() -> None:
    peer = erp(stock_method="wms.StockSpec.queryAvailableStock")

    figures, calls = talk(
        peer.read_stock(None, ["ECS000000", "ECS000004"]), said(SHAPES["stock_available"]), good({"stocks": []})
    )

    assert [args(call) for call in calls] == [SHAPES["stock_question"], [{"spec_no": "ECS000004"}]]
    assert [(figure.available, figure.warehouse) for figure in figures] == [(35, "wdtwms")]


def test_another_formula_counts_and_defective_pieces_do_not() -> None:
    peer = erp(stock_formula="available_send_stock")

    figures, _ = talk(
        peer.read_stock(None, ["A"]), stock({"spec_no": "A"}, {"spec_no": "A", "defect": True, "warehouse_no": "scrap"})
    )

    assert [(figure.available, figure.warehouse) for figure in figures] == [(46, "wdtapi3-test")]


def test_stock_is_read_page_by_page_from_page_0() -> None:
    full = stock(*({"spec_no": f"S{number}"} for number in range(3)))

    figures, calls = talk(erp(page_size="3").read_stock(None, ["S0"]), full, stock({"spec_no": "S3"}))

    assert [query(call)["page_no"] for call in calls] == ["0", "1"]
    assert len(figures) == 4


def test_many_skus_are_asked_for_a_hundred_at_a_time() -> None:
    _, calls = talk(erp().read_stock(None, [f"S{number:03}" for number in range(101)]), stock(), stock())

    assert [len(args(call)[0]["spec_nos"]) for call in calls] == [100, 1]
    assert erp().spec.skus_at_once <= 100


def test_changes_are_asked_for_by_time_in_pieces_of_thirty_days_at_most() -> None:
    _, calls = talk(erp().read_stock(NOW - timedelta(days=31)), stock(), stock())

    assert [args(call) for call in calls] == [
        [{"start_time": "2026-10-22 12:00:00", "end_time": "2026-11-21 12:00:00"}],
        [{"start_time": "2026-11-21 12:00:00", "end_time": "2026-11-22 12:00:00"}],
    ]


def test_stock_without_skus_or_a_time_cannot_be_asked_for() -> None:
    with pytest.raises(PermanentError) as caught:
        next(erp().read_stock(None))

    assert caught.value.code == "wangdiantong.stock.skus_needed"


# --- shipments


def poll(*replies: Any) -> tuple[tuple[ErpShipment, ...], list[Any]]:
    return talk(erp().poll_shipments(NOW), *replies)


def test_what_the_warehouse_sent_is_told_with_its_courier_and_time() -> None:
    shipments, [call] = poll(said(SHAPES["shipments_told"]))

    assert shipments == (
        ErpShipment(SN, "2345676543223", "申通快递", "152650", datetime(2026, 11, 22, 7, 15, tzinfo=UTC)),
    )
    assert args(call) == [{"shop_no": "ecshop", "is_own_platform": True}]
    assert query(call)["method"] == "sales.LogisticsSync.getSyncListExt"


def test_shipments_come_oldest_first_and_a_courier_without_a_name_by_its_code() -> None:
    later, earlier = {"sync_id": 2, "created": "2026-11-22 12:00:00"}, {"sync_id": 1, "created": "2026-11-22 11:00:00"}

    shipments, _ = poll(waiting(later, earlier | {"logistics_name": ""}))

    assert [(one.key, one.shipper) for one in shipments] == [("1", "STO1"), ("2", "申通快递")]


def two_lines() -> dict[str, Any]:
    line = trade()["trade_orders"][0]
    return trade(trade_orders=[line, line | {"oid": f"{SN}-8", "spec_no": "ECS000004", "num": 3}])


def test_a_part_that_was_sent_is_told_by_the_oids_of_its_lines() -> None:
    shipments, calls = poll(waiting({"is_part_sync": 1, "oids": f"{SN}-8"}), found(two_lines()))

    assert shipments[0].quantities == {"ECS000004": 3}
    assert [call.operation for call in calls] == ["poll_shipments", "find_order"]


@pytest.mark.parametrize(
    ("entry", "quantities"),
    [
        ({"oids": f"{SN}-7,{SN}-8"}, {"ECS000000": 2, "ECS000004": 3}),
        ({"oids": f"{SN}-8", "goods_count": "1.0000"}, {"ECS000004": 1}),
        ({"oids": f"{SN}-7,{SN}-8", "goods_count": 5}, {"ECS000000": 2, "ECS000004": 3}),
    ],
)
def test_the_pieces_of_a_part_follow_from_its_lines_and_count(
    entry: dict[str, Any], quantities: dict[str, int]
) -> None:
    assert poll(waiting({"is_part_sync": 1, **entry}), found(two_lines()))[0][0].quantities == quantities


@pytest.mark.parametrize(
    ("entry", "trades"),
    [
        ({"oids": "42"}, (two_lines(),)),
        ({"oids": "7"}, (two_lines(),)),
        ({"oids": f"{SN}-7"}, ()),
        ({"oids": f"{SN}-7,{SN}-8", "goods_count": 4}, (two_lines(),)),
    ],
)
def test_a_part_that_cannot_be_told_names_no_sku_so_that_nobody_guesses(
    entry: dict[str, Any], trades: tuple[dict[str, Any], ...]
) -> None:
    quantities = poll(waiting({"is_part_sync": 1, **entry}), found(*trades))[0][0].quantities

    assert set(quantities) == set(entry["oids"].split(","))


def test_each_entry_is_answered_with_taken_or_the_reason() -> None:
    _, [call] = talk(erp().settle_shipments({"88950": ""}), good([]))
    _, [refusal] = talk(erp().settle_shipments({"7": "the shop has no such order"}), good([]))

    assert args(call) == SHAPES["shipments_answer"]
    assert query(call)["method"] == "sales.LogisticsSync.update"
    assert args(refusal) == [[{"sync_id": 7, "status": "2", "error_msg": "the shop has no such order"}]]


def test_nothing_to_answer_calls_nobody() -> None:
    with pytest.raises(StopIteration):
        next(erp().settle_shipments({}))


# --- settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app_secret", "secret-without-salt"),
        ("app_secret", ":salt"),
        ("url", "http://wdt.wangdian.cn/openapi"),
        ("sid", " "),
        ("pay_method", "9"),
        ("stock_method", "wms.StockSpec.search"),
        ("stock_formula", "num*2"),
        ("page_size", "1001"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_at_start(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        erp(**{name: text})
    assert "secret-without-salt" not in str(caught.value)
