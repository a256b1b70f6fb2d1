"""Celery as it should be: each setting that keeps work from being lost, as a process of its own sees it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from sync.local.erps import ChosenErp
from sync.local.plan import ROOT, without_settings
from sync.sandbox.server import SandboxPeers
from tests.service.house import environment

Report = dict[str, Any]


def report(tmp_path: Path, **settings: str) -> Report:
    env = {**without_settings(os.environ), **environment(tmp_path, SandboxPeers(), **settings)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.celery.report"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    seen: Report = json.loads(done.stdout)
    return seen


@pytest.fixture(scope="module")
def on_redis(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(tmp_path_factory.mktemp("redis"), ECSYNC_BROKER_URL="redis://127.0.0.1:1/0")


@pytest.fixture(scope="module")
def on_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(tmp_path_factory.mktemp("rabbitmq"), ECSYNC_BROKER_URL="amqp://127.0.0.1:1//")


@pytest.fixture(params=["on_redis", "on_rabbitmq"])
def seen(request: pytest.FixtureRequest) -> Report:
    chosen: Report = request.getfixturevalue(request.param)
    return chosen


def test_a_task_is_acknowledged_when_it_is_over_and_given_back_when_its_worker_dies(seen: Report) -> None:
    conf = seen["conf"]

    assert conf["task_acks_late"] is True
    assert conf["task_reject_on_worker_lost"] is True
    assert conf["worker_prefetch_multiplier"] == 1


def test_results_are_neither_kept_nor_sent(seen: Report) -> None:
    assert seen["conf"]["task_ignore_result"] is True
    assert seen["conf"]["result_backend"] is None


def test_tasks_are_json_and_nothing_else_is_accepted(seen: Report) -> None:
    assert seen["conf"]["accept_content"] == ["json"]


def test_a_running_or_waiting_task_is_never_delivered_a_second_time(on_redis: Report) -> None:
    conf, options = on_redis["conf"], on_redis["conf"]["broker_transport_options"]

    assert conf["task_soft_time_limit"] < conf["task_time_limit"] < options["visibility_timeout"]
    for _, retry in on_redis["retries"].values():
        assert retry["countdown"] < options["visibility_timeout"]


def test_even_a_very_long_retry_delay_stays_below_the_visibility_timeout(tmp_path: Path) -> None:
    long = report(tmp_path, ECSYNC_BROKER_URL="redis://127.0.0.1:1/0", ECSYNC_RETRY_DELAY_S="900")

    limit = long["conf"]["task_time_limit"]
    assert long["retries"]["tasks.orders.push"] == [2, {"countdown": 900.0}]
    assert long["conf"]["broker_transport_options"]["visibility_timeout"] >= 900 + limit


def test_a_half_open_connection_to_redis_is_noticed(on_redis: Report) -> None:
    options = on_redis["conf"]["broker_transport_options"]

    assert 0 < options["socket_connect_timeout"] <= options["socket_timeout"] <= 30
    assert 0 < options["health_check_interval"] <= 30
    assert options["socket_keepalive"] is True
    assert options["retry_on_timeout"] is True


def test_a_half_open_connection_to_rabbitmq_is_noticed_and_publishing_is_confirmed(on_rabbitmq: Report) -> None:
    conf = on_rabbitmq["conf"]

    assert conf["broker_transport_options"] == {"confirm_publish": True}
    assert 0 < conf["broker_heartbeat"] <= 30
    assert 0 < conf["broker_connection_timeout"] <= 30


def test_a_stop_finishes_what_runs_within_the_grace_of_a_container(seen: Report) -> None:
    conf = seen["conf"]

    assert 0 < conf["worker_soft_shutdown_timeout"] < 60, "docker-compose.yml gives 60 s"
    assert conf["worker_enable_soft_shutdown_on_idle"] is False


def test_children_are_renewed_before_they_grow_old(seen: Report) -> None:
    assert seen["conf"]["worker_max_tasks_per_child"]
    assert seen["conf"]["worker_max_memory_per_child"]


def test_the_retries_are_two_so_that_the_attempts_are_three_five_seconds_apart(tmp_path: Path) -> None:
    defaults = report(tmp_path, ECSYNC_RETRY_DELAY_S="")

    assert set(map(json.dumps, defaults["retries"].values())) == {json.dumps([2, {"countdown": 5.0}])}


def test_every_task_lands_in_the_queue_of_its_peer_or_of_its_kind(seen: Report) -> None:
    assert seen["routes"] == {
        "tasks.callbacks.apply": "callbacks",
        "tasks.orders.notify": "notices",
        "tasks.orders.probe": "carrier.kdniao",
        "tasks.orders.push": "erp.generic_rest",
        "tasks.orders.ship": "carrier.kdniao",
        "tasks.orders.write_back": "shop.main",
        "tasks.polling.poll": "shop.main",
        "tasks.shipments.poll": "erp.generic_rest",
        "tasks.stock.sync": "shop.main",
        "tasks.sweeps.heartbeat": "sweeps",
        "tasks.sweeps.labels": "sweeps",
        "tasks.sweeps.move_parcels": "sweeps",
        "tasks.sweeps.parcels": "sweeps",
        "tasks.sweeps.people": "sweeps",
        "tasks.sweeps.reconcile": "shop.main",
        "tasks.sweeps.relay": "sweeps",
        "tasks.sweeps.unsent": "sweeps",
    }
    assert seen["routes by name"] == {name: seen["routes"][name] for name in seen["routes by name"]}
    assert set(seen["routes"].values()) == set(seen["queues"])


@pytest.mark.parametrize("what", ["misspelt peer", "misspelt queue"])
def test_a_misspelt_queue_fails_loudly_instead_of_swallowing_orders(what: str, seen: Report) -> None:
    assert seen["conf"]["task_create_missing_queues"] is False
    assert seen[what].startswith("QueueNotFound")


def test_beat_ticks_tasks_that_exist_and_every_tick_expires(seen: Report) -> None:
    schedule = seen["conf"]["beat_schedule"]

    assert {entry["task"] for entry in schedule.values()} <= set(seen["tasks"])
    assert set(schedule) == {
        "closed carriers",
        "heartbeat",
        "old labels",
        "old people",
        "parcels",
        "poll shop.main",
        "reconcile shop.main",
        "relay",
        "unsent parcels",
    }
    for name, entry in schedule.items():
        patience_s = max(60, 10 * entry["schedule"]) if entry["args"] else max(5, entry["schedule"])
        assert 0 < entry["schedule"] <= entry["options"]["expires"] <= patience_s, name


def test_stock_is_ticked_only_for_shops_that_switched_it_on(seen: Report, tmp_path: Path) -> None:
    assert "tasks.stock.sync" not in {entry["task"] for entry in seen["conf"]["beat_schedule"].values()}

    switched_on = report(tmp_path, ECSYNC_SHOP_MAIN_STOCK_INTERVAL_S="300")["conf"]["beat_schedule"]["stock shop.main"]
    assert (switched_on["task"], switched_on["schedule"], switched_on["args"]) == (
        "tasks.stock.sync",
        300,
        ["shop.main"],
    )


def test_shipments_are_asked_for_only_at_erps_that_switched_it_on(seen: Report, tmp_path: Path) -> None:
    assert "tasks.shipments.poll" not in {entry["task"] for entry in seen["conf"]["beat_schedule"].values()}

    oms = ChosenErp("shopex_oms", 1, "x").settings
    both = {**oms, "ECSYNC_ERPS": "generic_rest,shopex_oms", "ECSYNC_ERP_SHOPEX_OMS_TAKES_SHIPMENTS": "1"}
    switched_on = report(tmp_path, **both)["conf"]["beat_schedule"]
    assert [name for name in switched_on if name.startswith("shipments")] == ["shipments erp.shopex_oms"]
    entry = switched_on["shipments erp.shopex_oms"]
    assert (entry["task"], entry["schedule"], entry["args"]) == ("tasks.shipments.poll", 300, ["erp.shopex_oms"])


# --- the pins: Celery 5.7.0 leaves on a Redis restart, kombu before 5.7 stops consuming after one


PINS = {"celery": ">=5.6.3,<5.7", "kombu": ">=5.7,<5.8"}


@pytest.mark.parametrize("name", PINS)
def test_the_pins_hold_in_the_project_in_the_lock_files_and_in_this_environment(name: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    required = {Requirement(line).name: Requirement(line).specifier for line in declared}
    wanted = Requirement(f"{name}{PINS[name]}").specifier

    assert required[name] == wanted
    assert version(name) in wanted
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (locked,) = re.findall(rf"^{name}(?:\[\w+\])?==(\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
        assert locked in wanted
        assert version(name) == locked
