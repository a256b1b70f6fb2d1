"""Whether tests that belong in one line go to one process: when they do not, nothing fails and everything is slow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from xdist.remote import Producer

from tests.conftest import LINES, InLines

ROOT = Path(__file__).parents[2]
PLACES = {place: line for line, places in LINES.items() for place in places}


@dataclass(eq=False)
class Process:
    """A test process that only notes what it is told to run."""

    gateway = SimpleNamespace(id="any")
    shutting_down: bool = False
    told: list[int] = field(default_factory=list)

    def send_runtest_some(self, indices: list[int]) -> None:
        self.told += indices


def test_each_line_goes_whole_to_one_process_and_before_all_else() -> None:
    tests = [f"{place}::test_{number}" for number in range(9) for place in ("tests/unit/test_any.py", *PLACES)]
    options = SimpleNamespace(loadscopereorder=True)
    config = SimpleNamespace(option=options, getvalue=lambda _: [f"{len(LINES)}*popen"])
    lines = InLines(cast("pytest.Config", config), Producer("lines", enabled=False))
    processes = [Process() for _ in LINES]
    for process in processes:
        lines.add_node(cast("Any", process))
        lines.add_node_collection(cast("Any", process), tests)

    lines.schedule()

    told = [{PLACES.get(tests[number].partition("::")[0], "any") for number in process.told} for process in processes]
    assert sorted(told, key=str) == [{line} for line in sorted(LINES)]
    assert sum(len(process.told) for process in processes) == 9 * len(PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_every_place_of_a_line_exists(place: str) -> None:
    assert (ROOT / place).exists()
