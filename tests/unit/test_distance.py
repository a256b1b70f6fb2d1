"""How long a parcel may travel, by how far it goes; the setting that says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mappings.distance import TravelTimes, parse_travel_times


@pytest.mark.parametrize(
    ("origin", "destination", "days"),
    [
        ("广东", "广东省", 4),
        ("广东省", "湖南", 7),
        ("广东", "新疆", 12),
        ("广东", "西藏自治区", 12),
        ("新疆", "新疆维吾尔自治区", 4),
        ("新疆", "广东", 7),
        ("北京市", "北京", 4),
        ("广东", "香港", 12),
        ("广东", "不知道", 7),
        ("", "", 7),
    ],
)
def test_a_parcel_may_travel_as_long_as_its_way_is(origin: str, destination: str, days: int) -> None:
    assert TravelTimes().between(origin, destination) == timedelta(days=days)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("near=4d,far=7d,remote=12d", "near=4d,far=7d,remote=12d"),
        (" far = 36h , near=1.5d", "near=36h,far=36h,remote=12d"),
        ("5d", "near=5d,far=5d,remote=5d"),
    ],
)
def test_the_setting_is_read_and_shown_in_days_and_hours(text: str, shown: str) -> None:
    assert str(parse_travel_times(text)) == shown
    assert parse_travel_times(shown) == parse_travel_times(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("near=4", "'4' is not a length like 7d or 36h"),
        ("near=0d", "'0d' is not a length"),
        ("", "'' is not a length"),
        ("nowhere=4d", "'nowhere' is none of near, far, remote"),
        ("near=4d,near=5d", "near stands there twice"),
        ("near=4d,", "'' is none of near"),
        ("-3d", "'-3d' is not a length"),
    ],
)
def test_a_setting_that_is_wrong_is_told_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_travel_times(text)
