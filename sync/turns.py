"""Turns: how often a peer may be called, counted by all workers together where the storage is shared."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import cast

from limits import RateLimitItem, RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from sync.settings import PeerSettings

LONGEST_WINDOW_S = 60
SHORTEST_WAIT_S = 0.05
TICK_S = 0.001
"""A turn is free after its window, not at the very end of it."""


class Turns:
    """The peers' limits per credential. Windows move with the clock: no stretch of one ever holds more than allowed."""

    def __init__(self, url: str) -> None:
        self._storage = cast(Storage, storage_from_string(url))
        self._strategy = MovingWindowRateLimiter(self._storage)

    def take(self, peer: PeerSettings) -> float:
        """Seconds to wait before a call may be made; 0 when it may be made now (and is counted)."""
        limits = limits_of(peer)
        try:
            # Looked at before anything is counted. Who comes in between costs a turn of the longer window: there are
            # too few calls then, never too many.
            full = next((limit for limit in limits[1:] if not self._strategy.test(limit, peer.key)), None)
            full = full or next((limit for limit in limits if not self._strategy.hit(limit, peer.key)), None)
            if full is None:
                return 0
            free_at = self._strategy.get_window_stats(full, peer.key).reset_time + TICK_S
            return max(SHORTEST_WAIT_S, free_at - time.time())
        except Exception as problem:
            if isinstance(problem, self._storage.base_exceptions):
                return 0  # the limits' store is away: the peer's own limit still protects the peer
            raise


def limits_of(peer: PeerSettings) -> tuple[RateLimitItem, ...]:
    """What a peer allows, the minute first; 2.5 calls a second are five in any two seconds, 0.1 one in ten."""
    found: list[RateLimitItem] = []
    if peer.rate_per_minute:
        found.append(RateLimitItemPerMinute(peer.rate_per_minute))
    if peer.rate_per_s:
        rate = Fraction(peer.rate_per_s).limit_denominator(LONGEST_WINDOW_S)
        found.append(RateLimitItemPerSecond(max(1, rate.numerator), rate.denominator))
    return tuple(found)
