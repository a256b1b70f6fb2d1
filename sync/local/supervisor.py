"""Keeps child processes running and, at the end, leaves none behind.

Each child leads a process group of its own, so that what it forks ends with it. Should the supervisor itself be
killed, a watchdog that holds the other end of a pipe kills the groups.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TextIO

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
SETTLED_AFTER_S = 10.0
"""A child that lived this long has started well; its next death counts as the first again."""
HOPELESS_AFTER = 5
"""So many deaths in a row, none of them after a good start, and a person should look."""

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


@dataclass(frozen=True, slots=True)
class Child:
    """A program to keep running. `env` is its whole environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)


class Output:
    """Where children's words go: a file each under `logs`, or, without it, to `terminal` with the name before them."""

    def __init__(self, terminal: TextIO, logs: Path | None = None) -> None:
        self.logs = logs
        self._terminal = terminal
        self._is_coloured = terminal.isatty()
        self._lock = threading.Lock()

    def open_log(self, name: str) -> IO[bytes] | None:
        return (self.logs / f"{name}.log").open("ab") if self.logs else None

    def copy(self, name: str, number: int, lines: IO[bytes]) -> None:
        """Print lines to their end, prefixed."""
        prefix = f"{name:>16} | "
        if self._is_coloured:
            prefix = f"\033[{_COLOURS[number % len(_COLOURS)]}m{prefix}\033[0m"
        for line in lines:
            with self._lock:
                self._terminal.write(prefix + line.decode(errors="replace").rstrip("\n") + "\n")
                self._terminal.flush()


class Supervisor:
    """Starts children in batches and stops the batches in reverse order; a context manager that always stops.

    `say` hears in one sentence what happens to a child; it is called from other threads.
    """

    def __init__(self, output: Output, say: Callable[[str], None], *, grace_s: float = 10.0) -> None:
        self._output = output
        self._say = say
        self._grace_s = grace_s
        self._batches: list[list[_Keeper]] = []
        self._watchdog = _Watchdog()

    def start(self, *children: Child) -> None:
        """Start children that belong together: they will be stopped together, before those started earlier."""
        first = sum(map(len, self._batches))
        batch = [
            _Keeper(child, number, self._output, self._say, self._watchdog)
            for number, child in enumerate(children, first)
        ]
        self._batches.append(batch)
        for keeper in batch:
            keeper.start()

    def hopeless(self) -> list[str]:
        """Names of children that die again and again right after their start."""
        return [keeper.child.name for batch in self._batches for keeper in batch if keeper.deaths >= HOPELESS_AFTER]

    def stop(self) -> None:
        """SIGTERM, a bounded wait, SIGKILL for the whole group; returns when every child is gone."""
        while self._batches:
            batch = self._batches.pop()
            for keeper in batch:
                keeper.ask_to_end()
            deadline = time.monotonic() + self._grace_s
            for keeper in batch:
                keeper.end(max(0.0, deadline - time.monotonic()))
        self._watchdog.close()

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Keeper:
    """Runs one child in a thread: start it, wait for its end, clear its group away, start it again."""

    def __init__(
        self, child: Child, number: int, output: Output, say: Callable[[str], None], watchdog: _Watchdog
    ) -> None:
        self.child = child
        self.deaths = 0
        self._number = number
        self._output = output
        self._say = say
        self._watchdog = watchdog
        self._is_ending = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"keep-{child.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_end(self) -> None:
        with self._lock:
            self._is_ending.set()
            if self._process is not None:
                self._process.terminate()

    def end(self, seconds: float) -> None:
        """Wait so long for the end that was asked for, then enforce it."""
        self._thread.join(seconds)
        if not self._thread.is_alive():
            return
        self._say(f"{self.child.name} did not end when asked; it is killed")
        with self._lock:
            if self._process is not None:
                _kill_group(self._process.pid)
        self._thread.join()

    def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while (ended := self._run_once()) is not None:
            how, lived_s = ended
            if lived_s > SETTLED_AFTER_S:
                self.deaths, wait_s = 0, FIRST_WAIT_S
            self.deaths += 1
            self._say(f"{self.child.name} {how}; it is started again in {wait_s:g} s")
            if self._is_ending.wait(wait_s):
                return
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _run_once(self) -> tuple[str, float] | None:
        """Run the child to its end; how it ended and how long it lived, or None when it was meant to end."""
        started = time.monotonic()
        try:
            process = self._spawn()
        except OSError as problem:
            return f"could not be started ({problem.strerror})", 0.0
        if process is None:
            return None
        reader = self._read(process)
        status = process.wait()
        _kill_group(process.pid)  # what it forked must not outlive it, and would keep its output open
        self._watchdog.forget(process.pid)
        if reader is not None:
            reader.join()
        with self._lock:
            self._process = None
            if self._is_ending.is_set():
                return None
        return _how_it_ended(status), time.monotonic() - started

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """The running child, or None when it is not wanted any more."""
        with self._lock, contextlib.ExitStack() as files:
            if self._is_ending.is_set():
                return None
            log = self._output.open_log(self.child.name)
            if log is not None:
                files.enter_context(log)
            self._process = subprocess.Popen(
                self.child.argv,
                env=dict(self.child.env),
                stdin=subprocess.DEVNULL,
                stdout=log or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, and the group has the child's own id
            )
            self._watchdog.remember(self._process.pid)
            return self._process

    def _read(self, process: subprocess.Popen[bytes]) -> threading.Thread | None:
        if process.stdout is None:
            return None
        reader = threading.Thread(target=self._copy, args=(process.stdout,), daemon=True)
        reader.start()
        return reader

    def _copy(self, lines: IO[bytes]) -> None:
        with lines:
            self._output.copy(self.child.name, self._number, lines)


class _Watchdog:
    """The process that kills what is left if the supervisor dies without a word."""

    def __init__(self) -> None:
        program = Path(__file__).with_name("watchdog.py")
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def remember(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}"
