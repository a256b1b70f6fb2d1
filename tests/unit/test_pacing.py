"""A platform's limits: no 24 hours with more queries of an account than it grants, none of a number too soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.pacing import DAY, Allowance, free_from

START = datetime(2026, 11, 20, tzinfo=UTC)
GAPS = st.lists(st.integers(min_value=0, max_value=4 * 3600), min_size=1, max_size=300)


def turns(a_day: int, gaps: list[int]) -> list[datetime]:
    """The moments at which somebody who asks after each gap was given a turn."""
    mark, now, given_at = None, START, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        turn = Allowance(a_day).take(mark, now)
        if turn.mark is not None:
            mark = turn.mark
            given_at.append(now)
        else:
            assert turn.wait_until is not None
            assert turn.wait_until > now
    return given_at


@given(a_day=st.integers(min_value=1, max_value=60), gaps=GAPS)
def test_no_day_wherever_it_begins_holds_more_turns_than_the_account_has(a_day: int, gaps: list[int]) -> None:
    given_at = turns(a_day, gaps)

    for first in given_at:
        assert sum(first <= at < first + DAY for at in given_at) <= a_day


@given(a_day=st.integers(min_value=1, max_value=2000), gaps=st.lists(st.integers(0, 600), max_size=60))
def test_a_turn_is_given_exactly_when_one_is_left(a_day: int, gaps: list[int]) -> None:
    account, mark, now = Allowance(a_day), None, START
    for gap in gaps:
        now += timedelta(seconds=gap)
        left, turn = account.left(mark, now), account.take(mark, now)
        assert (left > 0) is (turn.mark is not None)
        if turn.mark is not None:
            assert account.left(turn.mark, now) == left - 1
            mark = turn.mark
        elif turn.wait_until is not None:
            assert account.take(mark, turn.wait_until).mark is not None


@pytest.mark.parametrize(("a_day", "at_once"), [(1, 1), (9, 1), (10, 1), (500, 50), (3000, 300)])
def test_a_tenth_of_the_day_s_turns_is_there_at_once(a_day: int, at_once: int) -> None:
    assert Allowance(a_day).left(None, START) == at_once
    assert len(turns(a_day, [0] * (at_once + 5))) == at_once


@pytest.mark.parametrize("a_day", [1, 48, 500])
def test_whoever_asks_all_day_gets_all_turns_of_the_day(a_day: int) -> None:
    every_minute = [60] * (24 * 60)

    assert a_day - 1 <= len(turns(a_day, every_minute)) <= a_day


def test_a_number_is_free_after_its_spacing_and_at_once_if_nobody_asked() -> None:
    assert free_from(None, 1800) is None
    assert free_from(START, 1800) == START + timedelta(minutes=30)
