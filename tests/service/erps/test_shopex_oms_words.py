"""Every code of the OMS that may reach the desk is explained on the page and stands in both runbooks."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from sync.web.words import CAUSES, explain

ROOT = Path(__file__).parents[3]
TABLE = tomllib.loads((ROOT / "mappings/erps/shopex_oms/results.toml").read_text("utf-8"))
ANSWERS = [row for row in (*TABLE["result"].values(), *TABLE["reason"]) if "code" in row]
REFUSALS = TABLE["question"].values()

SAID = {f"shopex_oms.{area}.{row['code']}" for area in ("order", "cancel") for row in ANSWERS} | {
    f"shopex_oms.{area}.{row['code']}" for area in ("find", "stock", "shipments") for row in REFUSALS
}
OURS = {
    "shopex_oms.order.sku_unknown": "does not know these goods",
    "shopex_oms.order.failed": "OMS cannot process",
    "shopex_oms.order.crashed": "has not shown",
    "shopex_oms.order.unverified": "has not shown",
    "shopex_oms.order.replayed": "has not shown",
    "shopex_oms.cancel.not_void_yet": "has not shown",
    "shopex_oms.cancel.not_found": "did not cancel",
    "shopex_oms.cancel.too_late": "did not cancel",
    "shopex_oms.order.number_too_long": "does not take",
    "shopex_oms.find.found_twice": "does not take",
    "shopex_oms.stock.figure_unreadable": "Stock stands still",
    "shopex_oms.shipments.quantity_unreadable": "deliveries",
}


@pytest.mark.parametrize("code", sorted(SAID))
def test_what_the_oms_says_is_explained(code: str) -> None:
    assert explain(code) is not CAUSES[-1]


@pytest.mark.parametrize(("code", "words"), OURS.items())
def test_what_we_found_has_its_nearest_meaning_and_stands_in_the_runbooks(code: str, words: str) -> None:
    assert words in explain(code).title["en"]
    for page in ("docs/operations.md", "docs/operations.zh-CN.md"):
        assert f"`{code}`" in (ROOT / page).read_text("utf-8")
