"""The paper that labels are printed on: one size, and others for single courier companies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_PAPER = "100x180"

_SIZE = re.compile(r"(\d{2,3})x(\d{2,3})")
_LEAST_MM, _MOST_MM = 30, 420


@dataclass(frozen=True, slots=True, order=True)
class Paper:
    """A sheet, upright, in millimetres."""

    width_mm: int
    height_mm: int

    @property
    def name(self) -> str:
        return f"{self.width_mm}x{self.height_mm}"


@dataclass(frozen=True, slots=True)
class Papers:
    """The sheet of each courier company."""

    default: Paper
    by_courier: Mapping[str, Paper]

    def of(self, shipper_code: str) -> Paper:
        return self.by_courier.get(shipper_code, self.default)


def parse_papers(text: str) -> Papers:
    """`100x180,SF=100x150`: millimetres, and those of courier companies; raises ValueError."""
    default, by_courier = _paper(DEFAULT_PAPER), {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        courier, is_one, size = part.rpartition("=")
        if is_one and not courier.strip():
            raise ValueError(f"{part!r} names no courier company before its =")
        if is_one:
            by_courier[courier.strip().upper()] = _paper(size)
        else:
            default = _paper(size)
    return Papers(default, by_courier)


def check_papers(text: str) -> str:
    """The same text, once it is known to be right; raises ValueError."""
    parse_papers(text)
    return text


def _paper(text: str) -> Paper:
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no size of paper; write millimetres as 100x180, and SF=100x150 for one courier")
    paper = Paper(int(found[1]), int(found[2]))
    if not all(_LEAST_MM <= side <= _MOST_MM for side in (paper.width_mm, paper.height_mm)):
        raise ValueError(f"{text!r} is no size of paper: each side is between {_LEAST_MM} and {_MOST_MM} mm")
    return paper
