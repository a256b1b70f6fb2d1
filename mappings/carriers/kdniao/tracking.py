"""Tracking: the instant query (8001), and one parcel's state and traces -> tracking events (queries and pushes)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mappings.booking import last_digits
from mappings.carriers.kdniao.results import error_of, judge_query
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.shippers import SHIPPERS, check_free, find_shipper
from mappings.carriers.kdniao.waybill import signed_call
from mappings.china_time import read_time
from mappings.errors import PermanentError, TransientError
from mappings.events import (
    ORDER_CODE_LENGTH,
    SHIPPER_CODE_LENGTH,
    TEXT_LENGTH,
    WAYBILL_LENGTH,
    Parcel,
    UnreadableItem,
    facts_of,
)
from mappings.fields import text_of
from mappings.model import EventKind, NumberChange, TrackingEvent
from mappings.status import StatusTable
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kdniao.query"
PLATFORM = "kdniao"
COARSE, FINE, PICKUP = "kdniao_state", "kdniao_state_ex", "kdniao_pickup_103"

TABLE = StatusTable.of("mappings.carriers.kdniao")

PICKUP_SUFFIX = "-P"
"""What a pickup booking's order code has more than its parcel's."""
FREE, RECOGNISING = "1002", "8002"
MERCHANT_NUMBERS = ("VA", "JDVA")
"""How JD's numbers begin that want the merchant code."""


def query_call(settings: KdniaoSettings, *, shipper_code: str, waybill_no: str, phone: str) -> HttpCall:
    """The query of one waybill; SF and some others answer only with the last four digits of a party's phone.

    8002 finds out by itself whose a number is, where we do not know the company. Raises UnmappedError
    `kdniao.query.shipper_unmapped`, PermanentError `kdniao.query.phone_missing`.
    """
    kind = settings.query_request_type
    if kind == FREE:
        check_free(shipper_code, AREA, FREE)
    is_told = kind != RECOGNISING or shipper_code in SHIPPERS
    query = {
        "OrderCode": "",
        "ShipperCode": shipper_code if is_told else "",
        "LogisticCode": waybill_no,
        "CustomerName": customer_name(settings, shipper_code, waybill_no, phone, AREA)
        if is_told
        else last_digits(phone),
    }
    return signed_call("query_tracking", kind, query, settings.query_url, settings, changes_peer=False)


def customer_name(settings: KdniaoSettings, shipper_code: str, waybill_no: str, phone: str, area: str) -> str:
    """What a query or subscription must carry besides the number: a phone's last four digits, JD's merchant code.

    Raises UnmappedError `<area>.shipper_unmapped`, PermanentError `<area>.phone_missing`.
    """
    rule = find_shipper(shipper_code, area).customer_name
    tail = last_digits(phone)
    if rule == "phone_tail" and not tail:
        raise PermanentError(f"{area}.phone_missing", f"{shipper_code} answers only with a phone's last four digits")
    if rule in ("phone_tail", "phone_tail_if_known"):
        return tail
    if rule == "merchant_code" and waybill_no.upper().startswith(MERCHANT_NUMBERS):
        return settings.account_of(shipper_code, "", area).customer_name
    return ""


def read_query(reply: HttpReply, asked: Parcel, *, is_free: bool = False) -> tuple[TrackingEvent, ...]:
    """All events of one waybill; empty when KDNiao knows no trace yet. Raises any PeerError but UncertainError."""
    check_status(reply, AREA, changes_peer=False)
    data = read_json_object(reply, AREA, changes_peer=False)
    if text_of(data, "LogisticCode").casefold() not in ("", asked.waybill_no.casefold()):
        raise TransientError(f"{AREA}.other_waybill", "KDNiao answered for another waybill than we asked about")
    traces, state = data.get("Traces"), text_of(data, "State")
    if not traces and state == "0":
        return ()
    if not traces and str(data.get("Success")).lower() != "true":
        code, reason = text_of(data, "ResultCode") or text_of(data, "Code"), text_of(data, "Reason")
        verdict = judge_query(code, reason, is_free=is_free)
        raise error_of(verdict, AREA, code, reason, changes_peer=False, one_kind_only=True)
    events, _ = read_parcel(data, asked)
    return events


