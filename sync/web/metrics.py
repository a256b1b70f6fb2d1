"""`/metrics`: what all processes of this host counted, and gauges read from the database at the moment of asking."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sync.clock import utc_now
from sync.db import overview
from sync.runtime import Runtime
from sync.services.sweep_parcels import count_silent
from sync.web.process import current

log = logging.getLogger(__name__)

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counters of all processes and gauges of now, in Prometheus text format."""
    rt = current().runtime
    registry = CollectorRegistry(auto_describe=False)
    if rt.settings.metrics_dir:
        registry.register(_SharedCounters(rt.settings.metrics_dir))
    else:
        registry.register(rt.counters.registry)
    registry.register(_Gauges(rt))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _SharedCounters(Collector):
    """Adds up the files that the processes count in; one that was only just created holds nothing yet."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def collect(self) -> Iterable[Metric]:
        files = [str(path) for path in self._directory.glob("*.db") if path.stat().st_size]
        # prometheus_client left its function without types
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


class _Gauges(Collector):
    """Reads how the house stands; while the database is away only that is told, and the counters stay."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt

    def collect(self) -> Iterable[Metric]:
        is_up = GaugeMetricFamily("ecsync_database_up", "Whether the database answers")
        found: list[Metric] = []
        try:
            with self._rt.database.reading() as session:
                for read in _READERS:
                    found += read(self._rt, session)
        except SQLAlchemyError as problem:
            log.error("the gauges could not be read: %s", type(problem).__name__)
            found = []
        is_up.add_metric((), 1 if found else 0)
        return [is_up, *found]


def _gauge(name: str, help_text: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _age(since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (utc_now() - since).total_seconds())


def _shop_name(key: str) -> str:
    return key.removeprefix("shop.")


def _read_steps(_rt: Runtime, session: Session) -> Iterator[Metric]:
    groups = overview.group_steps(session)
    labels = ("name", "state", "peer")
    keyed = [((group.name, group.state, group.peer), group) for group in groups]
    yield _gauge("ecsync_steps", "Steps owed, running and parked", labels, ((key, g.count) for key, g in keyed))
    yield _gauge(
        "ecsync_step_oldest_seconds", "Age of the oldest of them", labels, ((key, _age(g.since)) for key, g in keyed)
    )


def _read_inbox(_rt: Runtime, session: Session) -> Iterator[Metric]:
    waiting = overview.count_waiting_pushes(session)
    yield _gauge("ecsync_inbox_waiting", "Callbacks not applied yet", (), [((), waiting.count)])
    yield _gauge("ecsync_inbox_oldest_seconds", "How long the oldest waits", (), [((), _age(waiting.since))])


def _read_shops(_rt: Runtime, session: Session) -> Iterator[Metric]:
    polls = overview.read_polls(session)
    ages = (((_shop_name(key),), _age(at)) for key, at in polls.items())
    yield _gauge("ecsync_last_poll_seconds", "Since the last finished poll", ("shop",), ages)
    synced = overview.read_stock_runs(session)
    ages = (((_shop_name(key),), _age(at)) for key, at in synced.items())
    yield _gauge("ecsync_last_stock_sync_seconds", "Since a stock run that was let through", ("shop",), ages)
    accounts = overview.read_accounts(session)
    differences = (((_shop_name(key),), account.difference) for key, account in accounts.items())
    help_text = "Paid in the shop minus accounted for"
    yield _gauge("ecsync_conservation_difference", help_text, ("shop",), differences)


def _read_orders(_rt: Runtime, session: Session) -> Iterator[Metric]:
    yield _gauge("ecsync_orders", "Orders by state", ("shop", "state"), overview.count_orders(session).items())
    parcels = (((group.status,), group.count) for group in overview.group_parcels(session))
    yield _gauge("ecsync_parcels", "Parcels of open orders by tracking status", ("status",), parcels)
    exceptions = (((code,), count) for code, count in overview.count_exceptions(session).items())
    yield _gauge("ecsync_exceptions_open", "What needs a person", ("code",), exceptions)


def _read_parcels(rt: Runtime, session: Session) -> Iterator[Metric]:
    silent = count_silent(rt, session)
    counts = (((carrier.key,), float(silent.get(carrier.key, 0))) for carrier in rt.settings.carriers)
    yield _gauge("ecsync_parcels_silent", "Parcels on their way, unheard of for too long", ("peer",), counts)


def _read_peers(rt: Runtime, session: Session) -> Iterator[Metric]:
    doors = overview.read_doors(session)
    states = (((peer.key,), float(doors.get(peer.key) == "away")) for peer in rt.settings.peers)
    yield _gauge("ecsync_peer_breaker_open", "1 while calls wait because the peer is away", ("peer",), states)
    switches = (((one.what, one.mode), 1.0) for one in rt.switchboard.read(session).switches.values())
    yield _gauge("ecsync_switch", "What a person switched at the carriers", ("what", "mode"), switches)


def _read_heartbeat(_rt: Runtime, session: Session) -> Iterator[Metric]:
    beat = overview.read_heartbeat(session)
    ages = [] if beat is None else [((), _age(beat))]
    yield _gauge("ecsync_heartbeat_age_seconds", "Since a worker did the heartbeat task", (), ages)


_READERS: tuple[Callable[[Runtime, Session], Iterator[Metric]], ...] = (
    _read_steps,
    _read_inbox,
    _read_shops,
    _read_orders,
    _read_parcels,
    _read_peers,
    _read_heartbeat,
)
