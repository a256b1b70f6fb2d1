"""/metrics: the gauges say what the database says, and the counters of all processes add up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from sync.clock import utc_now
from sync.db.cursors import set_cursor
from sync.db.models import CursorRow
from sync.runtime import Runtime
from tests.service.web.conftest import MakeApp, on_both_databases, push
from tests.service.web.rows import ERP, KDNIAO, Rows, ago

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(client: FlaskClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} stands there twice"
            found[key] = sample.value
    return found


def of(samples: Samples, name: str, /, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


@pytest.fixture
def rows(rt: Runtime) -> Rows:
    return Rows(rt.database)


@on_both_databases
def test_unfinished_steps_are_counted_with_the_age_of_the_oldest(client: FlaskClient, rows: Rows) -> None:
    first, second, third = rows.order(), rows.order(), rows.order()
    rows.step(first, "book_waybill", KDNIAO, created_at=ago(900))
    rows.step(second, "book_waybill", KDNIAO, created_at=ago(30), not_before=ago(-300))
    rows.step(third, "book_waybill", KDNIAO, created_at=ago(5000), state="done")
    rows.step(first, "push_order", ERP, created_at=ago(40), state="parked")
    found = scrape(client)

    owed = {"name": "book_waybill", "state": "owed", "peer": KDNIAO}
    assert of(found, "ecsync_steps", **owed) == 2
    assert of(found, "ecsync_step_oldest_seconds", **owed) == pytest.approx(900, abs=5)
    assert of(found, "ecsync_steps", name="push_order", state="parked", peer=ERP) == 1
    assert not any(("state", "done") in labels for _, labels in found)


@on_both_databases
def test_a_reminder_is_owed_from_its_day_on(client: FlaskClient, rows: Rows) -> None:
    rows.step(rows.order(), "remind_review", "notices", created_at=ago(9999), not_before=ago(-9999))

    assert of(scrape(client), "ecsync_step_oldest_seconds", name="remind_review", state="owed", peer="notices") == 0


@on_both_databases
def test_pushes_that_wait_are_counted_and_timed(client: FlaskClient, rows: Rows) -> None:
    assert of(scrape(client), "ecsync_inbox_waiting") == 0
    assert of(scrape(client), "ecsync_inbox_oldest_seconds") == 0

    rows.push(received_at=ago(70))
    rows.push()
    rows.push("applied", received_at=ago(900))
    found = scrape(client)

    assert of(found, "ecsync_inbox_waiting") == 2
    assert of(found, "ecsync_inbox_oldest_seconds") == pytest.approx(70, abs=5)


@on_both_databases
def test_orders_parcels_and_exceptions_are_counted(client: FlaskClient, rows: Rows) -> None:
    for state, status in (("open", "in_transit"), ("open", "in_transit"), ("done", "delivered")):
        rows.parcel(rows.order(state=state), status=status)
    group = rows.group("kdniao.waybill.address_rejected", KDNIAO)
    rows.exception(group)
    rows.exception(group, resolved_at=ago(1))
    found = scrape(client)

    assert of(found, "ecsync_orders", shop="main", state="open") == 2
    assert of(found, "ecsync_orders", shop="main", state="done") == 1
    assert of(found, "ecsync_parcels", status="in_transit") == 2
    assert of(found, "ecsync_exceptions_open", code="kdniao.waybill.address_rejected") == 1


@on_both_databases
def test_polls_conservation_and_heartbeat_are_read_from_their_cursors(client: FlaskClient, rt: Runtime) -> None:
    empty = scrape(client)
    assert of(empty, "ecsync_heartbeat_age_seconds") is None
    assert of(empty, "ecsync_last_poll_seconds", shop="main") is None

    said = {"paid": 9, "in_flight": 5, "done": 1, "with_person": 1, "withdrawn": 0, "difference": 2}
    with rt.database.writing() as session:
        set_cursor(session, "poll.shop.main", "0 new")
        set_cursor(session, "heartbeat", "")
        set_cursor(session, "conservation.shop.main", json.dumps(said))
        session.flush()
        session.execute(update(CursorRow).values(at=utc_now() - timedelta(seconds=33)))
    found = scrape(client)

    assert of(found, "ecsync_last_poll_seconds", shop="main") == pytest.approx(33, abs=5)
    assert of(found, "ecsync_heartbeat_age_seconds") == pytest.approx(33, abs=5)
    assert of(found, "ecsync_conservation_difference", shop="main") == 2


@on_both_databases
def test_the_last_stock_run_that_was_let_through_is_timed(client: FlaskClient, rt: Runtime) -> None:
    assert of(scrape(client), "ecsync_last_stock_sync_seconds", shop="main") is None

    with rt.database.writing() as session:
        set_cursor(session, "stock_synced.shop.main", "3 set")
        set_cursor(session, "stock.shop.main", "{}")
        session.flush()
        session.execute(
            update(CursorRow).where(CursorRow.name.like("stock_synced%")).values(at=utc_now() - timedelta(seconds=44))
        )

    assert of(scrape(client), "ecsync_last_stock_sync_seconds", shop="main") == pytest.approx(44, abs=5)


@on_both_databases
def test_every_configured_peer_has_a_breaker_and_only_one_that_is_away_is_open(client: FlaskClient, rows: Rows) -> None:
    rows.peer(KDNIAO, "away")
    rows.peer(ERP, "refused")
    found = scrape(client)

    assert {peer: of(found, "ecsync_peer_breaker_open", peer=peer) for peer in (KDNIAO, ERP, "shop.main")} == {
        KDNIAO: 1,
        ERP: 0,
        "shop.main": 0,
    }


def test_while_the_database_is_away_the_counters_stay_and_say_so(make_app: MakeApp) -> None:
    client = make_app(migrated=False, ECSYNC_DATABASE_URL="postgresql+psycopg2://nobody@127.0.0.1:1/none").test_client()
    client.post("/callbacks/kdniao", data=push(key="forged"))
    found = scrape(client)

    assert of(found, "ecsync_database_up") == 0
    assert of(found, "ecsync_inbox_total", source=KDNIAO, verdict="refused") == 1
    assert of(found, "ecsync_inbox_waiting") is None


def test_no_metric_holds_personal_data(client: FlaskClient, rows: Rows) -> None:
    rows.step(rows.order(order_sn="2026112100001"), "book_waybill", KDNIAO)

    text = client.get("/metrics").text
    assert not re.search(r"王|139|2026112100001", text)


class TestSharedByProcesses:
    @pytest.fixture(autouse=True)
    def _unshared_afterwards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(values, "ValueClass", values.ValueClass)
        monkeypatch.setenv("ECSYNC_PROCESS_NAME", "web")
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        return tmp_path / "metrics"

    @pytest.fixture
    def app(self, make_app: MakeApp, directory: Path) -> Flask:
        return make_app(ECSYNC_METRICS_DIR=str(directory))

    def test_what_two_processes_count_adds_up_with_our_own(self, client: FlaskClient, directory: Path) -> None:
        client.post("/callbacks/kdniao", data=push())
        count_elsewhere(directory, 2)
        count_elsewhere(directory, 3, name="another")

        found = scrape(client)
        assert of(found, "ecsync_inbox_total", source=KDNIAO, verdict="applied") == 5
        assert of(found, "ecsync_inbox_total", source=KDNIAO, verdict="received") == 1
        labels = {"peer": KDNIAO, "operation": "book_waybill"}
        assert of(found, "ecsync_peer_call_seconds_count", **labels) == 5
        assert of(found, "ecsync_peer_call_seconds_bucket", le="0.1", **labels) == 5

    def test_a_process_that_is_replaced_continues_the_file_of_its_slot(
        self, client: FlaskClient, directory: Path
    ) -> None:
        for _ in range(3):
            count_elsewhere(directory, 1)

        assert of(scrape(client), "ecsync_inbox_total", source=KDNIAO, verdict="applied") == 3
        assert [path.name for path in directory.glob("counter_worker-*.db")] == ["counter_worker-0.db"]

    def test_processes_of_one_name_that_run_at_once_never_share_a_file(
        self, client: FlaskClient, directory: Path
    ) -> None:
        count_elsewhere(directory, 2, children=3)

        assert of(scrape(client), "ecsync_inbox_total", source=KDNIAO, verdict="applied") == 8
        assert len(list(directory.glob("counter_worker-*.db"))) == 4

    def test_two_runtimes_of_one_process_spoil_no_number_of_each_other(
        self, make_app: MakeApp, client: FlaskClient, directory: Path
    ) -> None:
        second = make_app(ECSYNC_METRICS_DIR=str(directory)).test_client()
        client.post("/callbacks/kdniao", data=push(key="forged"))
        second.post("/callbacks/kdniao", data=push())
        client.post("/callbacks/kdniao", data=push())

        found = scrape(client)
        verdicts = ("refused", "received", "duplicate")
        assert [of(found, "ecsync_inbox_total", source=KDNIAO, verdict=verdict) for verdict in verdicts] == [1, 1, 1]

    def test_a_file_that_was_only_just_created_does_no_harm(self, client: FlaskClient, directory: Path) -> None:
        count_elsewhere(directory, 1)
        (directory / "counter_new-0.db").touch()

        assert of(scrape(client), "ecsync_inbox_total", source=KDNIAO, verdict="applied") == 1


COUNT = """
import os, sys, time
import prometheus_client  # imported before we say that counters are shared
from sync.metrics import Counters, share_counters

directory, times, children = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
share_counters(directory)
counters = Counters()

def count():
    for _ in range(times):
        counters.inbox.labels("carrier.kdniao", "applied").inc()
        counters.count_call("carrier.kdniao", "book_waybill", "ok", is_retry=False, seconds=0.07)

count()
pids = []
for _ in range(children):
    pid = os.fork()
    if pid == 0:
        count()
        time.sleep(1)  # all children live at once
        os._exit(0)
    pids.append(pid)
for pid in pids:
    os.waitpid(pid, 0)
"""


def count_elsewhere(directory: Path, times: int, *, name: str = "worker", children: int = 0) -> None:
    """Count in a process of its own, and in children it forks."""
    subprocess.run(
        [sys.executable, "-c", COUNT, str(directory), str(times), str(children)],
        env={**os.environ, "ECSYNC_PROCESS_NAME": name, "PROMETHEUS_MULTIPROC_DIR": ""},
        check=True,
        timeout=60,
    )
