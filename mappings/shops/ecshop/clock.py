"""What a shop's own rows tell of its clock: ECShop stores true epoch less the offset of $timezone, and writes the
local date into its order numbers and the local minute into its delivery notes' numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

CHINA_S = 28800
_QUARTER_S = 900
_DAY_S = 86400
_ZONES = range(-12 * 3600, 14 * 3600 + 1, _QUARTER_S)
_NOTE_TAKES_S = 120
"""A note's number is made in the minute in which the note is written, or just before."""
_AHEAD_S = 600
"""Clocks of two machines may differ by this much."""


@dataclass(frozen=True, slots=True)
class ShopClock:
    """Pairs of (local time that a number says, stored time), as seconds."""

    orders: tuple[tuple[int, int], ...]
    notes: tuple[tuple[int, int], ...]
    now: int

    @classmethod
    def read(
        cls, orders: Iterable[tuple[str, int]], notes: Iterable[tuple[str, int | None]], now: datetime
    ) -> ShopClock:
        """From (order_sn, add_time) and (delivery_sn, update_time); numbers of another form say nothing."""
        days = ((_local(sn, r"(\d{8})\d{5}", "%Y%m%d"), stored) for sn, stored in orders)
        minutes = ((_local(sn, r"(\d{12})\d{5}", "%Y%m%d%H%M"), stored or 0) for sn, stored in notes)
        return cls(
            tuple((local, stored) for local, stored in days if local is not None and stored),
            tuple((local, stored) for local, stored in minutes if local is not None and stored),
            int(now.timestamp()),
        )

    @property
    def rows(self) -> int:
        return len(self.orders) + len(self.notes)

    def offsets(self) -> tuple[int, ...]:
        """The offsets from UTC, in seconds and by the quarter hour, that explain the rows best."""
        scores = {offset: self._score(offset) for offset in _ZONES}
        best = max(scores.values())
        return tuple(offset for offset, score in scores.items() if score == best)

    def likely(self) -> int:
        """The one to propose where the rows leave a choice: China's, or the latest whole hour."""
        offsets = self.offsets()
        whole = [offset for offset in offsets if offset % 3600 == 0]
        return CHINA_S if CHINA_S in offsets else max(whole or offsets)

    def agrees(self, offset_s: int) -> bool:
        """Whether the rows allow this offset; an order placed at midnight may have both of two dates."""
        if offset_s not in _ZONES:
            return False
        notes, orders = self._score(offset_s)
        best_notes, best_orders = max(self._score(offset) for offset in _ZONES)
        spared = 1 + len(self.orders) // 50 if len(self.orders) > 2 else 0
        is_best = notes == best_notes and orders >= best_orders - spared
        return is_best or (not self.notes and self.plain(offset_s) == len(self.orders))

    def plain(self, offset_s: int) -> int:
        """How many orders keep plain Unix time, as the mobile API of 3.6 and 4.0 does."""
        return sum(
            not self._fits(local, stored, offset_s)
            and 0 <= stored + offset_s - local < _DAY_S
            and stored <= self.now + _AHEAD_S
            for local, stored in self.orders
        )

    def _score(self, offset_s: int) -> tuple[int, float]:
        notes = sum(0 <= stored + 2 * offset_s - local < _NOTE_TAKES_S for local, stored in self.notes)
        fitting = sum(self._fits(local, stored, offset_s) for local, stored in self.orders)
        return notes, fitting + self.plain(offset_s) / 2

    def _fits(self, local: int, stored: int, offset_s: int) -> bool:
        """Stored time and offset give the true time, and the offset once more what the wall showed."""
        return 0 <= stored + 2 * offset_s - local < _DAY_S and stored + offset_s <= self.now + _AHEAD_S


def _local(number: str, form: str, time_form: str) -> int | None:
    found = re.fullmatch(form, number)
    try:
        return int(datetime.strptime(found[1], time_form).replace(tzinfo=UTC).timestamp()) if found else None
    except ValueError:
        return None
