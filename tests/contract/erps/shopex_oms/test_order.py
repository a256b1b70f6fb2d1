"""Pushing an order: what is sent, that its SKUs are asked for first, and that it is read back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.errors import (
    AuthError,
    PermanentError,
    TransientError,
    UncertainError,
    UnmappedError,
)
from mappings.model import Address, Consignee, ErpDocument
from tests.contract.erps.shopex_oms.cases import (
    ANSWERS,
    CREATED,
    KNOWN,
    NOT_SHOWN,
    ORDERS,
    REF,
    SHOWN,
    UPDATED,
    answer,
    erp,
    erp_order,
    failure,
    form_of,
    line,
    recorded_form,
    run,
    shown,
)


def sent(**changes: Any) -> dict[str, str]:
    _, calls = run(erp().create(erp_order(**changes)), KNOWN, CREATED, SHOWN)
    return form_of(calls[1])


def refusal(message: str) -> dict[str, Any]:
    return {"rsp": "fail", "res": "4007", "data": {}, "msg": message}


# --- what is sent


def test_the_form_is_one_that_a_running_oms_accepted() -> None:
    """Field by field as recorded; what we leave out, add or word otherwise stands here."""
    ours, recorded = sent(), recorded_form(ORDERS["created"])

    assert {name for name in recorded if name not in ours} == {"member_info"}
    assert {name for name in ours if name not in recorded} == {"sign"}
    own_words = {"task", "date", "lastmodify", "modified", "pay_bn", "payments", "payinfo"}
    as_json = {"order_objects", "consignee", "shipping"}
    plain = set(ours) - {"sign"} - own_words - as_json
    assert {name: ours[name] for name in plain} == {name: recorded[name] for name in plain}
    as_we_say_it = json.loads(recorded["consignee"]) | {"area_state": "北京"}
    assert json.loads(ours["consignee"]) == as_we_say_it
    for name in as_json - {"consignee"}:
        assert json.loads(ours[name]) == json.loads(recorded[name]), name


def test_the_moment_of_sending_is_in_chinas_time() -> None:
    form = sent()

    assert form["date"] == form["lastmodify"] == "2026-11-21 23:04:51"
    assert form["modified"] == "1795273491"


@pytest.mark.parametrize(
    ("placed_at", "told"),
    [
        (datetime(2026, 11, 21, 15, 30, tzinfo=UTC), "2026-11-21 23:30:00"),
        (datetime(2026, 11, 21, 16, 30, tzinfo=UTC), "2026-11-22 00:30:00"),
    ],
)
def test_an_order_has_the_date_that_it_has_in_china(placed_at: datetime, told: str) -> None:
    form = sent(placed_at=placed_at, paid_at=placed_at)

    assert form["createtime"] == json.loads(form["payments"])[0]["pay_time"] == told


def test_a_payment_has_a_number_of_its_own_that_is_the_same_each_time() -> None:
    [payment] = json.loads(sent()["payments"])

    assert (payment["trade_no"], payment["money"], payment["pay_bn"]) == (f"{REF}-1002", "2786.00", "online")


def test_the_payment_method_is_a_setting() -> None:
    _, calls = run(erp(pay_bn="alipay", pay_name="支付宝").create(erp_order()), KNOWN, CREATED, SHOWN)
    form, recorded = form_of(calls[1]), recorded_form(ORDERS["created"])

    assert form["pay_bn"] == recorded["pay_bn"]
    assert json.loads(form["payinfo"]) == json.loads(recorded["payinfo"])


def test_cash_on_delivery_is_told_and_has_no_payment() -> None:
    form = sent(cod_fen=278600, paid_at=None)

    assert (form["pay_status"], form["payed"], form["payments"]) == ("0", "0.00", "[]")
    assert json.loads(form["shipping"])["is_cod"] == "true"
    assert json.loads(form["payinfo"])["pay_name"] == "货到付款"


def test_what_was_paid_before_the_courier_collects_the_rest_is_a_payment() -> None:
    form = sent(cod_fen=200000)

    assert (form["pay_status"], form["payed"]) == ("3", "786.00")
    assert json.loads(form["payments"])[0]["money"] == "786.00"


@pytest.mark.parametrize(
    ("total", "discount", "told"),
    [
        (278600, 0, ("0.00", "0.00")),
        (273600, 5000, ("50.00", "0.00")),
        (279100, 0, ("0.00", "5.00")),  # a fee of the shop
        (274100, 5000, ("50.00", "5.00")),
        (278590, 0, ("0.00", "-0.10")),
    ],
)
def test_the_amounts_add_up(total: int, discount: int, told: tuple[str, str]) -> None:
    """Goods 2776.00 and freight 10.00, less promotion, plus what else there is."""
    form = sent(total_fen=total, discount_fen=discount)

    assert (form["pmt_order"], form["discount"]) == told
    assert form["total_amount"] == form["payed"] == f"{total // 100}.{total % 100:02d}"


def test_an_order_that_staff_split_is_told_whole() -> None:
    split = erp_order(lines=(line(quantity=1),), later_lines=(line(quantity=1), line(shop_line_id="2", sku="TEA")))
    _, calls = run(erp(check_skus="0").create(split), CREATED, SHOWN)
    form = form_of(calls[0])
    objects = json.loads(form["order_objects"])

    assert [(sold["oid"], sold["bn"], sold["quantity"]) for sold in objects] == [
        (f"{REF}-1", "ECS000000", "2"),
        (f"{REF}-2", "TEA", "2"),
    ]


def test_a_landline_is_no_mobile_and_an_unknown_region_goes_as_the_shop_spells_it() -> None:
    there = Address(province="广东", city="某市", district="某区", street="1号")
    told = json.loads(sent(consignee=Consignee("李四", "0755-1234567", there))["consignee"])

    assert (told["telephone"], told["mobile"]) == ("0755-1234567", "")
    assert (told["area_state"], told["area_city"], told["area_district"]) == ("广东省", "某市", "某区")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": ()}, "shopex_oms.order.sku_missing"),
        ({"lines": (line(sku=" "),)}, "shopex_oms.order.sku_missing"),
        ({"order_sn": "9" * 33}, "shopex_oms.order.number_too_long"),
    ],
)
def test_what_the_oms_would_take_wrongly_does_not_leave(changes: dict[str, Any], code: str) -> None:
    error = failure(erp().create(erp_order(**changes)))

    assert isinstance(error, PermanentError)
    assert error.code == code


# --- SKUs first


def test_a_sku_that_the_oms_does_not_know_stops_the_order_before_it_leaves() -> None:
    error = failure(erp().create(erp_order(lines=(line(), line(shop_line_id="2", sku="NOPE-1")))), KNOWN)

    assert isinstance(error, PermanentError)
    assert error.code == "shopex_oms.order.sku_unknown"
    assert REF in error.message
    assert "NOPE-1" in error.message
    assert "ECS000000" not in error.message


def test_case_counts_as_little_as_in_the_omss_database() -> None:
    document, _ = run(erp().create(erp_order(lines=(line(sku="ecs000000"),))), KNOWN, CREATED, SHOWN)

    assert document.erp_no == "10"


def test_the_question_names_each_sku_once_fifty_at_a_time() -> None:
    lines = tuple(line(shop_line_id=str(n), sku=f"S{n % 60}") for n in range(120))
    rows = {str(n): {"bn": f"S{n}"} for n in range(60)}
    some = answer({"response": {"lists": rows, "count": 60}})
    _, calls = run(erp().create(erp_order(lines=lines)), some, some, CREATED, SHOWN)

    assert [len(form_of(call)["product_bns"].split(",")) for call in calls[:2]] == [50, 10]
    assert (calls[0].operation, calls[0].changes_peer) == ("check_skus", False)


@pytest.mark.parametrize("sku", ["A,B", "O'Neil", 'a"b', "a\\b"])
def test_a_sku_that_cannot_be_asked_for_is_unknown(sku: str) -> None:
    error = failure(erp().create(erp_order(lines=(line(), line(shop_line_id="2", sku=sku)))), KNOWN)

    assert error.code == "shopex_oms.order.sku_unknown"
    assert sku in error.message


def test_the_check_can_be_switched_off() -> None:
    _, calls = run(erp(check_skus="0").create(erp_order()), CREATED, SHOWN)

    assert [call.operation for call in calls] == ["create_order", "find_order"]


# --- what came of it


def test_a_new_order_has_the_number_that_it_shows() -> None:
    document, calls = run(erp().create(erp_order()), KNOWN, CREATED, SHOWN)

    assert document == ErpDocument("10", REF)
    assert [call.operation for call in calls] == ["check_skus", "create_order", "find_order"]
    assert [call.changes_peer for call in calls] == [False, True, False]


def test_without_reading_back_the_message_tells_the_number() -> None:
    document, _ = run(erp(read_back="0").create(erp_order()), KNOWN, CREATED)

    assert document == ErpDocument("10", REF)


@pytest.mark.parametrize(
    "message",
    ["订单更新成功,影响行数:0", "订单无结构变化，无需更新", "更新时间没变，无需更新", "ERP订单已发货，不做更新"],
)
def test_an_order_that_was_there_is_adopted(message: str) -> None:
    """The first was recorded, the others stand in the OMS's source."""
    is_update = message.startswith("订单更新成功")
    said = {"rsp": "succ", "data": {"rsp": "succ", "msg": message}, "res": ""} if is_update else refusal(message)

    for settings in ({}, {"read_back": "0"}):
        document, _ = run(erp(**settings).create(erp_order()), KNOWN, answer(said), SHOWN)
        assert document == ErpDocument("10", REF, adopted=True)


