"""The sandbox's SF, spoken to by hand-made calls: its gate, its one waybill an orderId, its pushes."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests

from sync.clock import BusinessClock, utc_now
from sync.sandbox.http import HttpServer, Request, Response
from sync.sandbox.journeys import JourneyMix
from sync.sandbox.server import SandboxPeers, SandboxSettings
from sync.sandbox.sf import ACCEPTED, BY_HAND, REFUSED
from tests.service.label_samples import texts_of

Start = Callable[[SandboxSettings], SandboxPeers]

PARTNER_ID, CHECKWORD = "ECSYNCTEST", "sandbox-checkword"
CREATE, SEARCH, UPDATE, ROUTES, PRINT = (
    "EXP_RECE_CREATE_ORDER",
    "EXP_RECE_SEARCH_ORDER_RESP",
    "EXP_RECE_UPDATE_ORDER",
    "EXP_RECE_SEARCH_ROUTES",
    "COM_RECE_CLOUD_PRINT_WAYBILLS",
)
ORDER_ID = "2026112100001-1"
PLAIN = JourneyMix(locker=0, exception=0, returned=0)


def an_order(**changes: Any) -> dict[str, Any]:
    place = {"province": "广东省", "city": "深圳市", "county": "南山区", "address": "科技园路1号~2*3"}
    return {
        "language": "zh-CN",
        "orderId": ORDER_ID,
        "cargoDetails": [{"name": "棉T恤", "count": 2}],
        "contactInfoList": [
            {"contactType": 1, "contact": "发货仓", "mobile": "13800000001", **place},
            {"contactType": 2, "contact": "张三", "mobile": "13900000002", **place},
        ],
        "expressTypeId": 2,
        "payMethod": 1,
        **changes,
    }


def signed(service: str, message: Any, **changes: str) -> dict[str, str]:
    """A form for the gateway; `changes` replace its fields after signing."""
    text = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    stamp = str(int(time.time() * 1000))
    java = quote_plus(text + stamp + CHECKWORD, safe="*").replace("~", "%7E")
    return {
        "partnerID": PARTNER_ID,
        "requestID": str(uuid.uuid4()),
        "serviceCode": service,
        "timestamp": stamp,
        "msgDigest": base64.b64encode(hashlib.md5(java.encode()).digest()).decode(),
        "msgData": text,
        **changes,
    }


def post(peers: SandboxPeers, form: dict[str, str]) -> dict[str, Any]:
    with requests.post(peers.sf_url, form, timeout=10) as reply:
        answer = json.loads(reply.content)
    assert isinstance(answer, dict)
    return answer


def ask(peers: SandboxPeers, service: str, message: Any) -> dict[str, Any]:
    """What the service behind the gateway says."""
    answer = post(peers, signed(service, message))
    assert answer["apiResultCode"] == "A1000", answer
    result: dict[str, Any] = json.loads(answer["apiResultData"])
    return result


def number_of(result: dict[str, Any]) -> str:
    [row] = result["msgData"]["waybillNoInfoList"]
    return str(row["waybillNo"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"msgDigest": ""}, "A1001"),
        ({"partnerID": "SOMEBODY"}, "A1004"),
        ({"timestamp": "1763726400000"}, "A1002"),
        ({"timestamp": "yesterday"}, "A1002"),
        ({"msgDigest": "AAAA"}, "A1006"),
        ({"msgData": "{}"}, "A1006"),
        ({"serviceCode": "EXP_RECE_UNHEARD_OF"}, "A1004"),
    ],
)
def test_the_gate_refuses_what_is_not_signed_for_now_by_us(
    peers: SandboxPeers, changes: dict[str, str], code: str
) -> None:
    answer = post(peers, signed(CREATE, an_order(), **changes))

    assert (answer["apiResultCode"], answer["apiResultData"]) == (code, None)
    assert peers.ledger()["carrier"]["waybills_issued"] == 0


def test_a_digest_of_pythons_own_encoding_is_refused(peers: SandboxPeers) -> None:
    form = signed(CREATE, an_order())
    naive = quote_plus(form["msgData"] + form["timestamp"] + CHECKWORD)
    form["msgDigest"] = base64.b64encode(hashlib.md5(naive.encode()).digest()).decode()

    assert post(peers, form)["apiResultCode"] == "A1006"


def test_a_request_id_serves_once(peers: SandboxPeers) -> None:
    form = signed(SEARCH, {"orderId": "1"})

    assert [post(peers, form)["apiResultCode"] for _ in range(2)] == ["A1000", "A1007"]


def test_one_order_id_has_one_waybill_for_ever_and_the_search_tells_it(peers: SandboxPeers) -> None:
    first = ask(peers, CREATE, an_order())
    again = ask(peers, CREATE, an_order())
    found = ask(peers, SEARCH, {"orderId": ORDER_ID})

    assert (first["success"], first["msgData"]["filterResult"]) == (True, 2)
    assert (again["success"], again["errorCode"]) == (False, "8016")
    assert number_of(found) == number_of(first)
    assert peers.ledger()["carrier"]["orders"][ORDER_ID]["waybills"] == [number_of(first)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"orderId": ""}, "S0002"),
        ({"orderId": "1" * 65}, "S0004"),
        ({"cargoDetails": [{"count": 1}]}, "S0002"),
        ({"contactInfoList": []}, "S0002"),
        ({"contactInfoList": [{"contactType": 1}]}, "1010"),
        ({"monthlyCard": "7550000001"}, "8119"),
        ({"serviceList": [{"name": "COD", "value": "1.00"}]}, "S0002"),
    ],
)
def test_a_bad_order_is_refused(peers: SandboxPeers, changes: dict[str, Any], code: str) -> None:
    refused = ask(peers, CREATE, an_order(**changes))

    assert (refused["success"], refused["errorCode"]) == (False, code)


def test_a_message_that_is_no_object_is_refused(peers: SandboxPeers) -> None:
    assert ask(peers, CREATE, "[]")["errorCode"] == "S0001"


def test_an_order_decided_by_hand_has_no_number_until_people_have_decided(peers: SandboxPeers) -> None:
    peers.sf.decide = lambda order: BY_HAND
    held = ask(peers, CREATE, an_order())
    peers.sf.settle(ORDER_ID, ACCEPTED)

    assert (held["success"], held["msgData"]["filterResult"], held["msgData"]["waybillNoInfoList"]) == (True, 1, [])
    assert number_of(ask(peers, SEARCH, {"orderId": ORDER_ID})).startswith("SF")


def test_an_order_that_sf_will_not_carry_is_a_success_without_a_number(peers: SandboxPeers) -> None:
    peers.sf.decide = lambda order: REFUSED
    refused = ask(peers, CREATE, an_order())

    assert (refused["success"], refused["msgData"]["filterResult"], refused["msgData"]["waybillNoInfoList"]) == (
        True,
        3,
        [],
    )


def test_a_cancel_wants_the_right_pair_happens_once_and_burns_the_order_id(peers: SandboxPeers) -> None:
    number = number_of(ask(peers, CREATE, an_order()))

    def cancel(order_id: str, number: str) -> dict[str, Any]:
        numbers = [{"waybillType": 1, "waybillNo": number}]
        return ask(peers, UPDATE, {"orderId": order_id, "dealType": 2, "waybillNoInfoList": numbers})

    assert cancel("4711", number)["errorCode"] == "8018"
    assert cancel(ORDER_ID, "SF0000000000000")["msgData"]["resStatus"] == 1
    assert cancel(ORDER_ID, number)["msgData"]["resStatus"] == 2
    assert cancel(ORDER_ID, number)["errorCode"] == "8037"
    assert ask(peers, CREATE, an_order())["errorCode"] == "8037"
    assert ask(peers, UPDATE, {"orderId": ORDER_ID, "dealType": 1})["errorCode"] == "S0002"


def test_an_order_that_nobody_placed_is_not_found(peers: SandboxPeers) -> None:
    assert ask(peers, SEARCH, {"orderId": "4711"})["errorCode"] == "6150"


def test_routes_are_told_to_who_knows_the_number_and_no_wrong_phone(peers: SandboxPeers) -> None:
    number = number_of(ask(peers, CREATE, an_order()))
    parcel = peers.sf.parcel_of(ORDER_ID)
    parcel.scans = (replace(parcel.scans[0], at=utc_now() - timedelta(minutes=1)),)

    def routes(tail: str) -> list[dict[str, Any]]:
        asked = {"trackingType": 1, "trackingNumber": [number], "checkPhoneNo": tail}
        [found] = ask(peers, ROUTES, asked)["msgData"]["routeResps"]
        listed: list[dict[str, Any]] = found["routes"]
        return listed

    assert [route["opCode"] for route in routes("0002")] == ["50"]
    assert routes("") == routes("0002")
    assert routes("9999") == []
    assert ask(peers, ROUTES, {"trackingNumber": number})["errorCode"] == "S0007"


def test_a_label_is_fetched_with_its_token_and_not_without(peers: SandboxPeers) -> None:
    number = number_of(ask(peers, CREATE, an_order()))
    printed = ask(peers, PRINT, {"templateCode": "fm", "documents": [{"masterWaybillNo": number}]})
    [file] = printed["obj"]["files"]

    with requests.get(file["url"], headers={"X-Auth-token": file["token"]}, timeout=10) as reply:
        assert number in texts_of(reply.content)[0]
    with requests.get(file["url"], timeout=10) as reply:
        assert reply.status_code == 403
    assert not ask(peers, PRINT, {"templateCode": "fm", "documents": [{"masterWaybillNo": "SF1"}]})["success"]


def test_each_scan_is_pushed_alone_to_the_secret_path_and_again_until_it_is_taken(
    start: Start, fast_clock: BusinessClock
) -> None:
    arrived: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
    answers = iter(["1000", "0000", "0000", "0000", "0000", "0000", "0000"])

    def receive(request: Request) -> Response:
        arrived.put((request.path, json.loads(request.body)))
        return Response(body=json.dumps({"return_code": next(answers), "return_msg": ""}).encode())

    server = HttpServer(receive)
    server.start()
    try:
        url = f"{server.url}/callbacks/sf/secret"
        peers = start(
            SandboxSettings(clock=fast_clock, mix=PLAIN, sf_callback_url=url, push_backoff_s=0.01, push_threads=1)
        )
        number = number_of(ask(peers, CREATE, an_order()))
        pushes = [arrived.get(timeout=10) for _ in range(7)]
        assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted") == 6)
    finally:
        server.stop()

    assert {path for path, _ in pushes} == {"/callbacks/sf/secret"}
    nodes = [node for _, push in pushes for node in push["Body"]["WaybillRoute"]]
    assert len(nodes) == 7
    assert sorted({node["opCode"] for node in nodes}) == ["30", "31", "44", "50", "80"]
    assert {(node["mailno"], node["orderid"]) for node in nodes} == {(number, ORDER_ID)}
    assert len({node["id"] for node in nodes}) == 6


def test_who_forges_a_push_does_not_know_the_end_of_the_path(start: Start, fast_clock: BusinessClock) -> None:
    arrived: queue.Queue[tuple[str, str]] = queue.Queue()

    def receive(request: Request) -> Response:
        [node] = json.loads(request.body)["Body"]["WaybillRoute"]
        arrived.put((request.path, node["opCode"]))
        return Response(body=b'{"return_code":"0000"}')

    server = HttpServer(receive)
    server.start()
    try:
        url = f"{server.url}/callbacks/sf/secret"
        faults = {"push": {"forged": 1.0}}
        peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, sf_callback_url=url, faults=faults))
        ask(peers, CREATE, an_order())
        told = [arrived.get(timeout=10) for _ in range(12)]
    finally:
        server.stop()

    assert {opcode for path, opcode in told if path == "/callbacks/sf"} == {"80"}
    assert sum(path == "/callbacks/sf" for path, _ in told) == 6
