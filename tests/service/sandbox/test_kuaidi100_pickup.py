"""The sandbox's merchant pickup: it takes what the documents show, and orders a courier for every call."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from sync.sandbox.server import SandboxPeers
from tests.service.sandbox.test_kuaidi100 import KEY, SALT, SECRET, md5_upper

CODE = "2026112100001-1"


def an_order(**changes: Any) -> dict[str, Any]:
    """An order that Kuaidi100 takes."""
    return {
        "kuaidicom": "yuantong",
        "recManName": "张三",
        "recManMobile": "13900000002",
        "recManPrintAddr": "北京市海淀区中关村大街2号",
        "sendManName": "发货仓",
        "sendManMobile": "0755-88886666",
        "sendManPrintAddr": "广东省深圳市南山区科技园路1号",
        "cargo": "棉T恤",
        "weight": "1.2",
        "payment": "SHIPPER",
        "callBackUrl": "https://hooks.example.test/k100",
        "salt": SALT,
        "dayType": "明天",
        "pickupStartTime": "09:00",
        "pickupEndTime": "10:00",
        "thirdOrderId": CODE,
    } | changes


def ask(peers: SandboxPeers, param: dict[str, Any], method: str = "bOrder", /, **changes: str) -> dict[str, Any]:
    """A signed call; `changes` replace form fields after signing."""
    text, t = json.dumps(param, ensure_ascii=False), str(round(time.time() * 1000))
    form = {"method": method, "key": KEY, "t": t, "param": text, "sign": md5_upper(text + t + KEY + SECRET)}
    with requests.post(peers.kuaidi100_url("pickup"), form | changes, timeout=10) as reply:
        answer: dict[str, Any] = reply.json()
    return answer


def test_every_call_orders_another_courier(peers: SandboxPeers) -> None:
    first, second = (ask(peers, an_order()) for _ in range(2))
    assert (first["result"], first["returnCode"]) == (True, "200")
    assert first["data"].keys() == {"kuaidinum", "orderId", "attach", "taskId"}
    for name in ("kuaidinum", "orderId", "taskId"):
        assert first["data"][name] != second["data"][name]
    told = peers.ledger()["carrier"]["orders"][CODE]
    assert (len(told["waybills"]), told["calls"], told["adopted"]) == (2, 2, 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign": "0" * 32}, "503"),
        ({"key": "another"}, "600"),
        ({"t": "1"}, "400"),
        ({"param": "[]"}, "503"),
        ({"method": "order"}, "400"),
    ],
)
def test_what_is_not_signed_with_key_secret_and_time_is_refused(
    peers: SandboxPeers, changes: dict[str, str], code: str
) -> None:
    answer = ask(peers, an_order(), **changes)
    assert (answer["result"], answer["returnCode"]) == (False, code)
    assert not peers.ledger()["carrier"]["orders"].get(CODE, {}).get("waybills")


@pytest.mark.parametrize(
    "changes",
    [
        {"kuaidicom": "unheard"},
        {"recManName": ""},
        {"recManMobile": "x"},
        {"sendManPrintAddr": "深圳"},
        {"cargo": ""},
        {"callBackUrl": ""},
        {"callBackUrl": "https://hooks.example.test/" + "x" * 200},
        {"payment": ""},
        {"weight": "1kg"},
        {"weight": 1.2},
        {"salt": "x" * 33},
        {"dayType": "tomorrow"},
        {"pickupStartTime": "9"},
        {"pickupEndTime": "09:59"},
        {"pickupEndTime": ""},
    ],
    ids=str,
)
def test_an_order_that_the_documents_do_not_show_is_refused(peers: SandboxPeers, changes: dict[str, Any]) -> None:
    answer = ask(peers, an_order(**changes))
    assert (answer["result"], answer["returnCode"]) == (False, "400")
    assert next(iter(changes)) in answer["message"] or "pickup" in answer["message"]


def test_a_cancel_wants_both_names_of_the_order_and_is_refused_the_second_time(peers: SandboxPeers) -> None:
    names = ask(peers, an_order())["data"]
    half = {"orderId": names["orderId"], "taskId": "0" * 32, "cancelMsg": "x"}
    assert "不存在" in ask(peers, half, "cancel")["message"]
    whole = half | {"taskId": names["taskId"]}
    assert ask(peers, whole, "cancel") == {"data": {}, "message": "取消成功", "result": True, "returnCode": "200"}
    assert peers.ledger()["carrier"]["orders"][CODE]["cancelled"]
    assert ask(peers, whole, "cancel")["message"] == "取消失败，订单已取消"
