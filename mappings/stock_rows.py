"""Stock as an ERP's rows tell it: what can be sold as a sum of their fields, and time asked for piece by piece."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

_TERM = re.compile(r"([+-]?)([A-Za-z_][A-Za-z0-9_]*)")
_MOST_PIECES = 10**9


def parse_formula(text: str) -> str:
    """A sum of fields as a person writes it: `qty-order_lock+virtual_qty`. Raises ValueError."""
    formula = "".join(text.split())
    if not re.fullmatch(r"[+-]?[A-Za-z_]\w*([+-][A-Za-z_]\w*)*", formula, re.ASCII):
        raise ValueError("must be fields joined by + and -, like qty-order_lock")
    return formula


@dataclass(frozen=True, slots=True)
class Formula:
    """Fields to add and to subtract."""

    terms: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, text: str) -> Formula:
        """The formula of a text that `parse_formula` took."""
        return cls(tuple((-1 if sign == "-" else 1, name) for sign, name in _TERM.findall(text)))

    @property
    def names(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset(name for _, name in self.terms)

    def pieces(self, row: Mapping[str, Any]) -> int:
        """Whole pieces, rounded down: half a piece cannot be sold; null counts as none.

        Raises ValueError naming the field that is missing or holds no number.
        """
        total = sum((sign * _number(row, name) for sign, name in self.terms), Decimal(0))
        return int(total.to_integral_value(ROUND_FLOOR))


def _number(row: Mapping[str, Any], name: str) -> Decimal:
    value = row.get(name, True)
    if value is None:
        return Decimal(0)
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number) > _MOST_PIECES:
        raise ValueError(name)
    return number


@dataclass(slots=True)
class Stretch:
    """A time asked for in pieces no longer than `span`, up to now: only the call that leaves knows when that is.

    `close` is called while a call is sealed; all pages of a piece keep its end.
    """

    begin: datetime
    span: timedelta
    end: datetime | None = None
    reaches_now: bool = True

    def close(self, now: datetime) -> tuple[datetime, datetime]:
        """Begin and end of this piece."""
        if self.end is None:
            self.reaches_now = self.begin + self.span >= now
            self.end = max(now, self.begin) if self.reaches_now else self.begin + self.span
        return self.begin, self.end

    def move_on(self) -> bool:
        """Go to the next piece; False when this one reached up to now."""
        if self.reaches_now or self.end is None:
            return False
        self.begin, self.end = self.end, None
        return True
