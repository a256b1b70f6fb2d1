"""One small real worker, seen from outside: retries, the shell, the stop, and each broker without a code change."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis

from sync.exceptions import list_open
from sync.local.plan import ROOT
from tests.chaos.conftest import OpenHouse
from tests.chaos.processes import wait_for, worker
from tests.chaos.rig import FULFILMENT, Rig

ALL_QUEUES = "shop.main,carrier.kdniao,erp.generic_rest,callbacks,sweeps,notices"

DELAY_S = 1.5

SLACK_S = 5.0
"""How much later than agreed a retry may come on a busy machine; a sweep would come after twice as long."""

NO_SWEEP = {"ECSYNC_REQUEUE_AFTER_S": "600", "ECSYNC_RELAY_INTERVAL_S": "600"}
"""Nothing but the broker's own messages moves the work."""


BIN = Path(sys.executable).parent


def shell(rig: Rig, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as a person at the shell gives it."""
    argv = [str(BIN / words[0]), *words[1:]]
    return subprocess.run(argv, env=dict(rig.env), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def celery(rig: Rig, *words: str) -> subprocess.CompletedProcess[str]:
    return shell(rig, "celery", "-A", "tasks.app", *words)


def ecsync(rig: Rig, *words: str) -> Any:
    """What a command answers with --json."""
    done = shell(rig, "ecsync", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def start(rig: Rig, concurrency: int = 1, *, beat: bool = True, more: Mapping[str, str] | None = None) -> None:
    rig.start_broker()
    rig.supervisor.start(rig.worker_child("all", ALL_QUEUES, concurrency, **(more or {})))
    if beat:
        rig.start_beat()


def is_ready(rig: Rig, times: int = 1) -> bool:
    return len(re.findall(r"all@\S+ ready", rig.log("worker-all"))) >= times


def test_a_failing_erp_is_called_three_times_the_delay_apart_and_then_database_log_and_desk_agree(
    open_house: OpenHouse,
) -> None:
    refusing = {"erp": {"too_many": 1.0, "max_per_order": 0, "retry_after_s": 0}}
    with open_house(sandbox={"faults": refusing}, ECSYNC_RETRY_DELAY_S=str(DELAY_S)) as rig:
        (order_sn,) = rig.seed(1)
        start(rig)

        wait_for("a parked step", lambda: rig.steps(name="push_order", state="parked"), 60)

        calls = [call for call in rig.peers.ledger()["calls"] if call["operation"] == "create_order"]
        times = [datetime.fromisoformat(call["at"]) for call in calls]
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
        assert len(gaps) == 2
        assert all(DELAY_S <= gap <= DELAY_S + SLACK_S for gap in gaps), gaps
        assert_all_say_the_same(rig, order_sn)


def assert_all_say_the_same(rig: Rig, order_sn: str) -> None:
    (step,) = rig.steps(name="push_order")
    (line,) = ecsync(rig, "exceptions", "list")
    said = f"order {order_sn}: push_order is parked at erp.generic_rest, a person must look: {step.last_message}"

    assert (step.attempts, step.last_outcome) == (3, "transient")
    assert step.last_code
    assert (line["order_sn"], line["code"], line["peer"]) == (order_sn, step.last_code, "erp.generic_rest")
    assert step.last_message in line["message"]
    assert wait_for("the log line", lambda: said in rig.log("worker-all"))


def test_a_task_published_from_a_shell_waits_in_the_queue_of_its_peer(open_house: OpenHouse) -> None:
    with open_house() as rig:
        rig.start_broker()

        done = celery(rig, "call", "tasks.orders.push", '--args=[1, "erp.generic_rest"]')

        assert (done.returncode, done.stderr) == (0, "")
        client = redis.Redis.from_url(rig.broker.url)
        assert (client.llen("erp.generic_rest"), client.llen("sweeps")) == (1, 0)
        client.close()
        refused = celery(rig, "call", "tasks.orders.push", '--args=[1, "erp.generic_rets"]')
        assert refused.returncode != 0
        assert "erp.generic_rets" in refused.stderr + refused.stdout


def test_a_task_called_from_a_shell_does_its_work_and_the_worker_answers_a_ping(open_house: OpenHouse) -> None:
    with open_house(**NO_SWEEP) as rig:
        (order_sn,) = rig.seed(1)
        start(rig, beat=False)
        assert ecsync(rig, "poll")["shop.main"]["new"] == 1
        order_id = rig.order_ids()[order_sn]
        wait_for("a worker", lambda: is_ready(rig), 60)

        ping = celery(rig, "inspect", "ping", "--timeout", "3")
        celery(rig, "call", "tasks.orders.push", f'--args=[{order_id}, "erp.generic_rest"]')

        assert ping.returncode == 0
        assert re.search(r"all@\S+: OK\s+pong", ping.stdout)
        wait_for("the push", lambda: rig.steps(name="push_order", state="done"))
        assert len(rig.documents()[order_sn]) == 1
        assert rig.waybills() == {}, "nobody asked for the waybill yet"


@pytest.mark.parametrize("how", [{}, {"REMAP_SIGTERM": "SIGQUIT"}])
def test_a_worker_told_to_stop_ends_in_order_and_the_broker_keeps_every_message(
    how: dict[str, str], open_house: OpenHouse
) -> None:
    slow = {"carrier": {"latency_ms": 700}}
    with open_house(sandbox={"faults": slow}, **NO_SWEEP, ECSYNC_LEASE_S="60") as rig:
        numbers = rig.seed(6)
        start(rig, beat=False, more=how)
        wait_for("a worker", lambda: is_ready(rig), 60)
        celery(rig, "call", "tasks.polling.poll", '--args=["shop.main"]')
        assert rig.peers.wait_until(lambda ledger: ledger["carrier"]["waybills_issued"] >= 2, 60)

        os.kill(worker("all").pid, signal.SIGTERM)

        wait_for("the worker's end", lambda: any("worker-all ended" in said for said in rig.said), 60)
        assert [said.partition(";")[0] for said in rig.said] == ["worker-all ended with exit status 0"]
        wait_for("the next worker's work", lambda: rig.count_fulfilled() == len(numbers), 60)
        assert {order_sn: len(issued) for order_sn, issued in rig.waybills().items()} == dict.fromkeys(numbers, 1)
        assert [step.losses for step in rig.steps()] == [0] * len(rig.steps()), "no lease was left to expire"


@pytest.mark.parametrize("how", [{}, {"REMAP_SIGTERM": "SIGQUIT"}])
def test_an_idle_worker_stops_at_once_and_a_retry_that_waits_in_it_goes_back_to_the_broker(
    how: dict[str, str], open_house: OpenHouse
) -> None:
    busy = {"erp": {"too_many": 1.0, "max_per_order": 1}}
    with open_house(sandbox={"faults": busy}, **NO_SWEEP, ECSYNC_RETRY_DELAY_S="8") as rig:
        (order_sn,) = rig.seed(1)
        start(rig, beat=False, more=how)
        wait_for("a worker", lambda: is_ready(rig), 60)
        celery(rig, "call", "tasks.polling.poll", '--args=["shop.main"]')
        wait_for("a retry that waits", lambda: "Retry in 8.0s" in rig.log("worker-all"), 60)
        wait_for("the rest of the work", lambda: len(rig.steps(state="done")) == len(FULFILMENT) - 1)

        os.kill(worker("all").pid, signal.SIGTERM)

        wait_for("the worker's end", lambda: any("worker-all ended" in said for said in rig.said), 10)
        wait_for("the push by the next worker", lambda: rig.steps(name="push_order", state="done"), 60)
        assert len(rig.documents()[order_sn]) == 1


@pytest.mark.parametrize("broker", ["fake", "embedded", "rabbitmq"])
def test_the_same_orders_come_through_on_every_broker_by_its_address_alone(broker: str, open_house: OpenHouse) -> None:
    with open_house(broker=broker) as rig:
        numbers = rig.seed(3)
        start(rig, concurrency=2)

        wait_for("the orders' fulfilment", lambda: rig.count_fulfilled() == len(numbers), 60)

        assert {order_sn: len(issued) for order_sn, issued in rig.waybills().items()} == dict.fromkeys(numbers, 1)
        assert rig.env["ECSYNC_BROKER_URL"].partition(":")[0] == ("amqp" if broker == "rabbitmq" else "redis")
        with rig.database.reading() as session:
            assert list_open(session) == []
