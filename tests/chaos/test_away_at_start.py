"""What a worker stands on is away when it starts: it says so in words, waits for a bounded time, and leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sync.db.migrate import migrate
from sync.db.session import Database, make_engine
from sync.local.broker import free_port
from sync.local.plan import without_settings
from sync.sandbox.server import SandboxPeers
from tests.chaos.conftest import OpenHouse
from tests.chaos.processes import wait_for
from tests.chaos.rig import Rig
from tests.service.house import environment

WORKER = (sys.executable, "-m", "celery", "-A", "tasks.app", "worker", "-Q", "sweeps", "--concurrency", "1")


def run_worker(tmp_path: Path, **settings: str) -> tuple[int, str, float]:
    """Exit status, everything it said, and the seconds it took."""
    quick = {"ECSYNC_STARTUP_WAIT_S": "3", "ECSYNC_LIMITS_URL": "memory://"}
    env = {**without_settings(os.environ), **environment(tmp_path, SandboxPeers(), **quick, **settings)}
    began = time.monotonic()
    ended = subprocess.run(
        WORKER, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=90
    )
    return ended.returncode, ended.stdout, time.monotonic() - began


def test_a_worker_without_its_database_says_which_and_what_to_do_and_leaves_in_time(tmp_path: Path) -> None:
    url = f"postgresql+psycopg2://ecsync:geheim@127.0.0.1:{free_port()}/ecsync"

    status, said, seconds = run_worker(tmp_path, ECSYNC_DATABASE_URL=url)

    assert status == 1
    assert "did not answer for 3 s" in said
    assert "correct ECSYNC_DATABASE_URL" in said
    assert "geheim" not in said
    assert "Traceback" not in said
    assert seconds < 45


@pytest.mark.parametrize("scheme", ["redis://:geheim@", "amqp://ecsync:geheim@"])
def test_a_worker_without_its_broker_says_which_and_what_to_do_and_leaves_in_time(scheme: str, tmp_path: Path) -> None:
    port = free_port()
    database = Database(make_engine(f"sqlite:///{tmp_path}/ecsync.db"))
    migrate(database)
    database.engine.dispose()

    status, said, seconds = run_worker(tmp_path, ECSYNC_BROKER_URL=f"{scheme}127.0.0.1:{port}//")

    assert status == 1
    assert f"127.0.0.1:{port}" in said
    assert "did not answer for 3 s" in said
    assert "correct ECSYNC_BROKER_URL" in said
    assert "geheim" not in said
    assert "Traceback" not in said
    assert seconds < 45


def test_a_worker_that_started_before_its_broker_goes_to_work_when_the_broker_comes(open_house: OpenHouse) -> None:
    with open_house() as rig:
        start_before_the_broker(rig)


def start_before_the_broker(rig: Rig) -> None:
    numbers = rig.seed(1)
    rig.supervisor.start(rig.worker_child("all", "shop.main,carrier.kdniao,erp.generic_rest,sweeps", 1))
    rig.start_beat()
    wait_for("words about the broker", lambda: "Waiting for the broker" in rig.log("worker-all"))
    rig.start_broker()

    wait_for("the order's fulfilment", lambda: rig.count_fulfilled() == 1, 60)

    assert [len(rig.waybills()[order_sn]) for order_sn in numbers] == [1]
