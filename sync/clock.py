"""Two times: the machine's, and the business's.

Leases, retries and polls go by the machine's clock. Business time (48 hours without pickup, event times, the
settle window) is the same thing in production; a sandbox may run it faster, so that two days pass in a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """The machine's time, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class BusinessClock:
    """Business time: equal to the machine's unless a sandbox set `origin`, `started` and `speed`."""

    origin: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    started: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    speed: float = 1.0

    def now(self) -> datetime:
        return self.at(utc_now())

    def at(self, machine_time: datetime) -> datetime:
        """The business time at a machine time."""
        return self.origin + (machine_time - self.started) * self.speed

    def seconds_until(self, business_time: datetime) -> float:
        """Machine seconds until a business time; negative when it has passed."""
        return (business_time - self.now()) / timedelta(seconds=1) / self.speed

    def __str__(self) -> str:
        return f"{self.origin.isoformat()}@{self.started.isoformat()}x{self.speed:g}"


def parse_clock(text: str) -> BusinessClock:
    """Read `2026-11-20T01:00:00+00:00@2026-11-22T08:00:00+00:00x3600`; raises ValueError with a sentence."""
    try:
        origin, rest = text.split("@", 1)
        started, speed = rest.rsplit("x", 1)
        clock = BusinessClock(datetime.fromisoformat(origin), datetime.fromisoformat(started), float(speed))
        if clock.origin.tzinfo is None or clock.started.tzinfo is None or clock.speed <= 0:
            raise ValueError
    except ValueError:
        raise ValueError(f"{text!r} is not ORIGIN@STARTEDxSPEED with two ISO times that carry a zone") from None
    return clock
