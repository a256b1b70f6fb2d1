"""docker-compose.yml without Docker: every service of ours is started by its own command and proves itself healthy."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from dotenv import dotenv_values
from sqlalchemy import func, select

from sync.db.models import StepRow
from sync.db.session import Database, make_engine
from sync.local.broker import free_port
from sync.local.plan import ROOT
from sync.local.supervisor import Child
from tests.chaos.conftest import OpenHouse
from tests.chaos.processes import children, wait_for
from tests.chaos.rig import FULFILMENT, Rig

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
WORKERS = [name for name in OURS if name.startswith("worker-")]
BIN = Path(sys.executable).parent


QUEUES = {"carrier.kdniao", "erp.generic_rest", "shop.main", "callbacks", "sweeps", "notices"}


OPS = ("ops", "a-password-of-tests")
ORDERS = 3


@dataclass
class Compose:
    """The services of the file on this machine: container paths, addresses and ports become local ones."""

    rig: Rig
    ports: dict[str, int] = field(default_factory=lambda: {"8600": free_port(), "5555": free_port()})

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.rig.directory}/compose.db"

    def local(self, text: str) -> str:
        for container, port in self.ports.items():
            text = re.sub(rf"\b{container}\b", str(port), text)
        text = text.replace("0.0.0.0", "127.0.0.1").replace("/run/secrets/", f"{self.rig.directory}/secrets/")
        return text.replace("/var/lib/ecsync-metrics", f"{self.rig.directory}/metrics").replace(
            "/var/lib/ecsync/", f"{self.rig.directory}/"
        )

    def child(self, name: str) -> Child:
        """A service's own command with its own environment over the settings example."""
        argv = shlex.split(self.local(SERVICES[name]["command"]))
        return Child(name, (str(BIN / argv[0]), *argv[1:]), self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        example = {key: value or "" for key, value in dotenv_values(ROOT / "deploy/ecsync.env.example").items()}
        house = {key: value for key, value in self.rig.env.items() if key != "ECSYNC_DATABASE_URL"}
        own = {key: self.local(value) for key, value in SERVICES[name]["environment"].items()}
        return {**example, **house, **own, "FLOWER_BASIC_AUTH": ":".join(OPS)}

    def is_healthy(self, name: str) -> bool:
        """The service's own health check, as Docker runs it."""
        kind, program, *words = SERVICES[name]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "python")
        argv = [sys.executable, *map(self.local, words)]
        return subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode == 0

    def answering_workers(self) -> set[str]:
        """Names before the @ of all workers that answer a ping."""
        argv = [str(BIN / "celery"), "-A", "tasks.app", "inspect", "ping", "--timeout", "3"]
        env = self.environment("beat")
        said = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60).stdout
        return set(re.findall(r"(\w+)@\S+: OK", said))

    def hears_beat(self) -> bool:
        ready = requests.get(f"http://127.0.0.1:{self.ports['8600']}/readyz", timeout=10).json()
        return bool(ready["findings"]["heartbeat"]["ok"])

    def flower(self, path: str, **auth: Any) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.ports['5555']}{path}", timeout=20, **(auth or {"auth": OPS}))


@pytest.fixture
def compose(open_house: OpenHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compose]:
    monkeypatch.chdir(ROOT)
    with open_house() as rig:
        made = Compose(rig)
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "database_url").write_text(made.database_url, encoding="utf-8")
        yield made


@pytest.mark.chaos
def test_every_service_starts_by_its_own_command_works_and_stops_in_order(compose: Compose) -> None:
    rig = compose.rig
    rig.start_broker()
    migrate = compose.child("migrate")
    subprocess.run(migrate.argv, env=dict(migrate.env), check=True, capture_output=True, timeout=60)

    rig.supervisor.start(*(compose.child(name) for name in OURS if name != "migrate"))

    names = {name.removeprefix("worker-") for name in WORKERS}
    wait_for("an answer of every worker", lambda: compose.answering_workers() == names, 90)
    wait_for("a healthy web process", lambda: compose.is_healthy("web"), 60)
    wait_for("a healthy Flower", lambda: compose.is_healthy("flower"), 60)
    wait_for("all queues in Flower", lambda: shown_queues(compose) == QUEUES, 60)
    rig.seed(ORDERS)  # only now: Flower shows what it heard, and hears nothing of what was done before it listened
    wait_for("the work of all of them", lambda: count_fulfilled(compose) == ORDERS, 90)
    wait_for("a tick of Beat that a worker heard", compose.hears_beat, 60)
    assert rig.said == []
    assert_flower_shows_queues_and_tasks(compose)
    assert_all_stop_when_asked(rig)


def count_fulfilled(compose: Compose) -> int:
    database = Database(make_engine(compose.database_url))
    try:
        with database.reading() as session:
            done = select(func.count()).where(StepRow.name.in_(FULFILMENT), StepRow.state == "done")
            return session.execute(done).scalar_one() // len(FULFILMENT)
    finally:
        database.engine.dispose()


def assert_flower_shows_queues_and_tasks(compose: Compose) -> None:
    """Its API and its pages; and a stranger sees neither."""
    lengths = {entry["name"] for entry in compose.flower("/api/queues/length").json()["active_queues"]}
    assert lengths == QUEUES

    wait_for("booked waybills in Flower", lambda: are_booked(states(compose, "tasks.orders.ship")), 30)
    page = compose.flower("/broker").text
    assert all(queue in page for queue in QUEUES)
    assert "tasks.orders.ship" in compose.flower("/tasks").text + compose.flower("/api/task/types").text
    assert compose.flower("/api/workers", auth=None).status_code == 401
    assert compose.flower("/broker", auth=("ops", "guess")).status_code == 401


def shown_queues(compose: Compose) -> set[str]:
    workers: Mapping[str, Any] = compose.flower("/api/workers?refresh=1").json()
    return {queue["name"] for worker in workers.values() for queue in worker.get("active_queues", ())}


def are_booked(states: list[str]) -> bool:
    """A worker may be told twice of one order on a slow machine, and finds nothing to do."""
    return len(states) >= ORDERS and set(states) == {"SUCCESS"}


def states(compose: Compose, task: str) -> list[str]:
    seen: Mapping[str, Any] = compose.flower(f"/api/tasks?taskname={task}").json()
    return [entry["state"] for entry in seen.values()]


def assert_all_stop_when_asked(rig: Rig) -> None:
    started = [each.pid for each in children(os.getpid()) if str(BIN) in each.command]
    assert len(started) >= len(OURS) - 1

    rig.supervisor.stop()

    assert [said for said in rig.said if "is killed" in said] == []
    assert not {each.pid for each in children(os.getpid())} & set(started)
