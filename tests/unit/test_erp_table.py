"""The table of what each ERP can do says what the connectors declare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mappings.connector import Spec
from sync.registry import load_connector, names

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "connect-erp.md": {"later": "later", "sold": "what can be sold", "lies": "what lies there", "none": "none"},
    "connect-erp.zh-CN.md": {"later": "稍后", "sold": "可售数", "lies": "实物数", "none": "无"},
}
YES = ("yes", "是")


def rows(page: str) -> dict[str, list[str]]:
    """The second section's table: connector -> its cells."""
    section = (DOCS / page).read_text(encoding="utf-8").split("\n## ")[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "`" in line]
    return {match[1]: row[1:] for row in cells if (match := re.search(r"\[`(\w+)`\]", row[0]))}


def stock_word(spec: Spec, words: dict[str, str]) -> str:
    if not spec.reads_stock:
        return words["none"]
    return words["lies"] if spec.stock_is_physical else words["sold"]


@pytest.mark.parametrize("page", PAGES)
def test_the_table_of_erps_says_what_the_connectors_declare(page: str) -> None:
    words, found = PAGES[page], rows(page)

    assert sorted(found) == [name for name in names("erp") if name != "ledgerline"]
    for name, (number, _, stock, ships) in found.items():
        spec: Spec = load_connector("erp", name).spec
        assert (words["later"] in number) is spec.numbers_later, name
        assert stock == stock_word(spec, words), name
        assert (ships in YES) is spec.polls_shipments, name
