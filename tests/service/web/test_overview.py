"""The reads behind the page, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sync.clock import utc_now
from sync.db import overview
from sync.db.overview import Cohort
from sync.db.session import Database
from sync.runtime import Runtime
from tests.service.web.conftest import on_both_databases
from tests.service.web.rows import ERP, KDNIAO, SHOP, Rows, ago


@pytest.fixture
def database(rt: Runtime) -> Database:
    return rt.database


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


@on_both_databases
def test_the_cohort_counts_how_far_todays_orders_have_come(database: Database, rows: Rows) -> None:
    rows.order(received_at=ago(9999), erp_no="yesterday's")
    rows.order(state="withdrawn")
    rows.order(erp_no="SO-1")
    rows.parcel(rows.order(), booked_at=ago(50))
    rows.parcel(rows.order(), booked_at=ago(50), pickup_at=ago(40), delivered_at=ago(30))
    with database.reading() as session:
        assert overview.count_cohort(session, ago(3600)) == Cohort(3, 2, 1, 1, 1)


def test_a_cohort_of_an_empty_house_is_all_zero(database: Database) -> None:
    with database.reading() as session:
        assert overview.count_cohort(session, ago(3600)) == Cohort(0, 0, 0, 0, 0)


@on_both_databases
def test_needs_are_grouped_and_the_longest_waiting_comes_first(database: Database, rows: Rows) -> None:
    young, old = rows.group("stale_pickup", KDNIAO), rows.group("ecshop.order.sku_blank", SHOP)
    rows.group("nothing.open", KDNIAO)
    rows.exception(young, opened_at=ago(50), last_seen_at=ago(40), message="first")
    rows.exception(young, opened_at=ago(30), last_seen_at=ago(20), message="Call 13912345678.")
    rows.exception(young, opened_at=ago(9999), resolved_at=ago(10))
    rows.exception(old, opened_at=ago(900), subject="shop.main:17")
    with database.reading() as session:
        oldest, newest = overview.group_needs(session)

    assert (oldest.code, oldest.peer, oldest.count, oldest.intake) == ("ecshop.order.sku_blank", SHOP, 1, 1)
    assert (newest.code, newest.count, newest.intake) == ("stale_pickup", 2, 0)
    assert newest.sample == "Call 139****5678."
    assert (utc_now() - newest.first_seen_at).total_seconds() == pytest.approx(50, abs=5)
    assert (utc_now() - newest.last_seen_at).total_seconds() == pytest.approx(20, abs=5)


@on_both_databases
@pytest.mark.parametrize(
    ("durations", "p50", "p95"),
    [([7], 7, 7), ([10, 20], 10, 20), (range(1, 101), 50, 95), (range(1, 21), 10, 19), ([5] * 9 + [900], 5, 900)],
    ids=["one", "two", "a hundred", "twenty", "an outlier"],
)
def test_half_of_the_calls_were_as_fast_as_p50_and_19_of_20_as_p95(
    database: Database, rows: Rows, durations: list[int], p50: int, p95: int
) -> None:
    for duration in durations:
        rows.attempt(KDNIAO, "book_waybill", duration_ms=duration)
    rows.attempt(KDNIAO, "book_waybill", duration_ms=99_999, started_at=ago(1000))
    rows.attempt(KDNIAO, "query_tracking", duration_ms=99_999)
    with database.reading() as session:
        booked, _ = overview.group_calls(session, ago(900))

    assert (booked.count, booked.p50_ms, booked.p95_ms) == (len(durations), p50, p95)


@on_both_databases
def test_first_try_and_final_success_are_two_figures(database: Database, rows: Rows) -> None:
    order = rows.order()
    served = rows.step(order, "book_waybill", KDNIAO, state="done")
    given_up = rows.step(order, "query_parcel", KDNIAO, state="parked")
    being_tried = rows.step(order, "push_order", KDNIAO)
    rows.attempt(KDNIAO, "call", "transient", step_id=served.id)
    rows.attempt(KDNIAO, "call", "ok", step_id=served.id, try_no=2)
    rows.attempt(KDNIAO, "call", "permanent", step_id=given_up.id)
    rows.attempt(KDNIAO, "call", "transient", step_id=being_tried.id)
    rows.attempt(KDNIAO, "call", "adopted")
    with database.reading() as session:
        [calls] = overview.group_calls(session, ago(900))

    assert (calls.count, calls.first, calls.first_ok) == (5, 4, 1)
    assert (calls.ended, calls.ended_ok) == (2, 1)


@on_both_databases
def test_the_backlog_is_told_by_age_and_leaves_out_what_is_not_due(database: Database, rows: Rows) -> None:
    for seconds in (10, 30, 100, 600, 2000, 9000):
        rows.step(rows.order(), "push_order", ERP, created_at=ago(seconds))
    rows.step(rows.order(), "push_order", ERP, created_at=ago(9000), state="parked")
    rows.step(rows.order(), "remind_review", "notices", created_at=ago(9000), not_before=ago(-5000))
    rows.step(rows.order(), "remind_review", "notices", created_at=ago(9000), not_before=ago(70))
    rows.push(received_at=ago(400))
    with database.reading() as session:
        backlog = overview.group_backlog(session, utc_now())

    assert backlog == {ERP: (2, 1, 1, 1, 1), "notices": (0, 1, 0, 0, 0), "callbacks": (0, 0, 1, 0, 0)}


@on_both_databases
def test_parcels_wait_for_their_pickup_until_it_comes_even_when_they_are_stale(database: Database, rows: Rows) -> None:
    rows.parcel(rows.order(), status="info_received", booked_at=ago(500), pickup_due_from=ago(500))
    rows.parcel(rows.order(), status="info_received", booked_at=ago(9000), stale_since=ago(10))
    rows.parcel(rows.order(), status="in_transit", booked_at=ago(90_000), pickup_at=ago(400))
    rows.parcel(rows.order(state="done"), status="delivered", pickup_at=ago(99_999))
    with database.reading() as session:
        moving, waiting = overview.group_parcels(session)

    assert (moving.status, moving.count, moving.awaiting_pickup, moving.waiting_since) == ("in_transit", 1, 0, None)
    assert (waiting.count, waiting.awaiting_pickup, waiting.stale) == (2, 1, 1)
    assert waiting.waiting_since is not None
    assert utc_now() - waiting.waiting_since > timedelta(seconds=8990)


@on_both_databases
def test_the_newest_orders_come_first_and_their_consignees_are_masked(database: Database, rows: Rows) -> None:
    rows.parcel(rows.order(name="欧阳娜娜", order_sn="older"), waybill_no="773", pickup_at=ago(5))
    rows.order(order_sn="newer", header={})
    with database.reading() as session:
        newer, older = overview.list_newest(session)

    assert (newer.order_sn, newer.consignee, newer.waybill_no) == ("newer", "", "")
    assert (older.order_sn, older.consignee, older.waybill_no) == ("older", "欧***", "773")
    with database.reading() as session:
        assert len(overview.list_newest(session, limit=1)) == 1
