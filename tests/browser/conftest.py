from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.services import skip_or_fail


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    """A browser that remembers nothing of other tests."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        skip_or_fail("no chromium is installed")
    return Chromium(str(program), tmp_path)
