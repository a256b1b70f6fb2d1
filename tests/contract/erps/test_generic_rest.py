"""The generic REST ERP against every answer a peer can give. No socket: an exchange is fed replies as values."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import entry_points
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.connector import ErpConnector
from mappings.erps.generic_rest import GenericRestErp
from mappings.erps.generic_rest.order import HEADER_FACTS, LINE_FACTS, LINE_PREFIX, yuan
from mappings.errors import AuthError, DuplicateError, PeerError, PermanentError, TransientError, UncertainError
from mappings.field_sources import read_rows
from mappings.model import Address, Consignee, ErpDocument, ErpOrder, Order, OrderLine, Queue
from mappings.wire import HttpReply
from tests.contract.erps.hands import failure, run

BASE = {"base_url": "https://erp.example.com", "token": "s3cret-token"}
NAME, PHONE = "王小明", "13800138000"
PROXY_PAGE = HttpReply(200, body="<html><body>登录</body></html>".encode())


def erp(**settings: str) -> GenericRestErp:
    """A connector configured as from the environment: every text goes through its setting's parse."""
    parse = {setting.name: setting.parse for setting in GenericRestErp.spec.settings}
    return GenericRestErp({name: parse[name](text) for name, text in {**BASE, **settings}.items()})


def line(**changes: Any) -> OrderLine:
    whole = OrderLine(shop_line_id="7", sku="TEA-01", name="龙井茶", quantity=2, price_fen=1388, weight_g=250)
    return replace(whole, **changes)


def erp_order(**changes: Any) -> ErpOrder:
    address = Address(province="浙江", city="杭州", district="西湖区", street="龙井路 1 号")
    order = Order(
        shop="main",
        shop_order_id="42",
        order_sn="2026112200042",
        queue=Queue.AWAIT_SHIP,
        consignee=Consignee(name=NAME, phone=PHONE, address=address),
        lines=(line(),),
        total_fen=2776,
        cod_fen=0,
        shipping_code="sf",
        shipping_name="顺丰速运",
        placed_at=datetime(2026, 11, 21, 16, 30, tzinfo=UTC),
        paid_at=None,
        content_hash="x",
    )
    bought = replace(order, **changes)
    return ErpOrder(bought, external_ref=order.order_sn, idempotency_key="main-42-erp", order_date="2026-11-22")


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpReply:
    return HttpReply(status, headers or {}, json.dumps(value).encode())


def sent(connector: GenericRestErp, order: ErpOrder | None = None) -> Any:
    _, calls = run(connector.create(order or erp_order()), HttpReply(201))
    return json.loads(calls[0].body, parse_float=Decimal)


# --- what is sent


def test_an_order_is_posted_as_the_document_the_erp_was_promised() -> None:
    _, [call] = run(erp().create(erp_order()), answer({"erp_no": "SO-1"}, 201))

    assert (call.method, call.url, call.changes_peer) == ("POST", "https://erp.example.com/api/orders", True)
    assert call.headers["Authorization"] == "Bearer s3cret-token"
    assert call.headers["Idempotency-Key"] == "main-42-erp"
    assert call.headers["Content-Type"].startswith("application/json")
    assert json.loads(call.body) == {
        "order_id": "2026112200042",
        "customer_name": NAME,
        "total_amount": "27.76",
        "order_date": "20261122",
        "lines": [{"sku": "TEA-01", "name": "龙井茶", "quantity": 2, "price": "13.88"}],
    }


def test_the_erp_can_have_its_own_field_names_and_ask_for_more_fields() -> None:
    body = sent(
        erp(field_map="order_id=orderNo, total_amount=amount, lines=items, lines.sku=materialCode, phone=mobile")
    )

    assert (body["orderNo"], body["amount"], body["mobile"]) == ("2026112200042", "27.76", PHONE)
    assert body["items"][0]["materialCode"] == "TEA-01"
    assert not {"order_id", "total_amount", "lines", "phone"} & set(body)
    assert "sku" not in body["items"][0]


