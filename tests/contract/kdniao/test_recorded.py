"""Nothing recorded of KDNiao lies unused: every example is asked about somewhere in this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.kdniao.cases import EXAMPLES
from tests.contract.kdniao.test_tracking import PUSHES

SOURCES = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
ELSEWHERE = {"kdn-read-timeout": "has no bytes: the gateway's own tests let a peer answer too late"}
"""Examples that no test here can read, and why."""


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - ELSEWHERE))
def test_every_recorded_example_is_read_by_a_test(name: str) -> None:
    assert name in PUSHES or f'"{name}"' in SOURCES


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_left_out_has_nothing_to_read(name: str) -> None:
    assert not (EXAMPLES[name]["http"] or {}).get("body")
