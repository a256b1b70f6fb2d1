"""Booking with SF: the order from an order, the waybill from an answer, and what each refusal means."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest

from mappings.carriers.sf import SfCarrier
from mappings.carriers.sf.results import judge
from mappings.carriers.sf.settings import SANDBOX_URL, SERVICE_URL, SETTINGS, SPEC
from mappings.errors import (
    AuthError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UndecidedError,
    UnmappedError,
)
from mappings.model import Consignee, Order, OrderLine, Waybill
from mappings.wire import HttpReply, Stamp
from tests.contract.sf.cases import (
    EXAMPLES,
    NOW,
    NUMBER,
    ORDER_CODE,
    STAMP,
    Talk,
    a_request,
    an_order,
    beijing,
    carrier,
    form_of,
    gateway,
    inner,
    load,
    message_of,
    ordered,
    outcome,
    reply_of,
    service,
)

CODES: list[dict[str, str]] = load("result_codes.json")
EACH_CODE = [
    {**row, "code": code}
    for row in CODES
    for code in ([str(number) for number in range(1010, 1017)] if row["code"] == "1010-1016" else [row["code"]])
]


def book(*answers: HttpReply, **settings: Any) -> Waybill:
    return outcome(carrier(**settings).book_waybill(a_request()), *answers)


def refusal(*answers: HttpReply, **settings: Any) -> PeerError:
    with pytest.raises(PeerError) as caught:
        book(*answers, **settings)
    return caught.value


def order_of(order: Order | None = None, **settings: Any) -> dict[str, Any]:
    request = a_request(order=order) if order else a_request()
    return message_of(next(carrier(**settings).book_waybill(request)))


# --- the order -----------------------------------------------------------------------------------------------------


def test_the_order_says_what_the_recorded_one_says() -> None:
    recorded = EXAMPLES["sf-create-req"]["form"]
    call = next(carrier().book_waybill(a_request()))
    form, made = form_of(call), message_of(call)
    wanted: dict[str, Any] = json.loads(recorded["msgData"])

    assert (call.url, form["serviceCode"], form["partnerID"]) == (
        EXAMPLES["sf-create-req"]["http"]["url"],
        recorded["serviceCode"],
        recorded["partnerID"],
    )
    for name in ("language", "orderId", "cargoDetails", "payMethod", "expressTypeId", "parcelQty", "totalWeight"):
        assert made[name] == wanted[name], name
    for name in ("isDocall", "isReturnRoutelabel"):
        assert made[name] == wanted[name], name
    for ours, theirs in zip(made["contactInfoList"], wanted["contactInfoList"], strict=True):
        # SF takes a municipality's name with and without 市; ours is the one that all carriers take.
        expected = theirs | {"country": "CN", "province": theirs["province"].replace("北京市", "北京")}
        assert ours == expected


def test_the_search_is_the_recorded_one() -> None:
    recorded = EXAMPLES["sf-search-order-req"]["form"]
    talk = Talk(carrier().book_waybill(a_request()), service("8016"))
    search = talk.calls[1].sealed(Stamp(datetime.fromtimestamp(1795244460, UTC), recorded["requestID"]))

    assert search.body.decode() == EXAMPLES["sf-search-order-req"]["http"]["body"]


def test_every_sending_has_its_own_time_and_request_id() -> None:
    call = next(carrier().book_waybill(a_request()))
    later = call.sealed(Stamp(NOW.replace(hour=5), "another"))

    assert call.body == b""
    assert b"requestID=another" in later.body
    assert later.body != call.sealed(STAMP).body


def test_the_sandbox_is_the_default_and_production_must_be_said() -> None:
    assert next(carrier().book_waybill(a_request())).url == SANDBOX_URL
    ours = carrier(environment="production", monthly_card="7550000001")
    assert next(ours.book_waybill(a_request())).url == SERVICE_URL


def test_the_monthly_card_is_left_out_while_none_is_set() -> None:
    assert "monthlyCard" not in order_of()
    assert order_of(monthly_card="7550000001")["monthlyCard"] == "7550000001"


def test_a_routing_rule_may_name_another_card_and_an_unknown_one_is_not_replaced() -> None:
    ours = carrier(monthly_card="7550000001", monthly_cards={"shanghai": "0210000001"})
    call = next(ours.book_waybill(a_request(account="shanghai")))
    assert (message_of(call)["monthlyCard"], call.secrets) == ("0210000001", ("0210000001",))
    with pytest.raises(PermanentError, match=r"beijing.*sf\.waybill\.account_unknown"):
        next(ours.book_waybill(a_request(account="beijing")))


def test_the_courier_collects_what_a_cod_order_owes_on_the_card_for_it() -> None:
    collected = order_of(an_order(cod_fen=12305), cod_card="7550000009")["serviceList"]
    assert collected == [{"name": "COD", "value": "123.05", "value1": "7550000009"}]
    with pytest.raises(PermanentError, match="cod_card_missing"):
        order_of(an_order(cod_fen=12305))


def test_the_courier_is_called_unless_a_setting_says_no() -> None:
    assert (order_of()["isDocall"], order_of(is_docall="0")["isDocall"]) == (1, 0)


def test_a_pickup_window_is_told_in_china_time() -> None:
    request = a_request(pickup_from=datetime(2026, 11, 21, 7, tzinfo=UTC))
    assert message_of(next(carrier().book_waybill(request)))["sendStartTm"] == "2026-11-21 15:00:00"


def test_a_landline_goes_where_landlines_go_and_a_mobile_loses_its_country_code() -> None:
    def contact(phone: str) -> dict[str, Any]:
        order = an_order(consignee=Consignee("张三", phone, beijing()))
        found: dict[str, Any] = order_of(order)["contactInfoList"][1]
        return found

    assert contact("+86 139-0000-0002")["mobile"] == "13900000002"
    landline = contact("010-62345678")
    assert (landline["tel"], "mobile" in landline) == ("010-62345678", False)


def test_long_remarks_and_goods_names_are_cut_and_control_characters_taken_out() -> None:
    line = OrderLine("1", "X", "衣" * 200, quantity=1, price_fen=0, weight_g=0)
    made = order_of(an_order(buyer_note="轻\x00放\r\n" * 60, lines=(line,)))
    assert (len(made["remark"]), len(made["cargoDetails"][0]["name"])) == (100, 128)
    assert "\x00" not in made["remark"]
    assert "totalWeight" not in made


@pytest.mark.parametrize("code", ["", "a" * 65, "2026 1", "订单", "a&b"])
def test_an_order_code_is_never_cut_or_changed(code: str) -> None:
    with pytest.raises(PermanentError, match="order_code_refused"):
        next(carrier().book_waybill(a_request(order_code=code)))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": ()}, "goods_missing"),
        ({"lines": (OrderLine("1", "X", "\x00", 1, 0, 0),)}, "goods_name_missing"),
        ({"consignee": Consignee("", "13900000002", beijing())}, "name_missing"),
        ({"consignee": Consignee("张三", "无", beijing())}, "phone_missing"),
        ({"consignee": Consignee("张三", "13900000002", replace(beijing(), street=" "))}, "street_missing"),
        (
            {"consignee": Consignee("张三", "13900000002", replace(beijing(), city="亚特兰蒂斯"))},
            "address.region_unknown",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_order_that_lacks_something_waits_for_a_person_and_sf_is_not_asked(
    changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(PermanentError, match=code):
        order_of(an_order(**changes))


def test_an_order_meant_for_another_courier_company_is_sent_by_sf_only_where_a_setting_says_so() -> None:
    request = a_request(shipper_code="ZTO")
    with pytest.raises(PermanentError, match=r"means ZTO.*sf\.waybill\.courier_refused"):
        next(carrier().book_waybill(request))
    issued = outcome(carrier(take_all=True).book_waybill(request), ordered(2, (1, NUMBER)))
    assert issued.shipper_code == "SF"


# --- the answer ----------------------------------------------------------------------------------------------------


def test_an_accepted_order_gives_its_waybill() -> None:
    issued = book(reply_of(EXAMPLES["sf-create-ok"]))
    assert issued == Waybill(EXAMPLES["sf-create-ok"]["expect"]["waybill"], "SF", ORDER_CODE)


def test_child_numbers_stand_beside_the_master_and_the_returned_slip_is_none_of_them() -> None:
    issued = book(ordered(2, (2, "SF1000000000002"), (1, NUMBER), (2, "SF1000000000003"), (3, "SF9")))
    assert (issued.waybill_no, issued.sub_waybill_nos) == (NUMBER, ("SF1000000000002", "SF1000000000003"))


@pytest.mark.parametrize("code", ["8016", "8252"])
def test_an_order_that_sf_holds_is_looked_up_in_the_same_exchange_and_adopted(code: str) -> None:
    talk = Talk(carrier().book_waybill(a_request()), service(code, "重复下单"), ordered(2, (1, NUMBER)))
    assert talk.asked == ["book_waybill", "find_waybill"]
    assert (talk.result.waybill_no, talk.result.adopted) == (NUMBER, True)


@pytest.mark.parametrize("code", ["6150", "8018"])
def test_an_order_that_exists_and_is_not_found_may_be_sent_again_under_its_id(code: str) -> None:
    unfound = refusal(service("8016"), service(code))
    assert (type(unfound), unfound.code) == (UncertainError, "sf.waybill.order_unknown")


@pytest.mark.parametrize("answer", [HttpReply(502, {}, b"<html>"), HttpReply(200, {}, b"<html>"), gateway("A1099")])
def test_a_search_without_an_answer_leaves_the_booking_uncertain(answer: HttpReply) -> None:
    assert isinstance(refusal(service("8016"), answer), UncertainError)


def test_an_order_that_people_at_sf_must_confirm_is_asked_for_again_later_and_never_booked_anew() -> None:
    first = refusal(ordered(1), confirm_retry_s=300)
    again = refusal(service("8016"), ordered("1"), confirm_retry_s=300)
    for waiting in (first, again):
        assert isinstance(waiting, UndecidedError)
        assert (waiting.code, waiting.retry_after_s) == ("sf.waybill.awaits_confirmation", 300)
    assert book(service("8016"), ordered(2, (1, NUMBER))).waybill_no == NUMBER


@pytest.mark.parametrize(("remark", "why"), [("1", "collect"), ("2", "deliver to"), ("3", "does not say"), ("", "not")])
def test_an_order_that_sf_will_not_carry_is_no_success_although_sf_says_success(remark: str, why: str) -> None:
    refused = refusal(ordered(3, remark=remark))
    assert (type(refused), refused.code) == (PermanentError, "sf.waybill.undeliverable")
    assert why in refused.message
    assert refusal(service("8016"), ordered(3, remark=remark)).code == "sf.waybill.undeliverable"


@pytest.mark.parametrize(
    "answer",
    [
        ordered(2),
        ordered(2, (1, NUMBER), (1, "SF2")),
        ordered(2, (2, NUMBER)),
        ordered(2, (1, "S" * 41)),
        ordered(""),
        service("S0000"),
    ],
)
def test_success_without_exactly_one_number_may_be_a_waybill(answer: HttpReply) -> None:
    assert refusal(answer).code == "sf.waybill.number_missing"
    assert isinstance(refusal(answer), UncertainError)


def test_an_answer_for_another_order_is_not_ours() -> None:
    other = service(orderId="4711", filterResult=2, waybillNoInfoList=[{"waybillType": 1, "waybillNo": NUMBER}])
    assert refusal(other).code == "sf.waybill.other_order"


@pytest.mark.parametrize(
    "answer",
    [
        HttpReply(200, {}, b""),
        HttpReply(200, {}, b"<html>502</html>"),
        HttpReply(200, {}, b"[]"),
        HttpReply(200, {}, reply_of(EXAMPLES["sf-create-ok"]).body[:80]),
        HttpReply(200, {}, b'{"apiResultData":"{}"}'),
        HttpReply(500, {}, b""),
        inner(""),
        inner("{"),
        inner("[]"),
        inner("[" * 100_000),
        inner({"success": False}),
        inner({"success": False, "errorCode": "S0000", "msgData": {}}),
    ],
    ids=range(12),
)
def test_what_nobody_understands_may_have_happened(answer: HttpReply) -> None:
    assert type(refusal(answer)) is UncertainError


def test_the_inner_result_may_be_an_object_and_the_body_may_begin_with_a_mark() -> None:
    body = reply_of(EXAMPLES["sf-create-ok"]).body
    outer = json.loads(body)
    outer["apiResultData"] = json.loads(outer["apiResultData"])
    as_object = json.dumps(outer).encode()
    assert book(HttpReply(200, {}, as_object)).waybill_no == NUMBER
    assert book(HttpReply(200, {}, b"\xef\xbb\xbf" + body)).waybill_no == NUMBER


# --- codes ---------------------------------------------------------------------------------------------------------

CLASSES: dict[str, tuple[type[PeerError], ...]] = {
    "permanent": (PermanentError,),
    "config": (AuthError,),
    "throttle": (TransientError,),
    "transient": (TransientError, UncertainError),
    "inspect": (UncertainError,),
}
"""A class of the published list -> what it is here. What SF may have done is uncertain, and repeated all the same."""


@pytest.mark.parametrize("row", EACH_CODE, ids=lambda row: row["code"])
def test_every_published_code_has_its_class(row: dict[str, str]) -> None:
    answer: Callable[[str, str], HttpReply] = gateway if row["code"].startswith("A") else service
    if row["cls"] in ("ok", "duplicate"):
        assert judge(row["code"]).cls == row["cls"]
        return
    if row["code"] == "A1006":  # of one order; see below
        assert type(refusal(gateway("A1006", row["zh"]), service("6150"))) is PermanentError
        return
    refused = refusal(answer(row["code"], row["zh"]))
    assert type(refused) in CLASSES[row["cls"]]
    assert (refused.peer_code, refused.peer_text) == (row["code"], row["zh"])
    assert refused.message


@pytest.mark.parametrize("code", ["A1007", "A1009", "A1099", "S0003"])
def test_a_failure_inside_sf_may_have_happened(code: str) -> None:
    answer = gateway(code) if code.startswith("A") else service(code)
    assert type(refusal(answer)) is UncertainError


@pytest.mark.parametrize("code", ["A1002", "A1005", "8177"])
def test_a_refusal_at_the_gate_happened_certainly_not(code: str) -> None:
    answer = gateway(code) if code.startswith("A") else service(code)
    assert type(refusal(answer)) is TransientError


def test_the_recorded_throttle_is_waited_out() -> None:
    throttled = refusal(reply_of(EXAMPLES["sf-a1005"]))
    assert (type(throttled), throttled.code) == (TransientError, "sf.waybill.rate_limited")


def test_a_time_without_couriers_is_waited_out_for_longer_than_a_busy_second() -> None:
    full = refusal(service("8177"))
    assert isinstance(full, TransientError)
    assert (full.retry_after_s, full.peer_is_well) == (900, True)
    assert not refusal(gateway("A1005")).peer_is_well


def test_a_check_word_that_is_wrong_for_every_text_is_told_from_a_text_that_sf_reads_otherwise() -> None:
    talk = Talk(carrier().book_waybill(a_request()), gateway("A1006"))
    assert (talk.asked, message_of(talk.calls[1])["orderId"]) == (["book_waybill", "find_waybill"], ORDER_CODE)
    assert json.dumps(message_of(talk.calls[1])).isascii()

    wrong_key = refusal(gateway("A1006"), gateway("A1006"))
    assert (type(wrong_key), wrong_key.code, wrong_key.peer_is_well) == (
        AuthError,
        "sf.waybill.signature_refused",
        False,
    )
    for answer in (service("6150"), service("8018"), ordered(2, (1, NUMBER))):
        own_text = refusal(gateway("A1006"), answer)
        assert (type(own_text), own_text.code) == (PermanentError, "sf.waybill.text_refused")
    assert type(refusal(gateway("A1006"), gateway("A1005"))) is TransientError


@pytest.mark.parametrize("code", ["8114", "8119", "6126"])
def test_a_refused_card_that_a_rule_named_is_refused_alone(code: str) -> None:
    def refused(account: str) -> PeerError:
        ours = carrier(monthly_card="7550000001", monthly_cards={"shanghai": "0210000001"})
        with pytest.raises(PeerError) as caught:
            outcome(ours.book_waybill(a_request(account=account)), service(code))
        return caught.value

    named, usual = refused("shanghai"), refused("")
    assert isinstance(named, AuthError)
    assert isinstance(usual, AuthError)
    assert (named.code, named.account, named.peer_is_well) == ("sf.waybill.monthly_card_refused", "shanghai", True)
    assert (usual.account, usual.peer_is_well) == ("", False)


def test_only_the_service_that_books_stops_the_others() -> None:
    assert not refusal(gateway("A1004")).peer_is_well
    exchange = carrier().query_tracking(
        shipper_code="SF", waybill_no=NUMBER, order_code=ORDER_CODE, phone="", asked_at=NOW
    )
    with pytest.raises(AuthError) as caught:
        outcome(exchange, gateway("A1004"))
    assert caught.value.peer_is_well


def test_a_cancelled_order_id_is_never_replaced_by_another() -> None:
    burnt = refusal(service("8037", "订单已取消"))
    assert (type(burnt), burnt.code) == (PermanentError, "sf.waybill.order_cancelled")


def test_a_code_nobody_mapped_goes_to_a_person_with_the_line_to_add() -> None:
    unknown = refusal(service("9999", "新的原因"))
    assert isinstance(unknown, UnmappedError)
    assert "mappings/carriers/sf/results.toml" in unknown.message
    assert "9999 = {" in unknown.message


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("environment", "test"),
        ("url", "http://sf.example.com/std/service"),
        ("url", "sf"),
        ("pay_method", "4"),
        ("express_type_id", "x"),
        ("is_docall", "2"),
        ("take_all", "maybe"),
        ("confirm_retry_s", "0"),
        ("push_format", "soap"),
        ("callback_allow", "203.0.113.300"),
        ("callback_allow", "203.0.113.1/8"),
        ("max_items", "0"),
        ("monthly_cards", "0210000001"),
        ("monthly_cards", "a=1,a=2"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(name: str, text: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    with pytest.raises(ValueError, match=r"\S"):
        setting.parse(text)


def test_networks_are_listed_with_commas() -> None:
    setting = next(setting for setting in SETTINGS if setting.name == "callback_allow")
    assert setting.parse("203.0.113.7, 198.51.100.0/24") == (
        ip_network("203.0.113.7/32"),
        ip_network("198.51.100.0/24"),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"partner_id": ""},
        {"checkword": ""},
        {"environment": "production"},
        {"environment": "production", "monthly_card": "1", "url": "http://127.0.0.1:1/std/service"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sf"):
        carrier(**settings)


def test_every_default_is_a_value_its_own_setting_accepts() -> None:
    for setting in SETTINGS:
        if setting.default not in ("", (), {}, None) and not isinstance(setting.default, bool):
            assert setting.parse(str(setting.default)) == setting.default, setting.name


def test_the_spec_says_that_pushes_prove_nothing_and_what_must_not_be_shown() -> None:
    assert SfCarrier.spec is SPEC
    assert not SPEC.signs_pushes
    assert {setting.name for setting in SETTINGS if setting.secret} == {
        "checkword",
        "monthly_card",
        "monthly_cards",
        "cod_card",
    }