def test_the_recorded_update_is_adopted() -> None:
    document, _ = run(erp().create(erp_order()), KNOWN, UPDATED, SHOWN)

    assert document.adopted


def test_a_success_in_unknown_words_is_looked_up() -> None:
    said = {"rsp": "succ", "data": {"rsp": "succ", "msg": "Order saved"}, "res": ""}
    document, _ = run(erp(read_back="0").create(erp_order()), KNOWN, answer(said), SHOWN)

    assert document.erp_no == "10"


def test_a_replayed_transmission_is_looked_up() -> None:
    replayed = answer(ORDERS["second_transmission"]["answer"])

    document, _ = run(erp().create(erp_order()), KNOWN, replayed, SHOWN)
    assert document == ErpDocument("10", REF, adopted=True)

    error = failure(erp().create(erp_order()), KNOWN, replayed, NOT_SHOWN)
    assert isinstance(error, UncertainError)
    assert error.code == "shopex_oms.order.replayed"


def test_each_sending_is_a_transmission_of_its_own() -> None:
    assert sent()["task"] == "6f0a9f0e-1111-4222-8333-444455556666"


def test_an_order_that_the_oms_took_and_does_not_show_is_a_failed_one() -> None:
    """So it is with an unknown SKU: the recorded answer is a plain success."""
    error = failure(erp(check_skus="0").create(erp_order()), answer(ORDERS["unknown_sku"]["answer"]), NOT_SHOWN)

    assert isinstance(error, PermanentError)
    assert error.code == "shopex_oms.order.failed"
    assert "失败订单" in error.message


