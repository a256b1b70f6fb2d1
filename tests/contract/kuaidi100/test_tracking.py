"""Kuaidi100's states and scans: the tables, the query, and every recorded push folded to its expected status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.carriers.kuaidi100.times import read_time
from mappings.carriers.kuaidi100.tracking import TABLE, look_up
from mappings.china_time import SHANGHAI
from mappings.errors import AuthError, PermanentError, TransientError, UnmappedError
from mappings.model import EventKind, NumberChange, TrackingEvent
from mappings.status import STATUSES, Tracking, event_key, fold
from mappings.wire import HttpReply
from tests.contract.kdniao.cases import finish, json_reply, reply_of, start
from tests.contract.kuaidi100.cases import (
    EXAMPLES,
    HOOK,
    NOW,
    NUMBER,
    a_push,
    a_scan,
    an_order_push,
    carrier,
    load,
    param_of,
    push,
    take,
)

PUBLISHED = load("status.json")
CHANNELS = [name for name in PUBLISHED if name != "subscription"]
PUSHES = [name for name, example in EXAMPLES.items() if example["direction"] == "callback"]


def status_of(events: tuple[TrackingEvent, ...]) -> Tracking:
    return fold(events, booked_at=None, now=NOW)


def recorded(name: str) -> bytes:
    body: str = EXAMPLES[name]["http"]["body"]
    return body.encode()


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_published_code_means_what_the_published_table_says(channel: str) -> None:
    assert set(TABLE.channels[channel]) == {row["code"] for row in PUBLISHED[channel]}
    for row in PUBLISHED[channel]:
        meaning = TABLE.look_up(channel, row["code"])
        assert meaning is not None
        if (channel, row["code"]) == ("kuaidi100_state", "4"):
            row = row | {"incident": "returned_or_voided"}  # ours: what the fold goes by
        assert (meaning.zh, meaning.canonical, meaning.incident, meaning.attention) == (
            row["zh"],
            row["canonical"],
            row["incident"],
            row["attention"],
        )


def test_what_a_subscription_says_of_itself_changes_no_status() -> None:
    said = {row["code"]: row["zh"] for row in PUBLISHED["subscription"]}
    assert {code: meaning.zh for code, meaning in TABLE.channels["kuaidi100_subscription"].items()} == said
    assert {meaning.canonical for meaning in TABLE.channels["kuaidi100_subscription"].values()} == {None}


@pytest.mark.parametrize("code", ["101", "200", "201"])
def test_an_order_s_code_is_no_tracking_code(code: str) -> None:
    order, (_, scan) = TABLE.look_up("kuaidi100_order", code), look_up(code)
    assert order is not None
    assert order.canonical != (scan.canonical if scan else None)


@pytest.mark.parametrize("text", ["2026-11-22 07:30:00", "2026/11/22 07:30:00", " 2026-11-22 07:30 "])
def test_times_are_shanghais(text: str) -> None:
    assert read_time(text) == datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", None, "soon", "2026-02-30 00:00:00", "0001-01-01 00:00:00", 5, {}, "2026-11-22"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert read_time(text) is None


# --- pushes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUSHES)
def test_a_recorded_push_gives_the_expected_status(name: str) -> None:
    read = take(recorded(name))
    (expect,) = EXAMPLES[name]["expect"]
    tracking = status_of(read.events)
    assert not read.problems
    assert tracking.status == expect["status"]
    assert {event.waybill_no for event in read.events} == {expect.get("waybill", "YT2213099035201")}
    assert {event.order_code for event in read.events} == {expect.get("order", "")}
    if "pickup_time" in expect:
        assert tracking.pickup_at == read_time(expect["pickup_time"])
        assert not tracking.pickup_is_inferred
    assert expect.get("implies_pickup", True) or tracking.pickup_at is None
    assert read.changes == ((NumberChange("", NUMBER, NUMBER, "ZTO"),) if "shipper" in expect else ())


def test_scans_come_newest_first_and_are_counted_from_the_oldest() -> None:
    second = "2026-11-23 10:00:00"
    listed = [a_scan(second, "5"), a_scan(second, "1001"), a_scan("2026-11-22 09:00:00", "103")]
    events = take(push(a_push(*listed, state="5"))).events
    assert [(event.raw_code, event.sequence) for event in events] == [("103", 1), ("1001", 2), ("5", 3), ("5", 3)]
    assert events[-1].kind is EventKind.SNAPSHOT
    turned = take(push(a_push(*listed[::-1], state="5"))).events
    assert [event.raw_code for event in turned] == ["103", "1001", "5", "5"]


@pytest.mark.parametrize("code", ["101", "102"])
def test_group_one_holds_orders_that_nobody_picked_up(code: str) -> None:
    tracking = status_of(take(push(a_push(a_scan("2026-11-23 10:00:00", code), state="1"))).events)
    assert (tracking.pickup_at, tracking.status == "picked_up") == (None, False)


def test_the_newest_scan_s_own_code_says_more_than_any_group() -> None:
    scans = [a_scan("2026-11-23 10:00:00", "210"), a_scan("2026-11-23 09:00:00", "101")]
    assert status_of(take(push(a_push(*scans, state="2"))).events).status == "cancelled"
    uncoded = [a_scan("2026-11-23 10:00:00"), a_scan("2026-11-23 09:00:00")]
    assert status_of(take(push(a_push(*uncoded, state="1"))).events).status == "picked_up"


def test_a_state_that_only_the_whole_parcel_has_counts() -> None:
    scans = [a_scan("2026-11-23 10:00:00", "1002"), a_scan("2026-11-22 09:00:00", "103")]
    tracking = status_of(take(push(a_push(*scans, state="202"))).events)
    assert (tracking.status, tracking.incident) == ("delayed", "no_update")
    alone = status_of(take(push(a_push(a_scan("2026-11-23 10:00:00", "101"), state="202"))).events)
    assert (alone.status, alone.pickup_at) == ("delayed", None)


@pytest.mark.parametrize("code", ["777", "x9"])
def test_a_code_nobody_mapped_is_kept_and_guessed_by_nobody(code: str) -> None:
    scans = [a_scan("2026-11-23 10:00:00", code), a_scan("2026-11-22 09:00:00", "103")]
    events = take(push(a_push(*scans, state=code))).events
    tracking = status_of(events)
    assert (tracking.status, tracking.flags, tracking.attention) == ("picked_up", frozenset({"unmapped"}), "watch")
    assert [event.raw_code for event in events if not event.is_mapped] == [code, code]


@pytest.mark.parametrize("state", ["0", "1", "3"])
def test_a_group_without_scans_says_nothing_of_the_parcel(state: str) -> None:
    tracking = status_of(take(push(a_push(state=state))).events)
    assert (tracking.status, tracking.pickup_at, tracking.flags) == ("unknown", None, frozenset())


def test_a_push_without_scans_stands_at_the_time_it_was_told() -> None:
    (event,) = take(push(a_push(state="102"))).events
    assert (event.event_at, event.sequence, event.canonical) == (NOW, 0, "awaiting_pickup")


def test_delivery_stands_whatever_comes_late() -> None:
    late = a_push(a_scan("2026-11-22 09:00:00", "103"), state="103")
    events = (*take(recorded("k100-cb-delivered")).events, *take(push(late)).events)
    assert status_of(events).status == "delivered"
    assert status_of(events[::-1]).status == "delivered"


# --- what becomes of the subscription ----------------------------------------------------------------------------


def test_an_end_without_data_changes_nothing_and_stays_in_the_history() -> None:
    read = take(recorded("k100-cb-abort"))
    (event,) = read.events
    assert (event.channel, event.raw_code, event.text) == ("kuaidi100_subscription", "abort", "3天查询无记录")
    assert (event.canonical, event.is_mapped, read.problems, read.changes) == (None, True, (), ())
    before = take(recorded("k100-cb-in-transit")).events
    assert status_of((*before, event)).status == status_of(before).status
    assert status_of((*before, event)).last_scan_at == status_of(before).last_scan_at


def test_an_end_that_names_another_company_corrects_it() -> None:
    aborted = a_push(state="", status="abort", message="3天查询无记录", comNew="yuantong")
    assert take(push(aborted)).changes == (NumberChange("", NUMBER, NUMBER, "YTO"),)


def test_a_correction_to_a_company_nobody_mapped_is_said_with_the_line_to_add() -> None:
    read = take(push(a_push(a_scan("2026-11-23 10:00:00", "103"), comNew="newcom", autoCheck="1")))
    assert (read.changes, len(read.events)) == ((), 2)
    assert read.problems == (
        "nobody mapped the courier company 'newcom'. Add to mappings/carriers/kuaidi100/shippers.toml: "
        'CODE = { com = "newcom", name = "…" }',
    )


@pytest.mark.parametrize("status", ["polling", "shutdown", "updateall"])
def test_following_again_or_to_the_end_is_no_event_of_its_own(status: str) -> None:
    events = take(push(a_push(a_scan("2026-11-23 10:00:00", "301"), state="301", status=status))).events
    assert [event.kind for event in events] == [EventKind.TRACE, EventKind.SNAPSHOT]


def test_an_unheard_word_about_the_following_goes_to_a_person() -> None:
    events = take(push(a_push(a_scan("2026-11-23 10:00:00", "103"), state="103", status="asleep"))).events
    assert [(event.channel, event.raw_code) for event in events if not event.is_mapped] == [
        ("kuaidi100_subscription", "asleep")
    ]


# --- pushes about an order to pick up ----------------------------------------------------------------------------


@pytest.mark.parametrize("row", PUBLISHED["kuaidi100_order"], ids=lambda row: row["code"])
@pytest.mark.parametrize("spelled", [str, int])
def test_every_state_of_an_order_is_read_in_its_own_channel(row: dict[str, Any], spelled: type) -> None:
    read = take(push(an_order_push(spelled(row["code"]))))
    if row["canonical"] is None:
        assert (read.events, read.ignored, read.problems) == ((), 1, ())
        return
    (event,) = read.events
    assert (event.kind, event.channel, event.raw_code) == (EventKind.PICKUP, "kuaidi100_order", row["code"])
    assert (event.canonical, event.incident, event.attention) == (row["canonical"], row["incident"], row["attention"])
    assert (event.shipper_code, event.waybill_no, event.order_code) == ("YTO", "YT1", "20066771")
    assert (event.event_at, event.text) == (NOW, row["zh"])


def test_a_cancelled_order_lives_again_by_166_and_by_nothing_less() -> None:
    def told(code: str, hour: int) -> tuple[TrackingEvent, ...]:
        return take(push(an_order_push(code)), datetime(2026, 11, 23, hour, tzinfo=UTC)).events

    cancelled = (*told("1", 1), *told("99", 2))
    assert status_of(cancelled).status == "cancelled"
    assert status_of((*cancelled, *told("2", 3))).status == "cancelled"
    assert status_of((*cancelled, *told("166", 3))).status == "awaiting_pickup"
    assert STATUSES["awaiting_pickup"].implies_pickup is False


def test_an_order_s_state_that_nobody_mapped_is_kept_and_counted() -> None:
    (event,) = take(push(an_order_push("888"))).events
    assert (event.canonical, event.is_mapped, event.attention) == (None, False, "watch")


def test_no_name_or_phone_of_a_courier_is_kept() -> None:
    read = take(push(an_order_push("10")))
    assert "赵六" not in repr(read)
    assert "13900000003" not in repr(read)


# --- the query ---------------------------------------------------------------------------------------------------


def query(shipper_code: str = "ZTO", phone: str = "13900000002", number: str = NUMBER) -> Any:
    return carrier().query_tracking(
        shipper_code=shipper_code, waybill_no=number, order_code="2026112100001-1", phone=phone, asked_at=NOW
    )


@pytest.mark.parametrize(("shipper_code", "tail"), [("SF", "0002"), ("ZTO", "0002"), ("YTO", ""), ("EMS", "")])
def test_a_query_and_a_subscription_tell_a_phone_only_where_it_is_wanted(shipper_code: str, tail: str) -> None:
    call = start(query(shipper_code, "139-0000-0002"))
    assert param_of(call)["phone"] == tail
    assert not call.changes_peer
    asked = {"shipper_code": shipper_code, "waybill_no": NUMBER, "order_code": "", "callback_url": ""}
    followed = start(carrier().subscribe(**asked, phone="13900000002"))
    assert param_of(followed)["parameters"]["phone"] == tail
    assert param_of(followed)["parameters"]["callbackurl"] == HOOK


def test_nothing_is_sent_without_a_phone_that_is_wanted_or_to_an_unknown_company() -> None:
    with pytest.raises(PermanentError) as caught:
        start(query("SF", "x12"))
    assert caught.value.code == "kuaidi100.query.phone_missing"
    with pytest.raises(UnmappedError) as unmapped:
        start(query("XYZ"))
    assert unmapped.value.code == "kuaidi100.query.shipper_unmapped"


def test_a_query_and_a_push_tell_the_same_facts_under_the_same_keys() -> None:
    result = EXAMPLES["k100-cb-delivered"]["json"]["lastResult"]
    asked = finish(query(), json_reply(**result))
    pushed = take(recorded("k100-cb-delivered")).events
    assert {event_key(event) for event in asked} == {event_key(event) for event in pushed}
    assert status_of(asked).status == "delivered"
    assert {event.order_code for event in asked} == {"2026112100001-1"}


@pytest.mark.parametrize(
    "reply",
    [
        reply_of(EXAMPLES["k100-query-fail"]),
        json_reply(result=False, returnCode="500", message="暂无物流信息"),
        json_reply(message="ok", status="200", state="0", com="zhongtong", nu=NUMBER, data=[]),
    ],
)
def test_nothing_known_yet_tells_nothing_of_the_parcel(reply: HttpReply) -> None:
    assert status_of(finish(query(), reply)).pickup_at is None


def test_an_answer_in_the_shape_of_a_failure_that_finds_nothing_is_no_event() -> None:
    assert finish(query(), reply_of(EXAMPLES["k100-query-fail"])) == ()


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (json_reply(result=False, returnCode="400", message="提交的数据不完整"), PermanentError, "format_refused"),
        (json_reply(result=False, returnCode="500", message="查询过于频繁，已锁定"), TransientError, "rate_limited"),
        (json_reply(result=False, returnCode="500", message="?"), TransientError, "busy"),
        (json_reply(result=False, returnCode="501", message="服务器错误"), TransientError, "busy"),
        (json_reply(result=False, returnCode="503", message="验证签名失败"), PermanentError, "signature_refused"),
        (json_reply(result=False, returnCode="601", message="KEY已过期"), AuthError, "account_refused"),
        (json_reply(result=False, message="?"), TransientError, "reason_unknown"),
        (json_reply(result=False, returnCode="999", message="?"), UnmappedError, "result_unmapped"),
        (json_reply(message="ok", data="many"), TransientError, "reason_unknown"),
        (json_reply(nu="9", data=[]), TransientError, "other_waybill"),
        (HttpReply(502, {}, b"<html>"), TransientError, "server_error"),
        (HttpReply(200, {}, b"<html>"), TransientError, "garbled"),
    ],
)
def test_a_failed_query_is_never_uncertain(reply: HttpReply, error: type[Exception], code: str) -> None:
    with pytest.raises(error, match=rf"\[kuaidi100\.query\.{code}\]$"):
        finish(query(), reply)


# --- subscriptions -----------------------------------------------------------------------------------------------


def follow(reply: HttpReply) -> None:
    finish(
        carrier().subscribe(shipper_code="YTO", waybill_no=NUMBER, order_code="", phone="", callback_url=HOOK), reply
    )


@pytest.mark.parametrize("name", ["k100-subscribe-ok", "k100-subscribe-501"])
def test_a_number_that_is_followed_now_or_was_before_is_a_success(name: str) -> None:
    follow(reply_of(EXAMPLES[name]))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"result": False, "returnCode": "700", "message": "订阅数据错误"}, "callback_refused"),
        ({"result": False, "returnCode": "701", "message": "拒绝订阅的快递公司"}, "shipper_refused"),
        ({"result": False, "returnCode": "702", "message": "识别不到该单号对应的快递公司"}, "shipper_refused"),
        ({"result": False, "returnCode": "600"}, "account_refused"),
        ({"result": False, "returnCode": "500"}, "busy"),
        ({"result": False, "returnCode": "200"}, "garbled"),
        ({"result": False}, "reason_unknown"),
    ],
    ids=str,
)
def test_every_other_answer_to_a_subscription_is_a_failure(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(Exception, match=rf"\[kuaidi100\.subscribe\.{code}\]$"):
        follow(json_reply(**fields))


def test_a_push_time_is_never_invented() -> None:
    told = datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)
    events = take(push(a_push(a_scan("2026-11-23 10:00:00", "103"), state="103"))).events
    assert {event.event_at for event in events} == {told}
    assert {event.observed_at for event in events} == {NOW}
