"""The Celery application: settings from `celeryconfig`, one `Runtime` per process, made at first use."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, signals

from sync.runtime import Runtime
from sync.settings import load_settings_or_exit

app = Celery("ecsync")
app.config_from_object("celeryconfig")

_runtimes: dict[int, Runtime] = {}


def runtime() -> Runtime:
    """This process's runtime; a forked child makes its own, so that no socket is ever shared."""
    pid = os.getpid()
    if pid not in _runtimes:
        _runtimes.clear()
        _runtimes[pid] = Runtime(load_settings_or_exit())
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


EVERY_SECOND = ("tasks.sweeps.relay", "tasks.sweeps.heartbeat")


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """The ticks that run every second would drown what a person looks for; their failures are still shown."""
    if record.levelno > logging.INFO:
        return True
    data = getattr(record, "data", None) or record.args
    name = data.get("name") if isinstance(data, dict) else None
    return name not in EVERY_SECOND


@signals.after_setup_logger.connect
def _quiet(**_: Any) -> None:
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).addFilter(_is_worth_a_line)
    logging.getLogger("celery.beat").setLevel(logging.WARNING)
    logging.getLogger("apprise").setLevel(logging.WARNING)
