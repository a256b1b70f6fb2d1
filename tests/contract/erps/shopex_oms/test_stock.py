"""Stock and shipments: the recorded answers, pages, and rows that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.errors import PermanentError, TransientError
from mappings.model import ErpShipment, StockFigure
from mappings.wire import Stamp
from tests.contract.erps.shopex_oms.cases import QUESTIONS, answer, erp, failure, form_of, run

SINCE = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)


def rows(*found: dict[str, Any]) -> Any:
    return answer({"response": {"lists": {str(place): row for place, row in enumerate(found, 1)}, "count": len(found)}})


def figure(sku: str, store: object = "5", freeze: object = "0") -> dict[str, Any]:
    return {"bn": sku, "store": store, "store_freeze": freeze}


def test_the_recorded_stock_of_all_is_what_is_there_less_what_orders_hold() -> None:
    figures, [call] = run(erp().read_stock(None), answer(QUESTIONS["stock_of_all"]["answer"]))
    form = form_of(call)

    assert figures == (StockFigure("ECS000000", 34), StockFigure("ECS000004", 17), StockFigure("ECS000032", 4))
    assert (form["method"], form["page_no"], form["page_size"]) == ("stock.getAll", "1", "100")
    assert (call.operation, call.changes_peer) == ("read_stock", False)


def test_a_question_is_one_that_a_running_oms_answered() -> None:
    for name, exchange in (
        ("stock_of_all", erp().read_stock(None)),
        ("stock_by_sku", erp().read_stock(None, ["ECS000000"])),
        ("read_back", erp().find("1")),
    ):
        form, recorded = form_of(next(exchange).sealed(_stamp())), QUESTIONS[name]["fields"]
        assert set(form) - set(recorded) == {"nonce", "sign"}, name
        assert set(recorded) <= set(form), name
        same = ("flag", "method", "type", "charset", "ver")
        assert {field: form[field] for field in same} == {field: recorded[field] for field in same}


def test_skus_that_the_oms_does_not_know_are_left_out() -> None:
    figures, [call] = run(
        erp().read_stock(None, ["ECS000000", "ECS000004", "ECS000032", "NOPE"]),
        answer(QUESTIONS["stock_by_sku"]["answer"]),
    )

    assert [found.sku for found in figures] == ["ECS000000", "ECS000004", "ECS000032"]
    assert figures[0].available == 34
    assert form_of(call)["product_bns"] == QUESTIONS["stock_by_sku"]["fields"]["product_bns"]


def test_every_run_reads_everything_because_a_warehouse_does_not_know_what_orders_hold() -> None:
    """What moved in a warehouse could be asked for. Recorded there: 50 and 0 held, and 34 can be sold in truth."""
    in_warehouse = QUESTIONS["stock_by_warehouse"]["answer"]["response"]["lists"]["1"]
    figures, [call] = run(erp().read_stock(SINCE), answer(QUESTIONS["stock_of_all"]["answer"]))

    assert (in_warehouse["product_bn"], in_warehouse["store"], in_warehouse["store_freeze"]) == ("ECS000000", "50", 0)
    assert figures[0] == StockFigure("ECS000000", 34)
    assert form_of(call)["method"] == "stock.getAll"


def test_a_sku_that_is_asked_for_twice_is_asked_for_once() -> None:
    figures, [call] = run(erp().read_stock(None, ["A", "A"]), rows(figure("A")))

    assert figures == (StockFigure("A", 5),)
    assert form_of(call)["product_bns"] == "A"


def test_all_pages_are_read_and_a_sku_told_twice_counts_with_its_lower_figure() -> None:
    full = rows(*(figure(f"S{n}") for n in range(100)))
    figures, calls = run(erp().read_stock(None), full, rows(figure("S99", "3"), figure("S100")))

    assert [form_of(call)["page_no"] for call in calls] == ["1", "2"]
    assert len(figures) == 101
    assert {found.sku: found.available for found in figures}["S99"] == 3


@pytest.mark.parametrize(
    ("store", "freeze", "available"),
    [("5", 0, 5), ("5.500", "1", 4), ("0", "3", -3), (7, None, 7), ("5", "", 5)],
)
def test_figures_come_in_many_types(store: object, freeze: object, available: int) -> None:
    figures, _ = run(erp().read_stock(None), rows(figure("A", store, freeze)))

    assert figures == (StockFigure("A", available),)


def test_a_sku_without_stock_is_left_out() -> None:
    assert run(erp().read_stock(None), rows({"bn": "A"}, figure("B", None), figure("")))[0] == ()


@pytest.mark.parametrize("store", ["many", "1e400", "NaN", "9999999999"])
def test_a_figure_that_is_no_number_is_for_a_person(store: str) -> None:
    error = failure(erp().read_stock(None), rows(figure("A", store)))

    assert isinstance(error, PermanentError)
    assert error.code == "shopex_oms.stock.figure_unreadable"
    assert "A" in error.message


def test_rows_in_another_shape_are_for_a_person() -> None:
    error = failure(erp().read_stock(None), answer({"response": {"lists": "none"}}))

    assert error.code == "shopex_oms.stock.rows_unreadable"


def test_a_repeated_question_is_asked_again_with_another_time() -> None:
    body = '{"error_response":{"code":"e000009","msg":"repeat request invalid","sub_msg":"[]"}}'
    error = failure(erp().read_stock(None), answer(body))

    assert isinstance(error, TransientError)
    assert error.code == "shopex_oms.stock.repeated"
    call = next(erp().read_stock(None))
    assert call.sealed(_stamp(0)).body != call.sealed(_stamp(5)).body


def test_two_questions_of_one_second_are_not_alike() -> None:
    call = next(erp().read_stock(None))

    assert call.sealed(_stamp(nonce="a")).body != call.sealed(_stamp(nonce="b")).body


# --- shipments


def delivery(number: int = 1, **changes: Any) -> dict[str, Any]:
    """As the OMS's source writes a delivery."""
    whole = {
        "delivery_bn": f"D{number}",
        "delivery_time": "2026-11-21 00:30:00",
        "logi_name": "顺丰速运",
        "logi_no": f"SF{number}",
        "ship_name": "x@local_hash",
        "items": [item()],
    }
    return whole | changes


