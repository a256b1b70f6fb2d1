from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sync.clock import utc_now
from sync.db.migrate import migrate
from sync.db.models import OrderRow
from sync.db.session import Database, make_engine

LIMIT_S = 240


@dataclass
class Runner:
    """Starts demos in an environment of their own, and finds every process that descends from one."""

    directory: Path
    mark: str = field(default_factory=lambda: f"DEMO_TEST={uuid.uuid4().hex}")

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ECSYNC_")}
        name, _, value = self.mark.partition("=")
        return subprocess.Popen(
            [sys.executable, "-m", "sync.local.demo", *words],
            env={**clean, "TMPDIR": str(self.directory), name: value, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> set[int]:
        """Processes alive that carry the mark in their environment."""
        found = set()
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (place / "environ").read_bytes():
                    found.add(int(place.name))
        return found


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    made = Runner(tmp_path)
    yield made
    for pid in made.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_headless_demo_brings_every_order_to_its_end_and_says_so_in_one_line(runner: Runner) -> None:
    demo = runner.start("--orders", "7", "--exit", "--json", "--broker", "fake", "--speed", "17280")
    said, told = demo.communicate(timeout=LIMIT_S)
    assert demo.returncode == 0, told
    [line] = said.splitlines()
    summary: dict[str, Any] = json.loads(line)
    seconds, by_status = summary.pop("seconds"), summary.pop("by_status")
    notices, stock = summary.pop("notices"), summary.pop("stock")
    assert 0 < seconds < LIMIT_S
    assert by_status.pop("stale_pickup") == 1
    assert set(by_status) <= {"delivered", "returned"}
    assert sum(by_status.values()) == 6
    assert notices == {"review": by_status["delivered"], "service": 1}
    assert (stock["skus"], stock["wrong"]) == (13, 0)
    assert stock["moved_most"]["erp_has"] < stock["moved_most"]["erp_had"] == 635, "orders have reserved some"
    assert stock["figures_set"] >= 13, "the ERP had fewer of each than the shop showed"
    assert "13 of 13 SKUs" in told
    assert summary == {
        "orders": 7,
        "lost": 0,
        "duplicates": 0,
        "waybills_per_order": {"min": 1, "max": 1},
        "erp_documents_per_order": {"min": 1, "max": 1},
        "stale": 1,
        "unexpected_exceptions": 0,
        "conservation": 0,
        "broker": "fakeredis",
        "database": "sqlite",
        "ok": True,
    }
    assert "keeps nothing across a restart" in told
    assert runner.processes() == set()
    assert list(runner.directory.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_ended_in_the_middle_leaves_no_process_behind(end: signal.Signals, runner: Runner) -> None:
    demo = runner.start("--orders", "7", "--exit", "--json", "--broker", "fake")
    assert demo.stderr is not None
    for line in demo.stderr:
        if "paid 7" in line:
            break
    running = runner.processes()
    demo.send_signal(end)
    demo.communicate(timeout=60)
    assert len(running) > 10
    for pid in running:
        _wait_for_end(pid)
    assert runner.processes() == set()
    if end is not signal.SIGKILL:
        assert demo.returncode == 130
        assert list(runner.directory.iterdir()) == []


def _wait_for_end(pid: int) -> None:
    import select

    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        select.select([handle], [], [], 10)
        os.close(handle)


def test_a_database_with_a_real_shops_orders_is_refused_and_left_alone(runner: Runner, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/real.db"
    database = Database(make_engine(url))
    migrate(database)
    now = utc_now()
    order = OrderRow(
        shop="main", shop_order_id="1", order_sn="2026112200001", queue="to_ship", content_hash="", header={},
        total_fen=1, placed_at=now, paid_at=now, received_at=now, updated_at=now,
    )  # fmt: skip
    with database.writing() as session:
        session.add(order)
    demo = runner.start("--exit", ECSYNC_DATABASE_URL=url)
    _, told = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "ECSYNC_DATABASE_URL" in told
    assert "real shop (main)" in told
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(OrderRow)).scalar_one() == 1
    database.engine.dispose()


def test_a_broker_that_does_not_answer_ends_the_demo_with_what_to_do(runner: Runner) -> None:
    demo = runner.start("--exit", ECSYNC_BROKER_URL="redis://127.0.0.1:1/0")
    _, told = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "correct ECSYNC_BROKER_URL" in told
    assert runner.processes() == set()
