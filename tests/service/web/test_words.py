"""Both languages are whole: every id that is used exists, and every code that may reach the desk is explained."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from pathlib import Path

import pytest

from mappings.status import STATUSES
from sync.db.labels import STATES
from sync.services.labels import SORTS
from sync.web.labels import TONES
from sync.web.words import CAUSES, LANGUAGES, WORDS, Cause, explain, say_age, say_ago, speaker

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted((ROOT / "sync/web/templates").glob("*.html"))
CHINESE = re.compile(r"[一-鿿]")

RAISED = {
    "Cause",
    "DuplicateError",
    "PermanentError",
    "TransientError",
    "UncertainError",
    "Unreadable",
    "UnmappedError",
}
"""What brings a code to the desk. AuthError does not: it closes the peer's door, which has a code of its own."""


@pytest.mark.parametrize("id_", WORDS)
def test_a_text_stands_there_in_both_languages_and_fills_in_the_same(id_: str) -> None:
    texts = WORDS[id_]

    assert set(texts) == set(LANGUAGES)
    assert all(texts[language].strip() for language in LANGUAGES)
    assert fields(texts["zh"]) == fields(texts["en"])
    assert not CHINESE.search(texts["en"])


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.match[0])
def test_a_cause_has_a_title_and_a_next_step_in_both_languages(cause: Cause) -> None:
    for texts in (cause.title, cause.todo):
        assert set(texts) == set(LANGUAGES)
        assert CHINESE.search(texts["zh"])
        assert texts["en"].strip()
        assert not CHINESE.search(texts["en"])


def test_every_id_that_a_template_names_is_in_the_catalogue() -> None:
    named = {
        id_ for page in TEMPLATES for id_ in re.findall(r'\bt\([\'"]([a-z0-9_.]+)[\'"][,)]', page.read_text("utf-8"))
    }

    assert len(named) > 50
    assert named - set(WORDS) == set()


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("page", ["sandbox", "production"]),
        ("flow", ["received", "waybill", "erp", "pickup", "delivered"]),
        ("door", ["on", "away", "refused"]),
        ("switches", ["paused", "draining"]),
        ("labels", [f"sort_{name}" for name in SORTS]),
        ("label_state", [*STATES, *TONES]),
        ("label_why", ["emptied", "withdrawn", "changed", "link", "not_page", "not_pdf", "unreadable", "meanwhile"]),
        ("backlog", ["minute", "five", "quarter", "hour", "older", "callbacks", "notices"]),
        ("status", [*STATUSES, "received", "stale_pickup", "withdrawn", "gone", "shipped"]),
    ],
)
def test_every_id_that_is_put_together_is_in_the_catalogue(section: str, names: list[str]) -> None:
    assert {f"{section}.{name}" for name in names} - set(WORDS) == set()


def test_templates_say_nothing_that_is_not_in_the_catalogue() -> None:
    spoken = {page.name: CHINESE.findall(page.read_text("utf-8").replace(">中文<", "")) for page in TEMPLATES}

    assert spoken == {page.name: [] for page in TEMPLATES}


def test_every_code_that_may_reach_the_desk_is_explained() -> None:
    codes = codes_in_source() | codes_of_carriers() | codes_of_erps()

    assert len(codes) > 60
    assert {code for code in codes if explain(code) is CAUSES[-1]} == set()


@pytest.mark.parametrize("carrier", ["kdniao", "kuaidi100", "sf"])
@pytest.mark.parametrize("area", ["waybill", "query", "cancel"])
def test_a_code_that_no_table_holds_is_explained_as_such(carrier: str, area: str) -> None:
    cause = explain(f"{carrier}.{area}.result_unmapped")

    assert "results.toml" in cause.todo["en"]
    assert cause.retry


def codes_in_source() -> set[str]:
    """The codes of errors and desk causes in the code; what is filled in is written x."""
    found = set()
    for path in (*ROOT.glob("mappings/**/*.py"), *ROOT.glob("sync/**/*.py")):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in RAISED:
                found |= {code for argument in node.args[:3] if (code := spell(argument))}
    return found


def spell(node: ast.expr) -> str:
    """A dotted code whose last word is written out; empty for anything else."""
    text = ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return text if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", text) and not text.endswith(".x") else ""