def item(**changes: Any) -> dict[str, Any]:
    whole = {"order_bn": "A1", "obj_type": "goods", "sales_material_bn": "TEA", "bn": "TEA-BASE", "nums": "2"}
    return whole | changes


def shipments(*found: dict[str, Any]) -> tuple[ErpShipment, ...]:
    return run(erp().poll_shipments(SINCE), answer({"response": {"lists": list(found), "count": len(found)}}))[0]


def test_a_delivery_names_order_waybill_courier_and_pieces() -> None:
    [shipment] = shipments(delivery())

    assert shipment == ErpShipment(
        external_ref="A1",
        waybill_no="SF1",
        shipper="顺丰速运",
        key="D1/A1",
        shipped_at=datetime(2026, 11, 20, 16, 30, tzinfo=UTC),
        quantities={"TEA": 2},
    )


def test_our_shops_deliveries_are_asked_for_with_a_day_in_which_a_warehouse_may_tell_them() -> None:
    _, [call] = run(erp().poll_shipments(SINCE), rows())
    form = form_of(call)

    assert (form["method"], form["shop_bn"]) == ("sales.getDeliveryList", "ecshop01")
    assert (form["start_time"], form["end_time"]) == ("2026-11-20 00:30:00", "2026-11-22 23:04:51")
    assert (call.operation, call.changes_peer) == ("poll_shipments", False)


def test_orders_that_were_sent_together_have_one_number() -> None:
    found = shipments(delivery(items=[item(), item(order_bn="A2"), item(nums="1.000")]))

    assert [(one.external_ref, one.waybill_no, one.quantities) for one in found] == [
        ("A1", "SF1", {"TEA": 3}),
        ("A2", "SF1", {"TEA": 2}),
    ]


def test_the_parts_of_a_bundle_are_told_as_parts() -> None:
    [shipment] = shipments(delivery(items=[item(obj_type="pkg")]))

    assert shipment.quantities == {"TEA-BASE": 2}


def test_the_oldest_comes_first_and_all_pages_are_read() -> None:
    late = [delivery(n, delivery_time="2026-11-22 08:00:00") for n in range(100)]
    first = answer({"response": {"lists": late, "count": 101}})
    found, calls = run(erp().poll_shipments(SINCE), first, rows(delivery(500), late[0]))

    assert [form_of(call)["page_no"] for call in calls] == ["1", "2"]
    assert (len(found), found[0].key) == (101, "D500/A1")


def test_a_delivery_without_a_number_shows_nothing() -> None:
    assert shipments(delivery(logi_no="")) == ()


def test_a_line_without_whole_pieces_is_for_a_person() -> None:
    error = failure(erp().poll_shipments(SINCE), rows(delivery(items=[item(nums="some")])))

    assert isinstance(error, PermanentError)
    assert error.code == "shopex_oms.shipments.quantity_unreadable"


def test_nobody_is_told_what_became_of_them() -> None:
    exchange = erp().settle_shipments({"D1/A1": ""})

    with pytest.raises(StopIteration):
        next(exchange)


def _stamp(later_s: int = 0, nonce: str = "n") -> Stamp:
    return Stamp(SINCE + timedelta(seconds=later_s), nonce)
