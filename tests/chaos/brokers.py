"""Brokers that a test may wipe and kill: a private Redis, one in pure Python, a virtual host of a RabbitMQ."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from kombu import Connection

from sync.local.broker import Broker, choose_broker
from tests.chaos.processes import Running, children, kill_group, wait_for
from tests.services import RABBITMQ, need_port

QUEUES = ("carrier.kdniao", "erp.generic_rest", "shop.main", "callbacks", "sweeps", "notices")


@contextmanager
def open_broker(kind: str, directory: Path) -> Iterator[Broker]:
    """`embedded`: what a machine without services gets; `fake`: the pure Python one; `rabbitmq`: a place of our own.

    The first two are not started here: their `argv` says how.
    """
    if kind == "rabbitmq":
        with _virtual_host() as url:
            yield Broker("rabbitmq", url, "the test asks for it")
    else:
        yield choose_broker(directory / "broker", wanted="fake" if kind == "fake" else "")


def forget_everything(broker: Broker) -> None:
    """The broker loses all it held; what we started ourselves is killed with it and comes back empty."""
    if broker.kind == "rabbitmq":
        purge(broker.url)
        return
    if broker.is_durable:
        client = redis.Redis.from_url(broker.url)
        client.flushall()
        client.close()
    kill_group(server(broker))


def flush(broker: Broker) -> None:
    """The broker loses all it held and stays up."""
    if broker.kind == "rabbitmq":
        purge(broker.url)
        return
    client = redis.Redis.from_url(broker.url)
    client.flushall()
    client.close()


def server(broker: Broker) -> Running:
    """The process of a broker of our own; Redis shows its port where its arguments were."""
    port = str(urlsplit(broker.url).port)
    return wait_for("the broker's process", lambda: children(os.getpid(), port))[0]


def purge(url: str) -> None:
    """Empty our queues; one that does not exist yet is no matter."""
    connection: Any
    with Connection(url, connect_timeout=5) as connection:
        for queue in QUEUES:
            channel = connection.channel()
            try:
                channel.queue_purge(queue)
            except connection.channel_errors:
                continue
            channel.close()


@contextmanager
def _virtual_host() -> Iterator[str]:
    """A virtual host that is ours alone, or, where nobody lets us make one, the given one with our queues emptied."""
    need_port("RabbitMQ", RABBITMQ)
    name = f"ecsync_test_{uuid.uuid4().hex[:12]}"
    base, _, _ = RABBITMQ.partition("//")[2].partition("/")
    user = base.partition(":")[0] if "@" in base else "guest"
    if not (_rabbitmqctl("add_vhost", name) and _rabbitmqctl("set_permissions", "-p", name, user, ".*", ".*", ".*")):
        purge(RABBITMQ)
        yield RABBITMQ
        purge(RABBITMQ)
        return
    try:
        yield f"{RABBITMQ.partition('//')[0]}//{base}/{name}"
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*words: str) -> bool:
    program = shutil.which("rabbitmqctl") or shutil.which("rabbitmqctl", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return False
    return subprocess.run([program, "-q", *words], capture_output=True, check=False, timeout=60).returncode == 0
