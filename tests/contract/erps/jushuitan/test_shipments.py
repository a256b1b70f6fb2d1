"""What Jushuitan's warehouse sent: whose parcel it is, what is in it, and what tells nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.model import ErpShipment
from tests.contract.erps.hands import SN, failure
from tests.contract.erps.jushuitan.cases import SHAPES, biz, erp, good, sent
from tests.contract.erps.sealed import NOW, talk

SINCE = NOW - timedelta(hours=1)


def poll(*rows: dict[str, Any]) -> tuple[ErpShipment, ...]:
    return talk(erp().poll_shipments(SINCE), sent(*rows))[0]


def items(*told: tuple[str, object], **more: Any) -> list[dict[str, Any]]:
    return [{"sku_id": sku, "qty": pieces, **more} for sku, pieces in told]


def test_a_parcel_names_order_number_courier_time_and_pieces() -> None:
    [shipment] = poll({})

    assert shipment == ErpShipment(
        external_ref=SN,
        waybill_no="SF1040000000001",
        shipper="顺丰速运",
        key=f"1528134/{SN}",
        shipped_at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC),
        quantities={"ECS000000": 2},
    )
    assert set(SHAPES["shipment_row"]) >= {"o_id", "shop_id", "so_id", "send_date", "l_id", "lc_id", "items"}


def test_our_shops_parcels_are_asked_for_by_the_time_of_their_last_change() -> None:
    _, [call] = talk(erp().poll_shipments(SINCE), sent())

    assert (call.operation, call.changes_peer) == ("poll_shipments", False)
    assert call.url == "https://openapi.jushuitan.com/open/logistic/query"
    assert biz(call) == {
        "shop_id": 10406394,
        "date_type": 0,
        "modified_begin": "2026-11-22 11:00:00",
        "modified_end": "2026-11-22 12:00:00",
        "page_index": 1,
        "page_size": 50,
    }


def test_all_pages_of_all_weeks_are_read_and_the_oldest_comes_first() -> None:
    later: dict[str, Any] = {"o_id": 2, "so_id": "B", "items": []}
    earlier: dict[str, Any] = {"o_id": 1, "so_id": "A", "items": [], "send_date": "2026-11-20 11:00:00"}

    found, calls = talk(
        erp().poll_shipments(NOW - timedelta(days=8)), sent(later, has_next=True), sent(later), sent(earlier)
    )

    assert [one.external_ref for one in found] == ["A", "B"]
    assert [biz(call)["page_index"] for call in calls] == [1, 2, 1]
    assert [biz(call)["modified_begin"] for call in calls] == ["2026-11-14 12:00:00"] * 2 + ["2026-11-21 12:00:00"]


def test_parts_of_an_order_are_parcels_of_their_own() -> None:
    found = poll(
        {"o_id": 8, "l_id": "SF1", "items": items(("A", 1))}, {"o_id": 9, "l_id": "SF2", "items": items(("B", 2))}
    )

    assert [(one.external_ref, one.waybill_no, one.quantities) for one in found] == [
        (SN, "SF1", {"A": 1}),
        (SN, "SF2", {"B": 2}),
    ]


def test_orders_that_jushuitan_joined_have_one_number() -> None:
    joined = [*items(("A", 1), ("A", 2), raw_so_id="first"), *items(("B", 1), raw_so_id="second")]

    found = poll({"items": joined})

    assert [(one.external_ref, one.quantities) for one in found] == [("first", {"A": 3}), ("second", {"B": 1})]
    assert len({one.key for one in found}) == 2
    assert {one.waybill_no for one in found} == {"SF1040000000001"}


@pytest.mark.parametrize("goods", [[], None])
def test_a_parcel_without_goods_is_the_whole_order(goods: object) -> None:
    assert poll({"items": goods})[0].quantities == {}


def test_a_courier_without_a_name_goes_by_its_code() -> None:
    assert poll({"logistics_company": ""})[0].shipper == "SF"


@pytest.mark.parametrize(
    "row",
    [{"l_id": ""}, {"l_id": None}, {"send_date": ""}, {"send_date": None}, {"shop_id": 9}, {"so_id": "", "items": []}],
)
def test_what_was_not_sent_or_is_not_ours_tells_nothing(row: dict[str, Any]) -> None:
    assert poll(row) == ()


@pytest.mark.parametrize("pieces", ["some", 1.5, None, -1])
def test_a_line_without_whole_pieces_is_for_a_person(pieces: object) -> None:
    problem = failure(erp().poll_shipments(SINCE), sent({"items": items(("A", pieces))}))

    assert (type(problem), problem.code) == (PermanentError, "jushuitan.shipment.quantity_unreadable")


def test_an_answer_without_its_list_says_what_to_check() -> None:
    problem = failure(erp().poll_shipments(SINCE), good(rows=[]))

    assert problem.code == "jushuitan.shipment.list_missing"
    assert "/open/logistic/query" in problem.message


def test_nobody_is_told_what_became_of_them() -> None:
    with pytest.raises(StopIteration):
        next(erp().settle_shipments({f"1528134/{SN}": ""}))
