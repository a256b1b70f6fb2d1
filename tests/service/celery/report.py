"""`python -m tests.service.celery.report`: the Celery application as a process of its own sees it, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from kombu import Queue

from tasks.app import app

CONF = (
    "task_acks_late",
    "task_reject_on_worker_lost",
    "task_acks_on_failure_or_timeout",
    "task_ignore_result",
    "task_time_limit",
    "task_soft_time_limit",
    "task_create_missing_queues",
    "task_default_queue",
    "worker_prefetch_multiplier",
    "worker_soft_shutdown_timeout",
    "worker_enable_soft_shutdown_on_idle",
    "worker_max_tasks_per_child",
    "worker_max_memory_per_child",
    "broker_connection_retry_on_startup",
    "broker_connection_max_retries",
    "broker_transport_options",
    "broker_heartbeat",
    "broker_connection_timeout",
    "beat_schedule",
    "accept_content",
    "result_backend",
)

ORDER_TASKS = {
    "tasks.orders.ship": "carrier.kdniao",
    "tasks.orders.push": "erp.generic_rest",
    "tasks.orders.write_back": "shop.main",
    "tasks.orders.notify": "notices",
}
SHOP_TASKS = ("tasks.polling.poll", "tasks.stock.sync", "tasks.sweeps.reconcile")

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **{name: (1, peer) for name, peer in ORDER_TASKS.items()},
    **dict.fromkeys(SHOP_TASKS, ("shop.main",)),
    "tasks.orders.probe": ("carrier.kdniao",),
    "tasks.shipments.poll": ("erp.generic_rest",),
}


def main() -> None:
    app.loader.import_default_modules()
    tasks = sorted(name for name in app.tasks if name.startswith("tasks."))
    seen = {
        "conf": {name: app.conf[name] for name in CONF},
        "tasks": tasks,
        "queues": sorted(app.amqp.queues),
        "routes": {name: _route(name, ARGUMENTS.get(name, ())) for name in tasks},
        "routes by name": {name: _route(name, (), {"order_id": 1, "peer": peer}) for name, peer in ORDER_TASKS.items()},
        "misspelt peer": _fail((1, "carrier.kdnaio")),
        "misspelt queue": _fail((1, "carrier.kdniao"), queue="carier"),
        "retries": {name: _retry(app.tasks[name]) for name in ORDER_TASKS},
    }
    sys.stdout.write(json.dumps(seen, default=str))


def _route(name: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> str:
    queue: Queue = app.amqp.router.route({}, name, args, kwargs or {})["queue"]
    return str(queue.name)


def _retry(task: Any) -> list[Any]:
    return [task.max_retries, task.retry_kwargs]


def _fail(args: tuple[Any, ...], **options: Any) -> str:
    try:
        app.send_task("tasks.orders.ship", args=args, **options)
    except Exception as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    return "it was sent"


if __name__ == "__main__":
    main()
