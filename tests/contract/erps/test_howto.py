"""The how-to's example of an ERP is what the page shows, installs as any package does, and passes its own test."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.contract.conformance.test_third_party import ROOT, run, squeezed

EXAMPLE = ROOT / "docs/howto/example-erp"
PAGES = [ROOT / "docs/howto/add-an-erp.md", ROOT / "docs/howto/add-an-erp.zh-CN.md"]
FIND = """
from sync.registry import load_connector
print(load_connector("erp", "ledgerline").spec.title_en)
"""


def pieces(page: Path) -> list[tuple[str, str]]:
    """File and text of each code block that names its file."""
    return re.findall(r"^```(?:toml|python) (\S+)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_code_block_stands_in_the_file_that_it_names(page: Path) -> None:
    shown = pieces(page)

    assert len(shown) > 4
    for name, text in shown:
        whole = "\n".join(squeezed((EXAMPLE / name).read_text("utf-8")))
        assert "\n".join(squeezed(text)) in whole, f"{name}: {text[:60]}"


def test_both_languages_show_the_same_code() -> None:
    english, chinese = map(pieces, PAGES)

    assert english == chinese


def test_the_example_installs_is_found_and_passes_its_own_test(tmp_path: Path) -> None:
    source, target, tests = tmp_path / "source", tmp_path / "target", tmp_path / "tests"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    given = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target), str(source)]
    run("-m", "pip", "--disable-pip-version-check", "install", *given)
    tests.mkdir()
    shutil.copy(EXAMPLE / "test_ledgerline.py", tests)

    assert "Ledgerline" in run("-c", FIND, path=target)
    assert "31 passed" in run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", path=target, cwd=tests
    )
