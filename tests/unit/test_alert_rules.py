"""The alert rules, the dashboard and the list of metrics say the same things, and Prometheus understands them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from sync.metrics import Counters

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboards/ecsync.json").read_text(encoding="utf-8"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
WORDS = re.compile(r"[A-Za-z]{3}")


def listed(language: str = "") -> dict[str, tuple[str, set[str]]]:
    """The metrics of the documentation: name -> type and labels."""
    text = (ROOT / f"docs/metrics{language}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(ecsync_\w+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def metrics_in(expression: str) -> set[str]:
    """The names as the documentation lists them; a histogram's series count as the histogram."""
    names = re.findall(r"\becsync_[a-z_]+", expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def panel_expressions() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        if os.environ.get("ECSYNC_REQUIRE_SERVICES") == "1":
            pytest.fail("promtool is required here: apt-get install prometheus")
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_prometheus_understands_the_configuration_and_the_rules() -> None:
    result = promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(RULES)} rules found" in result.stdout


def test_every_alert_comes_when_it_should_and_stays_away_when_it_should_not() -> None:
    result = promtool("test", "rules", str(PROMETHEUS / "alerts_test.yml"))

    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_understands_every_question_of_the_dashboard(tmp_path: Path) -> None:
    asked = [text.replace("$__rate_interval", "5m").replace("$peer", ".*") for text in panel_expressions()]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(asked)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")

    result = promtool("check", "rules", str(file))

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(asked)} rules found" in result.stdout


def test_a_broken_rule_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "broken.yml"
    file.write_text("groups: [{name: a, rules: [{record: 'a:b', expr: 'sum by (x'}]}]", encoding="utf-8")

    assert promtool("check", "rules", str(file)).returncode != 0


def test_every_alert_has_its_own_case() -> None:
    cases = (PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8")

    assert {rule["alert"] for rule in RULES if f'alertname="{rule["alert"]}"' not in cases} == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_in_both_languages(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(notes) == {"summary", "summary_zh", "description", "description_zh"}
    assert all(CHINESE.search(notes[key]) for key in ("summary_zh", "description_zh"))
    assert all(WORDS.search(notes[key]) and not CHINESE.search(notes[key]) for key in ("summary", "description"))
    assert len(notes["description"]) > 100, "a description names the cause and the next step"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_listed_metrics_only(rule: dict[str, Any]) -> None:
    assert metrics_in(rule["expr"]) <= set(listed())


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: f"{panel['id']}")
def test_a_panel_asks_for_listed_metrics_and_has_both_languages(panel: dict[str, Any]) -> None:
    asked = set().union(*(metrics_in(target["expr"]) for target in panel["targets"]))

    assert asked
    assert asked <= set(listed())
    assert CHINESE.search(panel["title"])
    assert WORDS.search(panel["title"])
    assert {panel["datasource"]["uid"]} | {target["datasource"]["uid"] for target in panel["targets"]} == {"prometheus"}


def test_every_listed_metric_is_shown_on_the_dashboard() -> None:
    shown = set().union(*(metrics_in(expression) for expression in panel_expressions()))

    assert shown == set(listed())


def test_the_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], int] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"]


def test_the_dashboard_asks_the_datasource_that_is_provisioned() -> None:
    folder = ROOT / "deploy/grafana/provisioning"
    [source] = yaml.safe_load((folder / "datasources/prometheus.yml").read_text(encoding="utf-8"))["datasources"]
    [provider] = yaml.safe_load((folder / "dashboards/ecsync.yml").read_text(encoding="utf-8"))["providers"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = [mount.split(":")[1] for mount in compose["services"]["grafana"]["volumes"]]

    assert (source["type"], source["uid"]) == ("prometheus", "prometheus")
    assert provider["options"]["path"] in mounts


def test_prometheus_scrapes_the_web_service_where_it_listens() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    port = compose["services"]["web"]["environment"]["ECSYNC_WEB_BIND"].rpartition(":")[2]

    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == [f"web:{port}"]


def test_both_languages_list_the_same_metrics() -> None:
    assert listed() == listed(".zh-CN")
    assert listed()


def test_what_the_code_counts_is_what_the_list_says() -> None:
    registry = CollectorRegistry()
    counters = Counters(registry)
    counters.count_call("carrier.kdniao", "book_waybill", "ok", is_retry=False, seconds=0.1)
    counters.inbox.labels("kdniao", "applied").inc()
    counters.finished.labels("book_waybill", "carrier.kdniao", "done").inc()
    counters.stock_changes.labels("main", "set").inc()
    counters.stock_runs.labels("main", "done").inc()
    counters.routed.labels("default", "carrier.kdniao").inc()
    counters.moved.labels("carrier.kdniao", "carrier.second").inc()
    counters.queries.labels("carrier.kdniao", "daily").inc()
    counters.lost_pushes.labels("carrier.kdniao").inc()
    counters.shipments.labels("erp.shopex_oms", "taken").inc()

    counted = {}
    for family in registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        counted[name] = (family.type, set(family.samples[0].labels) - {"le"})

    assert counted == {
        name: row
        for name, row in listed().items()
        if row[0] in ("counter", "histogram") and name != "ecsync_callback_ack_seconds"
    }  # the web process's own