def codes_of_carriers() -> set[str]:
    table = tomllib.loads((ROOT / "mappings/carriers/kdniao/results.toml").read_text("utf-8"))
    rows = [*table["result"].values(), *table["reason"]]
    refusals = [row for row in table["cancel_reason"] if row["class"] != "ok"]
    said = {"waybill": rows, "query": rows, "cancel": [*rows, *refusals]}
    kdniao = {f"kdniao.{area}.{row['code']}" for area, found in said.items() for row in found if "code" in row}
    return kdniao | codes_of_sf() | codes_of_kuaidi100()


def codes_of_kuaidi100() -> set[str]:
    table = tomllib.loads((ROOT / "mappings/carriers/kuaidi100/results.toml").read_text("utf-8"))
    rows = [*table["result"].values(), *table["reason"]]
    refusals = [row for row in table["cancel_reason"] if row["class"] != "ok"]
    said = {"waybill": rows, "query": rows, "subscribe": rows, "cancel": [*rows, *refusals]}
    return {f"kuaidi100.{area}.{row['code']}" for area, found in said.items() for row in found if "code" in row}


def codes_of_sf() -> set[str]:
    table = tomllib.loads((ROOT / "mappings/carriers/sf/results.toml").read_text("utf-8"))
    words = {row["code"] for row in table["result"].values() if "code" in row}
    return {f"sf.{area}.{word}" for area in ("waybill", "query", "cancel", "label") for word in words}


def codes_of_erps() -> set[str]:
    """What the tables of ERPs may bring; a refused account closes the door, which has a code of its own."""
    found = set()
    for name in ("jushuitan", "wangdiantong"):
        table = tomllib.loads((ROOT / f"mappings/erps/{name}/results.toml").read_text("utf-8"))
        rows = [*table["result"].values(), *table.get("reason", ()), table.get("otherwise", {})]
        words = {row["code"] for row in rows if "code" in row and row["class"] != "auth"} | {"rejected", "garbled"}
        found |= {f"{name}.{area}.{word}" for area in ("order", "cancel", "stock", "shipment") for word in words}
    return found | {f"wangdiantong.{area}.result_unmapped" for area in ("order", "cancel", "stock", "shipment")}


@pytest.mark.parametrize(
    ("code", "tone"),
    [
        ("erp.generic_rest.refused", "bad"),
        ("kdniao.waybill.refused", "hold"),
        ("carrier.kdniao.status_unmapped", "warn"),
        ("tracking.damaged", "hold"),
        ("ecshop.db.unreachable", "warn"),
        ("no.such.code.yet", "hold"),
    ],
)
def test_the_tone_follows_from_the_code(code: str, tone: str) -> None:
    assert explain(code).tone == tone


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("kdniao.waybill.number_not_returned", "已有此单"),
        ("waybill.parcel_missing", "程序中断"),
        ("waybill.outcome_unknown", "结果不明"),
        ("ecshop.write_back.number_invalid", "写回店铺"),
        ("kdniao.waybill.field_missing", "拒绝了请求内容"),
    ],
)
def test_a_code_that_fits_several_patterns_gets_the_nearest_meaning(code: str, word: str) -> None:
    assert word in explain(code).title["zh"]


def test_a_refused_request_is_not_taken_for_refused_credentials() -> None:
    assert explain("kdniao.waybill.refused") is not explain("carrier.kdniao.refused")


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0.2, "刚刚", "just now"),
        (59.9, "59 秒", "59 s"),
        (60, "1 分钟", "1 min"),
        (49 * 60, "49 分钟", "49 min"),
        (3600, "1 小时", "1 h"),
        (47.9 * 3600, "47 小时", "47 h"),
        (49 * 3600, "2 天", "2 d"),
    ],
)
def test_an_age_is_told_in_the_unit_that_people_would_use(seconds: float, zh: str, en: str) -> None:
    assert (say_age(speaker("zh"), seconds), say_age(speaker("en"), seconds)) == (zh, en)


def test_a_moment_ago_is_just_now_in_both_languages() -> None:
    assert (say_ago(speaker("zh"), 0), say_ago(speaker("en"), 0)) == ("刚刚", "just now")
    assert (say_ago(speaker("zh"), 90), say_ago(speaker("en"), 90)) == ("1 分钟前", "1 min ago")
