from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from sync.clock import BusinessClock, utc_now
from sync.sandbox.http import App, HttpServer
from sync.sandbox.server import SandboxPeers, SandboxSettings


@pytest.fixture
def peers() -> Iterator[SandboxPeers]:
    with SandboxPeers() as running:
        yield running


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Callable[[SandboxSettings], SandboxPeers]]:
    """Start peers with settings of the test's own."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(SandboxPeers(settings))


@pytest.fixture
def serve() -> Iterator[Callable[[App], str]]:
    """Serve a receiver of pushes; the answer is its address."""
    servers: list[HttpServer] = []

    def run(receiver: App) -> str:
        server = HttpServer(receiver)
        server.start()
        servers.append(server)
        return f"{server.url}/callbacks/any"

    yield run
    for server in servers:
        server.stop()


@pytest.fixture
def fast_clock() -> BusinessClock:
    """Two business days in a fifth of a second."""
    now = utc_now()
    return BusinessClock(now, now, 1_000_000)
