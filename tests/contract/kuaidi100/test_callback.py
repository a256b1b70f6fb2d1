"""Which pushes are believed, how much of a bad one is read, and what Kuaidi100 hears."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from mappings.callbacks import MAX_BODY, PROBLEM_LIMIT
from mappings.connector import CallbackRefused
from tests.contract.kuaidi100.cases import (
    EXAMPLES,
    FORM,
    NOW,
    NUMBER,
    SALT,
    a_push,
    a_scan,
    an_order_push,
    carrier,
    md5_upper,
    push,
    take,
)

GOOD = a_push(a_scan("2026-11-23 10:00:00", "103"), state="103")
AT = "2026-11-23 10:00:00"


def refusal(body: bytes, content_type: str = FORM, **settings: Any) -> CallbackRefused:
    with pytest.raises(CallbackRefused) as caught:
        carrier(**settings).verify_callback(body, content_type)
    return caught.value


def test_a_push_without_a_signature_is_refused() -> None:
    unsigned = refusal(urlencode({"param": json.dumps(GOOD)}).encode())
    assert (unsigned.status, unsigned.signature_ok) == (401, False)
    assert refusal(urlencode({"param": json.dumps(GOOD), "sign": ""}).encode()).status == 401


@pytest.mark.parametrize("name", ["k100-cb-delivered", "k100-border-cb-picked"])
def test_a_push_signed_with_another_salt_or_changed_by_one_character_is_refused(name: str) -> None:
    body = EXAMPLES[name]["http"]["body"]
    assert refusal(body.encode(), salt="another").status == 401
    changed = body.replace("73100000000001", "73100000000002").replace("YT2213099035201", "YT2213099035202")
    assert changed != body
    assert refusal(changed.encode()).status == 401
    sign = body.partition("sign=")[2][:32]
    assert refusal(body.replace(sign, md5_upper(sign)).encode()).status == 401


def test_a_push_signed_over_the_encoded_text_is_refused() -> None:
    text = json.dumps(GOOD, ensure_ascii=False)
    assert refusal(urlencode({"param": text, "sign": md5_upper(quote(text) + SALT)}).encode()).status == 401


def test_the_former_salt_is_believed_while_its_subscriptions_live() -> None:
    body = push(GOOD, salt="the-former-salt")
    assert refusal(body).status == 401
    assert take(body, salt_previous="the-former-salt").events
    assert take(push(GOOD), salt_previous="the-former-salt").events


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"param=%FF&sign=x",
        b"param=&sign=x",
        b"sign=x",
        b"a=1&" * 30,
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
        urlencode({"param": json.dumps(GOOD, ensure_ascii=False)}, encoding="gbk").encode(),
    ],
    ids=range(9),
)
def test_what_is_no_form_of_kuaidi100s_is_refused(body: bytes) -> None:
    found = refusal(body)
    assert (found.status in (400, 401), found.signature_ok) == (True, False)


def test_a_field_that_comes_twice_is_refused() -> None:
    assert refusal(push(GOOD) + b"&param=%7B%7D").reason == "a form field comes twice"
    assert refusal(push(GOOD) + b"&sign=0").reason == "a form field comes twice"


@pytest.mark.parametrize(
    "param",
    [
        "not json",
        "[]",
        "null",
        "[" * 200_000,
        '{"a":' * 100_000,
        '{"lastResult":' + "9" * 5000 + "}",
        "{}",
        '{"status":"polling"}',
        '{"lastResult":null,"data":{"status":"1"}}',
        '{"lastResult":[]}',
        '{"data":[1,2]}',
    ],
    ids=range(11),
)
def test_a_signed_push_that_is_malformed_is_refused_but_kept_as_evidence(param: str) -> None:
    found = refusal(push(param))
    assert (found.status, found.signature_ok) == (400, True)


def test_sizes_are_limited() -> None:
    many = a_push(*[a_scan(AT, "1002")] * 4)
    assert refusal(push(many), max_items=3).status == 413
    assert len(take(push(many), max_items=4).events) == 5
    assert refusal(b"x" * (MAX_BODY + 1)).status == 413
    assert refusal(b"param=" + b"x" * 5_000_000).status == 413


def test_the_content_type_and_further_fields_do_not_decide() -> None:
    carrier().verify_callback(push(GOOD) + b"&taskId=1", "text/html")


NONSENSE: list[object] = [
    None,
    "text",
    7,
    [],
    {},
    a_scan(""),
    a_scan("soon"),
    {"context": "已到达"},
    a_scan(AT) | {"ftime": 1, "time": []},
]


def test_every_scan_that_can_be_read_is_read_and_none_costs_another() -> None:
    scans = [*[a_scan("2026-11-23 10:00:00", "1002")] * 50, *NONSENSE, *[a_scan("2026-11-22 10:00:00", "103")] * 41]
    assert len(scans) == 100
    read = take(push(a_push(*scans, state="1002")))
    assert len(read.events) == 92
    assert len(read.problems) == len(NONSENSE)
    assert read.problems[0] == "scan 51 has no readable time"


def test_problems_are_bounded_and_name_no_person() -> None:
    secretive = {"time": "张三", "context": "签收人 张三 13900000002"}
    read = take(push(a_push(*[secretive] * 100, a_scan(AT, "103"))))
    assert len(read.problems) == PROBLEM_LIMIT
    assert "张三" not in "".join(read.problems)
    assert "13900000002" not in "".join(read.problems)


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"nu": None}, 0, "the push names neither a waybill nor an order"),
    ({"nu": {"a": 1}}, 0, "the push names neither a waybill nor an order"),
    ({"nu": True}, 0, "the push names neither a waybill nor an order"),
    ({"nu": "7" * 41}, 0, "the push holds a number longer than any real one"),
    ({"data": "many"}, 0, "data is no list"),
    ({"data": {"0": {}}}, 0, "data is no list"),
    ({"data": None}, 0, ""),
    ({"com": None}, 1, ""),
    ({"com": ["zhongtong"]}, 1, ""),
    ({"com": "unheard"}, 1, "nobody mapped the courier company 'unheard'"),
    ({"nu": 73100000000001}, 1, ""),
    ({"state": None}, 1, ""),
    ({"state": ["103"]}, 1, ""),
]


@pytest.mark.parametrize(("changes", "scans", "problem"), WRONG, ids=str)
def test_a_field_of_the_wrong_kind_costs_only_what_it_is_about(
    changes: dict[str, Any], scans: int, problem: str
) -> None:
    pushed = a_push(a_scan(AT, "103"), state="")
    pushed["lastResult"] |= changes
    read = take(push(pushed))
    assert len([event for event in read.events if event.raw_code == "103" and event.sequence]) == scans
    assert " ".join(read.problems).startswith(problem) if problem else not read.problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data": {}, "kuaidinum": ""}, "the push names neither a waybill nor an order"),
        (
            {"data": {"orderId": None, "status": "1"}, "kuaidinum": None},
            "the push names neither a waybill nor an order",
        ),
        ({"data": {"orderId": "1", "status": None}}, "the order has no status"),
        ({"data": {"orderId": "1" * 31, "status": "1"}}, "the push holds a number longer than any real one"),
        ({"kuaidicom": "unheard"}, "nobody mapped the courier company 'unheard'"),
    ],
    ids=str,
)
def test_an_order_push_that_cannot_be_read_whole_is_said(changes: dict[str, Any], problem: str) -> None:
    read = take(push(an_order_push("10", **changes)))
    assert len(read.problems) == 1
    assert read.problems[0].startswith(problem)
    assert len(read.events) == int("unheard" in problem)


def test_texts_are_cleaned_and_bounded() -> None:
    scan = a_scan(AT, "103", context="到\u0000达\n" + "x" * 2000, areaName="深圳\u200b市")
    event = take(push(a_push(scan))).events[0]
    assert event.text.startswith("到 达 x")
    assert (len(event.text), event.location) == (1000, "深圳市")


def test_a_broken_surrogate_and_an_emoji_do_no_harm() -> None:
    text = json.dumps(a_push(a_scan(AT, "103", context="\ud800📦 ok")))
    assert take(push(text)).events[0].text == "📦 ok"


def test_a_push_says_nothing_about_the_status_where_it_holds_nothing() -> None:
    read = take(push(a_push(state="")))
    assert (read.events, read.changes, read.ignored, read.problems) == ((), (), 1, ())


def test_the_answer_is_the_documented_one() -> None:
    taken = carrier().callback_reply(ok=True, reason="", now=NOW)
    assert (taken.status, taken.body.decode()) == (200, '{"result":true,"returnCode":"200","message":"成功"}')
    refused = carrier().callback_reply(ok=False, reason="签名验证失败", now=NOW)
    assert refused.status == 400
    assert json.loads(refused.body) == {"result": False, "returnCode": "500", "message": "签名验证失败"}
    assert SALT not in taken.body.decode() + refused.body.decode()
    assert taken.headers["content-type"] == "application/json;charset=utf-8"


def test_a_replay_tells_the_same_facts() -> None:
    body = EXAMPLES["k100-cb-delivered"]["http"]["body"].encode()
    assert take(body) == take(body)
    assert {event.waybill_no for event in take(body).events} == {NUMBER}