def test_a_dotted_name_stands_in_an_object_and_is_found_there_again() -> None:
    connector = erp(
        field_map="order_id=head.no,phone=receiver.tel,street=receiver.street,lines=body.items,lines.sku=goods.code",
        extra_fields="head.source=ecshop,lines.goods.unit=PCS",
    )
    body = sent(connector)
    found, _ = run(connector.find("42"), answer({"head": {"no": "42"}, "erp_no": "SO-1"}))
    _, [cancel] = run(connector.cancel(ErpDocument("SO-1", "42")), HttpReply(204))

    assert body["head"] == {"source": "ecshop", "no": "2026112200042"}
    assert body["receiver"] == {"tel": PHONE, "street": "龙井路 1 号"}
    assert body["body"]["items"][0]["goods"] == {"unit": "PCS", "code": "TEA-01"}
    assert found == ErpDocument("SO-1", "42", adopted=True)
    assert json.loads(cancel.body) == {"head": {"no": "42"}}


def test_the_phone_stays_here_unless_the_erp_asks_for_it() -> None:
    assert PHONE not in json.dumps(sent(erp()))


def test_constant_fields_are_added() -> None:
    body = sent(erp(extra_fields="source=ecshop,lines.unit=PCS"))

    assert (body["source"], body["lines"][0]["unit"]) == ("ecshop", "PCS")


@given(st.integers(min_value=0, max_value=10**17))
def test_money_never_loses_a_fen_whichever_way_it_is_written(fen: int) -> None:
    as_text = sent(erp(), erp_order(total_fen=fen))["total_amount"]
    as_number = sent(erp(amount_format="number"), erp_order(total_fen=fen))["total_amount"]

    assert as_text == f"{fen // 100}.{fen % 100:02d}"
    assert str(as_number) == as_text


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (100, "1.00"), (123456, "1234.56")])
def test_fen_are_written_with_two_places(fen: int, text: str) -> None:
    assert f"{yuan(fen):f}" == text


def test_basic_authentication_sends_user_and_password_and_hides_both_forms() -> None:
    _, [call] = run(erp(auth="basic", username="ec", password="p:ß").create(erp_order()), HttpReply(200))

    scheme, encoded = call.headers["Authorization"].split()
    assert (scheme, b64decode(encoded).decode()) == ("Basic", "ec:p:ß")
    assert set(call.secrets) == {"p:ß", encoded}


def test_the_look_up_is_a_read_with_the_order_number_quoted() -> None:
    _, [call] = run(erp().find("A/1&x=2"), HttpReply(404))

    assert (call.method, call.changes_peer, call.body) == ("GET", False, b"")
    assert call.url == "https://erp.example.com/api/orders?order_id=A%2F1%26x%3D2"
    assert call.secrets == ("s3cret-token",)


@pytest.mark.parametrize("lines", [(line(sku=" "),), (line(), line(sku="")), ()])
@pytest.mark.parametrize("part", ["lines", "later_lines"])
def test_an_order_without_sku_never_leaves(lines: tuple[OrderLine, ...], part: str) -> None:
    with pytest.raises(PermanentError) as caught:
        next(erp().create(erp_order(**{"lines": (), part: lines})))

    assert caught.value.code == "generic_rest.order.sku_missing"


def test_the_lines_of_later_parcels_are_sent_and_what_was_split_is_one_line() -> None:
    order = erp_order(later_lines=(line(quantity=3), line(shop_line_id="8", sku="CUP", name="杯", price_fen=5)))

    assert [(item["sku"], item["quantity"], item["price"]) for item in sent(erp(), order)["lines"]] == [
        ("TEA-01", 5, "13.88"),
        ("CUP", 2, "0.05"),
    ]


def test_every_fact_that_an_erp_can_be_told_says_where_it_comes_from() -> None:
    facts = {*HEADER_FACTS, *(LINE_PREFIX + fact for fact in LINE_FACTS)} - {"lines"}

    assert set(read_rows("mappings.erps.generic_rest")) == facts


# --- SKUs that are asked for first


