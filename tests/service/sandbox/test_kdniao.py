from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sync.sandbox.journeys import JourneyMix
from sync.sandbox.kdniao_rules import sign
from sync.sandbox.server import SandboxPeers, SandboxSettings
from tests.service.sandbox.by_hand import ask, signed, waybill_order

Start = Callable[[SandboxSettings], SandboxPeers]


def without(order: dict[str, Any], path: str) -> dict[str, Any]:
    *parents, name = path.split(".")
    target = order
    for parent in parents:
        target = target[parent]
    del target[name]
    return order


def test_the_signature_is_the_one_the_vendor_published() -> None:
    text = "{'OrderCode':'','ShipperCode':'SF','LogisticCode':'118954907573'}"
    assert sign(text, "56da2cf8-c8a2-44b2-b6fa-476cd7d1ba17") == "OWFhM2I5N2ViM2U2MGRkMjc4YzU2NmVlZWI3ZDk0MmE="


def test_a_good_order_gets_a_waybill_a_label_and_its_callback_echoed(peers: SandboxPeers) -> None:
    with requests.post(peers.carrier_url, signed(waybill_order()), timeout=10) as reply:
        assert reply.headers["Content-Type"].startswith("text/html")
        answer = json.loads(reply.content)
    assert (answer["Success"], answer["ResultCode"], answer["Callback"]) == (True, "100", "sh:1001")
    order = answer["Order"]
    assert order["OrderCode"] == "2026112100001-1"
    assert order["LogisticCode"].startswith("7")
    assert len(order["LogisticCode"]) == 14
    assert order["LogisticCode"] in answer["PrintTemplate"]
    assert "北京市" in order["MarkDestination"]
    assert len(answer["EstimatedDeliveryTime"]) == 10


def test_a_repeat_is_answered_106_with_the_first_waybill_and_no_second_is_issued(peers: SandboxPeers) -> None:
    first, second = (ask(peers.carrier_url, waybill_order()) for _ in range(2))
    assert (second["ResultCode"], second["Success"]) == ("106", True)
    assert second["Order"] == first["Order"]
    told = peers.ledger()["carrier"]["orders"]["2026112100001-1"]
    assert (len(told["waybills"]), told["calls"], told["adopted"]) == (1, 2, 1)


def test_many_at_once_for_one_order_code_get_one_waybill(peers: SandboxPeers) -> None:
    numbers: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: numbers.append(ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"])
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 8
    assert len(set(numbers)) == 1
    assert peers.ledger()["carrier"]["waybills_issued"] == 1


def test_waybill_numbers_follow_from_the_order_code_so_a_restart_gives_no_number_to_another_order() -> None:
    numbers = []
    for code in ("A1", "B2", "A1"):
        with SandboxPeers() as peers:
            numbers.append(ask(peers.carrier_url, waybill_order(code))["Order"]["LogisticCode"])
    assert numbers[0] == numbers[2] != numbers[1]


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"EBusinessID": "somebody"}, "104", "用户"),
        ({"DataSign": "AAAA"}, "102", "验证数据签名失败"),
        ({"DataSign": ""}, "101", "DataSign"),
        ({"RequestData": ""}, "101", "RequestData"),
        ({"DataType": "1"}, "103", "DataType"),
    ],
)
def test_an_envelope_that_is_not_right_is_refused(
    peers: SandboxPeers, changes: dict[str, str], code: str, reason: str
) -> None:
    answer = ask(peers.carrier_url, waybill_order(), **changes)
    assert (answer["Success"], answer["ResultCode"]) == (False, code)
    assert reason in answer["Reason"]


def test_a_text_changed_after_signing_is_refused(peers: SandboxPeers) -> None:
    spaced = json.dumps(waybill_order(), ensure_ascii=False)
    assert ask(peers.carrier_url, waybill_order(), RequestData=spaced)["ResultCode"] == "102"
    assert ask(peers.carrier_url, spaced)["ResultCode"] == "100"


