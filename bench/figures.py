"""The arithmetic of a comparison: rounds of two arms, measured in turn, and the ratio between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rates (things per second) of two arms, round by round: `ours[i]` and `theirs[i]` belong together."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.ours or len(self.ours) != len(self.theirs):
            raise ValueError("both arms need the same number of rounds, at least one")
        if min(*self.ours, *self.theirs) <= 0:
            raise ValueError("a rate is more than nothing")

    @property
    def ratios(self) -> tuple[float, ...]:
        return tuple(our / their for our, their in zip(self.ours, self.theirs, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the rounds' own ratios: what slows a whole round slows both arms of it."""
        return median(self.ratios)

    def line(self, aim: float | None = None) -> dict[str, Any]:
        """The part of a JSON line that every comparison has."""
        line: dict[str, Any] = {
            "ratio": significant(self.ratio),
            "ratio_min": significant(min(self.ratios)),
            "ratio_max": significant(max(self.ratios)),
            "ours_per_s": significant(median(self.ours)),
            "theirs_per_s": significant(median(self.theirs)),
            "rounds": len(self.ours),
        }
        if aim is not None:
            line |= {"aim": aim, "reached": self.ratio >= aim}
        return line


def significant(value: float, digits: int = 3) -> float:
    """The value with so many significant digits; more would claim what the noise does not allow."""
    return float(f"{value:.{digits}g}")


def in_turn(rounds: int, *arms: Callable[[], float]) -> tuple[tuple[float, ...], ...]:
    """Run all arms in every round, each second round in reverse, and return their rates by arm."""
    rates: list[list[float]] = [[] for _ in arms]
    for number in range(rounds):
        places: Sequence[int] = range(len(arms))
        for place in places if number % 2 == 0 else reversed(places):
            rates[place].append(arms[place]())
    return tuple(tuple(column) for column in rates)
