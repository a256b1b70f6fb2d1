"""Route pushes: every recorded one, every way to spoil one, and SF's own words in answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus, urlencode
from zoneinfo import ZoneInfo

import pytest

from mappings.callbacks import MAX_BODY
from mappings.connector import CallbackRefused
from mappings.status import fold
from tests.contract.sf.cases import EXAMPLES, FORM, JSON, NOW, NUMBER, carrier, push, route, take

PUSHES = [name for name, example in EXAMPLES.items() if example["direction"] == "callback"]

NODE = (
    '<WaybillRoute id="1" mailno="SF1000000000001" orderid="2026112100001-1" acceptTime="2026-11-23 11:02:00" '
    'acceptAddress="北京市" remark="已签收" opCode="80"/>'
)
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + f"]><Request><Body>{NODE.replace('已签收', '&j;')}</Body></Request>"
)
EXTERNAL = (
    f'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Request><Body>{NODE}<Remark>&x;</Remark></Body></Request>'
)
REMOTE_DTD = f'<!DOCTYPE Request SYSTEM "http://127.0.0.1:9/x.dtd"><Request><Body>{NODE}</Body></Request>'


def request(*nodes: str) -> str:
    return f'<Request service="RoutePushService" lang="zh-CN"><Body>{"".join(nodes)}</Body></Request>'


def legacy(text: str, encoding: str = "utf-8") -> bytes:
    return urlencode({"content": text.encode(encoding)}).encode()


def refusal(body: bytes, content_type: str = JSON, **settings: Any) -> CallbackRefused:
    with pytest.raises(CallbackRefused) as caught:
        take(body, content_type, **settings)
    return caught.value


# --- what SF sends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUSHES)
def test_every_recorded_push_folds_to_its_expected_status(name: str) -> None:
    example = EXAMPLES[name]
    events = take(example["http"]["body"].encode(), example["http"]["content_type"]).events
    for expected in example["expect"]:
        own = [event for event in events if event.waybill_no == expected["waybill"]]
        tracking = fold(own, booked_at=None, now=NOW)
        assert tracking.status == expected["status"]
        if "pickup_time" in expected:
            assert tracking.pickup_at is not None
            china = tracking.pickup_at.astimezone(ZoneInfo("Asia/Shanghai"))
            assert china.strftime("%Y-%m-%d %H:%M:%S") == expected["pickup_time"]


def test_nodes_of_one_push_may_come_in_any_order_and_of_several_parcels() -> None:
    read = take(
        push(
            route("80", "2026-11-23 11:00:00"),
            route("44", "2026-11-23 08:00:00"),
            route("50", "2026-11-22 08:00:00", mailno="SF2"),
        )
    )
    assert [(event.waybill_no, event.raw_code) for event in read.events] == [
        ("SF2", "50"),
        (NUMBER, "44"),
        (NUMBER, "80"),
    ]


def test_a_push_of_one_node_that_is_no_list_is_read() -> None:
    body = json.dumps({"Body": {"WaybillRoute": route()}}).encode()
    assert len(take(body).events) == 1


def test_the_form_counts_and_not_the_content_type() -> None:
    assert take(push(route()), FORM).events
    assert take(legacy(request(NODE)), JSON).events
    assert take(request(NODE).encode(), "text/xml").events
    assert take(legacy(push(route()).decode()), FORM).events
    assert take(b"\xef\xbb\xbf\r\n" + push(route())).events


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "gb18030"])
def test_chinese_is_read_in_utf_8_and_in_gbk(encoding: str) -> None:
    bodies = [
        push(route(remark="已签收"), encoding=encoding),
        legacy(request(NODE), encoding),
        legacy(f'<?xml version="1.0" encoding="{encoding}"?>{request(NODE)}', encoding),
    ]
    for body in bodies:
        [event] = take(body).events
        assert event.text == "已签收"


def test_one_field_in_another_encoding_costs_no_more_than_its_own_words() -> None:
    one, other = (push(route(remark="已签收"), encoding=encoding)[26:-3] for encoding in ("utf-8", "gbk"))
    body = b'{"Body":{"WaybillRoute":[' + one.removeprefix(b"[") + b"," + other.removeprefix(b"[") + b"]}}"
    assert [event.raw_code for event in take(body).events] == ["50", "50"]


# --- what may be wrong with a node ---------------------------------------------------------------------------------

SPOILED: dict[str, Any] = {
    "null": None,
    "a text": "x",
    "a list": [],
    "empty": {},
    "null fields": dict.fromkeys(route()),
    "no parcel": route(mailno="", orderid=None),
    "no time": route(acceptTime=None),
    "a time of another calendar": route(time="2026-13-40 99:00:00"),
    "no code": route(opCode=""),
    "a nested code": route(opCode={"a": 1}),
    "a long number": route(mailno="S" * 41),
    "a long order alone": route(mailno="", orderid="1" * 31),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_node_that_cannot_be_read_is_named_and_costs_the_others_nothing(name: str) -> None:
    read = take(push(route(), SPOILED[name], route("44", "2026-11-23 10:00:00")))
    assert [event.raw_code for event in read.events] == ["50", "44"]
    assert len(read.problems) == 1
    assert read.problems[0].startswith("route 2 ")


def test_an_order_of_another_system_under_our_partner_id_is_known_by_its_number_alone() -> None:
    read = take(push(route(orderid="A-LONG-ORDER-ID-OF-ANOTHER-SYSTEM-1")))
    assert [(event.waybill_no, event.order_code) for event in read.events] == [(NUMBER, "")]
    assert read.problems == ()


def test_a_hundred_nodes_are_read_and_a_thousand_bad_ones_are_not_told_one_by_one() -> None:
    good = [route("30", f"2026-11-23 09:00:{number % 60:02d}", mailno=f"SF{number}") for number in range(100)]
    assert len(take(push(*good)).events) == 100
    assert len(take(push(*[None] * 1000)).problems) == 50


def test_control_characters_and_broken_surrogates_do_not_survive() -> None:
    body = b'{"Body":{"WaybillRoute":[' + json.dumps(route(remark="a\x00b\ud800c")).encode() + b"]}}"
    [event] = take(body).events
    event.text.encode()
    assert "\x00" not in event.text


# --- what is no push -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, REMOTE_DTD, "<!DOCTYPE Request><Request><Body/></Request>"])
def test_xml_that_declares_anything_is_refused_before_it_can_grow_or_reach_out(text: str) -> None:
    for body in (legacy(text), text.encode()):
        refused = refusal(body, FORM)
        assert (refused.status, refused.signature_ok) == (400, False)
        assert "declares" in refused.reason


def test_xml_as_deep_as_a_push_can_be_is_read_without_a_stack() -> None:
    assert take(f"<Request>{'<a>' * 100_000}{NODE}{'</a>' * 100_000}</Request>".encode()).events


@pytest.mark.parametrize(
    "body",
    [b"", b"x=1", b"content=1&content=2", b"\xff\xfe\x00", b"a=1&" * 50 + b"content=x", b"\x00" * 100],
    ids=range(6),
)
def test_what_has_no_form_of_sfs_is_refused(body: bytes) -> None:
    assert (refusal(body).status, refusal(body).signature_ok) == (400, False)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"Body":[]}',
        b'{"Body":{"WaybillRoute":"x"}}',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"Body":' + b"9" * 5000 + b"}",
        b"{\xff\xfe",
        b"<Request><Body>",
        b"<Response/>",
        b"<Request>&unknown;</Request>",
        b"content=" + quote_plus("<Request").encode(),
        b"content=x",
    ],
    ids=range(14),
)
def test_what_came_by_the_secret_path_and_cannot_be_read_is_kept_as_evidence(body: bytes) -> None:
    refused = refusal(body)
    assert (refused.status, refused.signature_ok) == (400, True)
    assert NUMBER not in refused.reason


def test_a_body_of_five_megabytes_is_refused_unread() -> None:
    body = b'{"Body":{"WaybillRoute":[' + b" " * 5_000_000 + b"]}}"
    assert (refusal(body).status, refusal(body).signature_ok) == (413, False)
    assert MAX_BODY < 5_000_000


def test_more_nodes_than_a_setting_allows_are_refused() -> None:
    refused = refusal(push(*[route()] * 4), max_items=3)
    assert (refused.status, refused.signature_ok) == (413, True)


# --- the answer ----------------------------------------------------------------------------------------------------


def test_the_answer_is_the_recorded_one() -> None:
    answer = carrier().callback_reply(ok=True, reason="", now=NOW)
    recorded = EXAMPLES["sf-push-reply"]["http"]
    assert (answer.status, answer.body.decode()) == (recorded["status"], recorded["body"])
    assert answer.headers["content-type"].startswith("application/json")


def test_a_no_is_said_in_sfs_own_words_and_tells_nobody_why() -> None:
    answer = carrier().callback_reply(ok=False, reason="the database is away", now=NOW)
    assert answer.status == 400
    assert json.loads(answer.body) == {"return_code": "1000", "return_msg": "失败"}


def test_old_contracts_are_answered_in_xml() -> None:
    ours = carrier(push_format="xml")
    yes, no = (ours.callback_reply(ok=ok, reason="x", now=NOW) for ok in (True, False))
    assert yes.body.decode() == '<Response service="RoutePushService"><Head>OK</Head></Response>'
    assert "<Head>ERR</Head>" in no.body.decode()
    assert "系统发生数据错误或运行时异常" in no.body.decode()
    assert (yes.status, no.status) == (200, 400)
