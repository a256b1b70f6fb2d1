"""Push 103, about ordered couriers: every state, replaced and assigned numbers, false pickups, bills."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from mappings.china_time import SHANGHAI
from mappings.model import NumberChange
from tests.contract.kdniao.cases import push, take
from tests.contract.kdniao.test_tracking import EXPECTED_TABLE, an_item, recorded, status_of


def a_booking(state: str, **fields: Any) -> dict[str, Any]:
    return an_item(State=state, CreateTime="2026-11-22 11:05:00", **fields)


@pytest.mark.parametrize("state", ["121", "122", "207", "208", "401", "402", "501", "502", "601", "701"])
def test_billing_and_tickets_mean_nothing_for_the_status(state: str) -> None:
    read = take(push("103", [a_booking(state)]))
    assert (read.events, read.changes, read.ignored, read.problems) == ((), (), 1, ())


def test_a_replaced_waybill_number_is_a_change_and_no_event() -> None:
    read = take(push("103", [a_booking("302", LogisticCode="NEW1", OldLogisticCode="OLD1")]))
    assert read.changes == (NumberChange("2026112100001-1", "OLD1", "NEW1", "ZTO"),)
    assert (read.events, read.ignored) == ((), 0)


def test_a_changed_carrier_waits_for_its_pickup_under_the_new_number() -> None:
    read = take(recorded("kdn-push-103-carrier-changed"))
    assert [(event.waybill_no, event.shipper_code, event.canonical) for event in read.events] == [
        ("JT1000000000001", "JTSD", "awaiting_pickup")
    ]


def test_a_courier_that_changes_before_it_has_a_number_leaves_the_number_open() -> None:
    item = a_booking("109", LogisticCode="", ShipperCode="JTSD", OldShipperCode="SF", OldLogisticCode="SF1")
    assert take(push("103", [item])).changes == (NumberChange("2026112100001-1", "SF1", "", "JTSD"),)


def test_a_number_that_comes_by_push_is_given_to_the_order_and_replaces_none() -> None:
    read = take(push("103", [a_booking("120", LogisticCode="SF9")]))
    assert read.changes == (NumberChange("2026112100001-1", "", "SF9", "ZTO", is_assignment=True),)
    assert [event.canonical for event in read.events] == ["info_received"]


def test_what_is_pushed_of_a_pickup_booking_is_told_of_its_parcel() -> None:
    read = take(push("103", [a_booking("102", OrderCode="2026112100001-1-P")]))
    assert [event.order_code for event in read.events] == ["2026112100001-1"]


@pytest.mark.parametrize("row", EXPECTED_TABLE["kdniao_pickup_103"], ids=lambda row: row["code"])
def test_every_state_of_a_pickup_push_means_what_is_published(row: dict[str, Any]) -> None:
    read = take(push("103", [a_booking(row["code"], OldLogisticCode="731")]))
    assert [event.canonical for event in read.events] == ([row["canonical"]] if row["canonical"] else [])
    assert read.problems == ()


def test_a_false_pickup_revokes_the_booked_one() -> None:
    items = [a_booking("301"), a_booking("206") | {"CreateTime": "2026-11-22 15:00:00"}]
    tracking = status_of(take(push("103", items)).events, "731")
    assert (tracking.status, tracking.pickup_at) == ("pickup_failed", None)
    assert tracking.pickup_revoked_at == datetime(2026, 11, 22, 15, tzinfo=SHANGHAI)


def test_the_push_time_is_never_taken_for_a_pickup_time() -> None:
    read = take(push("103", [a_booking("301") | {"CreateTime": ""}]))
    assert (read.events, read.problems) == ((), ("item 1 has no readable time",))
    fetched = take(push("103", [a_booking("301") | {"CreateTime": "", "FetchTime": "2026-11-22 11:00:00"}]))
    assert fetched.events[0].event_at == datetime(2026, 11, 22, 11, tzinfo=SHANGHAI)


def test_a_booking_without_a_state_is_named() -> None:
    assert take(push("103", [a_booking("")])).problems == ("item 1 has no state",)


def test_a_booking_state_nobody_mapped_is_kept_and_counted() -> None:
    (event,) = take(push("103", [a_booking("888")])).events
    assert (event.canonical, event.is_mapped, event.attention) == (None, False, "watch")


def test_the_request_type_of_the_form_says_which_table_reads_the_state() -> None:
    read = {kind: take(push(kind, [a_booking("3", StateEx="")])).events[0] for kind in ("101", "103")}
    assert {kind: event.channel for kind, event in read.items()} == {
        "101": "kdniao_state",
        "103": "kdniao_pickup_103",
    }