def test_each_sku_is_asked_for_once_before_the_order_is_sent() -> None:
    order = erp_order(lines=(line(), line(shop_line_id="8"), line(shop_line_id="9", sku="A/1")))
    _, calls = run(erp(sku_path="/api/goods/{sku}").create(order), answer({"sku": 1}), answer([1]), HttpReply(201))

    assert [call.operation for call in calls] == ["check_skus", "check_skus", "create_order"]
    assert [call.url.rpartition("/goods/")[2] for call in calls[:2]] == ["TEA-01", "A%2F1"]
    assert not calls[0].changes_peer
    assert calls[0].secrets == ("s3cret-token",)


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        ({}, HttpReply(404)),
        ({}, HttpReply(204)),
        ({}, HttpReply(410)),
        ({}, answer([])),
        ({}, answer({})),
        ({}, answer(None)),
        ({"sku_field": "data.items"}, answer({"data": {"items": []}})),
        ({"format": "xml", "sku_field": "items.item"}, HttpReply(200, body=b"<r><items/></r>")),
    ],
)
def test_an_unknown_sku_stops_the_order_before_it_leaves(settings: dict[str, str], reply: HttpReply) -> None:
    problem = failure(erp(sku_path="/api/goods/{sku}", **settings).create(erp_order()), reply)

    assert (type(problem), problem.code) == (PermanentError, "generic_rest.order.sku_unknown")
    assert "TEA-01" in problem.message


@pytest.mark.parametrize(
    ("settings", "reply", "error"),
    [
        ({}, PROXY_PAGE, TransientError),
        ({}, HttpReply(502), TransientError),
        ({}, HttpReply(503), TransientError),
        ({}, HttpReply(401), AuthError),
        ({}, HttpReply(400), PermanentError),
        ({"sku_field": "items"}, answer({"data": []}), PermanentError),
        ({"failure_field": "code"}, answer({"code": 17, "message": "未授权"}), PermanentError),
    ],
)
def test_a_question_for_a_sku_that_is_not_answered_is_never_uncertain(
    settings: dict[str, str], reply: HttpReply, error: type[PeerError]
) -> None:
    problem = failure(erp(sku_path="/api/goods?no={sku}", **settings).create(erp_order()), reply)

    assert type(problem) is error
    assert problem.code != "generic_rest.order.sku_unknown"


# --- what a push may be answered


@pytest.mark.parametrize(
    ("settings", "reply", "erp_no"),
    [
        ({}, answer({"erp_no": "SO-1"}), "SO-1"),
        ({}, answer({"erp_no": 4500012345}, 201), "4500012345"),
        ({}, HttpReply(201), ""),
        ({}, HttpReply(204), ""),
        ({}, HttpReply(200, body=b" \r\n"), ""),
        ({}, answer({"status": "queued"}, 202), ""),
        ({}, answer({"erp_no": None}), ""),
        ({}, answer({"erp_no": True}), ""),
        ({}, HttpReply(200, body=b'\xef\xbb\xbf{"erp_no":"SO-1"}'), "SO-1"),
        ({"erp_no_field": "data.order.no"}, answer({"data": {"order": {"no": "K-9"}}}), "K-9"),
        ({"erp_no_field": "data.order.no"}, answer({"data": []}), ""),
        ({"failure_field": "success"}, answer({"success": True, "erp_no": "SO-1"}), "SO-1"),
        ({"failure_field": "code"}, answer({"code": 0, "erp_no": "SO-1"}), "SO-1"),
        ({"failure_field": "code"}, answer({"code": "0", "erp_no": "SO-1"}), "SO-1"),
        ({"failure_field": "head.code=200|OK"}, answer({"head": {"code": "ok"}, "erp_no": "SO-1"}), "SO-1"),
        ({"failure_field": "ok=TRUE"}, answer({"ok": True, "erp_no": "SO-1"}), "SO-1"),
        ({"failure_field": "success=1"}, answer({"success": 1, "erp_no": "SO-1"}), "SO-1"),
    ],
)
def test_a_taken_order_gives_the_erps_number_when_the_answer_tells_it(
    settings: dict[str, str], reply: HttpReply, erp_no: str
) -> None:
    document, _ = run(erp(**settings).create(erp_order()), reply)

    assert document == ErpDocument(erp_no, "2026112200042", adopted=False)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (301, PermanentError, "refused"),
        (400, PermanentError, "refused"),
        (401, AuthError, "auth"),
        (403, AuthError, "auth"),
        (404, PermanentError, "refused"),
        (408, TransientError, "unavailable"),
        (422, PermanentError, "refused"),
        (425, TransientError, "unavailable"),
        (429, TransientError, "unavailable"),
        (500, UncertainError, "server_error"),
        (502, UncertainError, "server_error"),
        (503, TransientError, "unavailable"),
        (504, UncertainError, "server_error"),
    ],
)
def test_each_status_of_a_push_has_its_class(status: int, error: type[PeerError], code: str) -> None:
    problem = failure(erp().create(erp_order()), answer({"message": "no"}, status))

    assert type(problem) is error
    assert problem.code == f"generic_rest.order.{code}"
    assert (problem.peer_code, problem.peer_text) == (str(status), '{"message": "no"}')


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, PermanentError),
        (400, PermanentError),
        (401, AuthError),
        (403, AuthError),
        (408, TransientError),
        (409, PermanentError),
        (429, TransientError),
        (500, TransientError),
        (502, TransientError),
        (503, TransientError),
        (504, TransientError),
    ],
)
def test_each_status_of_a_look_up_has_its_class_and_none_is_uncertain(status: int, error: type[PeerError]) -> None:
    assert type(failure(erp().find("42"), HttpReply(status, body=b"no"))) is error


