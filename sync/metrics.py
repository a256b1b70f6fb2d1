"""What we count: counters and histograms in files shared by all processes of a host, gauges from the database.

A process keeps its counters in the first free slot of its name (`worker-carriers-0`), not under its process id: one
that is replaced continues its predecessor's file, so the number of files stays bounded and counters do not jump back.
"""

from __future__ import annotations

import fcntl
import os
import socket
from itertools import count
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, values

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40)


class _Slots:
    """Gives each process its own file name; the lock on it ends with the process, however that ends."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._pid = 0
        self._name = ""

    def name(self) -> str:
        """This process's slot; a forked child takes one of its own at its first call."""
        if self._pid != os.getpid():
            self._name, self._pid = self._take(), os.getpid()
        return self._name

    def _take(self) -> str:
        program = os.environ.get("ECSYNC_PROCESS_NAME") or socket.gethostname()
        for number in count():
            name = f"{program}-{number}"
            lock = os.open(Path(self._directory, f"{name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a forked child does not inherit this kind of lock
            except OSError:
                os.close(lock)
            else:
                return name  # the lock stays open: it is held until the process ends
        raise AssertionError("the numbers ran out")


def share_counters(directory: str) -> None:
    """Keep this process's counters under `directory`; must be called before the `Counters` that are to be shared."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory  # read whenever a file is opened, not at import
    slots = _Slots(directory)
    # prometheus_client left its function without types
    values.ValueClass = values.MultiProcessValue(process_identifier=slots.name)  # type: ignore[no-untyped-call]


class Counters:
    """The counters and histograms of a runtime, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        self.calls = counter("ecsync_peer_calls", "Calls to peers", "peer", "operation", "outcome", "try")
        self.seconds = Histogram(
            "ecsync_peer_call_seconds",
            "Seconds a peer took to answer",
            ("peer", "operation"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.inbox = counter("ecsync_inbox", "Callbacks by verdict", "source", "verdict")
        self.finished = counter("ecsync_steps_finished", "Steps done or parked", "name", "peer", "result")
        self.routed = counter("ecsync_parcels_routed", "Parcels by the rule and carrier they went to", "rule", "peer")
        self.moved = counter("ecsync_parcels_moved", "Parcels moved before any carrier was asked", "source", "target")
        self.queries = counter("ecsync_parcel_queries", "Queries about parcels, by reason", "peer", "reason")
        self.lost_pushes = counter(
            "ecsync_lost_pushes", "Scans older than an hour that a query brought and no push", "peer"
        )
        self.shipments = counter(
            "ecsync_erp_shipments", "Parcels that an ERP's warehouse sent, by what became of them", "peer", "result"
        )
        self.stock_changes = counter("ecsync_stock_changes", "Stock figures set or overtaken", "shop", "result")
        self.stock_runs = counter("ecsync_stock_runs", "Stock runs by what became of them", "shop", "result")

    def count_call(self, peer: str, operation: str, outcome: str, *, is_retry: bool, seconds: float) -> None:
        self.calls.labels(peer, operation, outcome, "retry" if is_retry else "first").inc()
        self.seconds.labels(peer, operation).observe(seconds)
