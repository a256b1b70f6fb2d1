"""The runtime of one web process, made at its first request: after the fork, so that no socket is ever shared."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, cast

from flask import current_app
from prometheus_client import Histogram
from sqlalchemy import Engine, event

from sync.metrics import BUCKETS
from sync.runtime import Runtime
from sync.settings import Settings
from sync.web.board import LatestBoard

ANSWER_WITHIN_S = 5
"""How long the database may take for one statement: a thread that waits longer is missed by the next push."""

CONNECT_WITHIN_S = 2

SWITCH_S = 0.0005
"""How soon a thread that came back from SQL or hashing gets Python again; ten times sooner than by default."""

_KEY = "ecsync"


class WebProcess:
    """Holds what a process makes once; `acks` measures how fast pushes are answered."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.boards = LatestBoard()
        self._lock = threading.Lock()
        self._pid = 0
        self._runtime: Runtime
        self._acks: Histogram

    @property
    def runtime(self) -> Runtime:
        self._make()
        return self._runtime

    @property
    def acks(self) -> Histogram:
        self._make()
        return self._acks

    def _make(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            sys.setswitchinterval(SWITCH_S)
            runtime = Runtime(self.settings)
            _limit_waiting(runtime.database.engine)
            self._acks = Histogram(
                "ecsync_callback_ack_seconds",
                "Seconds from a push to our answer",
                ("source",),
                buckets=BUCKETS,
                registry=runtime.counters.registry,
            )
            self._runtime, self._pid = runtime, os.getpid()

    def close(self) -> None:
        """Give back connections; the next request makes new ones."""
        if self._pid == os.getpid():
            self._runtime.close()
        self._pid = 0


def install(app: Any, settings: Settings) -> WebProcess:
    """Give an application its process."""
    process = WebProcess(settings)
    app.extensions[_KEY] = process
    return process


def current() -> WebProcess:
    """The process that answers this request."""
    return cast(WebProcess, current_app.extensions[_KEY])


def _limit_waiting(engine: Engine) -> None:
    """A request has no time limit of its own, so every wait for the database gets one."""

    @event.listens_for(engine, "do_connect")
    def _shorten(dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        if dialect.name == "sqlite":
            parameters["timeout"] = ANSWER_WITHIN_S
        else:
            milliseconds = ANSWER_WITHIN_S * 1000
            parameters["connect_timeout"] = CONNECT_WITHIN_S
            parameters["tcp_user_timeout"] = milliseconds
            parameters["options"] = f"-c statement_timeout={milliseconds}"