def read_identity(item: Mapping[str, Any], told_at: datetime) -> Parcel:
    """Which parcel an item is about; raises UnreadableItem when nothing names one."""
    order_code = text_of(item, "OrderCode").removesuffix(PICKUP_SUFFIX)
    parcel = Parcel(PLATFORM, text_of(item, "ShipperCode"), text_of(item, "LogisticCode"), order_code, told_at)
    if not parcel.waybill_no and not parcel.order_code:
        raise UnreadableItem("names neither a waybill nor an order")
    limits = (
        (parcel.shipper_code, SHIPPER_CODE_LENGTH),
        (parcel.waybill_no, WAYBILL_LENGTH),
        (parcel.order_code, ORDER_CODE_LENGTH),
        (text_of(item, "OldLogisticCode"), WAYBILL_LENGTH),
    )
    for value, limit in limits:
        if len(value) > limit:
            raise UnreadableItem(f"holds a number longer than {limit} characters")
    return parcel


def read_parcel(item: Mapping[str, Any], parcel: Parcel) -> tuple[tuple[TrackingEvent, ...], tuple[str, ...]]:
    """Traces and snapshot of one parcel (pushes 101 and 102, queries), and what of it could not be read."""
    problems: list[str] = []
    traces = []
    listed = item.get("Traces") or []
    if not isinstance(listed, list):
        listed, problems = [], ["Traces is no list"]
    for position, row in enumerate(listed, start=1):
        if trace := _read_trace(row, position, parcel):
            traces.append(trace)
        else:
            problems.append(f"trace {position} has no readable time")
    snapshot = _read_snapshot(item, parcel, traces)
    if not traces and snapshot is None:
        problems.append("holds neither a state nor a trace")
    return (*traces, *filter(None, [snapshot])), tuple(problems)


def _read_trace(row: object, position: int, parcel: Parcel) -> TrackingEvent | None:
    event_at = read_time(row.get("AcceptTime")) if isinstance(row, dict) else None
    if not isinstance(row, dict) or event_at is None:
        return None
    code = text_of(row, "Action")
    text = " ".join(filter(None, (text_of(row, "AcceptStation"), text_of(row, "Remark"))))
    return parcel.event(
        EventKind.TRACE,
        event_at,
        FINE,
        code,
        text=text[:TEXT_LENGTH],
        location=text_of(row, "Location"),
        sequence=position,
        **(facts_of(TABLE.look_up(FINE, code)) if code else {"canonical": None}),
    )


def _read_snapshot(item: Mapping[str, Any], parcel: Parcel, traces: list[TrackingEvent]) -> TrackingEvent | None:
    """The state of the whole parcel, placed at its own newest trace; without traces, at the time it was told.

    `sequence` 0 says that it had no traces.
    """
    coarse, fine = text_of(item, "State"), text_of(item, "StateEx")
    if not coarse and not fine:
        return None
    newest = max(traces, key=lambda trace: (trace.event_at, trace.sequence), default=None)
    facts = facts_of(TABLE.look_up(FINE, fine) if fine else TABLE.look_up(COARSE, coarse))
    if fine and not facts["is_mapped"] and (fallback := TABLE.look_up(COARSE, coarse)):
        facts = facts_of(fallback) | {"is_mapped": False}
    if coarse == "4" and newest and newest.canonical and (not fine or not facts["is_mapped"]):
        # State 4 stays after the problem is over: the newest trace's own code says more.
        facts |= {"canonical": None, "incident": "", "attention": "none"}
    if str(item.get("Success")).lower() == "false" and facts["attention"] == "none":
        facts["attention"] = "watch"
    return parcel.event(
        EventKind.SNAPSHOT,
        newest.event_at if newest else parcel.told_at,
        FINE if fine else COARSE,
        fine or coarse,
        text=text_of(item, "Reason")[:TEXT_LENGTH],
        location=text_of(item, "Location"),
        sequence=len(traces),
        **facts,
    )


def read_pickup(item: Mapping[str, Any], parcel: Parcel) -> Iterator[TrackingEvent | NumberChange]:
    """A pickup-booking state (push 103): an event, a change of number, both, or nothing (billing, tickets).

    Raises UnreadableItem when it has no time of its own: the push time is no pickup time.
    """
    code = text_of(item, "State")
    meaning = TABLE.look_up(PICKUP, code)
    if code in ("109", "302"):
        old = text_of(item, "OldLogisticCode")
        yield NumberChange(parcel.order_code, old, parcel.waybill_no, parcel.shipper_code)
    elif code == "120" and parcel.waybill_no and parcel.order_code:
        yield NumberChange(parcel.order_code, "", parcel.waybill_no, parcel.shipper_code, is_assignment=True)
    if meaning is not None and meaning.canonical is None:
        return
    event_at = read_time(item.get("CreateTime")) or read_time(item.get("FetchTime"))
    if not code or event_at is None:
        raise UnreadableItem("has no state" if not code else "has no readable time")
    text = text_of(item, "Reason")[:TEXT_LENGTH]
    yield parcel.event(EventKind.PICKUP, event_at, PICKUP, code, text=text, **facts_of(meaning))
