"""How the tests share the machine's cores."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

LINES = {
    "chaos": ("tests/chaos/",),
    "processes": ("tests/browser/", "tests/service/celery/", "tests/service/local/", "tests/service/ops/"),
    "tryton": ("tests/service/tryton/",),
    "old shops": ("tests/service/plugin/test_plans.py", "tests/service/shop/test_plans.py"),
}
"""Tests that start workers, brokers or browsers: beside each other they would measure the crowd. And those that share
something which takes long to make: it is made in one process instead of in all."""


class InLines(LoadScopeScheduling):
    """Gives each line to one process as a whole, the longest first, and every other test to whichever is free.

    By path and not by the mark `xdist_group`: pytest-xdist 3.8 does not see it any more under pytest 9.2
    (https://github.com/pytest-dev/pytest-xdist/issues/1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((line for line, places in LINES.items() if nodeid.startswith(places)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> InLines:
    return InLines(config, log)
