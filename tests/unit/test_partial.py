"""Which lines of a parcel went out, when a warehouse says SKUs and pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.couriers import find_courier
from mappings.partial import Packed, find_sent

TEA, CUP, MORE_TEA = Packed(1, "TEA", 2), Packed(2, "CUP", 1), Packed(3, "TEA", 1)
SET = (Packed(1, "POT", 1, package_id=8), Packed(2, "LID", 1, package_id=8), Packed(3, "TEA", 2))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, {1: 2, 2: 1, 3: 1}),
        ({"TEA": 2}, {1: 2}),
        ({"TEA": 3}, {1: 2, 3: 1}),
        ({"TEA": 1, "CUP": 1}, {1: 1, 2: 1}),
        ({"CUP": 1, "GIFT": 5}, {2: 1}),
        ({"TEA": 99}, {1: 2, 3: 1}),
    ],
)
def test_pieces_are_found_line_by_line(sent: dict[str, int], expected: dict[int, int]) -> None:
    assert find_sent([TEA, CUP, MORE_TEA], sent) == expected


@pytest.mark.parametrize("sent", [{"GIFT": 1}, {"TEA": 0}])
def test_a_parcel_that_holds_nothing_of_the_order_is_refused(sent: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="none of the SKUs"):
        find_sent([TEA], sent)


def test_a_package_travels_whole_or_not_at_all() -> None:
    assert find_sent(SET, {"TEA": 1}) == {3: 1}
    assert find_sent(SET, {"POT": 1, "LID": 1}) == {1: 1, 2: 1}
    with pytest.raises(ValueError, match="part of a package"):
        find_sent(SET, {"POT": 1, "TEA": 2})


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 5)), min_size=1),
    st.dictionaries(st.sampled_from("ABC"), st.integers(0, 9)),
)
def test_never_more_than_was_sent_or_than_there_is(lines: list[tuple[str, int]], sent: dict[str, int]) -> None:
    packed = [Packed(number, sku, pieces) for number, (sku, pieces) in enumerate(lines)]
    try:
        found = find_sent(packed, sent)
    except ValueError:
        return
    for line in packed:
        assert found.get(line.line_no, 0) <= line.quantity
    for sku, pieces in sent.items():
        assert sum(found.get(line.line_no, 0) for line in packed if line.sku == sku) <= pieces


@pytest.mark.parametrize(
    ("word", "code"), [("SF", "SF"), ("sf", "SF"), (" 顺丰速运 ", "SF"), ("7", "YTO"), ("顺丰", ""), ("", "")]
)
def test_a_courier_is_known_by_code_name_or_our_own_table_and_never_guessed(word: str, code: str) -> None:
    assert find_courier(word, {"7": "YTO"}) == code
