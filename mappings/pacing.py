"""When a platform may be asked again: spacing per waybill number, and a day's allowance per account, spread evenly.

An account's mark is a moment: up to there its turns are used. It runs ahead of the clock by a tenth of the allowance
at most, so within any 24 hours, wherever they begin, no more turns are given than the platform grants a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
BURST_SHARE = 10
_TICK = timedelta(microseconds=1)


def free_from(asked_at: datetime | None, spacing_s: float) -> datetime | None:
    """When a number last asked about at `asked_at` may be asked about again; None: now."""
    return None if asked_at is None else asked_at + timedelta(seconds=spacing_s)


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that was given (`mark` is the account's new one), or the moment from which one will be."""

    mark: datetime | None = None
    wait_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many turns a day (1 at least); the first tenth at once, the rest evenly."""

    a_day: int

    @property
    def _burst(self) -> int:
        return max(1, self.a_day // BURST_SHARE)

    @property
    def _interval(self) -> timedelta:
        """Rounded up: the bound holds to the microsecond."""
        return DAY / (self.a_day - self._burst + 1) + _TICK

    @property
    def _lead(self) -> timedelta:
        return self._interval * (self._burst - 1)

    def take(self, mark: datetime | None, now: datetime) -> Turn:
        """One turn, if the account has one now."""
        begins = max(mark or now, now)
        if begins - now > self._lead:
            return Turn(wait_until=begins - self._lead)
        return Turn(mark=begins + self._interval)

    def left(self, mark: datetime | None, now: datetime) -> int:
        """How many turns could be taken right now."""
        begins = max(mark or now, now)
        return max(0, (self._lead - (begins - now)) // self._interval + 1)