@pytest.mark.parametrize("mark", ["true", True])
def test_an_order_that_is_shown_as_failed_is_a_failed_one(mark: object) -> None:
    for exchange, replies in (
        (erp().create(erp_order()), (KNOWN, CREATED, shown(is_fail=mark))),
        (erp().find(REF), (shown(is_fail=mark),)),
    ):
        error = failure(exchange, *replies)
        assert isinstance(error, PermanentError)
        assert error.code == "shopex_oms.order.failed"


@pytest.mark.parametrize(
    "problem",
    [
        TransientError("http.connect", "no way"),
        AuthError("shopex_oms.find.not_permitted", "no"),
        answer("<html>busy</html>", 502),
        answer("half of"),
    ],
)
def test_a_look_that_fails_after_the_push_leaves_it_open(problem: Any) -> None:
    error = failure(erp().create(erp_order()), KNOWN, CREATED, problem)

    assert isinstance(error, UncertainError)
    assert error.code == "shopex_oms.order.unverified"
    assert REF in error.message


# --- refusals


@pytest.mark.parametrize(
    ("said", "cls", "code"),
    [
        (ORDERS["wrong_token"]["answer"], AuthError, "signature_refused"),
        (ORDERS["unknown_node"]["answer"], PermanentError, "node_unknown"),
        (ORDERS["no_lines"]["answer"], PermanentError, "incomplete"),
        (ORDERS["no_number"]["answer"], PermanentError, "incomplete"),
        (ANSWERS["payment_repeated"], PermanentError, "payment_repeated"),
        (ANSWERS["eight_at_once_others"], TransientError, "busy"),
        (ANSWERS["crashed"], UncertainError, "crashed"),
        ({"rsp": "fail", "res": "<b>Fatal error</b>", "data": None}, UncertainError, "crashed"),
        ({"rsp": "fail", "res": "4001", "data": [], "msg": "error method"}, PermanentError, "method_unknown"),
        (refusal("ERP取消订单，不做更新"), PermanentError, "cancelled_there"),
        (refusal("未开启收单配置"), PermanentError, "intake_closed"),
        (refusal("退款订单不接收"), PermanentError, "not_taken"),
        (refusal("归档订单不接收"), PermanentError, "not_taken"),
        (refusal("签名错误"), AuthError, "signature_refused"),
        (refusal("今天天气不好"), UnmappedError, "result_unmapped"),
        ({"rsp": "fail", "res": "4009", "data": [], "msg": "what"}, UnmappedError, "result_unmapped"),
        ({"rsp": "succ", "data": {"rsp": "fail", "msg": "库存异常"}, "res": ""}, UnmappedError, "result_unmapped"),
    ],
)
def test_the_message_decides(said: dict[str, Any], cls: type[Exception], code: str) -> None:
    error = failure(erp().create(erp_order()), KNOWN, answer(said))

    assert type(error) is cls
    assert error.code == f"shopex_oms.order.{code}"
    assert error.message


