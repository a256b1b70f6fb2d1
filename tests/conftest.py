"""How the tests share the machine's cores."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROCESSES = [
    HERE / name for name in ("chaos", "browser", "service/celery", "service/local", "service/ops", "service/tryton")
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start workers, brokers or browsers run in one line: beside each other they would measure the crowd."""
    for item in items:
        if any(folder in item.path.parents for folder in PROCESSES):
            item.add_marker(pytest.mark.xdist_group("processes"))
