"""Nothing recorded of Kuaidi100 lies unused: every example is asked about somewhere in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.kuaidi100.cases import EXAMPLES
from tests.contract.kuaidi100.test_tracking import PUSHES

SOURCES = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_recorded_example_is_read_by_a_test(name: str) -> None:
    assert name in PUSHES or f'"{name}"' in SOURCES
