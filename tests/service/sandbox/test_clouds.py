"""The sandboxes of Jushuitan and Wangdiantong refuse what the vendors refuse; signed here by hand."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import pytest

from sync.clock import utc_now
from sync.sandbox.faults import FaultInjector
from sync.sandbox.http import Request
from sync.sandbox.jushuitan import SandboxJushuitan
from sync.sandbox.ledger import Ledger
from sync.sandbox.throttle import Throttle
from sync.sandbox.wangdiantong import SandboxWangdiantong

UPLOAD = "/open/jushuitan/orders/upload"
CHINA = timezone(timedelta(hours=8))


def jushuitan(**own: Any) -> SandboxJushuitan:
    return SandboxJushuitan(Ledger(), FaultInjector(1), **{"per_second": 0, "per_minute": 0, **own})


def jst_row(so_id: str = "A1", **changes: Any) -> dict[str, Any]:
    item = {"sku_id": "S", "shop_sku_id": "S", "name": "goods", "qty": 2, "base_price": 5, "amount": 10.0}
    pay = {"outer_pay_id": so_id, "pay_date": "2026-11-21 10:00:00", "payment": "p", "seller_account": "s"}
    return {
        "shop_id": 10406394,
        "so_id": so_id,
        "order_date": "2026-11-21 10:00:00",
        "shop_status": "WAIT_SELLER_SEND_GOODS",
        "shop_buyer_id": "7",
        **{f"receiver_{name}": "x" for name in ("state", "city", "district", "address", "name", "mobile")},
        "pay_amount": 12.5,
        "freight": 2.5,
        "shop_modified": "2026-11-21 10:00:00",
        "items": [item | {"outer_oi_id": f"{so_id}-1"}],
        "pay": pay | {"buyer_account": "b", "amount": 12.5},
        **changes,
    }


def ask_jst(peer: SandboxJushuitan, biz: Any, path: str = UPLOAD, late_s: int = 0, **changes: str) -> dict[str, Any]:
    form = {
        "app_key": peer.app_key,
        "access_token": peer.access_token,
        "timestamp": str(int(utc_now().timestamp()) - late_s),
        "charset": "utf-8",
        "version": "2",
        "biz": json.dumps(biz),
    }
    text = peer.app_secret + "".join(name + form[name] for name in sorted(form))
    form |= {"sign": hashlib.md5(text.encode()).hexdigest()} | changes
    return dict(json.loads(peer(Request("POST", path, {}, {}, urlencode(form).encode())).body))


def test_jushuitan_answers_for_each_order_of_a_batch() -> None:
    peer = jushuitan()

    said = ask_jst(peer, [jst_row("A1"), jst_row("A2", freight=99), jst_row("A3", shop_id=1), jst_row("A1")])
    rows = said["data"]["datas"]

    assert said["code"] == 0
    assert [row["issuccess"] for row in rows] == [True, False, False, True]
    assert rows[0]["o_id"] == rows[3]["o_id"], "one order for a shop and number"
    assert peer.ledger.snapshot()["erp"]["documents"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"so_id": "9" * 51}, "so_id"),
        ({"pay": None}, "缺少支付信息"),
        ({"pay_amount": 12.505}, "金额"),
        ({"shop_status": "PAID"}, "shop_status"),
        ({"order_date": "2026/11/21"}, "order_date"),
        ({"items": []}, "items"),
        ({"receiver_name": ""}, "receiver_name"),
    ],
)
def test_jushuitan_refuses_an_order_that_is_not_whole(changes: dict[str, Any], reason: str) -> None:
    [row] = ask_jst(jushuitan(), [jst_row(**changes)])["data"]["datas"]

    assert (row["issuccess"], reason in row["msg"]) == (False, True)


def test_jushuitan_refuses_a_forged_late_or_unauthorised_call() -> None:
    peer = jushuitan()

    assert ask_jst(peer, [jst_row()], sign="0" * 32)["code"] == 10
    assert ask_jst(peer, [jst_row()], late_s=16 * 60)["code"] == 140
    assert ask_jst(peer, [jst_row()], late_s=14 * 60)["code"] == 0
    peer.expire_token()
    assert ask_jst(peer, [jst_row()])["code"] == 100
    assert peer.ledger.snapshot()["erp"]["documents"] == 1


def test_jushuitan_counts_calls_by_the_second_and_by_the_minute() -> None:
    second, minute = jushuitan(per_second=2), jushuitan(per_minute=2)

    assert [ask_jst(second, [jst_row()])["code"] for _ in range(3)] == [0, 0, 199]
    assert [ask_jst(minute, [jst_row()])["code"] for _ in range(3)] == [0, 0, 200]


def test_a_throttle_frees_itself_as_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("sync.sandbox.throttle.time.monotonic", lambda: now[0])
    throttle = Throttle(2, 60)

    assert [throttle.take() for _ in range(3)] == [True, True, False]
    now[0] += 60
    assert throttle.take()


def test_jushuitan_tells_changes_of_seven_days_at_most() -> None:
    def asked(days: int) -> int:
        biz = {"modified_begin": "2026-11-01 00:00:00", "modified_end": f"2026-11-{1 + days:02} 00:00:00"}
        return int(ask_jst(jushuitan(), biz, "/open/inventory/query")["code"])

    assert (asked(7), asked(8)) == (0, -1)


# --- Wangdiantong


def wangdiantong(**own: Any) -> SandboxWangdiantong:
    return SandboxWangdiantong(Ledger(), FaultInjector(1), **own)


def wdt_args(tid: str = "A1", **changes: Any) -> list[Any]:
    trade = {
        **dict.fromkeys(("process_status", "refund_status", "discount"), 0),
        "tid": tid,
        "trade_status": 30,
        "pay_status": 2,
        "order_count": 1,
        "goods_count": 2,
        "pay_method": 1,
        "trade_time": "2026-11-21 10:00:00",
        "end_time": None,
        "buyer_nick": "7",
        "receiver_name": "x",
        "receiver_area": "北京 北京市 海淀区",
        "receiver_address": "x",
        "receiver_mobile": "13800138000",
        "post_amount": 2.5,
        "receivable": 12.5,
        "delivery_term": 1,
        "is_auto_wms": False,
        "warehouse_no": "",
        **changes,
    }
    zero = ("refund_status", "discount", "share_discount", "adjust_amount", "refund_amount")
    texts = dict.fromkeys(("goods_id", "spec_id", "goods_no", "spec_no", "goods_name", "remark", "json"), "S")
    line = {**texts, **dict.fromkeys(zero, 0), "tid": tid, "oid": f"{tid}-1", "status": 30, "num": 2, "price": 5}
    return ["ecshop", [trade], [line | {"total_amount": 10.0}]]


def ask_wdt(
    peer: SandboxWangdiantong, args: Any, method: str = "sales.RawTrade.pushSelf2", late_s: int = 0, **changes: str
) -> dict[str, Any]:
    body = json.dumps(args)
    secret, _, salt = peer.app_secret.partition(":")
    seconds = int((utc_now() - datetime(2012, 1, 1, tzinfo=CHINA)).total_seconds()) - late_s
    query = {
        "sid": peer.sid,
        "key": peer.app_key,
        "salt": salt,
        "method": method,
        "timestamp": str(seconds),
        "v": "1.0",
    }
    query |= {name: text for name, text in changes.items() if name.startswith("page_")}
    signed = query | {"body": body}
    text = secret + "".join(name + signed[name] for name in sorted(signed)) + secret
    query |= {"sign": hashlib.md5(text.encode()).hexdigest()} | changes
    return dict(json.loads(peer(Request("POST", "/openapi", query, {}, body.encode())).body))


def test_wangdiantong_tells_new_orders_from_known_ones_and_each_refusal() -> None:
    peer = wangdiantong()

    new, known = ask_wdt(peer, wdt_args())["data"], ask_wdt(peer, wdt_args())["data"]
    bad = ask_wdt(peer, wdt_args("A2", receiver_mobile="138****8000"))

    assert [(said["new_count"], said["chg_count"]) for said in (new, known)] == [(1, 0), (0, 1)]
    assert bad["status"] == 0
    assert bad["data"]["error_list"] == [{"no": "A2", "error": "电话号码不能包含*"}]
    assert peer.ledger.snapshot()["erp"]["documents"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"receivable": 12}, "金额"),
        ({"goods_count": 3}, "数量"),
        ({"receiver_area": "北京 海淀区"}, "省市区"),
        ({"buyer_nick": None}, "buyer_nickmust not be null"),
        ({"trade_time": "2026/11/21"}, "Unparseable date"),
        ({"trade_time": "2099-11-21 10:00:00"}, "下单时间非法"),
        ({"receiver_address": "x" * 257}, "Data too long"),
    ],
)
def test_wangdiantong_refuses_a_trade_that_is_not_whole(changes: dict[str, Any], reason: str) -> None:
    [error] = ask_wdt(wangdiantong(), wdt_args(**changes))["data"]["error_list"]

    assert reason in error["error"]


def test_an_oid_belongs_to_one_trade() -> None:
    peer = wangdiantong()
    shop_no, trades, lines = wdt_args("A2")
    ask_wdt(peer, wdt_args("A1"))

    said = ask_wdt(peer, [shop_no, trades, [lines[0] | {"oid": "A1-1"}]])

    assert said["data"]["error_list"] == [{"no": "A2", "error": "oid重复"}]


def test_wangdiantong_refuses_a_forged_late_or_unknown_call() -> None:
    peer = wangdiantong()

    assert ask_wdt(peer, wdt_args(), sign="0" * 32) == {"status": 1, "message": "验证失败"}
    assert ask_wdt(peer, wdt_args(), late_s=130)["status"] == 7
    assert ask_wdt(peer, wdt_args(), late_s=100)["status"] == 0
    assert ask_wdt(peer, wdt_args(), sid="other")["message"] == "sid is not exists"
    assert ask_wdt(peer, ["other", [], []])["message"] == "店铺编号不存在或已停用"
    assert ask_wdt(peer, wdt_args(), "no.such.method")["message"] == "权限不足"
    assert ask_wdt(peer, [{}])["message"] == "invalid argument count"


def test_wangdiantong_wants_pages_and_thirty_days_at_most() -> None:
    def asked(days: int, **page: str) -> dict[str, Any]:
        end = datetime(2026, 10, 1, tzinfo=CHINA) + timedelta(days=days)
        window = {"start_time": "2026-10-01 00:00:00", "end_time": f"{end:%Y-%m-%d %H:%M:%S}"}
        return ask_wdt(wangdiantong(), [window], "wms.StockSpec.search2", 0, **page)

    first = {"page_size": "100", "page_no": "0"}
    assert asked(30, **first)["status"] == 0
    assert "30天" in asked(31, **first)["message"]
    assert "仅支持分页查询" in asked(30)["message"]


def test_wangdiantong_locks_out_who_asks_too_often() -> None:
    peer = wangdiantong(per_minute=1)

    assert ask_wdt(peer, wdt_args())["status"] == 0
    assert "最大调用频率" in ask_wdt(peer, wdt_args())["message"]
