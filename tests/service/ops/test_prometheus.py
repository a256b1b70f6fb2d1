"""A real Prometheus beside a running demo: every query of the dashboard answers, every alert rule is evaluated."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from sync.local.broker import free_port
from sync.local.plan import ROOT, without_settings
from sync.local.supervisor import Child, Output, Supervisor
from tests.chaos.processes import wait_for
from tests.chaos.rig import answers
from tests.services import skip_or_fail

GIVEN = ROOT / "deploy" / "prometheus"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboards/ecsync.json").read_text(encoding="utf-8"))
VARIABLES = {"$peer": ".*", "$__rate_interval": "1m"}

ORDERS = 20
LIMIT_S = 150


@dataclass
class Prometheus:
    """The HTTP API of a running server."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        reply = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=20)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    def has_data(self, expression: str) -> bool:
        """Whether the query brings at least one number."""
        found = self.ask("query", query=expression)["result"]
        return any(not math.isnan(float(series["value"][1])) for series in found)

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]


def program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        skip_or_fail("prometheus is not installed (apt-get install prometheus)")
    return str(found)


def write_configuration(directory: Path, web_port: int) -> Path:
    """The one of deploy/, with the target of this machine and every second instead of every fifteen."""
    config = yaml.safe_load((GIVEN / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(GIVEN / name) for name in config["rule_files"]]
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["web:8600"]}]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{web_port}"]}]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@contextmanager
def running(directory: Path) -> Iterator[Prometheus]:
    """The demo, which stays up after its orders, and Prometheus beside it."""
    web_port, port = free_port(), free_port()
    demo = (sys.executable, "-m", "sync.local.demo", "--orders", str(ORDERS), "--port", str(web_port))
    words = (
        f"--config.file={write_configuration(directory, web_port)}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    env = without_settings(os.environ)
    said: list[str] = []
    with Supervisor(Output(StringIO(), logs=directory), said.append, grace_s=60) as supervisor:
        supervisor.start(Child("prometheus", (program(), *words), env), Child("demo", demo, env))
        wait_for("an answer of Prometheus", lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 60)
        yield Prometheus(f"http://127.0.0.1:{port}")
    assert said == []


def dashboard_queries() -> dict[str, str]:
    """Panel and number of the query -> the expression with the variables put in."""
    queries = {}
    for panel in DASHBOARD["panels"]:
        for number, target in enumerate(panel.get("targets", []), 1):
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            queries[f"{panel['title']} {number}"] = expression
    return queries


@pytest.mark.chaos
def test_every_query_of_the_dashboard_answers_and_every_alert_rule_is_evaluated(tmp_path: Path) -> None:
    program()
    queries = dashboard_queries()
    assert len(queries) >= 15
    assert not [expression for expression in queries.values() if "$" in expression]

    with running(tmp_path) as prometheus:
        silent = dict(queries)

        def all_have_answered() -> bool:
            for name, expression in list(silent.items()):
                if prometheus.has_data(expression):
                    del silent[name]
            return not silent

        try:
            wait_for("data for every query", all_have_answered, LIMIT_S)
        except AssertionError:
            pytest.fail(f"these panels stayed empty: {silent}")

        assert_variables_have_values(prometheus)
        assert_rules_are_well(prometheus)


def assert_variables_have_values(prometheus: Prometheus) -> None:
    """The dashboard's own choice of peers, and the target itself."""
    (variable,) = DASHBOARD["templating"]["list"]
    assert variable["definition"] == "label_values(ecsync_peer_calls_total, peer)"
    peers = prometheus.ask("label/peer/values", **{"match[]": "ecsync_peer_calls_total"})
    assert {"carrier.kdniao", "erp.generic_rest"} <= set(peers)
    assert [target["health"] for target in prometheus.ask("targets")["activeTargets"]] == ["up"]


def assert_rules_are_well(prometheus: Prometheus) -> None:
    written = yaml.safe_load((GIVEN / "alerts.yml").read_text(encoding="utf-8"))
    names = [rule["alert"] for group in written["groups"] for rule in group["rules"]]

    def evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in prometheus.rules())

    wait_for("an evaluation of every rule", evaluated)
    rules = prometheus.rules()
    assert [rule["name"] for rule in rules] == names
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}
    firing = [rule["name"] for rule in rules if rule["state"] == "firing"]
    assert firing == [], "a demo that runs well wakes nobody"
