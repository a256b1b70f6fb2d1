"""One conclusion for a parcel of several packages."""

from __future__ import annotations

from datetime import UTC, datetime

from mappings.status import Tracking, join

MORNING, NOON, NIGHT = (datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (6, 12, 22))


def test_one_package_stands_for_itself() -> None:
    alone = Tracking(status="cancelled", flags=frozenset({"unmapped"}))
    assert join([alone]) is alone


def test_the_slowest_stands_for_all_and_the_first_pickup_counts() -> None:
    fast = Tracking(status="delivered", pickup_at=NOON, delivered_at=NIGHT, last_scan_at=NIGHT)
    slow = Tracking(status="in_transit", pickup_at=MORNING, pickup_is_inferred=True, last_scan_at=NOON)
    joined = join([fast, slow])
    assert (joined.status, joined.delivered_at) == ("in_transit", None)
    assert (joined.pickup_at, joined.pickup_is_inferred, joined.last_scan_at) == (MORNING, True, NIGHT)


def test_delivered_with_the_last() -> None:
    first, last = (Tracking(status="delivered", delivered_at=at) for at in (NOON, NIGHT))
    assert (join([last, first]).status, join([last, first]).delivered_at) == ("delivered", NIGHT)


def test_what_wants_a_person_most_is_shown_even_when_it_is_not_the_slowest() -> None:
    damaged = Tracking(status="exception", incident="damaged", attention="action")
    joined = join([Tracking(status="in_transit"), damaged])
    assert (joined.status, joined.incident, joined.attention) == ("exception", "damaged", "action")


def test_a_cancelled_package_or_one_without_news_holds_nothing_up() -> None:
    delivered = Tracking(status="delivered", delivered_at=NOON)
    assert join([Tracking(), delivered, Tracking(status="cancelled")]).delivered_at == NOON
    assert join([Tracking(), Tracking(status="cancelled")]).status in ("unknown", "cancelled")


def test_every_packages_flags_are_the_parcels() -> None:
    one, two = Tracking(flags=frozenset({"unmapped"})), Tracking(flags=frozenset({"future_event"}))
    assert join([one, two]).flags == {"unmapped", "future_event"}
