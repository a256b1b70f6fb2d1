from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sync.clock import BusinessClock
from sync.sandbox.journeys import JourneyMix
from sync.sandbox.server import SandboxPeers, SandboxSettings
from tests.service.sandbox.by_hand import Receiver

Start = Callable[[SandboxSettings], SandboxPeers]

KEY, SECRET, CUSTOMER, SALT = "sandbox-k100-key", "sandbox-k100-secret", "SANDBOXK100CUSTOMER", "s4lt"
PLAIN = JourneyMix(locker=0, exception=0, returned=0)


def md5_upper(text: str) -> str:
    return hashlib.md5(text.encode("utf-8")).hexdigest().upper()


def an_order(order_id: str = "2026112100001-1", **changes: Any) -> dict[str, Any]:
    """A label order that Kuaidi100 takes."""
    return {
        "printType": "NON",
        "kuaidicom": "zhongtong",
        "recMan": {"name": "张三", "mobile": "13900000002", "printAddr": "北京市海淀区中关村大街2号"},
        "sendMan": {"name": "发货仓", "mobile": "13800000001", "printAddr": "广东省深圳市南山区科技园路1号"},
        "cargo": "棉T恤",
        "count": 1,
        "weight": 1.0,
        "payType": "MONTHLY",
        "expType": "标准快递",
        "orderId": order_id,
        "reorder": False,
        **changes,
    }


def ask(peers: SandboxPeers, param: dict[str, Any], method: str = "order", /, **changes: str) -> dict[str, Any]:
    """A signed call to label/order; `changes` replace form fields after signing."""
    text, t = json.dumps(param, ensure_ascii=False), str(round(time.time() * 1000))
    form = {"method": method, "key": KEY, "t": t, "param": text, "sign": md5_upper(text + t + KEY + SECRET)}
    with requests.post(peers.kuaidi100_url("order"), form | changes, timeout=10) as reply:
        answer: dict[str, Any] = reply.json()
    return answer


def query(peers: SandboxPeers, number: str, com: str = "zhongtong", phone: str = "0002") -> dict[str, Any]:
    text = json.dumps({"com": com, "num": number, "phone": phone, "resultv2": "4"})
    form = {"customer": CUSTOMER, "sign": md5_upper(text + KEY + CUSTOMER), "param": text}
    with requests.post(peers.kuaidi100_url("query"), form, timeout=10) as reply:
        answer: dict[str, Any] = reply.json()
    return answer


def subscribe(peers: SandboxPeers, number: str, url: str, com: str = "zhongtong", key: str = KEY) -> dict[str, Any]:
    wishes = {"callbackurl": url, "salt": SALT, "resultv2": "4"}
    text = json.dumps({"company": com, "number": number, "key": key, "parameters": wishes})
    with requests.post(peers.kuaidi100_url("subscribe"), {"schema": "json", "param": text}, timeout=10) as reply:
        answer: dict[str, Any] = reply.json()
    return answer


class Hook(Receiver):
    """A receiver that answers in Kuaidi100's words."""

    def answer(self, accepted: bool) -> dict[str, Any]:
        return {"result": accepted, "returnCode": "200" if accepted else "500", "message": "成功"}


def test_a_good_order_gets_a_waybill_in_the_couriers_format_and_its_order_number(peers: SandboxPeers) -> None:
    answer = ask(peers, an_order(printType="IMAGE", tempId="t1"))
    assert (answer["code"], answer["success"]) == (200, True)
    data = answer["data"]
    assert data["kuaidinum"].startswith("7")
    assert data["label"].startswith("https://")
    assert data["kdComOrderNum"]
    told = peers.ledger()["carrier"]["orders"]["2026112100001-1"]
    assert (told["waybills"], told["shipper_code"], told["calls"]) == ([data["kuaidinum"]], "zhongtong", 1)


def test_with_reorder_false_a_repeat_brings_the_first_waybill(peers: SandboxPeers) -> None:
    first, second = (ask(peers, an_order()) for _ in range(2))
    assert first["data"] == second["data"]
    told = peers.ledger()["carrier"]["orders"]["2026112100001-1"]
    assert (len(told["waybills"]), told["adopted"]) == (1, 1)


