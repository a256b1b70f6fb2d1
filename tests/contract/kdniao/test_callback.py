"""Which pushes are believed, and what KDNiao hears."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

import pytest

from mappings.callbacks import MAX_BODY
from mappings.connector import CallbackRefused
from tests.contract.kdniao.cases import APP_KEY, EBUSINESS_ID, EXAMPLES, FORM, NOW, carrier, push, take

ITEM = {"OrderCode": "1", "ShipperCode": "ZTO", "LogisticCode": "731", "Success": True, "State": "1", "Traces": []}


def refusal(body: bytes, content_type: str = FORM) -> CallbackRefused:
    with pytest.raises(CallbackRefused) as caught:
        carrier(max_items=3).verify_callback(body, content_type)
    return caught.value


def test_a_forged_push_is_refused_and_nothing_of_it_is_evidence() -> None:
    forged = refusal(EXAMPLES["kdn-push-102-bad-sign"]["http"]["body"].encode())
    assert (forged.status, forged.signature_ok) == (401, False)


@pytest.mark.parametrize("field", ["RequestData", "DataSign"])
def test_a_push_changed_by_one_character_is_refused(field: str) -> None:
    form = {name: values[0] for name, values in parse_qs(push("102", [ITEM]).decode()).items()}
    changed = form | {field: form[field].replace("M" if field == "DataSign" else "731", "N", 1)}
    assert changed != form
    assert refusal(urlencode(changed).encode()).status == 401


def test_a_push_without_a_signature_is_refused() -> None:
    text = parse_qs(push("102", [ITEM]).decode())["RequestData"][0]
    assert refusal(urlencode({"RequestData": text, "RequestType": "102"}).encode()).status == 401


def test_a_push_signed_with_the_former_key_is_believed_while_both_are_set() -> None:
    body = push("102", [ITEM], key="the-former-key")
    assert refusal(body).status == 401
    assert take(body, app_key_previous="the-former-key").events
    assert take(push("102", [ITEM]), app_key_previous="the-former-key").events


def test_a_signed_push_for_another_user_is_refused_but_kept() -> None:
    text = json.dumps({"EBusinessID": "4711", "Data": [ITEM]})
    other = refusal(push("102", text))
    assert (other.status, other.signature_ok) == (403, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"RequestData=%FF",
        b"RequestData=&DataSign=x",
        b"a=1&" * 30,
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        urlencode({"RequestData": '{"Reason": "签收"}', "DataSign": "x"}, encoding="gbk").encode(),
    ],
    ids=range(8),
)
def test_what_is_no_form_of_kdniaos_is_refused(body: bytes) -> None:
    assert (refusal(body).status, refusal(body).signature_ok) == (400, False)


def test_a_field_that_comes_twice_is_refused() -> None:
    body = push("102", [ITEM])
    assert refusal(body + b"&RequestData=%7B%7D").reason == "a form field comes twice"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "[" * 200_000,
        '{"a":' * 100_000,
        '{"EBusinessID":"1699999","Count":' + "9" * 5000 + "}",
        json.dumps({"EBusinessID": EBUSINESS_ID}),
        json.dumps({"EBusinessID": EBUSINESS_ID, "Data": {"0": ITEM}}),
        json.dumps({"EBusinessID": EBUSINESS_ID, "Data": "x"}),
        json.dumps({"EBusinessID": EBUSINESS_ID, "Data": 5}),
    ],
    ids=lambda text: text[:20],
)
def test_a_signed_push_that_is_malformed_is_refused_but_kept_as_evidence(text: str) -> None:
    assert (refusal(push("102", text)).status, refusal(push("102", text)).signature_ok) == (400, True)
    with pytest.raises(CallbackRefused):  # who replays it hears the same
        carrier().read_callback(push("102", text), FORM, NOW)


def test_sizes_are_limited() -> None:
    assert refusal(push("102", [ITEM] * 4)).status == 413
    assert len(take(push("102", [ITEM] * 3), max_items=3).events) == 3
    assert refusal(b"x" * (MAX_BODY + 1)).status == 413
    assert refusal(b"RequestData=" + b"x" * 5_000_000).status == 413


def test_a_form_with_very_many_fields_is_refused() -> None:
    carrier().verify_callback(push("102", [ITEM]) + b"&extra=1", FORM)
    padding = "".join(f"&f{number}=1" for number in range(30)).encode()
    assert refusal(push("102", [ITEM]) + padding).reason == "the body is no form"


def test_the_content_type_does_not_decide() -> None:
    carrier().verify_callback(push("102", [ITEM]), "text/html")


def test_an_empty_push_is_fine() -> None:
    read = take(push("102", []))
    assert (read.events, read.problems, read.ignored) == ((), (), 0)


def test_a_push_nobody_reads_is_taken_and_named() -> None:
    read = take(push("107", [ITEM]))
    assert read.events == ()
    assert read.problems == ("item 1 is of request type '107', which nobody reads",)


def test_a_push_without_a_push_time_is_told_when_it_came() -> None:
    text = json.dumps({"EBusinessID": EBUSINESS_ID, "Data": [ITEM]})
    assert take(push("102", text)).events[0].observed_at == NOW


def test_a_byte_order_mark_hides_no_push() -> None:
    text = json.dumps({"EBusinessID": EBUSINESS_ID, "Data": [ITEM]})
    assert take(push("102", f"\ufeff{text}")).events == take(push("102", text)).events


def test_problems_name_no_person() -> None:
    secretive = {"Name": "张三", "Traces": [{"AcceptTime": "张三", "AcceptStation": "13900000002"}]}
    read = take(push("102", [ITEM | secretive]))
    assert read.problems == ("item 1: trace 1 has no readable time",)


def test_the_answer_is_the_documented_one_in_shanghais_time() -> None:
    now = datetime(2026, 11, 21, 12, 15, 3, tzinfo=UTC)
    expected = json.loads(EXAMPLES["kdn-push-reply-fail"]["http"]["body"])
    refused = carrier().callback_reply(ok=False, reason="签名验证失败", now=now)
    assert (refused.status, json.loads(refused.body)) == (400, expected)
    taken = carrier().callback_reply(ok=True, reason="", now=now)
    assert (taken.status, json.loads(taken.body)) == (200, expected | {"Success": True, "Reason": ""})
    assert taken.headers["content-type"] == "application/json;charset=utf-8"
    assert APP_KEY.encode() not in taken.body


def test_of_a_hundred_parcels_those_that_cannot_be_read_cost_the_others_nothing() -> None:
    broken = [dict.fromkeys(ITEM), ITEM | {"EBusinessID": "4711"}, None]
    taken = take(push("102", [*[ITEM] * 50, *broken, *[ITEM] * 47]))

    assert len(taken.events) == 97
    assert [problem.split()[1].rstrip(":") for problem in taken.problems] == ["51", "52", "53"]
