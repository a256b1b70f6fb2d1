"""Booking at Kuaidi100: what is sent, and what every kind of reply means."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.carriers.kuaidi100.results import Answer, judge, judge_cancel
from mappings.carriers.kuaidi100.shippers import SHIPPERS, find_com
from mappings.connector import CarrierConnector
from mappings.errors import (
    AuthError,
    DuplicateError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UnmappedError,
)
from mappings.model import Consignee, Consignor, OrderLine, Waybill
from mappings.wire import HttpReply
from tests.contract.kdniao.cases import (
    a_request,
    an_order,
    beijing,
    finish,
    json_reply,
    reply_of,
    shenzhen,
    start,
)
from tests.contract.kuaidi100.cases import (
    EXAMPLES,
    HOOK,
    KEY,
    NUMBER,
    SALT,
    SECRET,
    carrier,
    form_of,
    load,
    param_of,
)

CODES = {row["code"]: row for row in load("result_codes.json")["codes"]}


def sent(request: Any = None, **settings: Any) -> dict[str, Any]:
    return param_of(start(carrier(**settings).book_waybill(request or a_request())))


def booked(reply: HttpReply) -> Waybill:
    return finish(carrier().book_waybill(a_request()), reply)


def failure(reply: HttpReply) -> PeerError:
    with pytest.raises(PeerError) as caught:
        booked(reply)
    return caught.value


def refusal(request: Any, **settings: Any) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        start(carrier(**settings).book_waybill(request))
    return caught.value


# --- what is sent ------------------------------------------------------------------------------------------------


def test_an_order_is_whole() -> None:
    assert sent(partner_id="ZT-1", partner_key="pw", net="深圳南山") == {
        "printType": "NON",
        "partnerId": "ZT-1",
        "partnerKey": "pw",
        "net": "深圳南山",
        "kuaidicom": "zhongtong",
        "recMan": {"name": "张三", "mobile": "13900000002", "printAddr": "北京市海淀区中关村大街2号"},
        "sendMan": {"name": "发货仓", "mobile": "13800000001", "printAddr": "广东省深圳市南山区科技园路1号"},
        "cargo": "棉T恤",
        "count": 1,
        "payType": "MONTHLY",
        "expType": "标准快递",
        "remark": "轻放",
        "orderId": "2026112100001-1",
        "reorder": False,
        "needSubscribe": True,
        "pollCallBackUrl": HOOK,
        "salt": SALT,
        "resultv2": "4",
        "weight": 1.0,
    }


def test_a_repeat_is_the_same_order_under_the_same_id_and_never_a_new_one() -> None:
    one, two = (form_of(start(carrier().book_waybill(a_request()))) for _ in range(2))
    assert one == two
    assert '"reorder":false' in one["param"]


def test_the_call_hides_its_secrets_in_both_spellings() -> None:
    call = start(carrier(partner_key="p/w=1").book_waybill(a_request()))
    assert {KEY, SECRET, SALT, "p/w=1", "p%2Fw%3D1"} <= set(call.secrets)
    assert "" not in call.secrets
    assert call.changes_peer


def test_a_pickup_window_money_to_collect_and_a_label_are_told() -> None:
    window = {
        "pickup_from": datetime(2026, 11, 21, 7, tzinfo=UTC),
        "pickup_until": datetime(2026, 11, 21, 10, tzinfo=UTC),
    }
    made = sent(a_request(order=an_order(cod_fen=11980), **window), print_type="IMAGE", template="t1")
    assert (made["startGotTime"], made["endGotTime"]) == (1795244400000, 1795255200000)
    assert (made["collection"], made["printType"], made["tempId"]) == (119.8, "IMAGE", "t1")


def test_a_landline_is_no_mobile_and_goods_are_named_once() -> None:
    line = OrderLine("1", "A", "杯子", quantity=1, price_fen=1, weight_g=0)
    order = an_order(
        lines=(line, replace(line, sku="B"), replace(line, sku="C", name="盘\n子")),
        consignee=Consignee("王五", "010-88886666", beijing()),
    )
    made = sent(a_request(order=order))
    assert (made["recMan"]["tel"], made["cargo"]) == ("010-88886666", "杯子、盘 子")
    assert "mobile" not in made["recMan"]
    assert "weight" not in made


def test_a_company_stands_with_the_consignor_only() -> None:
    consignor = Consignor("发货仓", "+8613800000001", shenzhen(), company="测试公司")
    made = sent(a_request(consignor=consignor))
    assert made["sendMan"]["company"] == "测试公司"
    assert made["sendMan"]["mobile"] == "13800000001"


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (an_order(lines=()), "kuaidi100.waybill.goods_missing"),
        (an_order(consignee=Consignee("", "13900000002", beijing())), "kuaidi100.waybill.name_missing"),
        (an_order(consignee=Consignee("王", "x", beijing())), "kuaidi100.waybill.phone_missing"),
        (
            an_order(consignee=Consignee("王", "13900000002", replace(beijing(), street=" "))),
            "kuaidi100.waybill.street_missing",
        ),
        (an_order(consignee=Consignee("王", "13900000002", replace(beijing(), city="未知"))), "address.region_unknown"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_sent(order: Any, code: str) -> None:
    assert refusal(a_request(order=order)).code == code


def test_a_company_without_a_code_there_is_named_with_the_line_to_add() -> None:
    for shipper_code in ("XYZ", "AMAZON"):
        problem = refusal(a_request(shipper_code=shipper_code))
        assert (type(problem), problem.code) == (UnmappedError, "kuaidi100.waybill.shipper_unmapped")
        assert f'mappings/carriers/kuaidi100/shippers.toml: {shipper_code} = {{ com = "…"' in str(problem)


def test_the_published_company_codes_are_ours_and_lead_back() -> None:
    published = {code: com for code, com in load("shippers.json").items() if com}
    assert {code: shipper.com for code, shipper in SHIPPERS.items()} == published
    assert len(published) > 40
    for code, com in published.items():
        found = find_com(com.upper())
        assert found is not None
        assert found.code == code
    assert find_com("unheard") is None


# --- what the replies mean ---------------------------------------------------------------------------------------


def test_the_recorded_reply_is_a_waybill_with_its_label() -> None:
    waybill = booked(reply_of(EXAMPLES["k100-label-ok"]))
    assert waybill == Waybill(
        waybill_no=EXAMPLES["k100-label-ok"]["expect"]["waybill"],
        shipper_code="ZTO",
        order_code="2026112100001-1",
        label="https://label.example.test/x.png",
        label_kind="url",
        carrier_order_no="K0001",
    )


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()
PDF = base64.b64encode(b"%PDF-1.7 0000").decode()


@pytest.mark.parametrize(
    ("given", "label", "kind"),
    [
        ("http://l.example.test/x", "http://l.example.test/x", "url"),
        (PNG, PNG, "png"),
        (f"data:image/png;base64,{PNG}", PNG, "png"),
        (PDF, PDF, "pdf"),
        ("<html>\n面单</html>\n", "<html>\n面单</html>", "html"),
        (None, "", "html"),
        (["http://x"], "", "html"),
        ("", "", "html"),
    ],
)
def test_a_label_says_what_it_is(given: object, label: str, kind: str) -> None:
    waybill = booked(json_reply(code=200, success=True, data={"kuaidinum": NUMBER, "label": given}))
    assert (waybill.label, waybill.label_kind) == (label, kind)


def test_child_numbers_are_read() -> None:
    reply = json_reply(code="200", data={"kuaidinum": NUMBER, "childNum": "731-1, 731-2,"})
    assert booked(reply).sub_waybill_nos == ("731-1", "731-2")


CLASSES = {
    "duplicate": DuplicateError,
    "permanent": PermanentError,
    "config": AuthError,
    # The courier's system may have taken it: repeated under the same id, and never taken for undone.
    "transient": UncertainError,
}


@pytest.mark.parametrize("code", CODES)
def test_every_recorded_code_has_its_class(code: str) -> None:
    row = CODES[code]
    if row["cls"] == "ok":
        assert judge(Answer(code, row["zh"], None)).cls == "ok"
        return
    problem = failure(json_reply(code=int(code), success=False, message=row["zh"]))
    assert type(problem) is CLASSES[row["cls"]]
    assert (problem.peer_code, problem.peer_text) == (code, row["zh"])


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"code": 500, "message": "收件地址超区"}, PermanentError, "address_rejected"),
        ({"code": 500, "message": "手机号码有误"}, PermanentError, "phone_rejected"),
        ({"code": 500, "message": "月结账号不存在"}, PermanentError, "account_rejected"),
        ({"code": 500, "message": "面单余额不足，请充值"}, AuthError, "balance_used"),
        ({"code": 500, "message": "请求过于频繁"}, UncertainError, "rate_limited"),
        ({"code": 500, "message": "快递公司接口超时"}, UncertainError, "busy"),
        ({"code": 500, "message": "?"}, UncertainError, "busy"),
        ({"returnCode": "601", "result": False}, AuthError, "account_refused"),
        ({"code": 888, "message": "新的错误"}, UnmappedError, "result_unmapped"),
        ({"message": "?"}, UncertainError, "reason_unknown"),
        ({}, UncertainError, "reason_unknown"),
        ({"code": 200, "success": True, "data": {}}, UncertainError, "number_missing"),
        ({"code": 200, "success": True, "data": None}, UncertainError, "number_missing"),
        ({"code": 200, "success": False, "data": {"kuaidinum": "1"}}, UncertainError, "number_missing"),
        ({"code": True, "success": True, "data": {"kuaidinum": "1"}}, UncertainError, "reason_unknown"),
    ],
    ids=str,
)
def test_every_other_answer_has_its_class(fields: dict[str, Any], error: type[PeerError], code: str) -> None:
    problem = failure(json_reply(**fields))
    assert (type(problem), problem.code) == (error, f"kuaidi100.waybill.{code}")


def test_a_code_nobody_mapped_names_the_line_to_add() -> None:
    assert "results.toml under [result]: 888" in str(failure(json_reply(code=888, message="?")))


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b'{"code":200,"data":{"kuai', b"[]", b"null", b"\xff\xfe\x00"]
)
def test_half_an_answer_may_have_happened(body: bytes) -> None:
    problem = failure(HttpReply(200, {}, body))
    assert (type(problem), problem.code) == (UncertainError, "kuaidi100.waybill.garbled")


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, TransientError), (503, TransientError), (401, AuthError), (500, UncertainError), (404, PermanentError)],
)
def test_an_http_failure_means_what_it_means_everywhere(status: int, error: type[PeerError]) -> None:
    assert type(failure(HttpReply(status, {}, b"{}"))) is error


# --- cancels -----------------------------------------------------------------------------------------------------

WAYBILL = {"shipper_code": "ZTO", "waybill_no": NUMBER, "order_code": "2026112100001-1"}


def void(reply: HttpReply) -> None:
    finish(carrier().cancel_waybill(**WAYBILL), reply)


def test_a_cancel_names_the_couriers_own_order_where_there_is_one() -> None:
    connector: CarrierConnector = carrier(partner_id="ZT-1", partner_secret="s")
    call = start(connector.cancel_waybill(**WAYBILL, carrier_order_no="K0001"))
    assert param_of(call) == {
        "partnerId": "ZT-1",
        "partnerSecret": "s",
        "kuaidicom": "zhongtong",
        "kuaidinum": NUMBER,
        "orderId": "K0001",
        "reason": "订单已取消",
        "expType": "标准快递",
    }
    assert form_of(call)["method"] == "cancel"
    assert call.url == "https://api.kuaidi100.com/label/order"
    assert "orderId" not in param_of(start(connector.cancel_waybill(**WAYBILL)))


@pytest.mark.parametrize(
    "reply",
    [
        reply_of(EXAMPLES["k100-border-cancel-ok"]),
        json_reply(code=200, success=True, message="取消成功", data={}),
        json_reply(code=500, success=False, message="取消失败，订单已取消"),
        json_reply(code=201, success=False, message="面单已作废"),
        json_reply(code=501, success=False, message="请勿重复取消"),
    ],
)
def test_a_waybill_that_is_void_now_or_was_before_is_a_success(reply: HttpReply) -> None:
    void(reply)


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"code": 201, "message": "取消失败，快件已揽收"}, PermanentError, "picked_up"),
        ({"code": 500, "message": "快件运输中"}, PermanentError, "picked_up"),
        ({"code": 500, "message": "取消失败，单号不存在"}, PermanentError, "not_found"),
        ({"code": 201, "message": "可能调用过期"}, PermanentError, "rejected"),
        ({"code": 400, "message": "参数错误"}, PermanentError, "format_refused"),
        ({"code": 503, "message": "签名错误"}, PermanentError, "signature_refused"),
        ({"code": 600, "message": "非法用户"}, AuthError, "account_refused"),
        ({"code": 500, "message": "服务器错误"}, UncertainError, "busy"),
        ({"code": 501, "message": "重复提交"}, UncertainError, "reason_unknown"),
        ({"code": 777, "message": "订单已取消"}, UnmappedError, "result_unmapped"),
        ({"code": 200, "success": False, "message": ""}, UncertainError, "garbled"),
        ({}, UncertainError, "reason_unknown"),
    ],
    ids=str,
)
def test_every_answer_to_a_cancel_has_its_class(fields: dict[str, Any], error: type[PeerError], code: str) -> None:
    with pytest.raises(PeerError) as caught:
        void(json_reply(**fields))
    assert (type(caught.value), caught.value.code) == (error, f"kuaidi100.cancel.{code}")


@pytest.mark.parametrize("code", CODES)
def test_no_recorded_code_lets_a_cancel_end_as_a_duplicate(code: str) -> None:
    assert judge_cancel(Answer(code, CODES[code]["zh"], None)).cls != "duplicate"