def test_the_erps_wish_to_wait_is_kept() -> None:
    problem = failure(erp().create(erp_order()), answer({}, 429, {"retry-after": "7"}))

    assert isinstance(problem, TransientError)
    assert problem.retry_after_s == 7


@pytest.mark.parametrize(
    "reply",
    [PROXY_PAGE, HttpReply(201, body=b'{"erp_no": "SO-'), answer(["SO-1"]), answer("SO-1"), HttpReply(200, body=b"OK")],
)
def test_a_success_that_is_not_the_protocols_json_is_uncertain(reply: HttpReply) -> None:
    problem = failure(erp().create(erp_order()), reply)

    assert type(problem) is UncertainError
    assert problem.code == "generic_rest.order.garbled"


@pytest.mark.parametrize(
    ("rule", "said", "peer_code"),
    [
        ("success", {"success": False, "message": "物料不存在"}, "False"),
        ("success", {"success": "yes", "message": "物料不存在"}, "yes"),
        ("code", {"code": 17, "message": "物料不存在"}, "17"),
        ("code", {"code": None, "message": "物料不存在"}, "None"),
        ("code", {"code": False, "message": "物料不存在"}, "False"),
        ("code=200|ok", {"code": 0, "message": "物料不存在"}, "0"),
    ],
)
def test_a_failure_inside_a_200_goes_to_a_person_in_the_erps_words(
    rule: str, said: dict[str, Any], peer_code: str
) -> None:
    problem = failure(erp(failure_field=rule).create(erp_order()), answer(said))

    assert type(problem) is PermanentError
    assert (problem.code, problem.peer_code) == ("generic_rest.order.rejected", peer_code)
    assert "物料不存在" in problem.peer_text


@pytest.mark.parametrize("reply", [answer({"erp_no": "SO-1"}), HttpReply(200)])
def test_an_answer_without_the_word_that_tells_success_is_uncertain(reply: HttpReply) -> None:
    assert type(failure(erp(failure_field="success").create(erp_order()), reply)) is UncertainError


def test_a_conflict_is_looked_up_in_the_same_exchange_and_adopted() -> None:
    document, calls = run(
        erp().create(erp_order()), answer({}, 409), answer({"order_id": "2026112200042", "erp_no": "SO-1"})
    )

    assert document == ErpDocument("SO-1", "2026112200042", adopted=True)
    assert [call.operation for call in calls] == ["create_order", "find_order"]


