"""What we count: counters and histograms in files shared by all processes of a host, gauges from the database.

A pool child that is replaced continues its predecessor's file (the name is its slot, not its process id), so the
number of files stays bounded and counters do not jump back.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40)


def _slot() -> str:
    from billiard import current_process  # late: the web process needs no billiard

    name = os.environ.get("ECSYNC_PROCESS_NAME") or socket.gethostname()
    index = getattr(current_process(), "index", None)
    return f"{name}-{os.getpid() if index is None else index}"


def share_counters(directory: str) -> None:
    """Keep this process's counters under `directory`; must be called before `Counters` is first made."""
    from prometheus_client import values

    Path(directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    values.ValueClass = values.MultiProcessValue(process_identifier=_slot)  # type: ignore[no-untyped-call]


class Counters:
    """The counters and histograms of this process; made once."""

    def __init__(self, registry: Any = None) -> None:
        from prometheus_client import REGISTRY, Counter, Histogram

        target = registry or REGISTRY
        self.calls = Counter(
            "ecsync_peer_calls", "Calls to peers", ("peer", "operation", "outcome", "try"), registry=target
        )
        self.seconds = Histogram(
            "ecsync_peer_call_seconds",
            "Seconds a peer took to answer",
            ("peer", "operation"),
            buckets=BUCKETS,
            registry=target,
        )
        self.inbox = Counter("ecsync_inbox", "Callbacks by verdict", ("source", "verdict"), registry=target)
        self.finished = Counter(
            "ecsync_steps_finished", "Steps done or parked", ("name", "peer", "result"), registry=target
        )

    def count_call(self, peer: str, operation: str, outcome: str, *, is_retry: bool, seconds: float) -> None:
        self.calls.labels(peer, operation, outcome, "retry" if is_retry else "first").inc()
        self.seconds.labels(peer, operation).observe(seconds)
