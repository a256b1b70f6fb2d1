"""Whatever a field of a push or a reply holds, what is read of it can be stored, and the fields beside it are read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from mappings.connector import CallbackRefused
from mappings.errors import PeerError
from mappings.events import STATUS_CODE_LENGTH, TEXT_LENGTH
from mappings.model import Callback, NumberChange, PickupBooking, PickupRequest, TrackingEvent, Waybill
from mappings.wire import HttpReply
from sync.db.models import ShipmentRow, TrackingEventRow, WaybillAliasRow
from tests.contract.kdniao import cases as kdniao
from tests.contract.kuaidi100 import cases as kuaidi100

DROPPED = object()
ODD: dict[str, object] = {
    "dropped": DROPPED,
    "null": None,
    "true": True,
    "negative": -1.5,
    "huge": 10**400,
    "blank": " ",
    "long": "x1" * 1000,
    "long Chinese": "张" * 300,
    "NUL": "\0\x1b",
    "broken surrogate": "\ud800",
    "year one": "0001-01-02 00:00:00",
    "year 9999": "9999-12-31 23:59:59",
    "list": [],
    "nested list": [[None]],
    "object": {},
    "nested object": {"a": {"b": None}},
}
Path = tuple[str | int, ...]
Examples = dict[str, dict[str, Any]]


def paths_of(value: object, base: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, the inner ones and the outer ones."""
    if base:
        yield base
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from paths_of(one, (*base, key))


def spoiled(value: Any, path: Path, odd: object) -> Any:
    """A copy with another value in one place, or without that place."""
    made = copy.deepcopy(value)
    *way, last = path
    place = made
    for key in way:
        place = place[key]
    if odd is DROPPED:
        del place[last]
    else:
        place[last] = odd
    return made


def length_of(column: Any) -> int:
    return int(column.type.length)


def demand_text(text: str, most: int | None = None) -> None:
    assert isinstance(text, str)
    assert "\0" not in text
    text.encode()
    assert most is None or len(text) <= most, f"{len(text)} characters where {most} fit"


def demand_storable(read: Callback) -> None:
    """All of it goes into the columns of every database."""
    events, aliases = TrackingEventRow.__table__.c, WaybillAliasRow.__table__.c
    for event in read.events:
        assert isinstance(event, TrackingEvent)
        demand_text(event.waybill_no, length_of(events.waybill_no))
        demand_text(event.order_code, length_of(events.order_code))
        demand_text(event.raw_code, STATUS_CODE_LENGTH)
        demand_text(event.text, TEXT_LENGTH)
        demand_text(event.location)
        assert isinstance(event.event_at, datetime)
    for change in read.changes:
        assert isinstance(change, NumberChange)
        demand_text(change.old_waybill_no, length_of(aliases.waybill_no))
        demand_text(change.new_waybill_no, length_of(ShipmentRow.__table__.c.waybill_no))
        demand_text(change.new_shipper_code, length_of(ShipmentRow.__table__.c.shipper_code))
    for problem in read.problems:
        demand_text(problem)


# --- pushes

KDNIAO_ITEMS = {
    name: (example["form"]["RequestType"], example["json"]["Data"][0])
    for name, example in kdniao.EXAMPLES.items()
    if example["direction"] == "callback" and name != "kdn-push-102-bad-sign"
}
GOOD = {"OrderCode": "", "ShipperCode": "YTO", "LogisticCode": "YT1", "Success": True, "State": "1", "Traces": []}
BOOKED = GOOD | {"State": "301", "CreateTime": "2026-11-22 11:05:00"}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", KDNIAO_ITEMS)
def test_an_item_of_a_kdniao_push_may_hold_anything_and_costs_the_next_nothing(name: str, odd: object) -> None:
    kind, item = KDNIAO_ITEMS[name]
    following = BOOKED if kind == "103" else GOOD
    for path in paths_of(item):
        data = {"EBusinessID": kdniao.EBUSINESS_ID, "Data": [spoiled(item, path, odd), following]}
        read = kdniao.take(kdniao.push(kind, json.dumps(data)))
        demand_storable(read)
        assert read.events[-1].waybill_no == "YT1", path


KUAIDI100_PUSHES = {
    name: example["json"] for name, example in kuaidi100.EXAMPLES.items() if example["direction"] == "callback"
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", KUAIDI100_PUSHES)
def test_a_field_of_a_kuaidi100_push_may_hold_anything(name: str, odd: object) -> None:
    for path in paths_of(KUAIDI100_PUSHES[name]):
        body = kuaidi100.push(json.dumps(spoiled(KUAIDI100_PUSHES[name], path, odd)))
        with suppress(CallbackRefused):
            demand_storable(kuaidi100.take(body))


# --- replies to an order

REQUEST = kdniao.a_request()
PICKUP = PickupRequest(
    "2026112100001-1", "", "SF", REQUEST.order, REQUEST.consignor, kdniao.NOW, kdniao.NOW + timedelta(hours=2)
)
ORDERS: dict[str, tuple[Examples, Callable[[], Any]]] = {
    "kdn-1007-resp-100": (kdniao.EXAMPLES, lambda: kdniao.carrier().book_waybill(REQUEST)),
    "kdn-1007-resp-sub-orders": (kdniao.EXAMPLES, lambda: kdniao.carrier().book_waybill(REQUEST)),
    "kdn-1801-resp-ok": (kdniao.EXAMPLES, lambda: kdniao.carrier().book_pickup(PICKUP)),
    "k100-label-ok": (kuaidi100.EXAMPLES, lambda: kuaidi100.carrier().book_waybill(REQUEST)),
    "k100-border-ok": (
        kuaidi100.EXAMPLES,
        lambda: kuaidi100.carrier(book_by="merchant_pickup").book_waybill(REQUEST),
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ORDERS)
def test_a_field_of_a_reply_may_hold_anything_and_what_comes_of_it_can_be_stored(name: str, odd: object) -> None:
    examples, order = ORDERS[name]
    body = json.loads(examples[name]["http"]["body"])
    for path in paths_of(body):
        reply = HttpReply(200, {}, json.dumps(spoiled(body, path, odd)).encode())
        try:
            made = kdniao.finish(order(), reply)
        except PeerError as error:
            demand_text(str(error))
        else:
            demand_storable_booking(made)


def demand_storable_booking(made: Waybill | PickupBooking) -> None:
    parcel, alias = ShipmentRow.__table__.c, WaybillAliasRow.__table__.c
    demand_text(made.carrier_order_no, length_of(parcel.carrier_order_no))
    numbers = [made.waybill_no]
    if isinstance(made, Waybill):
        assert made.waybill_no
        demand_text(made.shipper_code, length_of(parcel.shipper_code))
        demand_text(made.label)
        numbers += made.sub_waybill_nos
    for number in numbers:
        demand_text(number, length_of(alias.waybill_no))
        assert number not in ("None", "True")
