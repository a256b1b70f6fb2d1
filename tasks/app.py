"""The Celery application: settings from `celeryconfig`, one `Runtime` per process, made at first use."""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, signals
from kombu.exceptions import OperationalError

from sync.db.session import DatabaseAway
from sync.runtime import Runtime
from sync.settings import load_settings_or_exit

log = logging.getLogger(__name__)

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
def _wait_for_ground(**_: Any) -> None:
    """A worker starts only when record and broker can be reached; it says so in words and leaves after the bound.

    Leaves by SystemExit, because Celery logs any other exception of a signal's receiver and starts all the same.
    """
    rt = runtime()
    try:
        rt.database.wait_until_ready(rt.settings.startup_wait_s)
        _wait_for_broker(rt.settings.startup_wait_s)
    except DatabaseAway as away:
        raise SystemExit(str(away)) from None
    finally:
        rt.close()
        _runtimes.clear()


def _wait_for_broker(seconds: float) -> None:
    connection: Any
    with app.connection_for_read() as connection:
        where = connection.as_uri()

        def tell(problem: Exception, _interval: float) -> None:
            log.warning("Waiting for the broker %s: %s", where, problem)

        try:
            connection.ensure_connection(tell, timeout=seconds, interval_start=0.5, interval_step=0.5, interval_max=2)
        except OperationalError as problem:
            raise SystemExit(
                f"The broker {where} did not answer for {seconds:.0f} s. Nothing was started and nothing is lost: the "
                f"database is the record. Start it, or correct ECSYNC_BROKER_URL. It said: {problem}"
            ) from None


EVERY_SECOND = ("tasks.sweeps.relay", "tasks.sweeps.move_parcels", "tasks.sweeps.heartbeat")


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
