"""Tracking: EXP_RECE_SEARCH_ROUTES, and one route node -> one tracking event (queries and pushes)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from mappings.booking import last_digits
from mappings.carriers.sf.service import read_answer, service_call
from mappings.carriers.sf.settings import SfSettings
from mappings.carriers.sf.waybill import SHIPPER_CODE
from mappings.china_time import read_time
from mappings.events import ORDER_CODE_LENGTH, TEXT_LENGTH, WAYBILL_LENGTH, Parcel, UnreadableItem, facts_of
from mappings.fields import number_of, objects_in, text_of
from mappings.model import EventKind, TrackingEvent
from mappings.status import StatusTable
from mappings.wire import HttpCall, HttpReply

AREA = "sf.query"
PLATFORM = "sf"
OPCODE, AT_LOCKER = "sf_opcode", "sf_opcode_at_locker"
LOCKER = "自助柜"

TABLE = StatusTable.of("mappings.carriers.sf")


def query_call(settings: SfSettings, *, waybill_no: str, phone: str) -> HttpCall:
    """The query of one waybill; without the phone's last four digits SF shows what our contract may see."""
    tail = last_digits(phone)
    message = {
        "language": "zh-CN",
        "trackingType": 1,
        "trackingNumber": [waybill_no],
        "methodType": 1,
        **({"checkPhoneNo": tail} if tail else {}),
    }
    return service_call("query_tracking", "EXP_RECE_SEARCH_ROUTES", message, settings, changes_peer=False)


def read_query(reply: HttpReply, *, waybill_no: str, order_code: str, asked_at: datetime) -> tuple[TrackingEvent, ...]:
    """All events of one waybill; empty when SF knows no route of it. Raises any PeerError but UncertainError.

    A node without a time is left out: the push about it is kept and says so.
    """
    answer = read_answer(reply, AREA, changes_peer=False)
    if answer.verdict.cls != "ok":
        raise answer.error(AREA, changes_peer=False)
    events = []
    for found in objects_in(answer.data.get("routeResps")):
        if text_of(found, "mailNo").casefold() != waybill_no.casefold():
            continue
        for node in objects_in(found.get("routes")):
            known = {**node, "mailno": waybill_no, "orderid": order_code}
            try:
                events.append(read_node(known, asked_at))
            except UnreadableItem:
                continue
    return in_order(events)


def read_node(node: Mapping[str, Any], told_at: datetime) -> TrackingEvent:
    """One node as an event; raises UnreadableItem. A code that nobody mapped is kept and never guessed.

    A node about another number (648) keeps it in its words: it is for a person to read.
    """
    waybill_no, code = text_of(node, "mailno"), text_of(node, "opCode")
    order_code = number_of(node, "orderid", ORDER_CODE_LENGTH)  # a longer one is of another system under our partner ID
    if not waybill_no and not order_code:
        raise UnreadableItem("names neither a waybill nor an order")
    if len(waybill_no) > WAYBILL_LENGTH:
        raise UnreadableItem("holds a number that is too long")
    event_at = read_time(node.get("acceptTime"))
    if event_at is None:
        raise UnreadableItem("has no readable time")
    if not code:
        raise UnreadableItem("has no opCode")
    text = " ".join(filter(None, (text_of(node, "remark"), text_of(node, "reasonName"))))[:TEXT_LENGTH]
    # Signed for at a locker (自助柜) may only mean that it lies in there.
    channel = AT_LOCKER if LOCKER in text and TABLE.look_up(AT_LOCKER, code) else OPCODE
    return Parcel(PLATFORM, SHIPPER_CODE, waybill_no, order_code, told_at).event(
        EventKind.TRACE,
        event_at,
        channel,
        code,
        text=text,
        location=text_of(node, "acceptAddress"),
        **facts_of(TABLE.look_up(channel, code)),
    )


def in_order(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    """Ascending by time, numbered from 1; SF lists nodes in any order. Of one second, its own order stays."""
    ordered = sorted(events, key=lambda event: event.event_at)
    return tuple(replace(event, sequence=number) for number, event in enumerate(ordered, start=1))