def test_a_conflict_that_the_look_up_does_not_find_is_a_duplicate() -> None:
    problem = failure(erp().create(erp_order()), answer({"message": "exists"}, 409), HttpReply(404))

    assert type(problem) is DuplicateError
    assert (problem.code, problem.peer_code) == ("generic_rest.order.duplicate", "409")
    assert "exists" in problem.peer_text


def test_a_conflict_whose_look_up_fails_can_simply_be_tried_again() -> None:
    assert type(failure(erp().create(erp_order()), HttpReply(409), HttpReply(502))) is TransientError


# --- what a look-up may be answered


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        ({}, HttpReply(404)),
        ({}, HttpReply(204)),
        ({}, answer([])),
        ({}, answer(None)),
        ({"find_field": "data.list"}, answer({"data": {"list": []}})),
        ({"find_field": "data"}, answer({"data": None})),
    ],
)
def test_an_order_the_erp_does_not_hold_is_none(settings: dict[str, str], reply: HttpReply) -> None:
    assert run(erp(**settings).find("42"), reply)[0] is None


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        ({}, answer({"order_id": "42", "erp_no": "SO-1"})),
        ({}, answer({"order_id": 42, "erp_no": "SO-1"})),
        ({}, answer([{"order_id": "42", "erp_no": "SO-1"}])),
        ({}, answer([{"erp_no": "SO-1"}])),
        ({}, answer([{"order_id": "41", "erp_no": "SO-0"}, {"order_id": "42", "erp_no": "SO-1"}])),
        ({"find_field": "data"}, answer({"code": 9, "data": [{"order_id": "42", "erp_no": "SO-1"}]})),
        ({"field_map": "order_id=orderNo"}, answer({"orderNo": "42", "order_id": 7, "erp_no": "SO-1"})),
        ({"erp_no_field": "data.no", "find_erp_no_field": "no"}, answer({"order_id": "42", "no": "SO-1"})),
    ],
)
def test_the_one_order_under_our_number_is_found_and_counts_as_adopted(
    settings: dict[str, str], reply: HttpReply
) -> None:
    assert run(erp(**settings).find("42"), reply)[0] == ErpDocument("SO-1", "42", adopted=True)


def test_an_order_found_before_it_has_a_number_is_found() -> None:
    assert run(erp().find("42"), answer({"order_id": "42"}))[0] == ErpDocument("", "42", adopted=True)


def test_an_order_found_twice_goes_to_a_person() -> None:
    held = [{"order_id": "42", "erp_no": "SO-1"}, {"order_id": "42", "erp_no": "SO-2"}]

    problem = failure(erp().find("42"), answer(held))

    assert type(problem) is PermanentError
    assert problem.code == "generic_rest.order.found_twice"


@pytest.mark.parametrize(
    "said",
    [
        {"order_id": "41", "erp_no": "SO-0"},  # the ERP did not heed the number
        [{"order_id": "41", "erp_no": "SO-0"}],
        {"total": 0, "items": []},  # an envelope that find_field should name
        {"error": "no such order"},
        {},
        [None],
        "SO-1",
    ],
)
def test_an_answer_that_is_not_our_order_is_neither_adopted_nor_taken_for_none(said: Any) -> None:
    problem = failure(erp().find("42"), answer(said))

    assert type(problem) is PermanentError
    assert problem.code == "generic_rest.order.found_other"


@pytest.mark.parametrize(
    ("settings", "reply"),
    [
        ({}, PROXY_PAGE),
        ({}, HttpReply(200)),
        ({"failure_field": "success"}, answer({"erp_no": "SO-1"})),
    ],
)
def test_a_look_up_that_cannot_be_read_is_tried_again(settings: dict[str, str], reply: HttpReply) -> None:
    problem = failure(erp(**settings).find("42"), reply)

    assert type(problem) is TransientError
    assert problem.code == "generic_rest.order.garbled"


def test_a_failure_inside_a_look_ups_200_is_not_an_empty_answer() -> None:
    problem = failure(erp(failure_field="success").find("42"), answer({"success": False}))

    assert problem.code == "generic_rest.order.rejected"


