"""Tracking: the query (`poll/query.do`), and one parcel's state and scans -> tracking events (queries and pushes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mappings.booking import last_digits
from mappings.carriers.kuaidi100.results import error_of, judge_query, read_answer, text_of
from mappings.carriers.kuaidi100.settings import Kuaidi100Settings
from mappings.carriers.kuaidi100.shippers import Shipper, find_shipper
from mappings.carriers.kuaidi100.signing import query_body
from mappings.carriers.kuaidi100.times import read_time
from mappings.carriers.kuaidi100.waybill import FORM, RESULT_LEVEL
from mappings.errors import PermanentError, TransientError
from mappings.events import TEXT_LENGTH, Parcel, facts_of
from mappings.model import EventKind, TrackingEvent
from mappings.status import Meaning, StatusTable
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object, spellings, to_json

AREA = "kuaidi100.query"
PLATFORM = "kuaidi100"
GROUP, FINE, ORDER, SUBSCRIPTION = (
    "kuaidi100_state",
    "kuaidi100_state_advanced",
    "kuaidi100_order",
    "kuaidi100_subscription",
)

TABLE = StatusTable.of("mappings.carriers.kuaidi100")


def query_call(settings: Kuaidi100Settings, *, shipper_code: str, waybill_no: str, phone: str) -> HttpCall:
    """The query of one waybill. More than 48 a day for a number lock it for a day: `Spec.query_spacing_s`.

    Raises UnmappedError `kuaidi100.query.shipper_unmapped`, PermanentError `kuaidi100.query.phone_missing`.
    """
    shipper = find_shipper(shipper_code, AREA)
    param = {
        "com": shipper.com,
        "num": waybill_no,
        "phone": phone_tail(shipper, phone, AREA),
        "from": "",
        "to": "",
        "resultv2": RESULT_LEVEL,
    }
    body = query_body(to_json(param), key=settings.key, customer=settings.customer)
    return HttpCall("query_tracking", "POST", settings.query_url, FORM, body, False, spellings(settings.secrets))


def phone_tail(shipper: Shipper, phone: str, area: str) -> str:
    """The last four digits of a party's phone where the company wants them, nothing where it does not.

    Raises PermanentError `<area>.phone_missing`.
    """
    if not shipper.wants_phone:
        return ""
    tail = last_digits(phone)
    if not tail:
        raise PermanentError(f"{area}.phone_missing", f"{shipper.name} answers only with a phone's last four digits")
    return tail


def read_query(reply: HttpReply, asked: Parcel) -> tuple[TrackingEvent, ...]:
    """All events of one waybill; empty when nobody knows any yet. Raises any PeerError but UncertainError.

    A success has the shape of a push's lastResult, a failure another one with a returnCode.
    """
    check_status(reply, AREA, changes_peer=False)
    data = read_json_object(reply, AREA, changes_peer=False)
    if text_of(data, "nu").casefold() not in ("", asked.waybill_no.casefold()):
        raise TransientError(f"{AREA}.other_waybill", "Kuaidi100 answered for another waybill than we asked about")
    answer = read_answer(data)
    if answer.code or answer.flag is False or not isinstance(data.get("data"), list):
        verdict = judge_query(answer)
        if verdict.cls != "ok":
            raise error_of(verdict, AREA, answer, changes_peer=False)
        return ()
    events, _ = read_parcel(data, asked)
    return events


def read_parcel(result: Mapping[str, Any], parcel: Parcel) -> tuple[tuple[TrackingEvent, ...], tuple[str, ...]]:
    """Scans and state of one parcel (pushes and queries), and what of it could not be read."""
    problems: list[str] = []
    rows = result.get("data") or []
    if not isinstance(rows, list):
        rows, problems = [], ["data is no list"]
    scans: list[TrackingEvent] = []
    for position, row in enumerate(rows, start=1):
        if scan := _read_scan(row, parcel):
            scans.append(scan)
        else:
            problems.append(f"scan {position} has no readable time")
    scans = _ascending(scans)
    snapshot = _read_snapshot(result, parcel, scans)
    return (*scans, *filter(None, [snapshot])), tuple(problems)


def _ascending(scans: list[TrackingEvent]) -> list[TrackingEvent]:
    """Kuaidi100 lists the newest first, also where two happened in one second; a list in order is left so."""
    is_ascending = len(scans) > 1 and scans[0].event_at < scans[-1].event_at
    ordered = scans if is_ascending else scans[::-1]
    return [replace(scan, sequence=number) for number, scan in enumerate(ordered, start=1)]


def _read_scan(row: object, parcel: Parcel) -> TrackingEvent | None:
    if not isinstance(row, dict):
        return None
    event_at = read_time(row.get("ftime")) or read_time(row.get("time"))
    if event_at is None:
        return None
    code = text_of(row, "statusCode")
    channel, meaning = look_up(code)
    return parcel.event(
        EventKind.TRACE,
        event_at,
        channel,
        code,
        text=text_of(row, "context")[:TEXT_LENGTH],
        location=text_of(row, "location") or text_of(row, "areaName"),
        **(facts_of(meaning) if code else {"canonical": None}),
    )


def look_up(code: str) -> tuple[str, Meaning | None]:
    """The table that holds a code and what it means there: fine codes and groups come in the same fields."""
    for channel in (FINE, GROUP):
        if meaning := TABLE.look_up(channel, code):
            return channel, meaning
    return FINE, None


def _read_snapshot(result: Mapping[str, Any], parcel: Parcel, scans: list[TrackingEvent]) -> TrackingEvent | None:
    """The state of the whole parcel, placed at its own newest scan; without scans, at the time it was told.

    `sequence` 0 says that it had no scans.
    """
    state = text_of(result, "state")
    if not state:
        return None
    newest = max(scans, key=lambda scan: (scan.event_at, scan.sequence), default=None)
    channel, meaning = look_up(state)
    facts = facts_of(meaning)
    if channel == GROUP and (newest is None or newest.canonical):
        # A group says less than the newest scan's own code: group 1 holds orders that nobody picked up yet, and 0 is
        # also said of a parcel that nobody knows.
        facts |= {"canonical": None, "incident": "", "attention": "none"}
    event_at, sequence = (newest.event_at, newest.sequence) if newest else (parcel.told_at, 0)
    return parcel.event(EventKind.SNAPSHOT, event_at, channel, state, sequence=sequence, **facts)
