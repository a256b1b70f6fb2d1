"""Booking at KDNiao: what is sent, and what every kind of reply means."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from mappings.carriers.kdniao.results import judge
from mappings.carriers.kdniao.signing import is_signed_by
from mappings.errors import (
    AuthError,
    DuplicateError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UnmappedError,
)
from mappings.model import Consignee, OrderLine, Waybill
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import (
    APP_KEY,
    EBUSINESS_ID,
    EXAMPLES,
    a_request,
    an_order,
    beijing,
    carrier,
    finish,
    json_reply,
    load,
    reply_of,
    shenzhen,
    start,
)

ACCOUNT = {"customer_name": "ZTO-TEST-001", "customer_pwd": "pw", "month_code": "mc"}


def sent(request: Any, **settings: Any) -> dict[str, Any]:
    form = parse_qs(start(carrier(**settings).book_waybill(request)).body.decode())
    found: dict[str, Any] = json.loads(form["RequestData"][0])
    return found


def booked(reply: HttpReply) -> Waybill:
    return finish(carrier().book_waybill(a_request()), reply)


def refusal(request: Any, **settings: Any) -> PermanentError:
    with pytest.raises(PermanentError) as caught:
        start(carrier(**settings).book_waybill(request))
    return caught.value


# --- what is sent ------------------------------------------------------------------------------------------------


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXAMPLES[name]["form"]["RequestData"])
    return found


@pytest.mark.parametrize(
    ("name", "shipper_code", "account"),
    [("kdn-1007-req-zto", "ZTO", "ZTO-TEST-001"), ("kdn-1007-req-ems-postcode", "EMS", "EMS-TEST-001")],
)
def test_the_request_is_the_recorded_one(name: str, shipper_code: str, account: str) -> None:
    window = {
        "pickup_from": datetime(2026, 11, 21, 7, tzinfo=UTC),
        "pickup_until": datetime(2026, 11, 21, 10, tzinfo=UTC),
    }
    made = sent(a_request(shipper_code=shipper_code, **window), **ACCOUNT | {"customer_name": account})
    expected = recorded(name)
    # We tell more of the goods than the recorded sample does, and always give a postcode we know.
    made["Commodity"] = [{key: goods[key] for key in expected["Commodity"][0]} for goods in made["Commodity"]]
    for party in ("Sender", "Receiver"):
        expected[party].setdefault("PostCode", made[party]["PostCode"])
    assert made == expected


def test_the_text_that_is_signed_is_the_text_that_is_sent() -> None:
    call = start(carrier().book_waybill(a_request()))
    form = parse_qs(call.body.decode())
    assert is_signed_by(form["RequestData"][0], form["DataSign"][0], [APP_KEY])
    assert (form["EBusinessID"], form["RequestType"], form["DataType"]) == ([EBUSINESS_ID], ["1007"], ["2"])
    assert call.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"
    assert "张三" in form["RequestData"][0]
    assert call.changes_peer


def test_the_same_request_is_sent_in_the_same_bytes() -> None:
    one, two = (start(carrier(**ACCOUNT).book_waybill(a_request())) for _ in range(2))
    assert one == two


def test_the_sandbox_is_the_default_and_production_must_be_said() -> None:
    assert start(carrier().book_waybill(a_request())).url.startswith("http://sandboxapi.kdniao.com:8080/")
    production = carrier(environment="production")
    assert start(production.book_waybill(a_request())).url == "https://api.kdniao.com/api/EOrderService"
    other = carrier(environment="production", order_url="https://api.kdniao.com/api/EOrderService2")
    assert start(other.book_waybill(a_request())).url.endswith("EOrderService2")


def test_secrets_are_named_as_they_are_and_as_the_form_spells_them() -> None:
    call = start(carrier(customer_pwd="p/w=1", month_code="mc").book_waybill(a_request()))
    assert {"p/w=1", "p%2Fw%3D1", "mc"} <= set(call.secrets)


def test_forbidden_characters_are_sent_in_full_width() -> None:
    line = OrderLine("1", "A&B", '杯子 "大" 50% <新> it\'s #1 a+b\\c', quantity=1, price_fen=100, weight_g=1)
    consignee = Consignee("王#五", "13900000002", replace(beijing(), street="A&B大厦\n3层"))
    text = json.dumps(sent(a_request(order=an_order(lines=(line,), consignee=consignee, buyer_note="50%"))))
    for mark in ("'", "#", "&", "+", "<", ">", "%"):
        assert mark not in text
    made = sent(a_request(order=an_order(lines=(line,), consignee=consignee)))
    assert made["Commodity"][0]["GoodsName"] == "杯子 ＂大＂ 50％ ＜新＞ it＇s ＃1 a＋b＼c"
    assert made["Receiver"]["Address"] == "A＆B大厦 3层"


def test_region_names_are_completed_on_both_sides() -> None:
    consignee = Consignee("李四", "13900000002", replace(shenzhen(), province="广西", city="南宁", district="青秀区"))
    receiver = sent(a_request(order=an_order(consignee=consignee)))["Receiver"]
    assert (receiver["ProvinceName"], receiver["CityName"]) == ("广西壮族自治区", "南宁市")


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        ("13900000002", {"Mobile": "13900000002"}),
        ("+86 139-0000-0002", {"Mobile": "13900000002"}),
        ("１３９００００００02", {"Mobile": "13900000002"}),
        ("010-62345678", {"Tel": "010-62345678"}),
        ("010-62345678#12", {"Tel": "010-62345678＃12"}),
        ("13900000002-1234", {"Tel": "13900000002-1234"}),
    ],
)
def test_a_mobile_number_and_a_landline_have_their_own_fields(phone: str, expected: dict[str, str]) -> None:
    receiver = sent(a_request(order=an_order(consignee=Consignee("李四", phone, beijing()))))["Receiver"]
    assert {name: receiver[name] for name in ("Mobile", "Tel") if name in receiver} == expected


def test_remarks_and_goods_names_are_cut_to_length() -> None:
    line = OrderLine("1", "A", "杯" * 300, quantity=1, price_fen=100, weight_g=1)
    made = sent(a_request(order=an_order(lines=(line,), buyer_note="轻" * 300)))
    assert (len(made["Remark"]), len(made["Commodity"][0]["GoodsName"])) == (60, 100)


def test_the_courier_collects_what_a_cod_order_owes() -> None:
    assert "AddService" not in sent(a_request())
    assert sent(a_request(order=an_order(cod_fen=12010)))["AddService"] == [{"Name": "COD", "Value": "120.10"}]


def test_money_is_in_yuan_and_weight_in_kilograms() -> None:
    made = sent(a_request())
    goods = {"GoodsName": "棉T恤", "GoodsCode": "TS-1", "Goodsquantity": 2, "GoodsPrice": 59.9, "GoodsWeight": 0.5}
    assert (made["Commodity"], made["Weight"]) == ([goods], 1.0)


def test_the_courier_is_called_unless_a_setting_says_no() -> None:
    assert sent(a_request())["IsNotice"] == 0
    assert sent(a_request(), is_notice="1")["IsNotice"] == 1


def test_a_label_is_asked_for_unless_a_setting_says_no() -> None:
    assert sent(a_request())["IsReturnPrintTemplate"] == "1"
    assert sent(a_request(), template=False)["IsReturnPrintTemplate"] == "0"


@pytest.mark.parametrize("code", ["x" * 31, "", "2026#1", "单号"])
def test_an_order_code_is_never_cut_or_changed(code: str) -> None:
    assert refusal(a_request(order_code=code)).code == "kdniao.waybill.order_code_refused"


def test_an_order_code_of_thirty_characters_fits() -> None:
    assert sent(a_request(order_code="x" * 30))["OrderCode"] == "x" * 30


def test_an_unknown_courier_company_is_not_guessed() -> None:
    error = refusal(a_request(shipper_code="XYZ"))
    assert isinstance(error, UnmappedError)
    assert error.code == "kdniao.waybill.shipper_unmapped"
    assert 'shippers.toml: XYZ = { name = "…" }' in error.hint


def a_line(**changes: Any) -> tuple[OrderLine, ...]:
    return (replace(an_order().lines[0], **changes),)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": ()}, "kdniao.waybill.goods_missing"),
        ({"lines": a_line(name=" \u200b")}, "kdniao.waybill.goods_name_missing"),
        ({"consignee": Consignee("", "13900000002", beijing())}, "kdniao.waybill.consignee_name_missing"),
        ({"consignee": Consignee("张三", " - ", beijing())}, "kdniao.waybill.phone_missing"),
        (
            {"consignee": Consignee("张三", "13900000002", replace(beijing(), street=""))},
            "kdniao.waybill.consignee_street_missing",
        ),
        (
            {"consignee": Consignee("张三", "13900000002", replace(beijing(), district=""))},
            "address.region_missing",
        ),
        (
            {"consignee": Consignee("张三", "13900000002", replace(beijing(), city="亚特兰蒂斯"))},
            "address.region_unknown",
        ),
    ],
)
def test_an_order_that_lacks_something_waits_for_a_person(changes: dict[str, Any], code: str) -> None:
    assert refusal(a_request(order=an_order(**changes))).code == code


@pytest.mark.parametrize("shipper_code", ["EMS", "YZPY", "YZBK"])
def test_the_post_wants_a_postcode(shipper_code: str) -> None:
    order = an_order(consignee=Consignee("张三", "13900000002", replace(beijing(), postcode="")))
    assert refusal(a_request(shipper_code=shipper_code, order=order)).code == "kdniao.waybill.postcode_missing"
    assert "PostCode" in sent(a_request(shipper_code=shipper_code))["Receiver"]


def test_freight_wants_a_weight_and_parcels_do_not() -> None:
    order = an_order(lines=a_line(weight_g=0))
    assert refusal(a_request(shipper_code="ZTOKY", order=order)).code == "kdniao.waybill.weight_missing"
    assert "Weight" not in sent(a_request(order=order))


def test_a_company_with_wishes_of_its_own_gets_them_from_the_settings() -> None:
    assert refusal(a_request(shipper_code="JTSD")).code == "kdniao.waybill.delivery_method_missing"
    assert sent(a_request(shipper_code="JTSD"), delivery_method="1")["DeliveryMethod"] == 1
    assert refusal(a_request(shipper_code="JD")).code == "kdniao.waybill.warehouse_id_missing"
    jd = sent(a_request(shipper_code="JD"), warehouse_id="W1")
    assert (jd["WareHouseID"], jd["ThrOrderCode"]) == ("W1", "2026112100001")
    assert "ThrOrderCode" not in sent(a_request(shipper_code="JD"), warehouse_id="W1", exp_type="2")
    assert refusal(a_request(shipper_code="ZJS")).code == "kdniao.waybill.own_number_missing"


# --- what the replies mean ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kdn-1007-resp-100", "kdn-1007-resp-bom", "kdn-1007-resp-sub-orders"])
def test_an_accepted_order_gives_its_waybill(name: str) -> None:
    expect = EXAMPLES[name]["expect"]
    waybill = booked(reply_of(EXAMPLES[name]))
    assert expect["cls"] == "ok"
    assert (waybill.waybill_no, waybill.adopted) == (expect["waybill"], False)
    assert len(waybill.sub_waybill_nos) == expect.get("sub", 0)
    assert waybill.order_code == "2026112100001-1"


def test_label_numbers_and_dates_are_read() -> None:
    waybill = booked(reply_of(EXAMPLES["kdn-1007-resp-100"]))
    assert waybill.label == "<html>…</html>"
    assert waybill.carrier_order_no == "KDN2611211500000001"
    assert waybill.estimated_delivery_at == datetime(2026, 11, 22, 16, tzinfo=UTC)  # 23 November in Shanghai
    assert waybill.estimated_pickup_at is None


def test_the_window_we_asked_for_is_the_estimated_pickup() -> None:
    window = datetime(2026, 11, 21, 7, tzinfo=UTC)
    waybill = finish(carrier().book_waybill(a_request(pickup_from=window)), reply_of(EXAMPLES["kdn-1007-resp-100"]))
    assert waybill.estimated_pickup_at == window


def test_the_company_that_took_the_parcel_is_the_replys() -> None:
    order = {"LogisticCode": "1", "ShipperCode": "YTO"}
    assert booked(json_reply(ResultCode="100", Order=order)).shipper_code == "YTO"
    assert booked(json_reply(ResultCode="100", Order={"LogisticCode": "1"})).shipper_code == "ZTO"


def test_a_label_can_be_stored_as_text() -> None:
    reply = json_reply(ResultCode="100", Order={"LogisticCode": "1"}, PrintTemplate="<b>\0</b>")
    assert booked(reply).label == "<b></b>"


@pytest.mark.parametrize(("status", "error"), [(503, TransientError), (429, TransientError), (403, AuthError)])
def test_an_http_failure_means_what_it_means_everywhere(status: int, error: type[PeerError]) -> None:
    with pytest.raises(error):
        booked(HttpReply(status, {}, b"{}"))


def test_child_numbers_are_read_from_texts_and_from_objects() -> None:
    order = {"OrderCode": "2026112100001-1", "LogisticCode": "YT1"}
    reply = json_reply(ResultCode="100", Order=order, SubOrders=["YT2", {"LogisticCode": "YT3"}, {}, ""])
    assert booked(reply).sub_waybill_nos == ("YT2", "YT3")


@pytest.mark.parametrize("success", [True, False])
def test_a_repeat_adopts_the_first_waybill_whatever_success_says(success: bool) -> None:
    first = EXAMPLES["kdn-1007-resp-100"]["json"]
    waybill = booked(json_reply(**first | {"ResultCode": "106", "Success": success, "Reason": "该订单号已下单成功"}))
    assert (waybill.waybill_no, waybill.adopted) == ("73100000000001", True)


def test_the_old_wording_of_a_repeat_adopts_too_when_the_number_is_there() -> None:
    first = EXAMPLES["kdn-1007-resp-100"]["json"]
    assert booked(json_reply(**first | {"ResultCode": "105", "Reason": "该订单已经存在,请勿重复操作"})).adopted


@pytest.mark.parametrize("name", ["kdn-1007-resp-106-bare", "kdn-1007-resp-105-exists"])
def test_a_repeat_without_the_number_is_a_duplicate_for_a_person(name: str) -> None:
    assert EXAMPLES[name]["expect"] == EXAMPLES[name]["expect"] | {"cls": "duplicate", "waybill": None}
    with pytest.raises(DuplicateError) as caught:
        booked(reply_of(EXAMPLES[name]))
    assert caught.value.code == "kdniao.waybill.number_not_returned"


SIGNATURE = reply_of(EXAMPLES["kdn-1007-resp-102-sign"])
BY_REASON = json_reply(Success=False, ResultCode="105", Reason="验证数据签名失败")


def refused(first: HttpReply, second: HttpReply) -> tuple[list[HttpCall], PeerError]:
    """What is asked in turn, and the error that comes of the two answers."""
    exchange = carrier().book_waybill(a_request())
    calls = [next(exchange), exchange.send(first)]
    with pytest.raises(PeerError) as caught:
        exchange.send(second)
    return calls, caught.value


@pytest.mark.parametrize("no", [SIGNATURE, BY_REASON])
def test_a_signature_that_is_refused_for_a_plain_question_too_is_the_key(no: HttpReply) -> None:
    calls, error = refused(no, SIGNATURE)
    assert [call.operation for call in calls] == ["book_waybill", "recognise"]
    assert parse_qs(calls[1].body.decode())["RequestData"][0].isascii()
    assert not calls[1].changes_peer
    assert (type(error), error.code, error.peer_is_well) == (AuthError, "kdniao.waybill.signature_refused", False)
    assert error.peer_text == "验证数据签名失败"


@pytest.mark.parametrize(
    "answer",
    [
        json_reply(Success=True, Shippers=[{"ShipperCode": "ZTO"}]),
        json_reply(Success=False, ResultCode="105", Reason="没有可用套餐"),
        json_reply(Success=False, Reason="单号不正确"),
    ],
)
def test_a_signature_that_is_refused_for_one_order_is_for_a_person(answer: HttpReply) -> None:
    calls, error = refused(SIGNATURE, answer)
    assert (type(error), error.code) == (PermanentError, "kdniao.waybill.text_refused")
    assert calls[1].after is error, "that is what the first answer is recorded as"


def test_a_plain_question_that_stays_unanswered_decides_nothing() -> None:
    _, error = refused(SIGNATURE, HttpReply(502, {}, b"<html>"))
    assert isinstance(error, TransientError)


@pytest.mark.parametrize("name", ["kdn-1007-resp-105-unknown", "kdn-1147-resp-fail", "kdn-gateway-html-502"])
def test_what_nobody_understands_may_have_happened(name: str) -> None:
    with pytest.raises(UncertainError):
        booked(reply_of(EXAMPLES[name]))


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"ResultCode": "100", "Ord', b"[]", b"null", b"[" * 100_000])
def test_half_an_answer_may_have_happened(body: bytes) -> None:
    with pytest.raises(UncertainError) as caught:
        booked(HttpReply(200, {}, body))
    assert caught.value.code == "kdniao.waybill.garbled"


@pytest.mark.parametrize("order", [{}, {"LogisticCode": ""}, None, [], "x"])
def test_success_without_a_number_is_no_success(order: Any) -> None:
    with pytest.raises(UncertainError) as caught:
        booked(json_reply(Success=True, ResultCode="100", Order=order))
    assert caught.value.code == "kdniao.waybill.number_missing"


def test_success_alone_is_no_success() -> None:
    order = {"LogisticCode": "73100000000001"}
    with pytest.raises(PermanentError) as caught:
        booked(json_reply(Success=True, ResultCode="103", Reason="格式", Order=order))
    assert caught.value.code == "kdniao.waybill.format_refused"


def test_an_answer_for_another_order_is_not_ours() -> None:
    order = {"OrderCode": "2026112100002-1", "LogisticCode": "73100000000001"}
    with pytest.raises(UncertainError) as caught:
        booked(json_reply(Success=True, ResultCode="100", Order=order))
    assert caught.value.code == "kdniao.waybill.other_order"


def test_a_code_nobody_mapped_goes_to_a_person_with_the_line_to_add() -> None:
    with pytest.raises(UnmappedError) as caught:
        booked(json_reply(Success=False, ResultCode="777", Reason="?"))
    assert caught.value.code == "kdniao.waybill.result_unmapped"
    assert 'results.toml under [result]: 777 = { class = "…" }' in caught.value.hint


@pytest.mark.parametrize(
    ("reason", "error", "code"),
    [
        ("没有可用套餐", AuthError, "no_plan"),
        ("电子面单余额不足", AuthError, "balance_used"),
        ("单号不足", AuthError, "balance_used"),
        ("请求过于频繁", TransientError, "rate_limited"),
        ("系统繁忙,请稍后再试", TransientError, "busy"),
        ("收件人地址超区", PermanentError, "address_rejected"),
        ("收件人手机号不正确", PermanentError, "phone_rejected"),
        ("月结账号错误", AuthError, "account_rejected"),
        ("该网点未开通", PermanentError, "branch_rejected"),
    ],
)
def test_the_reason_decides_what_an_other_error_is(reason: str, error: type[PeerError], code: str) -> None:
    for fields in ({"ResultCode": "105"}, {}):
        with pytest.raises(error) as caught:
            booked(json_reply(Success=False, Reason=reason, **fields))
        assert caught.value.code == f"kdniao.waybill.{code}"


def test_an_account_problem_pauses_the_peer() -> None:
    with pytest.raises(AuthError):
        booked(json_reply(Success=False, ResultCode="104", Reason="用户不存在"))


OURS = {"config": "auth", "throttle": "transient"}


@pytest.mark.parametrize("row", load("result_codes.json")["codes"], ids=lambda row: row["code"])
def test_every_published_code_has_its_class(row: dict[str, str]) -> None:
    assert judge(row["code"], "").cls == OURS.get(row["cls"], row["cls"])


@pytest.mark.parametrize("row", load("result_codes.json")["reason_patterns"], ids=lambda row: row["pattern"])
def test_every_known_wording_has_its_class(row: dict[str, str]) -> None:
    for wording in row["pattern"].split("|"):
        assert judge("105", wording.replace(".*", "一百")).cls == OURS.get(row["cls"], row["cls"])
