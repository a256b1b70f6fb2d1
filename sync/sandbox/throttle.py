"""How many calls a sandbox peer takes in a stretch of machine time."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Throttle:
    """At most `most` calls within any `within_s` seconds; 0: no limit. A call that is refused does not count."""

    most: int
    within_s: float
    _taken: deque[float] = field(default_factory=deque, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self) -> bool:
        """Whether this call may be made."""
        now = time.monotonic()
        with self._lock:
            while self._taken and self._taken[0] <= now - self.within_s:
                self._taken.popleft()
            if self.most and len(self._taken) >= self.most:
                return False
            self._taken.append(now)
            return True
