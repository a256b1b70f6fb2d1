"""The how-to's example is what the page shows, installs as any package does, is found, and passes its own test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs/howto/example-carrier"
PAGES = [ROOT / "docs/howto/add-a-carrier.md", ROOT / "docs/howto/add-a-carrier.zh-CN.md"]
FILES = ["pyproject.toml", "ecsync_parcelhub/__init__.py", "ecsync_parcelhub/status.toml", "test_parcelhub.py"]

FIND = """
from sync.registry import load_connector, names
assert "parcelhub" in names("carrier"), names("carrier")
connector = load_connector("carrier", "parcelhub")
print(connector.spec.title_en, connector.__module__)
"""


def shown(page: Path) -> dict[str, str]:
    """The files of the example as a page shows them, piece by piece: a code block names its file."""
    pieces: dict[str, str] = {}
    for name, text in re.findall(
        r"^```(?:toml|python) (\S+)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        before = pieces.get(name, "")
        pieces[name] = f"{before}\n{text}" if before else text
    return pieces


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_shows_the_examples_files_and_nothing_else(page: Path) -> None:
    found = shown(page)

    assert list(found) == FILES
    for name in FILES:
        assert squeezed(found[name]) == squeezed((EXAMPLE / name).read_text("utf-8")), name


def squeezed(text: str) -> list[str]:
    """The lines that say something: a page may cut a file where it likes."""
    return [line for line in text.splitlines() if line]


def test_the_example_holds_no_file_that_the_page_does_not_show() -> None:
    there = [path for path in EXAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]

    assert sorted(str(path.relative_to(EXAMPLE)) for path in there) == sorted(FILES)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source") / "carrier", tmp_path_factory.mktemp("target")
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))  # a build writes beside its source
    given = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(target), str(source)]
    run("-m", "pip", "--disable-pip-version-check", "install", *given)
    return target


def run(*arguments: str, path: Path | None = None, cwd: Path = ROOT) -> str:
    paths = os.pathsep.join(map(str, [*([path] if path else []), ROOT]))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_installed_third_partys_connector_is_found(installed: Path) -> None:
    assert run("-c", FIND, path=installed).split() == ["Parcelhub", "ecsync_parcelhub"]


def test_a_connector_that_is_not_installed_is_not_found() -> None:
    with pytest.raises(AssertionError, match="AssertionError"):
        run("-c", FIND)


def test_the_installed_connector_passes_its_own_test(installed: Path, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "test_parcelhub.py", tmp_path)
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", path=installed, cwd=tmp_path)

    assert "24 passed" in said