@pytest.mark.parametrize("changes", [{"reorder": True}, {"orderId": ""}])
def test_without_it_every_call_issues_another_number(peers: SandboxPeers, changes: dict[str, Any]) -> None:
    numbers = {ask(peers, an_order(**changes))["data"]["kuaidinum"] for _ in range(3)}
    assert len(numbers) == 3
    unsaid = an_order("2026112100002-1")
    del unsaid["reorder"]
    assert len({ask(peers, unsaid)["data"]["kuaidinum"] for _ in range(2)}) == 2


def test_when_the_promise_is_over_a_repeat_is_a_second_waybill(start: Start) -> None:
    peers = start(SandboxSettings(kuaidi100_repeat_window_s=0))
    assert ask(peers, an_order())["data"] != ask(peers, an_order())["data"]
    assert len(peers.ledger()["carrier"]["orders"]["2026112100001-1"]["waybills"]) == 2


def test_many_at_once_for_one_order_get_one_waybill(peers: SandboxPeers) -> None:
    numbers: list[str] = []
    threads = [
        threading.Thread(target=lambda: numbers.append(ask(peers, an_order())["data"]["kuaidinum"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(numbers), len(set(numbers))) == (8, 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign": "0" * 32}, 503),
        ({"param": json.dumps(an_order("other"))}, 503),
        ({"key": "wrong"}, 600),
        ({"t": "1"}, 400),
        ({"method": "unheard"}, 0),
    ],
)
def test_a_call_that_is_not_signed_as_documented_is_refused(
    peers: SandboxPeers, changes: dict[str, str], code: int
) -> None:
    answer = ask(peers, an_order(), **changes)
    assert answer.get("code", 0) == code
    assert peers.ledger()["carrier"]["waybills_issued"] == 0


def test_a_signature_in_lower_case_is_another_one(peers: SandboxPeers) -> None:
    text, t = json.dumps(an_order()), str(round(time.time() * 1000))
    sign = md5_upper(text + t + KEY + SECRET).lower()
    assert ask(peers, an_order(), param=text, t=t, sign=sign)["code"] == 503


@pytest.mark.parametrize(
    "changes",
    [
        {"printType": "PDF"},
        {"printType": "IMAGE"},
        {"kuaidicom": "ZTO"},
        {"payType": "3"},
        {"cargo": ""},
        {"count": 0},
        {"weight": "1kg"},
        {"reorder": "false"},
        {"needSubscribe": True},
        {"recMan": {"name": "张三", "mobile": "1390000", "printAddr": "北京市海淀区"}},
        {"recMan": {"name": "张三", "mobile": "13900000002", "printAddr": "广东深圳南山区"}},
        {"recMan": {"name": "张三", "printAddr": "北京市海淀区"}},
    ],
    ids=str,
)
def test_a_field_that_kuaidi100_would_refuse_is_refused(peers: SandboxPeers, changes: dict[str, Any]) -> None:
    assert ask(peers, an_order(**changes))["code"] == 400


def test_a_cancel_wants_the_couriers_order_number_and_is_told_once(peers: SandboxPeers) -> None:
    data = ask(peers, an_order())["data"]
    wish = {"kuaidicom": "zhongtong", "kuaidinum": data["kuaidinum"]}
    assert ask(peers, wish, "cancel")["code"] == 400
    wish["orderId"] = data["kdComOrderNum"]
    assert ask(peers, wish, "cancel") == {"code": 200, "success": True, "message": "取消成功", "data": {}}
    assert ask(peers, wish, "cancel")["message"] == "取消失败，订单已取消"
    assert ask(peers, wish | {"kuaidinum": "1"}, "cancel")["message"] == "取消失败，单号不存在"
    assert peers.ledger()["carrier"]["orders"]["2026112100001-1"]["cancelled"]


def test_a_parcel_that_is_on_its_way_cannot_be_cancelled_and_is_told_newest_first(
    start: Start, fast_clock: BusinessClock, serve: Callable[[Hook], str]
) -> None:
    hook = Hook()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN))
    order = an_order(needSubscribe=True, pollCallBackUrl=serve(hook), salt=SALT)
    data = ask(peers, order)["data"]
    pushes = hook.take(6)
    assert all(push["sign"] == md5_upper(push["param"] + SALT) for push in pushes)
    told = sorted((json.loads(push["param"]) for push in pushes), key=lambda push: len(push["lastResult"]["data"]))
    codes = [scan["statusCode"] for scan in told[-1]["lastResult"]["data"]]
    assert codes == ["301", "5", "1001", "1001", "1002", "103"]
    assert [push["status"] for push in told] == ["polling"] * 5 + ["shutdown"]
    assert (told[-1]["lastResult"]["state"], told[-1]["lastResult"]["nu"]) == ("301", data["kuaidinum"])
    wish = {"kuaidicom": "zhongtong", "kuaidinum": data["kuaidinum"], "orderId": data["kdComOrderNum"]}
    assert ask(peers, wish, "cancel")["code"] == 201
    answer = query(peers, data["kuaidinum"])
    assert [scan["statusCode"] for scan in answer["data"]] == codes
    assert peers.wait_until(lambda ledger: ledger["pushes"]["counts"].get("accepted") == 6)


