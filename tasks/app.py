"""The Celery application: settings from `celeryconfig`, one `Runtime` per process, made at first use."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, signals

from sync.runtime import Runtime
from sync.settings import load_settings

app = Celery("ecsync")
app.config_from_object("celeryconfig")

_runtimes: dict[int, Runtime] = {}


def runtime() -> Runtime:
    """This process's runtime; a forked child makes its own, so that no socket is ever shared."""
    pid = os.getpid()
    if pid not in _runtimes:
        _runtimes.clear()
        _runtimes[pid] = Runtime(load_settings())
    return _runtimes[pid]


@signals.worker_process_shutdown.connect
def _close(**_: Any) -> None:
    made = _runtimes.pop(os.getpid(), None)
    if made is not None:
        made.close()


@signals.worker_init.connect
def _wait_for_database(**_: Any) -> None:
    """A worker starts only when the record can be reached; it says so in words and leaves after the bound."""
    rt = runtime()
    rt.database.wait_until_ready(rt.settings.startup_wait_s)
    rt.close()
    _runtimes.clear()


@signals.after_setup_logger.connect
def _quiet(**_: Any) -> None:
    logging.getLogger("apprise").setLevel(logging.WARNING)
