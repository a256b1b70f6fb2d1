"""The one retry policy: transient errors are tried again 5 seconds apart, 3 attempts in all, then parked.

The ledger counts the attempts; Celery's retry only brings the task back at the right moment. If that message is lost,
the relay finds the step. Both numbers are settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import Task

from mappings.errors import PeerError, TransientError, UncertainError
from sync.db.steps import Wake
from sync.gateway import PeerAway
from sync.services.run_steps import StepParked
from sync.settings import load_settings_or_exit

_settings = load_settings_or_exit()

RETRY: dict[str, Any] = {
    "autoretry_for": (TransientError, UncertainError),
    "max_retries": _settings.retry_attempts - 1,
    "default_retry_delay": _settings.retry_delay_s,
    "retry_kwargs": {"countdown": _settings.retry_delay_s},
    "retry_backoff": False,
    "retry_jitter": False,
    "throws": (PeerError, PeerAway, StepParked),
}

TASK_OF = {"carrier": "tasks.orders.ship", "erp": "tasks.orders.push", "shop": "tasks.orders.write_back"}


def publish(task: Task[Any, Any], wakes: Iterable[Wake]) -> None:
    """Tell workers, after the commit; a message that cannot be sent is found by the relay."""
    for wake in wakes:
        name = TASK_OF.get(wake.peer.partition(".")[0], "tasks.orders.notify")
        task.app.send_task(name, args=(wake.order_id, wake.peer))
