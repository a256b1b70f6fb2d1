"""What can be sold as a sum of fields, and a time asked for in pieces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mappings.stock_rows import Formula, Stretch, parse_formula

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("formula", "pieces"),
    [("qty", 7), ("qty-lock", 5), (" qty - lock + more ", 8), ("-lock", -2), ("+qty", 7), ("half", 2), ("-half", -3)],
)
def test_a_formula_adds_and_subtracts_fields_and_rounds_down(formula: str, pieces: int) -> None:
    row = {"qty": 7, "lock": "2", "more": 3.0, "half": "2.5"}

    assert Formula.of(parse_formula(formula)).pieces(row) == pieces


@pytest.mark.parametrize("text", ["", "qty--lock", "qty-", "1qty", "qty*2", "数量", "qty;lock"])
def test_a_formula_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="fields joined"):
        parse_formula(text)


@pytest.mark.parametrize("value", ["", "many", True, [], {}, "NaN", "Infinity", 10**12])
def test_a_field_that_is_no_number_is_named_and_never_guessed(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^lock$"):
        Formula.of("qty-lock").pieces({"qty": 5, "lock": value})


def test_a_missing_field_is_no_zero_and_a_null_is_one() -> None:
    with pytest.raises(ValueError, match=r"^lock$"):
        Formula.of("qty-lock").pieces({"qty": 5})
    assert Formula.of("qty-lock").pieces({"qty": 5, "lock": None}) == 5


def test_a_short_time_is_one_piece_that_ends_at_the_moment_of_sending() -> None:
    stretch = Stretch(NOW - timedelta(days=1), timedelta(days=7))

    assert stretch.close(NOW) == (NOW - timedelta(days=1), NOW)
    assert stretch.close(NOW + timedelta(seconds=5)) == (NOW - timedelta(days=1), NOW), "later pages keep the end"
    assert not stretch.move_on()


def test_a_long_time_is_asked_for_in_pieces_without_a_gap() -> None:
    stretch, pieces = Stretch(NOW - timedelta(days=17), timedelta(days=7)), []
    while True:
        pieces.append(stretch.close(NOW))
        if not stretch.move_on():
            break

    assert [end - begin for begin, end in pieces] == [timedelta(days=7), timedelta(days=7), timedelta(days=3)]
    assert [begin for begin, _ in pieces[1:]] == [end for _, end in pieces[:-1]]


def test_a_clock_that_runs_behind_asks_for_nothing_rather_than_backwards() -> None:
    begin, end = Stretch(NOW, timedelta(days=7)).close(NOW - timedelta(minutes=3))

    assert begin == end == NOW