def test_an_order_that_the_oms_queues_has_no_number_yet() -> None:
    queued = {"rsp": "succ", "data": {"msg": "the order rpc is into mq now !!!"}, "res": ""}
    document, calls = run(erp().create(erp_order()), KNOWN, answer(queued))

    assert document == ErpDocument("", REF)
    assert len(calls) == 2


def test_a_locked_order_waits_longer_than_the_lock() -> None:
    error = failure(erp().create(erp_order()), KNOWN, answer(ANSWERS["eight_at_once_others"]))

    assert isinstance(error, TransientError)
    assert error.retry_after_s is not None
    assert error.retry_after_s >= 60


def test_of_eight_at_once_the_first_is_created() -> None:
    document, _ = run(erp(read_back="0").create(erp_order()), KNOWN, answer(ANSWERS["eight_at_once_first"]))

    assert document.erp_no == "14"


@pytest.mark.parametrize("name", ["unpaid", "first_transmission"])
def test_the_other_recorded_creations_are_read(name: str) -> None:
    document, _ = run(erp(read_back="0").create(erp_order()), KNOWN, answer(ORDERS[name]["answer"]))

    assert document.erp_no in ORDERS[name]["answer"]["data"]["msg"]


# --- looking up


def test_an_order_is_found_by_its_number_over_all_time() -> None:
    document, [call] = run(erp().find(REF), SHOWN)
    form = form_of(call)

    assert document == ErpDocument("10", REF, adopted=True)
    assert (form["method"], form["order_bn"]) == ("orders.getList", REF)
    assert (form["start_time"], form["end_time"]) == ("2000-01-01 00:00:00", "2026-11-22 23:04:51")


@pytest.mark.parametrize(
    "reply", [NOT_SHOWN, shown(shop_code="taobao01"), shown(order_bn="1"), answer({"response": []})]
)
def test_another_order_or_another_shops_is_not_ours(reply: Any) -> None:
    assert run(erp().find(REF), reply)[0] is None