def test_no_error_of_ours_names_the_customer() -> None:
    replies = [HttpReply(status) for status in (400, 401, 429, 500)] + [PROXY_PAGE, answer([])]
    problems = [failure(erp().create(erp_order()), reply) for reply in replies]
    problems.append(failure(erp().create(erp_order()), HttpReply(409), HttpReply(404)))

    for problem in problems:
        assert NAME not in str(problem)
        assert PHONE not in str(problem)
        assert "s3cret" not in str(problem)


# --- settings


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://erp.example.com/", "https://erp.example.com"),
        (" https://erp.example.com:8443/sap/rest ", "https://erp.example.com:8443/sap/rest"),
        ("http://localhost:8700", "http://localhost:8700"),
        ("http://127.0.0.2:8700/", "http://127.0.0.2:8700"),
        ("http://[::1]:8700", "http://[::1]:8700"),
    ],
)
def test_an_address_is_https_or_this_machine(text: str, url: str) -> None:
    _, [call] = run(erp(base_url=text).create(erp_order()), HttpReply(200))

    assert call.url == url + "/api/orders"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("base_url", "http://erp.example.com", "https://"),
        ("base_url", "http://localhost.evil.com", "https://"),
        ("base_url", "http://10.0.0.5", "https://"),
        ("base_url", "http://127.0.0.1@evil.com", "https://"),
        ("base_url", "ftp://erp.example.com", "must start with https://"),
        ("base_url", "erp.example.com", "must start with https://"),
        ("base_url", "https://", "must start with https://"),
        ("base_url", "https://[::1", "is not a URL"),
        ("base_url", "https://erp.example.com:port", "is not a URL"),
        ("base_url", "https://ec:pw@erp.example.com", "bare address"),
        ("base_url", "https://ec@erp.example.com", "bare address"),
        ("base_url", "https://erp.example.com/?client=100", "bare address"),
        ("auth", "digest", "must be one of bearer, basic"),
        ("token", "two words", "one word"),
        ("token", "a\nb", "line break"),
        ("password", "a\r\nHost: evil", "line break"),
        ("username", "a:b", "colon"),
        ("order_path", "api/orders", "must start with /"),
        ("find_path", "/api/orders", "{external_ref}"),
        ("sku_path", "/api/goods", "{sku}"),
        ("field_map", "order_id", "NAME=VALUE"),
        ("field_map", "oder_id=orderNo", "no field 'oder_id'"),
        ("field_map", "lines.weight=w", "no field 'lines.weight'"),
        ("field_map", "order_id=head..no", "dot"),
        ("field_map", "order_id=.no", "dot"),
        ("field_map", "order_id=a,order_id=b", "twice"),
        ("extra_fields", "=x", "NAME=VALUE"),
        ("amount_format", "float", "must be one of string, number"),
        ("failure_field", "=0", "FIELD"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        erp(**{name: text})

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"token": ""}, "token must be set"),
        ({"auth": "basic", "username": "ec"}, "username and password"),
        ({"field_map": "order_id=customer_name"}, "'customer_name'"),
        ({"field_map": "lines.sku=name"}, "'name'"),
        ({"extra_fields": "total_amount=0.01"}, "'total_amount'"),
        ({"extra_fields": "lines.price=0"}, "'price'"),
        ({"field_map": "order_id=head.no", "extra_fields": "head=x"}, "'head'"),
        ({"field_map": "order_id=head,phone=head.tel"}, "'head.tel'"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        erp(**settings)


def test_credentials_are_declared_secret_and_every_setting_has_both_languages() -> None:
    settings = GenericRestErp.spec.settings

    assert {setting.name for setting in settings if setting.secret} == {"token", "password", "client_secret"}
    assert all(setting.label_en and not setting.label_zh.isascii() for setting in settings)


def test_the_connector_is_what_its_entry_point_names() -> None:
    [point] = entry_points(group="ecsync.erps", name="generic_rest")
    connector: ErpConnector = erp()

    assert isinstance(connector, point.load())