def test_a_push_that_is_not_accepted_comes_again(
    start: Start, fast_clock: BusinessClock, serve: Callable[[Hook], str]
) -> None:
    hook = Hook(lambda number: number > 1)
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, push_backoff_s=0.01))
    ask(peers, an_order(needSubscribe=True, pollCallBackUrl=serve(hook), salt=SALT))
    assert len({push["param"] for push in hook.take(7)}) == 6


def test_a_forged_push_has_another_salt(start: Start, fast_clock: BusinessClock, serve: Callable[[Hook], str]) -> None:
    hook = Hook()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN, faults={"push": {"forged": 1.0}}))
    ask(peers, an_order(needSubscribe=True, pollCallBackUrl=serve(hook), salt=SALT))
    signed = [push["sign"] == md5_upper(push["param"] + SALT) for push in hook.take(12)]
    assert sorted(signed) == [False] * 6 + [True] * 6


def test_a_query_finds_nothing_in_the_shape_of_a_failure(peers: SandboxPeers) -> None:
    nothing = {"result": False, "returnCode": "500", "message": "查询无结果，请隔段时间再查"}
    assert query(peers, "73100000000001") == nothing
    number = ask(peers, an_order())["data"]["kuaidinum"]
    assert query(peers, number) == nothing
    assert query(peers, number, phone="9999")["returnCode"] == "400"


def test_a_number_that_is_asked_about_too_often_is_locked(peers: SandboxPeers) -> None:
    assert {query(peers, "1")["message"] for _ in range(48)} == {"查询无结果，请隔段时间再查"}
    assert "锁定" in query(peers, "1")["message"]
    assert "锁定" not in query(peers, "2")["message"]


def test_a_subscription_is_taken_once_and_followed_from_then_on(
    start: Start, fast_clock: BusinessClock, serve: Callable[[Hook], str]
) -> None:
    hook = Hook()
    peers = start(SandboxSettings(clock=fast_clock, mix=PLAIN))
    url = serve(hook)
    number = ask(peers, an_order())["data"]["kuaidinum"]
    assert subscribe(peers, number, url) == {"result": True, "returnCode": "200", "message": "提交成功"}
    assert len(hook.take(6)) == 6
    assert subscribe(peers, number, url)["returnCode"] == "501"
    assert subscribe(peers, "other", "ftp://x")["returnCode"] == "700"
    assert subscribe(peers, "other", url, com="unheard")["returnCode"] == "701"
    assert subscribe(peers, "other", url, key="wrong")["returnCode"] == "600"


def test_a_reset_forgets_every_order(peers: SandboxPeers) -> None:
    ask(peers, an_order())
    peers.reset()
    assert peers.ledger()["carrier"]["orders"] == {}
    ask(peers, an_order())
    assert peers.ledger()["carrier"]["orders"]["2026112100001-1"]["adopted"] == 0
