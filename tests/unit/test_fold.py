"""The fold: whatever order, repeats and noise a parcel's events arrive in, the conclusion is the same and sound."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.model import EventKind, TrackingEvent
from mappings.status import ATTENTION, STAFF, STATUSES, StatusTable, Tracking, event_key, fold

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
NOW = START + timedelta(days=10)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def event(canonical: str | None, hours: float, **facts: Any) -> TrackingEvent:
    words: dict[str, Any] = {
        "platform": "kdniao",
        "shipper_code": "ZTO",
        "waybill_no": "73100000000001",
        "order_code": "2026112100001-1",
        "kind": EventKind.TRACE,
        "event_at": at(hours),
        "observed_at": at(hours),
        "channel": "kdniao_state_ex",
        "raw_code": f"code of {canonical}",
        "canonical": canonical,
    }
    return TrackingEvent(**words | facts)


def trace(canonical: str, hours: float, **facts: Any) -> TrackingEvent:
    return event(canonical, hours, **{"sequence": 1} | facts)


def snapshot(canonical: str | None, hours: float, seen: float, traces: int = 1, **facts: Any) -> TrackingEvent:
    return event(canonical, hours, kind=EventKind.SNAPSHOT, observed_at=at(seen), sequence=traces, **facts)


def booking(canonical: str, hours: float, **facts: Any) -> TrackingEvent:
    return event(canonical, hours, kind=EventKind.PICKUP, channel="kdniao_pickup_103", **facts)


def by_staff(canonical: str, hours: float) -> TrackingEvent:
    return event(canonical, hours, platform=STAFF, channel="desk", raw_code=canonical)


def conclude(*events: TrackingEvent, booked_at: datetime | None = START) -> Tracking:
    return fold(events, booked_at=booked_at, now=NOW)


PROVISIONAL = {"raw_code": "104", "incident": "provisional_pickup"}
FALSE_PICKUP = {"raw_code": "206", "incident": "false_pickup", "attention": "action"}

# --- any parcel at all -------------------------------------------------------------------------------------------

incidents = st.sampled_from(["", "", "damaged", "no_tracking_info", "provisional_pickup", "false_pickup", "revived"])


@st.composite
def any_event(draw: st.DrawFn, canonicals: tuple[str, ...] = ()) -> TrackingEvent:
    choices: list[str | None] = list(canonicals) or [None, *STATUSES]
    canonical = draw(st.sampled_from(choices))
    incident = draw(incidents)
    if incident == "false_pickup":
        canonical = "pickup_failed"
    elif incident == "no_tracking_info" and canonical not in ("exception", "delayed"):
        incident = ""
    return event(
        canonical,
        draw(st.integers(-2, 6)),
        kind=draw(st.sampled_from(EventKind)),
        observed_at=at(draw(st.integers(-2, 8))),
        raw_code=f"code of {canonical}" if canonical else draw(st.sampled_from(["", "999"])),
        sequence=draw(st.integers(0, 3)),
        is_mapped=canonical is not None or draw(st.booleans()),
        incident=incident,
        attention=draw(st.sampled_from(ATTENTION)),
        platform=draw(st.sampled_from(["kdniao"] * 9 + [STAFF])) if not canonicals else "kdniao",
        text=draw(st.sampled_from(["", "已到达", "已到达　"])),
    )


parcels = st.lists(any_event(), max_size=9)


@settings(deadline=None, max_examples=300)
@given(events=parcels, data=st.data())
def test_any_order_and_any_repetition_of_the_events_give_the_same_conclusion(
    events: list[TrackingEvent], data: st.DataObject
) -> None:
    once = conclude(*events)
    repeated = events + (data.draw(st.lists(st.sampled_from(events))) if events else [])
    assert conclude(*data.draw(st.permutations(repeated))) == once


ON_THE_WAY = tuple(status for status in STATUSES if status not in ("rejected", "returning", "returned", "lost"))


@settings(deadline=None, max_examples=200)
@given(events=st.lists(any_event(ON_THE_WAY), max_size=9))
def test_delivered_stays_delivered_whatever_is_said_before_or_after(events: list[TrackingEvent]) -> None:
    tracking = conclude(*events, trace("delivered", 3))
    assert tracking.status == "delivered"
    assert tracking.delivered_at == min([at(3), *(each.event_at for each in events if each.canonical == "delivered")])


@settings(deadline=None, max_examples=200)
@given(events=parcels, end=st.sampled_from(["returned", "lost"]), noise=any_event(tuple(STATUSES)))
def test_nothing_but_a_person_ends_returned_or_lost(
    events: list[TrackingEvent], end: str, noise: TrackingEvent
) -> None:
    parcel = [*events, by_staff(end, 6.5)]
    later = replace(noise, event_at=at(7))
    assert conclude(*parcel, later).status == end
    assert conclude(*parcel, later, by_staff("in_transit", 8)).status == "in_transit"


@settings(deadline=None, max_examples=200)
@given(events=parcels, hours=st.integers(-2, 6), kind=st.sampled_from(EventKind))
def test_an_unmapped_code_changes_nothing_but_is_counted(
    events: list[TrackingEvent], hours: int, kind: EventKind
) -> None:
    before = conclude(*events)
    after = conclude(*events, event(None, hours, kind=kind, raw_code="999", is_mapped=False, sequence=2))
    assert after.flags == before.flags | {"unmapped"}
    assert (after.status, after.status_at, after.pickup_at) == (before.status, before.status_at, before.pickup_at)
    assert after.attention != "none"


@settings(deadline=None, max_examples=200)
@given(events=parcels, stray=any_event(tuple(STATUSES)))
def test_an_event_from_the_future_moves_nothing(events: list[TrackingEvent], stray: TrackingEvent) -> None:
    stray = replace(stray, event_at=NOW + timedelta(minutes=10, seconds=1))
    before, after = conclude(*events), conclude(*events, stray)
    assert after == replace(before, flags=before.flags | {"future_event"})


@settings(deadline=None, max_examples=200)
@given(events=parcels)
def test_a_pickup_time_is_always_the_time_of_an_event(events: list[TrackingEvent]) -> None:
    tracking = conclude(*events)
    assert tracking.status in STATUSES
    assert tracking.pickup_at in {None, *(each.event_at for each in events)}
    if tracking.pickup_at is None:
        assert not tracking.pickup_is_inferred
        assert not tracking.pickup_is_provisional


# --- rule by rule ------------------------------------------------------------------------------------------------


def test_no_event_at_all_is_unknown_and_keeps_the_sweep_running() -> None:
    assert conclude() == Tracking()


def test_events_count_by_their_own_time_not_by_arrival() -> None:
    late_arrival = trace("in_transit", 2, observed_at=at(50))
    assert conclude(trace("out_for_delivery", 8), late_arrival).status == "out_for_delivery"


def test_a_late_old_snapshot_does_not_undo_delivered() -> None:
    delivered = snapshot("delivered", 9, seen=9.1, traces=2)
    old = snapshot("in_transit", 2, seen=9.5, traces=1)
    assert conclude(trace("in_transit", 2), trace("delivered", 9), delivered, old).status == "delivered"
    assert conclude(delivered, old).status == "delivered"


def test_the_same_fact_has_the_same_key_however_it_is_spelled() -> None:
    one = trace("in_transit", 1, text="已到达 ＡＢ")
    assert event_key(one) == event_key(replace(one, text=" 已到达  AB ", observed_at=at(30), sequence=7, location="x"))
    assert len(event_key(one)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"platform": "sf"},
        {"shipper_code": "YTO"},
        {"waybill_no": "2"},
        {"event_at": at(2)},
        {"channel": "kdniao_pickup_103"},
        {"raw_code": "9"},
        {"text": "x"},
        {"kind": EventKind.SNAPSHOT},
    ],
)
def test_another_fact_has_another_key(change: dict[str, Any]) -> None:
    one = trace("in_transit", 1)
    assert event_key(one) != event_key(replace(one, **change))


def test_two_bookings_without_a_number_that_fail_in_one_second_are_two_facts() -> None:
    one = booking("pickup_failed", 1, waybill_no="")
    assert event_key(one) != event_key(replace(one, order_code="2026112100002-1"))
    numbered = booking("pickup_failed", 1)
    assert event_key(numbered) == event_key(replace(numbered, order_code=""))


def test_a_trace_that_vanished_from_the_carriers_list_still_counts() -> None:
    first_push = [trace("picked_up", 1), trace("in_transit", 2), snapshot("in_transit", 2, seen=2, traces=2)]
    second_push = [trace("in_transit", 2), snapshot("in_transit", 2, seen=3, traces=1)]
    assert conclude(*first_push, *second_push).pickup_at == at(1)


def test_of_two_traces_in_one_second_the_further_one_wins() -> None:
    further, listed_later = trace("out_for_delivery", 5, sequence=1), trace("arrived_destination", 5, sequence=2)
    assert conclude(further, listed_later).status == "out_for_delivery"


def test_of_two_equal_traces_in_one_second_the_later_in_the_list_speaks() -> None:
    first = trace("exception", 5, incident="damaged", sequence=1, raw_code="414")
    second = trace("exception", 5, incident="misrouted", sequence=2, raw_code="422")
    assert conclude(second, first).incident == "misrouted"


def test_a_snapshot_speaks_after_its_own_newest_trace_even_with_a_lower_rank() -> None:
    overdue = snapshot("delayed", 5, seen=41, incident="overdue_after_delivery_scan", attention="watch")
    tracking = conclude(trace("out_for_delivery", 5), overdue)
    assert (tracking.status, tracking.incident, tracking.attention) == (
        "delayed",
        "overdue_after_delivery_scan",
        "watch",
    )


def test_a_newer_trace_supersedes_a_snapshot() -> None:
    overdue = snapshot("delayed", 5, seen=41, incident="overdue_after_delivery_scan")
    assert conclude(trace("out_for_delivery", 5), overdue, trace("ready_for_pickup", 43)).status == "ready_for_pickup"


def test_of_two_snapshots_at_the_same_trace_the_one_seen_later_counts() -> None:
    delayed, back = snapshot("delayed", 5, seen=41), snapshot("out_for_delivery", 5, seen=42)
    assert conclude(delayed, back).status == "out_for_delivery"
    assert conclude(back, replace(delayed, observed_at=at(43))).status == "delayed"


def test_a_snapshot_told_again_counts_as_seen_again() -> None:
    tellings = [
        snapshot("delayed", 5, seen=41),
        snapshot("out_for_delivery", 5, seen=42),
        snapshot("delayed", 5, seen=43),
    ]
    assert {conclude(*order).status for order in permutations(tellings)} == {"delayed"}


def test_a_snapshot_without_traces_yields_to_any_later_look() -> None:
    nothing_yet = snapshot("exception", 20, seen=20, traces=0, incident="no_tracking_info", attention="action")
    scanned = [trace("picked_up", 18), snapshot("picked_up", 18, seen=21)]
    assert conclude(nothing_yet).status == "exception"
    assert conclude(nothing_yet, *scanned).status == "picked_up"


def test_a_snapshot_nobody_understands_leaves_the_one_before_it_in_place() -> None:
    delayed = snapshot("delayed", 5, seen=41)
    riddle = snapshot(None, 5, seen=42, raw_code="499", is_mapped=False)
    assert conclude(trace("out_for_delivery", 5), delayed, riddle).status == "delayed"


@pytest.mark.parametrize("status", ["in_transit", "exception", "out_for_delivery", "cancelled", "info_received"])
def test_delivered_is_sticky_and_later_noise_is_flagged(status: str) -> None:
    tracking = conclude(trace("delivered", 9), trace(status, 10))
    assert (tracking.status, tracking.status_at) == ("delivered", at(9))
    assert "post_delivery_event" in tracking.flags


@pytest.mark.parametrize("status", ["rejected", "returning", "returned"])
def test_a_later_return_leg_replaces_delivered_but_one_of_the_same_second_does_not(status: str) -> None:
    assert conclude(trace("delivered", 9), trace(status, 10)).status == status
    assert conclude(trace("delivered", 9), snapshot(status, 9, seen=10)).status == "delivered"


def test_a_delivery_snapshot_survives_a_later_snapshot_at_the_same_trace() -> None:
    assert conclude(snapshot("delivered", 9, seen=9), snapshot("exception", 9, seen=10)).status == "delivered"


def test_delivered_keeps_the_time_it_was_first_said() -> None:
    tracking = conclude(trace("delivered", 9), trace("delivered", 12, raw_code="311", incident="locker_or_station"))
    assert (tracking.delivered_at, tracking.status_at, tracking.incident) == (at(9), at(9), "locker_or_station")


def test_a_bare_snapshot_does_not_wipe_who_signed() -> None:
    signed = trace("delivered", 9, incident="signed_by_other")
    assert conclude(signed, snapshot("delivered", 9, seen=9)).incident == "signed_by_other"


@pytest.mark.parametrize("end", ["returned", "lost"])
def test_a_carrier_cannot_leave_returned_or_lost_but_a_person_can(end: str) -> None:
    stuck = conclude(trace(end, 5), trace("delivered", 6), trace("in_transit", 7))
    assert stuck.status == end
    assert "post_delivery_event" in stuck.flags
    assert conclude(trace(end, 5), by_staff("delivered", 6)).status == "delivered"


def test_a_scan_after_a_cancel_reopens_the_parcel_and_asks_a_person() -> None:
    tracking = conclude(trace("cancelled", 2), trace("picked_up", 3))
    assert (tracking.status, tracking.attention, tracking.pickup_at) == ("picked_up", "action", at(3))
    assert "picked_up_after_cancel" in tracking.flags


def test_a_false_pickup_of_a_cancelled_booking_leaves_it_cancelled() -> None:
    assert conclude(trace("cancelled", 2), booking("pickup_failed", 4, **FALSE_PICKUP)).status == "cancelled"


@pytest.mark.parametrize("status", ["info_received", "awaiting_pickup", "pickup_failed"])
def test_what_is_no_scan_leaves_a_cancelled_parcel_cancelled(status: str) -> None:
    assert conclude(trace("cancelled", 2), trace(status, 3)).status == "cancelled"
    no_scan = trace("exception", 3, incident="no_tracking_info")
    assert conclude(trace("cancelled", 2), no_scan).status == "cancelled"


def test_a_revived_order_waits_for_its_pickup_again() -> None:
    assert conclude(trace("cancelled", 2), trace("awaiting_pickup", 3, incident="revived")).status == "awaiting_pickup"


def test_a_false_pickup_revokes_the_couriers_word_and_restarts_the_clock() -> None:
    tracking = conclude(booking("picked_up", 1, **PROVISIONAL), booking("pickup_failed", 4, **FALSE_PICKUP))
    assert (tracking.status, tracking.pickup_at, tracking.pickup_revoked_at) == ("pickup_failed", None, at(4))
    assert tracking.attention == "action"


def test_a_false_pickup_revokes_a_confirmed_booking_state_too() -> None:
    confirmed = booking("picked_up", 2, raw_code="301")
    assert conclude(confirmed, booking("pickup_failed", 4, **FALSE_PICKUP)).pickup_at is None


@pytest.mark.parametrize("scan", [trace("in_transit", 3), trace("picked_up", 3), booking("in_transit", 3)])
def test_a_false_pickup_does_not_revoke_what_was_scanned_on_the_way(scan: TrackingEvent) -> None:
    scanned = [booking("picked_up", 1, **PROVISIONAL), scan]
    tracking = conclude(*scanned, booking("pickup_failed", 4, **FALSE_PICKUP))
    assert (tracking.status, tracking.pickup_revoked_at) == (scan.canonical, None)
    assert tracking.pickup_at in (at(1), scan.event_at)
    assert "false_pickup_contradicted" in tracking.flags


def test_a_parcel_picked_up_after_a_false_pickup_has_the_second_time() -> None:
    lie = [booking("picked_up", 1, **PROVISIONAL), booking("pickup_failed", 4, **FALSE_PICKUP)]
    assert conclude(*lie, trace("picked_up", 30)).pickup_at == at(30)
    uncoded = event(None, 2, raw_code="")
    assert conclude(uncoded, *lie, trace("in_transit", 30)).pickup_at == at(30)


@pytest.mark.parametrize("status", [s.id for s in STATUSES.values() if s.kind == "incident" and s.rank > 20])
def test_progress_clears_an_incident(status: str) -> None:
    assert conclude(trace(status, 3, attention="action"), trace("out_for_delivery", 4)).attention == "none"


def test_the_pickup_time_is_the_earliest_explicit_scan() -> None:
    tracking = conclude(trace("in_transit", 1), trace("picked_up", 2), booking("picked_up", 3, raw_code="301"))
    assert (tracking.pickup_at, tracking.pickup_is_inferred) == (at(2), False)


def test_without_a_pickup_scan_the_first_later_scan_stands_for_it() -> None:
    tracking = conclude(trace("in_transit", 3), trace("out_for_delivery", 8))
    assert (tracking.pickup_at, tracking.pickup_is_inferred) == (at(3), True)


def test_uncoded_traces_are_scans_once_a_snapshot_proves_the_pickup() -> None:
    bare = [event(None, 1, raw_code=""), event(None, 3, raw_code="")]
    assert conclude(*bare).pickup_at is None
    tracking = conclude(*bare, snapshot("in_transit", 3, seen=3, traces=2))
    assert (tracking.pickup_at, tracking.pickup_is_inferred, tracking.flags) == (at(1), True, frozenset())


def test_a_snapshot_says_that_not_when_the_parcel_was_picked_up() -> None:
    picked_up = [event(None, 1, raw_code=""), snapshot("picked_up", 3, seen=3, traces=2)]
    assert (conclude(*picked_up).pickup_at, conclude(*picked_up).pickup_is_inferred) == (at(1), True)
    scanned = conclude(*picked_up, booking("picked_up", 2, raw_code="301"))
    assert (scanned.pickup_at, scanned.pickup_is_inferred) == (at(2), False)


def test_the_couriers_word_alone_is_provisional_until_anything_confirms_it() -> None:
    word = booking("picked_up", 1, **PROVISIONAL)
    assert conclude(word).pickup_is_provisional
    for proof in (booking("picked_up", 2, raw_code="301"), trace("picked_up", 2), trace("in_transit", 2)):
        tracking = conclude(word, proof)
        assert (tracking.pickup_at, tracking.pickup_is_provisional) == (at(1), False)


@pytest.mark.parametrize("incident", ["no_tracking_info", "no_update_5d", "carrier_problem"])
def test_a_problem_without_any_scan_is_no_pickup(incident: str) -> None:
    tracking = conclude(snapshot("exception", 30, seen=30, traces=0, incident=incident, attention="action"))
    assert (tracking.status, tracking.pickup_at) == ("exception", None)


def test_waiting_goes_on_after_a_problem_without_any_scan() -> None:
    problem = trace("exception", 30, incident="no_tracking_info")
    assert conclude(problem, trace("awaiting_pickup", 31)).status == "awaiting_pickup"


def test_an_unmapped_code_with_a_coarse_meaning_moves_the_status_and_is_counted() -> None:
    tracking = conclude(snapshot("in_transit", 3, seen=3, raw_code="298", is_mapped=False, attention="watch"))
    assert (tracking.status, tracking.attention, tracking.flags) == ("in_transit", "watch", frozenset({"unmapped"}))


def test_a_code_that_was_mapped_meanwhile_counts_when_its_push_is_replayed() -> None:
    riddle = event(None, 3, raw_code="298", is_mapped=False, attention="watch")
    tracking = conclude(riddle, replace(riddle, canonical="in_transit", is_mapped=True, attention="none"))
    assert (tracking.status, tracking.flags) == ("in_transit", frozenset())


@pytest.mark.parametrize("status", ["info_received", "awaiting_pickup", "pickup_failed"])
def test_nothing_from_before_the_pickup_comes_back_after_it(status: str) -> None:
    assert conclude(trace("in_transit", 3), booking(status, 4)).status == "in_transit"


def test_a_cancel_after_the_pickup_is_an_exception_for_a_person() -> None:
    tracking = conclude(trace("picked_up", 2), trace("cancelled", 3))
    assert (tracking.status, tracking.incident, tracking.attention) == ("exception", "cancel_after_pickup", "action")
    assert "cancel_after_pickup" in tracking.flags


def test_an_event_ten_minutes_ahead_counts_and_one_further_ahead_does_not() -> None:
    now = at(0)
    near, far = trace("picked_up", 10 / 60), trace("picked_up", 10 / 60 + 0.01)
    assert fold([near], booked_at=None, now=now).status == "picked_up"
    assert fold([far], booked_at=None, now=now) == Tracking(flags=frozenset({"future_event"}))


def test_a_number_that_lived_before_brings_nothing_of_its_former_life() -> None:
    former = trace("delivered", -24.1)
    assert conclude(former) == Tracking(flags=frozenset({"before_booking"}))
    assert conclude(trace("picked_up", -23.9)).status == "picked_up"
    assert conclude(former, booked_at=None).status == "delivered"


def test_an_unknown_state_never_replaces_a_known_one_but_may_ask_for_a_look() -> None:
    assert conclude(trace("in_transit", 3), trace("unknown", 4)).status == "in_transit"
    assert conclude(trace("awaiting_pickup", 3), trace("unknown", 4)).status == "awaiting_pickup"
    assert conclude(trace("delivered", 3), trace("unknown", 4)).flags == frozenset()
    assert conclude(snapshot("unknown", 4, seen=4, traces=0, attention="watch")).attention == "watch"


def test_the_newest_scan_is_kept_for_the_no_movement_sweep() -> None:
    stalled = snapshot("delayed", 3, seen=130, incident="no_update_5d")
    assert conclude(trace("picked_up", 1), trace("in_transit", 3), stalled).last_scan_at == at(3)
    assert conclude(snapshot("exception", 30, seen=30, traces=0)).last_scan_at is None


def test_a_persons_word_stands_above_a_scan_of_the_same_second() -> None:
    assert conclude(trace("delivered", 3), by_staff("lost", 3), snapshot("delivered", 3, seen=9)).status == "lost"
    assert conclude(trace("lost", 3), by_staff("in_transit", 3)).status == "in_transit"


def test_a_second_delivery_after_a_return_leg_has_its_own_time() -> None:
    assert conclude(trace("delivered", 3), trace("returning", 4), trace("delivered", 9)).delivered_at == at(9)


def test_a_person_who_says_it_was_never_picked_up_restarts_the_wait() -> None:
    tracking = conclude(trace("in_transit", 3), by_staff("awaiting_pickup", 4))
    assert (tracking.status, tracking.pickup_at) == ("awaiting_pickup", None)


# --- the vocabulary and the tables -------------------------------------------------------------------------------


def test_the_vocabulary_has_21_statuses_with_distinct_ranks_in_order() -> None:
    ranks = [status.rank for status in STATUSES.values()]
    assert len(ranks) == 21
    assert ranks == sorted(set(ranks))
    assert {s.id for s in STATUSES.values() if s.is_terminal} == {"cancelled", "delivered", "returned", "lost"}
    assert all(status.implies_pickup == (status.rank >= 20) for status in STATUSES.values())


def test_a_code_nobody_mapped_is_not_found_and_the_line_to_add_is_named() -> None:
    table = StatusTable.of("mappings.carriers.kdniao")
    assert table.look_up("kdniao_state_ex", "999") is None
    assert table.look_up("no_such_channel", "1") is None
    line = table.line_to_add("kdniao_state_ex", "999")
    assert "mappings/carriers/kdniao/status.toml" in line
    assert "[kdniao_state_ex]: 999 = {" in line


@pytest.mark.parametrize(
    ("row", "complaint"),
    [('{ zh = "x", canonical = "arrived" }', "arrived"), ('{ zh = "x", canonical = "", attention = "red" }', "red")],
)
def test_a_table_that_names_an_unknown_word_is_refused(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, row: str, complaint: str
) -> None:
    package = tmp_path / "odd_carrier"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "status.toml").write_text(f"[odd]\n7 = {row}\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "odd_carrier", raising=False)
    with pytest.raises(ValueError, match=rf"\[odd\] 7: .*{complaint}"):
        StatusTable.of("odd_carrier")
