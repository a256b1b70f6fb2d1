"""SF's routes: the table of opCodes, the query, and what one node means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.carriers.sf.tracking import AT_LOCKER, OPCODE, TABLE
from mappings.errors import AuthError, PeerError, TransientError, UnmappedError
from mappings.model import TrackingEvent
from mappings.status import STATUSES, Tracking, event_key, fold
from mappings.wire import HttpCall, HttpReply
from tests.contract.sf.cases import (
    NOW,
    NUMBER,
    ORDER_CODE,
    carrier,
    form_of,
    gateway,
    load,
    message_of,
    outcome,
    push,
    route,
    service,
    take,
)

OPCODES: list[dict[str, Any]] = load("opcodes.json")


def asked(phone: str = "13900000002", number: str = NUMBER) -> HttpCall:
    return next(
        carrier().query_tracking(shipper_code="SF", waybill_no=number, order_code=ORDER_CODE, phone=phone, asked_at=NOW)
    )


def query(answer: HttpReply) -> tuple[TrackingEvent, ...]:
    exchange = carrier().query_tracking(
        shipper_code="SF", waybill_no=NUMBER, order_code=ORDER_CODE, phone="13900000002", asked_at=NOW
    )
    return outcome(exchange, answer)


def routes(*nodes: Any, number: str = NUMBER) -> HttpReply:
    return service(routeResps=[{"mailNo": number, "routes": list(nodes)}])


def concluded(*nodes: dict[str, Any]) -> Tracking:
    return fold(take(push(*nodes)).events, booked_at=None, now=NOW)


# --- the table -----------------------------------------------------------------------------------------------------


def test_the_table_holds_the_published_codes_and_no_other() -> None:
    assert set(TABLE.channels[OPCODE]) == {row["code"] for row in OPCODES}
    assert len(OPCODES) == 140


@pytest.mark.parametrize("row", OPCODES, ids=lambda row: row["code"])
def test_every_published_code_means_what_the_published_table_says(row: dict[str, Any]) -> None:
    meaning = TABLE.look_up(OPCODE, row["code"])
    assert meaning is not None
    assert (meaning.zh, meaning.canonical, meaning.incident, meaning.attention) == (
        row["zh"],
        row["canonical"],
        row["incident"],
        row["attention"],
    )
    assert row["implies_pickup"] == (meaning.canonical is not None and STATUSES[meaning.canonical].implies_pickup)


@pytest.mark.parametrize("row", OPCODES, ids=lambda row: row["code"])
def test_every_published_code_is_read_from_a_push_as_text_and_as_a_number(row: dict[str, Any]) -> None:
    for code in (row["code"], int(row["code"])):
        [event] = take(push(route() | {"opCode": code})).events
        assert (event.raw_code, event.canonical, event.is_mapped) == (row["code"], row["canonical"], True)


def test_codes_that_wrong_tables_read_otherwise() -> None:
    wrong_in_the_wild = {"50": "delivered", "33": "picked_up", "36": "out_for_delivery"}
    for code, wrong in wrong_in_the_wild.items():
        meaning = TABLE.look_up(OPCODE, code)
        assert meaning is not None
        assert meaning.canonical != wrong


# --- one node ------------------------------------------------------------------------------------------------------


def test_a_code_nobody_mapped_is_kept_and_never_guessed() -> None:
    [event] = take(push(route("4711", remark="已签收"))).events
    assert (event.raw_code, event.canonical, event.is_mapped, event.attention) == ("4711", None, False, "watch")
    assert "unmapped" in concluded(route("4711")).flags


def test_times_are_china_time() -> None:
    [event] = take(push(route(time="2026-11-21 18:01:00"))).events
    assert event.event_at == datetime(2026, 11, 21, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("remark", "status"),
    [("快件已放入自助柜,请凭取件码领取", "ready_for_pickup"), ("已签收,感谢使用顺丰", "delivered")],
)
def test_a_signature_at_a_locker_is_a_parcel_that_waits_in_it(remark: str, status: str) -> None:
    assert concluded(route("80", remark=remark)).status == status


def test_a_parcel_in_a_locker_is_delivered_once_it_is_taken_out() -> None:
    dropped = route("80", "2026-11-23 09:00:00", remark="已派送至自助柜")
    assert concluded(dropped, route("128", "2026-11-23 19:00:00", remark="已取件")).status == "delivered"
    assert TABLE.look_up(AT_LOCKER, "50") is None
    [event] = take(push(route("50", remark="快递员从自助柜取出"))).events
    assert event.canonical == "picked_up"


def test_a_new_number_in_a_remark_is_left_to_a_person() -> None:
    read = take(push(route("648", remark="快件已退回,新单号为:SF2000000000009")))
    [event] = read.events
    assert read.changes == ()
    assert (event.waybill_no, event.attention) == (NUMBER, "action")
    assert "SF2000000000009" in event.text


def test_the_reason_of_a_failed_delivery_stands_with_its_remark() -> None:
    [event] = take(push(route("33", remark="派件异常", reasonCode="14", reasonName="无法联系"))).events
    assert (event.canonical, event.text) == ("delivery_failed", "派件异常 无法联系")


def test_the_same_node_told_by_push_and_by_query_is_one_fact() -> None:
    [pushed] = take(push(route("44"))).events
    [found] = query(routes(route("44")))
    assert event_key(pushed) == event_key(found)


# --- the query -----------------------------------------------------------------------------------------------------


def test_the_query_names_the_number_in_a_list_and_the_phones_last_four_digits() -> None:
    call = asked()
    assert (form_of(call)["serviceCode"], call.changes_peer) == ("EXP_RECE_SEARCH_ROUTES", False)
    assert message_of(call) == {
        "language": "zh-CN",
        "trackingType": 1,
        "trackingNumber": [NUMBER],
        "methodType": 1,
        "checkPhoneNo": "0002",
    }


@pytest.mark.parametrize("phone", ["", "无", "12"])
def test_without_four_digits_sf_is_asked_without_them(phone: str) -> None:
    assert "checkPhoneNo" not in message_of(asked(phone))


def test_all_nodes_of_the_parcel_come_in_the_order_of_their_times() -> None:
    found = query(routes(route("80", "2026-11-23 11:00:00"), route("50"), route("44", "2026-11-23 10:00:00")))
    assert [(event.raw_code, event.sequence) for event in found] == [("50", 1), ("44", 2), ("80", 3)]
    assert {(event.waybill_no, event.order_code, event.shipper_code) for event in found} == {(NUMBER, ORDER_CODE, "SF")}


@pytest.mark.parametrize(
    "answer",
    [
        routes(),
        service(),
        service(routeResps=None),
        service(routeResps=[None, {"mailNo": NUMBER}, {"mailNo": NUMBER, "routes": [None, 7]}]),
        routes(route(acceptTime=None)),
        routes(route(), number="SF9999999999999"),
    ],
    ids=range(6),
)
def test_a_parcel_without_readable_routes_has_none(answer: HttpReply) -> None:
    assert query(answer) == ()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (gateway("A1005"), TransientError),
        (gateway("A1099"), TransientError),
        (gateway("A1003"), AuthError),
        (service("S0003"), TransientError),
        (service("8196"), TransientError),
        (service("9999"), UnmappedError),
        (HttpReply(200, {}, b"<html>"), TransientError),
        (HttpReply(502, {}, b""), TransientError),
    ],
    ids=range(8),
)
def test_a_query_that_fails_changed_nothing(answer: HttpReply, error: type[PeerError]) -> None:
    with pytest.raises(error) as caught:
        query(answer)
    assert type(caught.value) is error