@pytest.mark.parametrize("mark", list("'\"#&+<>%\\"))
def test_a_forbidden_character_in_a_value_reads_as_a_bad_signature(peers: SandboxPeers, mark: str) -> None:
    order = waybill_order(Commodity=[{"GoodsName": f"棉{mark}T恤"}])
    answer = ask(peers.carrier_url, order)
    assert (answer["ResultCode"], answer["Reason"]) == ("102", "验证数据签名失败")


def test_escaped_chinese_is_as_good_as_plain(peers: SandboxPeers) -> None:
    assert ask(peers.carrier_url, json.dumps(waybill_order()))["ResultCode"] == "100"


@pytest.mark.parametrize(
    "path",
    [
        *("OrderCode", "ShipperCode", "PayType", "ExpType", "Quantity", "Commodity", "Sender", "Receiver"),
        *("Sender.Address", "Receiver.Name", "Receiver.Mobile"),
        *("Receiver.ProvinceName", "Receiver.CityName", "Receiver.ExpAreaName"),
    ],
)
def test_a_missing_field_is_refused_by_name(peers: SandboxPeers, path: str) -> None:
    answer = ask(peers.carrier_url, without(waybill_order(), path))
    assert answer["ResultCode"] == "101"
    assert path in answer["Reason"]


@pytest.mark.parametrize(
    ("shipper_code", "field"), [("EMS", "PostCode"), ("JTSD", "DeliveryMethod"), ("JD", "WareHouseID")]
)
def test_what_one_courier_alone_needs_is_missed_by_name(peers: SandboxPeers, shipper_code: str, field: str) -> None:
    answer = ask(peers.carrier_url, waybill_order(ShipperCode=shipper_code))
    assert answer["ResultCode"] == "101"
    assert field in answer["Reason"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"OrderCode": "9" * 31}, "OrderCode"),
        ({"Remark": "好" * 61}, "Remark"),
        ({"PayType": "3"}, "PayType"),
        ({"PayType": 5}, "PayType"),
        ({"Quantity": 31}, "Quantity"),
        ({"Weight": 0.1234}, "Weight"),
        ({"StartDate": "2026-11-21"}, "StartDate"),
        ({"StartDate": "2026-13-01 00:00:00"}, "StartDate"),
        ({"EndDate": "2026-11-20 15:00:00"}, "EndDate"),
        ({"Commodity": [{"GoodsName": "棉T恤", "Goodsquantity": 0}]}, "Goodsquantity"),
    ],
)
def test_a_value_out_of_type_length_or_range_is_refused_by_name(
    peers: SandboxPeers, changes: dict[str, Any], name: str
) -> None:
    answer = ask(peers.carrier_url, waybill_order(**changes))
    assert answer["ResultCode"] == "103"
    assert name in answer["Reason"]


@pytest.mark.parametrize(
    ("province", "city", "taken"),
    [
        ("广东省", "深圳市", True),
        ("北京", "北京市", True),
        ("广西壮族自治区", "南宁市", True),
        ("吉林省", "延边朝鲜族自治州", True),
        ("海南省", "澄迈县", True),
        ("广东", "深圳市", False),
        ("广东省", "深圳", False),
        ("北京市", "北京市", False),
        ("北京", "海淀区", False),
        ("广西", "南宁市", False),
    ],
)
def test_region_names_must_be_the_official_ones(peers: SandboxPeers, province: str, city: str, taken: bool) -> None:
    order = waybill_order()
    order["Receiver"] |= {"ProvinceName": province, "CityName": city}
    answer = ask(peers.carrier_url, order)
    assert answer["ResultCode"] == ("100" if taken else "105")
    assert taken or "Receiver" in answer["Reason"]


def test_several_parcels_under_one_order_get_child_numbers(peers: SandboxPeers) -> None:
    answer = ask(peers.carrier_url, waybill_order(Quantity=3))
    assert answer["SubCount"] == 2
    assert len({answer["Order"]["LogisticCode"], *answer["SubOrders"]}) == 3


