from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.brokers import open_broker
from tests.chaos.rig import Rig, open_rig
from tests.services import fresh_postgres

OpenHouse = Callable[..., AbstractContextManager[Rig]]
Tell = Callable[[object], None]

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Shows figures at the end of the whole run: what a fault costs in seconds is the point of these tests."""
    lines = request.config.stash.setdefault(_FIGURES, [])
    return lambda figures: lines.append(f"{request.node.name}: {figures}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_FIGURES, []):
        terminalreporter.write_line(line)


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Opens a house on a database and a broker: `with open_house("sqlite", "embedded") as rig`."""

    @contextmanager
    def opened(database: str = "sqlite", broker: str = "embedded", **more: Any) -> Iterator[Rig]:
        with ExitStack() as exits:
            url = f"sqlite:///{tmp_path}/ecsync.db" if database == "sqlite" else exits.enter_context(fresh_postgres())
            chosen = exits.enter_context(open_broker(broker, tmp_path))
            yield exits.enter_context(open_rig(tmp_path, url, chosen, **more))

    return opened
