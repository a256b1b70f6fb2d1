"""KDNiao's states and traces: the tables, the query, and every recorded push folded to its expected status."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from mappings.carriers.kdniao.shippers import SHIPPERS
from mappings.carriers.kdniao.tracking import TABLE
from mappings.china_time import SHANGHAI, read_time, write_time
from mappings.errors import AuthError, PermanentError, TransientError, UnmappedError
from mappings.model import EventKind, NumberChange, TrackingEvent
from mappings.status import Tracking, event_key, fold
from mappings.wire import HttpCall, HttpReply
from tests.contract.kdniao.cases import (
    EXAMPLES,
    NOW,
    carrier,
    finish,
    json_reply,
    load,
    push,
    reply_of,
    start,
    take,
)

EXPECTED_TABLE = load("status.json")
PUSHES = [
    name
    for name, example in EXAMPLES.items()
    if example["direction"] == "callback" and name not in ("kdn-push-102-bad-sign", "kdn-push-102-late-old-snapshot")
]


def recorded(name: str) -> bytes:
    body: str = EXAMPLES[name]["http"]["body"]
    return body.encode()


def status_of(events: tuple[TrackingEvent, ...], parcel: str) -> Tracking:
    own = [event for event in events if parcel in (event.waybill_no, event.order_code)]
    return fold(own, booked_at=None, now=NOW)


def an_item(**fields: Any) -> dict[str, Any]:
    return {"OrderCode": "2026112100001-1", "ShipperCode": "ZTO", "LogisticCode": "731", "Success": True} | fields


def a_trace(time: str, action: str = "", **fields: Any) -> dict[str, Any]:
    return {"AcceptTime": f"2026-11-23 {time}", "AcceptStation": "已到达", "Action": action} | fields


# --- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", EXPECTED_TABLE)
def test_every_published_code_means_what_the_published_table_says(channel: str) -> None:
    assert set(TABLE.channels[channel]) == {row["code"] for row in EXPECTED_TABLE[channel]}
    for row in EXPECTED_TABLE[channel]:
        meaning = TABLE.look_up(channel, row["code"])
        assert meaning is not None
        if (channel, row["code"]) == ("kdniao_pickup_103", "104"):
            row = row | {"incident": "provisional_pickup"}  # ours: what the fold goes by
        assert (meaning.zh, meaning.canonical, meaning.incident, meaning.attention) == (
            row["zh"],
            row["canonical"],
            row["incident"],
            row["attention"],
        )


def test_the_same_number_means_other_things_in_other_channels() -> None:
    meanings = {channel: TABLE.look_up(channel, "206") for channel in ("kdniao_state_ex", "kdniao_pickup_103")}
    assert {channel: found.canonical for channel, found in meanings.items() if found} == {
        "kdniao_state_ex": "in_transit",
        "kdniao_pickup_103": "pickup_failed",
    }


CUSTOMER_NAMES = {
    "": "",
    "phone_tail4": "phone_tail",
    "phone_tail4?": "phone_tail_if_known",
    "merchant_code": "merchant_code",
}


def test_the_published_courier_companies_are_ours_each_with_what_a_query_of_it_must_carry() -> None:
    published = load("shippers.json")
    expected = {code: (row["name"], CUSTOMER_NAMES[row["customer_name_rule"]]) for code, row in published.items()}
    assert {code: (shipper.name, shipper.customer_name) for code, shipper in SHIPPERS.items()} == expected


# --- times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2026-11-22 07:30:00", "2026/11/22 07:30:00", " 2026-11-22 07:30 "])
def test_times_are_shanghais(text: str) -> None:
    moment = read_time(text)
    assert moment == datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC
    assert write_time(moment) == "2026-11-22 07:30:00"


@pytest.mark.parametrize("text", ["", None, "soon", "2026-02-30 00:00:00", "0001-01-01 00:00:00", 5, {}])
def test_what_is_no_time_is_none(text: object) -> None:
    assert read_time(text) is None


# --- the query ---------------------------------------------------------------------------------------------------


def query(
    shipper_code: str = "ZTO", waybill_no: str = "73100000000001", phone: str = "13900000002", **settings: Any
) -> Any:
    return carrier(**settings).query_tracking(
        shipper_code=shipper_code,
        waybill_no=waybill_no,
        order_code="2026112100001-1",
        phone=phone,
        asked_at=NOW,
    )


def form_of(call: HttpCall) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(call.body.decode()).items()}


def test_the_query_of_a_company_that_wants_a_phone_is_the_recorded_one() -> None:
    call = start(query("SF", "SF1000000000001", "139-0000-0002"))
    assert call.body.decode() == EXAMPLES["kdn-8001-req-sf"]["http"]["body"]
    assert not call.changes_peer


@pytest.mark.parametrize(
    ("shipper_code", "waybill_no", "phone", "customer_name"),
    [
        ("ZTO", "73100000000001", "13900000002", "0002"),
        ("ZTO", "73100000000001", "", ""),
        ("ZTO", "73100000000001", "12", ""),
        ("YTO", "YT1000000000001", "13900000002", ""),
        ("KYSY", "KY1000000000001", "13900000002", "0002"),
        ("JD", "JDVA00000000001", "13900000002", "JDV1"),
        ("JD", "VA00000000001", "13900000002", "JDV1"),
        ("JD", "JD0000000000001", "13900000002", ""),
    ],
)
def test_a_query_tells_a_phone_or_a_merchant_code_only_where_it_is_wanted(
    shipper_code: str, waybill_no: str, phone: str, customer_name: str
) -> None:
    call = start(query(shipper_code, waybill_no, phone=phone, customer_name="JDV1"))
    assert json.loads(form_of(call)["RequestData"])["CustomerName"] == customer_name


def test_a_query_that_needs_a_phone_is_not_sent_without_one() -> None:
    with pytest.raises(PermanentError) as caught:
        start(query("SF", phone="x12"))
    assert caught.value.code == "kdniao.query.phone_missing"
    with pytest.raises(UnmappedError):
        start(query("XYZ"))


def test_the_query_type_and_address_are_settings() -> None:
    call = start(query(environment="production", query_request_type="8002"))
    assert form_of(call)["RequestType"] == "8002"
    assert call.url == "https://api.kdniao.com/Ebusiness/EbusinessOrderHandle.aspx"


@pytest.mark.parametrize("shipper_code", ["", "XYZ"])
def test_8002_is_asked_whose_a_number_is_where_we_do_not_know(shipper_code: str) -> None:
    asked = json.loads(form_of(start(query(shipper_code, query_request_type="8002")))["RequestData"])
    assert (asked["ShipperCode"], asked["LogisticCode"], asked["CustomerName"]) == ("", "73100000000001", "0002")
    known = json.loads(form_of(start(query("YTO", query_request_type="8002")))["RequestData"])
    assert (known["ShipperCode"], known["CustomerName"]) == ("YTO", "")


@pytest.mark.parametrize("shipper_code", ["STO", "YTO", "HTKY", "HHTT"])
def test_the_free_query_is_sent_for_the_companies_that_it_follows(shipper_code: str) -> None:
    assert form_of(start(query(shipper_code, query_request_type="1002")))["RequestType"] == "1002"


@pytest.mark.parametrize("shipper_code", ["SF", "ZTO", "YD", "JD", "EMS"])
def test_the_free_query_of_another_company_is_not_sent_and_says_what_to_do(shipper_code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        start(query(shipper_code, query_request_type="1002"))
    assert caught.value.code == "kdniao.query.shipper_not_free"
    assert "STO" in str(caught.value)
    assert "QUERY_REQUEST_TYPE" in str(caught.value)


def test_a_used_quota_waits_for_the_next_day_and_leaves_the_peers_door_open() -> None:
    said = {"Success": False, "LogisticCode": "73100000000001", "Reason": "没有可用套餐"}
    for settings, fields in (({"query_request_type": "1002"}, said), ({}, said | {"ResultCode": "405"})):
        with pytest.raises(TransientError) as caught:
            finish(query("STO", **settings), json_reply(**fields))
        assert caught.value.code == "kdniao.query.quota_used"
        assert (caught.value.peer_is_well, caught.value.retry_after_s) == (True, 12 * 3600)


def test_a_plan_without_queries_closes_no_door_for_waybills() -> None:
    with pytest.raises(AuthError) as caught:
        finish(query(), json_reply(Success=False, LogisticCode="73100000000001", Reason="没有可用套餐"))
    assert (caught.value.code, caught.value.peer_is_well) == ("kdniao.query.no_plan", True)
    with pytest.raises(AuthError) as caught:
        finish(query(), json_reply(Success=False, ResultCode="104", Reason="用户ID不存在"))
    assert not caught.value.peer_is_well


def test_a_query_reply_gives_every_trace_and_the_state() -> None:
    events = finish(query(), reply_of(EXAMPLES["kdn-8001-resp"]))
    assert [event.canonical for event in events] == [
        "picked_up",
        "in_transit",
        "arrived_destination",
        "arrived_destination",
    ]
    assert [event.sequence for event in events] == [1, 2, 3, 3]
    assert {event.order_code for event in events} == {"2026112100001-1"}
    assert status_of(events, "73100000000001").status == EXAMPLES["kdn-8001-resp"]["expect"]["status"]


def test_a_query_and_a_push_tell_the_same_facts_under_the_same_keys() -> None:
    body = EXAMPLES["kdn-8001-resp"]["json"]
    pushed = take(push("102", [body])).events
    asked = finish(query(), reply_of(EXAMPLES["kdn-8001-resp"]))
    assert {event_key(event) for event in asked} == {event_key(event) for event in pushed}


def test_no_trace_yet_is_no_event() -> None:
    events = finish(query(), reply_of(EXAMPLES["kdn-8001-resp-notrace"]))
    assert events == ()
    assert status_of(events, "").status == EXAMPLES["kdn-8001-resp-notrace"]["expect"]["status"]


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (json_reply(Success=False, Reason="没有可用套餐"), AuthError, "no_plan"),
        (json_reply(Success=False, ResultCode="405", Reason="超出"), TransientError, "quota_used"),
        (json_reply(Success=False, ResultCode="404", Reason="?"), PermanentError, "number_refused"),
        (json_reply(Success=False, Reason="?"), TransientError, "reason_unknown"),
        (json_reply(Success=True, LogisticCode="9", State="3"), TransientError, "other_waybill"),
        (HttpReply(502, {}, b"<html>"), TransientError, "server_error"),
        (HttpReply(200, {}, b"<html>"), TransientError, "garbled"),
    ],
)
def test_a_failed_query_is_never_uncertain(reply: HttpReply, error: type[Exception], code: str) -> None:
    with pytest.raises(error, match=rf"\[kdniao\.query\.{code}\]$"):
        finish(query(), reply)


# --- pushes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUSHES)
def test_a_recorded_push_gives_the_expected_status(name: str) -> None:
    read = take(recorded(name))
    assert not read.problems
    for expect in EXAMPLES[name]["expect"]:
        tracking = status_of(read.events, expect.get("waybill") or expect["order"])
        if expect["status"]:
            assert tracking.status == expect["status"]
        if "pickup_time" in expect:
            assert tracking.pickup_at is not None
            assert write_time(tracking.pickup_at) == expect["pickup_time"]
            assert tracking.pickup_is_inferred == ("inferred" in expect["pickup_time_basis"])
        assert tracking.incident == expect.get("incident", tracking.incident)
        assert tracking.attention == expect.get("attention", tracking.attention)
        if "alias" in expect:
            change = NumberChange(expect["order"], expect["alias"], expect["waybill"], expect["shipper"])
            assert read.changes == (change,)


@pytest.mark.parametrize("order", [1, -1])
def test_a_late_old_push_does_not_undo_delivered(order: int) -> None:
    names = ["kdn-push-102-delivered", "kdn-push-102-late-old-snapshot"][::order]
    events = tuple(event for name in names for event in take(recorded(name)).events)
    expect = EXAMPLES["kdn-push-102-late-old-snapshot"]["expect"][0]
    assert status_of(events, expect["waybill"]).status == expect["status"]


def test_the_couriers_word_is_provisional_until_301() -> None:
    first, second = take(recorded("kdn-push-103-picked-104-301")).events
    assert status_of((first,), first.order_code).pickup_is_provisional
    assert not status_of((first, second), first.order_code).pickup_is_provisional


def test_every_item_of_a_push_is_read_and_none_costs_another() -> None:
    good = an_item(LogisticCode="731", State="1", StateEx="1", Traces=[a_trace("10:00:00", "1")])
    bad: list[Any] = [
        "text",
        None,
        {},
        an_item(LogisticCode="x" * 41, State="1"),
        an_item(EBusinessID="4711", State="1"),
        an_item(Traces="many", State=""),
        an_item(LogisticCode="732", State="1", Traces=[a_trace("25:61:00"), "x", a_trace("10:00:00", "1")]),
    ]
    read = take(push("102", [*bad, good]))
    assert {event.waybill_no for event in read.events} == {"731", "732"}
    assert status_of(read.events, "731").status == "picked_up"
    assert len(read.problems) == 9
    assert all(problem.startswith("item ") for problem in read.problems)


def test_an_item_that_names_no_parcel_is_no_event() -> None:
    read = take(push("102", [an_item(LogisticCode="", OrderCode="", State="2")]))
    assert (read.events, read.problems) == ((), ("item 1 names neither a waybill nor an order",))


def test_a_code_nobody_mapped_falls_back_to_the_coarse_state_and_is_counted() -> None:
    item = an_item(State="2", StateEx="298", Traces=[a_trace("10:00:00", "298")])
    read = take(push("102", [item]))
    tracking = status_of(read.events, "731")
    assert (tracking.status, tracking.attention, tracking.flags) == ("in_transit", "watch", frozenset({"unmapped"}))
    assert [(event.channel, event.raw_code, event.is_mapped) for event in read.events] == [
        ("kdniao_state_ex", "298", False)
    ] * 2


def test_a_code_unknown_at_both_levels_changes_nothing() -> None:
    item = an_item(State="97", StateEx="298", Traces=[a_trace("10:00:00", "202")])
    tracking = status_of(take(push("102", [item])).events, "731")
    assert (tracking.status, tracking.flags) == ("out_for_delivery", frozenset({"unmapped"}))


@pytest.mark.parametrize("fine", [{}, {"StateEx": "298"}])
def test_a_lingering_state_4_says_less_than_the_newest_action(fine: dict[str, str]) -> None:
    item = an_item(State="4", **fine, Traces=[a_trace("10:00:00", "416"), a_trace("11:00:00", "419")])
    assert status_of(take(push("102", [item])).events, "731").status == "out_for_delivery"


def test_state_4_alone_is_an_exception_but_no_pickup() -> None:
    tracking = status_of(take(push("101", [an_item(State=4, Traces=[a_trace("10:00:00")])])).events, "731")
    assert (tracking.status, tracking.pickup_at) == ("exception", None)


def test_the_newest_trace_places_the_snapshot_even_when_traces_come_newest_first() -> None:
    item = an_item(State="2", StateEx="202", Traces=[a_trace("11:00:00", "202"), a_trace("10:00:00", "1")])
    snapshot = take(push("102", [item])).events[-1]
    assert (snapshot.kind, snapshot.event_at) == (EventKind.SNAPSHOT, datetime(2026, 11, 23, 3, tzinfo=UTC))


def test_a_push_without_traces_stands_at_the_time_it_was_told() -> None:
    told = datetime(2026, 11, 23, 11, 3, tzinfo=SHANGHAI)
    (event,) = take(push("102", [an_item(State="4", StateEx="401", Traces=[])])).events
    assert (event.event_at, event.observed_at, event.sequence) == (told, told, 0)


def test_texts_are_cleaned_and_bounded() -> None:
    item = an_item(State="2", Traces=[a_trace("10:00:00", AcceptStation="到\u0000达\n" + "x" * 2000, Remark="备注")])
    event = take(push("101", [item])).events[0]
    assert event.text.startswith("到 达 x")
    assert len(event.text) == 1000
    remarked = an_item(State="2", Traces=[a_trace("10:00:00", Remark="备注")])
    assert take(push("101", [remarked])).events[0].text == "已到达 备注"