def test_an_unknown_courier_or_request_type_is_refused(peers: SandboxPeers) -> None:
    assert ask(peers.carrier_url, waybill_order(ShipperCode="NOBODY"))["ResultCode"] == "105"
    assert ask(peers.carrier_url, waybill_order(), "9999")["Reason"] == "没有可用套餐"


def test_a_cancelled_waybill_burns_its_order_code(peers: SandboxPeers) -> None:
    number = ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"]
    cancel = {"ShipperCode": "ZTO", "OrderCode": "2026112100001-1", "ExpNo": number}
    assert ask(peers.carrier_url, {**cancel, "ExpNo": "70000000000000"}, "1147")["ResultCode"] == "105"
    assert ask(peers.carrier_url, cancel, "1147")["ResultCode"] == "100"
    assert ask(peers.carrier_url, cancel, "1147")["ResultCode"] == "105"
    assert ask(peers.carrier_url, waybill_order())["ResultCode"] == "105"
    assert peers.ledger()["carrier"]["orders"]["2026112100001-1"]["cancelled"] is True


def test_a_query_tells_no_traces_before_the_first_scan_and_none_for_a_strange_number(peers: SandboxPeers) -> None:
    number = ask(peers.carrier_url, waybill_order())["Order"]["LogisticCode"]
    for asked in (number, "70000000000000"):
        answer = ask(peers.carrier_url, {"ShipperCode": "ZTO", "LogisticCode": asked}, "8001")
        assert (answer["Success"], answer["State"], answer["Traces"]) == (False, "0", [])


def test_a_query_of_sf_needs_the_tail_of_a_phone(peers: SandboxPeers) -> None:
    number = ask(peers.carrier_url, waybill_order(ShipperCode="SF"))["Order"]["LogisticCode"]
    query = {"ShipperCode": "SF", "LogisticCode": number}
    assert ask(peers.carrier_url, query, "8001")["ResultCode"] == "105"
    assert "ResultCode" not in ask(peers.carrier_url, {**query, "CustomerName": "0002"}, "8001")


@pytest.mark.parametrize(
    ("data", "request_type", "code"),
    [
        ("[1]", "8001", "401"),
        ({"ShipperCode": "ZTO"}, "8001", "402"),
        ({"ShipperCode": "ZTO", "LogisticCode": "7310-0001"}, "8001", "403"),
        ({"ShipperCode": "ZTO", "LogisticCode": "731"}, "8001", "404"),
        ({"LogisticCode": "73100000000001"}, "8001", "101"),
        ({"ShipperCode": "ZTO", "LogisticCode": "73100000000001"}, "1002", "105"),
    ],
)
def test_a_query_that_is_not_right_is_refused(peers: SandboxPeers, data: Any, request_type: str, code: str) -> None:
    assert ask(peers.carrier_url, data, request_type)["ResultCode"] == code


def test_a_subscription_is_taken_for_any_number(peers: SandboxPeers) -> None:
    assert ask(peers.carrier_url, {"ShipperCode": "ZTO", "LogisticCode": "70000000000000"}, "8008")["Success"] is True


def test_the_ledger_shows_two_order_codes_under_one_reference(peers: SandboxPeers) -> None:
    for code in ("A-1", "A-2"):
        ask(peers.carrier_url, waybill_order(code))
    assert peers.ledger()["carrier"]["references"] == {"sh:1001": ["A-1", "A-2"]}


def test_exactly_as_many_waybills_as_asked_for_are_never_picked_up_or_late(start: Start) -> None:
    peers = start(SandboxSettings(mix=JourneyMix(stale_count=2, late_count=1)))
    for number in range(30):
        ask(peers.carrier_url, waybill_order(f"A{number}"))
    kinds = [order["journey"] for order in peers.ledger()["carrier"]["orders"].values()]
    assert (kinds.count("never_picked_up"), kinds.count("late_pickup")) == (2, 1)
    assert [kinds.index("late_pickup"), kinds.index("never_picked_up")] == [2, 6]
