"""KDNiao's further services in the sandbox: pickups, subscriptions of foreign numbers, recognition, the free quota."""

from __future__ import annotations

from typing import Any

import pytest

from sync.sandbox.server import SandboxPeers
from tests.service.sandbox.by_hand import ask, waybill_order


def pickup_order(code: str = "P-1", **changes: Any) -> dict[str, Any]:
    """An 1801 booking that KDNiao takes."""
    order = waybill_order(code, **{"ShipperType": 5, "TransportType": 1} | changes)
    order["Commodity"] = [{"GoodsName": "棉T恤", "GoodsQuantity": 2}]
    return order


def test_one_order_code_books_one_courier_ever(peers: SandboxPeers) -> None:
    first, second = (ask(peers.carrier_url, pickup_order(), "1801") for _ in range(2))
    assert (first["ResultCode"], second["ResultCode"]) == ("100", "106")
    assert first["Order"] == second["Order"]
    assert first["Order"]["LogisticCode"] == ""
    found = ask(peers.carrier_url, {"OrderCode": "P-1"}, "1804")
    assert found["Order"] == first["Order"]


def test_a_cancelled_booking_is_gone_and_its_code_is_used_up(peers: SandboxPeers) -> None:
    ask(peers.carrier_url, pickup_order(), "1801")
    assert ask(peers.carrier_url, {"OrderCode": "P-1", "CancelType": 1}, "1802")["Success"] is True
    assert ask(peers.carrier_url, {"OrderCode": "P-1"}, "1802")["Reason"] == "取消失败，订单已取消"
    assert ask(peers.carrier_url, {"OrderCode": "P-1"}, "1804")["Reason"] == "订单已取消"
    assert "不能重复使用" in ask(peers.carrier_url, pickup_order(), "1801")["Reason"]


@pytest.mark.parametrize("request_type", ["1804", "1802", "1004"])
def test_what_was_never_booked_is_not_there(peers: SandboxPeers, request_type: str) -> None:
    assert ask(peers.carrier_url, {"OrderCode": "P-9"}, request_type)["Reason"] == "订单不存在"


@pytest.mark.parametrize(
    ("changes", "request_type", "code"),
    [
        ({"EndDate": ""}, "1801", "101"),
        ({"ShipperType": ""}, "1801", "101"),
        ({"ShipperType": ""}, "1001", "100"),
        ({"StartDate": "2026-11-21 18:00:00"}, "1801", "103"),
        ({"ShipperCode": "NOBODY"}, "1801", "105"),
    ],
)
def test_a_booking_is_checked(peers: SandboxPeers, changes: dict[str, Any], request_type: str, code: str) -> None:
    assert ask(peers.carrier_url, pickup_order(**changes), request_type)["ResultCode"] == code


def test_the_waybills_spelling_of_a_quantity_is_not_the_bookings(peers: SandboxPeers) -> None:
    order = pickup_order() | {"Commodity": [{"GoodsName": "棉T恤", "Goodsquantity": 2}]}
    assert ask(peers.carrier_url, order, "1801")["Reason"] == "缺少必要参数：GoodsQuantity"


def test_a_number_that_nobody_here_issued_can_be_subscribed_and_is_no_waybill_of_ours(peers: SandboxPeers) -> None:
    foreign = {"ShipperCode": "YTO", "LogisticCode": "YT1234567890123"}
    assert ask(peers.carrier_url, foreign, "8008")["Success"] is True
    assert ask(peers.carrier_url, foreign, "8001")["LogisticCode"] == "YT1234567890123"
    assert peers.ledger()["carrier"]["waybills_issued"] == 0


@pytest.mark.parametrize(
    ("number", "codes"),
    [("SF1234567890123", ["SF"]), ("77123456789012", ["ZTO"]), ("771234567890123", ["STO"]), ("X1", [])],
)
def test_a_number_is_recognised_by_its_look(peers: SandboxPeers, number: str, codes: list[str]) -> None:
    answer = ask(peers.carrier_url, {"LogisticCode": number}, "2002")
    assert [row["ShipperCode"] for row in answer["Shippers"] if row["ShipperCode"] != "HTKY"] == codes


def test_the_free_query_has_a_quota(peers: SandboxPeers) -> None:
    number = {"ShipperCode": "YTO", "LogisticCode": "YT1234567890123"}
    codes = [ask(peers.carrier_url, number, "1002").get("ResultCode") for _ in range(501)]
    assert codes[:500] == [None] * 500
    assert codes[500] == "405"
