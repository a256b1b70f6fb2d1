"""Finds this test's own descendants by what they run, waits for them, and kills them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Running:
    """A process of this machine."""

    pid: int
    parent: int
    command: str


def wait_for(what: str, look: Callable[[], T], seconds: float = 30) -> T:
    """Look until there is something to see, for a bounded time; returns it."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"for {seconds:.0f} s there was not: {what}")
        time.sleep(0.05)
    return seen


def children(parent: int, words: str = "") -> list[Running]:
    """Its living children, those whose command holds the words."""
    return [each for each in _processes() if each.parent == parent and words in each.command]


def worker(name: str) -> Running:
    """A Celery worker that this test's supervisor keeps running, by the name before the @."""
    return wait_for(f"a worker {name}", lambda: children(os.getpid(), f" -n {name}@"))[0]


def kill_group(process: Running) -> None:
    """SIGKILL a supervised process with all its children: a machine that lost its power."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def kill_pool_child(process: Running) -> None:
    """SIGKILL one child of a worker's pool: the out-of-memory killer."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(wait_for("a pool child", lambda: children(process.pid))[0].pid, signal.SIGKILL)


def _processes() -> list[Running]:
    if not PROC.is_dir():
        listed = subprocess.run(["ps", "-axo", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
        rows = (line.split(None, 2) for line in listed.stdout.splitlines())
        return [Running(int(row[0]), int(row[1]), row[2]) for row in rows if len(row) == 3]
    found = []
    for directory in PROC.iterdir():
        if directory.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                found.append(_read(directory))
    return found


def _read(directory: Path) -> Running:
    state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
    command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return Running(int(directory.name), 0 if state == "Z" else int(parent), command)
