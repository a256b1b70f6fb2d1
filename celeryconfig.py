"""Celery's settings as data. Why each value is what it is: docs/adr and the comments here.

The broker is Redis or RabbitMQ by ECSYNC_BROKER_URL, with no other change.
"""

from __future__ import annotations

from typing import Any

from kombu import Exchange, Queue

from sync.settings import load_settings_or_exit

_settings = load_settings_or_exit()

broker_url = _settings.broker_url
broker_connection_retry_on_startup = True
broker_connection_max_retries = 30
broker_pool_limit = 10
_is_redis = broker_url.startswith("redis")

if _is_redis:
    # Without these a half-open socket stops a worker for ever. The visibility timeout must exceed every time limit
    # and every countdown, or a running task is delivered again.
    broker_transport_options: dict[str, Any] = {
        "visibility_timeout": max(300, 180 + int(_settings.retry_delay_s)),
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
    }
else:
    broker_heartbeat = 10
    broker_connection_timeout = 5
    broker_transport_options = {"confirm_publish": True}

# The database is the record: a result nobody reads is only traffic.
task_ignore_result = True
task_serializer = "json"
accept_content = ["json"]
timezone = "UTC"
enable_utc = True

# A task is acknowledged when it is over, and given back when its worker dies; leases and keys make a repeat harmless.
task_acks_late = True
task_reject_on_worker_lost = True
task_time_limit = 120
task_soft_time_limit = 90
worker_prefetch_multiplier = 1
worker_cancel_long_running_tasks_on_connection_loss = False
worker_max_tasks_per_child = 1000
worker_max_memory_per_child = 300_000  # KiB
worker_soft_shutdown_timeout = 30
worker_enable_soft_shutdown_on_idle = False  # an idle one would sleep those seconds; what waits goes back all the same
worker_hijack_root_logger = True
worker_log_format = "%(asctime)s %(levelname)s %(message)s"
worker_task_log_format = "%(asctime)s %(levelname)s %(message)s"

# Events cost messages; `-E` on the worker's command line turns them on for Flower.
worker_send_task_events = False
task_send_sent_event = False

# A queue per peer, so that a slow ERP never delays a waybill. A misspelt queue must fail, not become a black hole.
task_create_missing_queues = False
CALLBACKS, SWEEPS, NOTICES = "callbacks", "sweeps", "notices"
QUEUES = [peer.key for peer in _settings.peers] + [CALLBACKS, SWEEPS, NOTICES]
_exchange = Exchange("ecsync", type="direct")
task_queues = [Queue(name, _exchange, routing_key=name) for name in QUEUES]
task_default_queue = SWEEPS
task_default_exchange = "ecsync"
task_default_routing_key = SWEEPS


_TO_ONE_PEER = ("tasks.orders.", "tasks.polling.", "tasks.stock.", "tasks.shipments.", "tasks.sweeps.reconcile")


def route_by_peer(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **_: Any) -> Any:
    """What talks to one peer goes to that peer's queue: the task's last argument. So a slow shop delays no relay."""
    if not name.startswith(_TO_ONE_PEER) or not (args or kwargs):
        return None
    return {"queue": kwargs.get("peer") if kwargs and "peer" in kwargs else args[-1]}


task_routes = (
    route_by_peer,
    {
        "tasks.callbacks.*": {"queue": CALLBACKS},
        "tasks.sweeps.*": {"queue": SWEEPS},
    },
)

imports = ("tasks.orders", "tasks.callbacks", "tasks.polling", "tasks.stock", "tasks.shipments", "tasks.sweeps")


def _every(task: str, seconds: float, *args: str) -> dict[str, Any]:
    """A tick that nobody could take in time is dropped: the next one catches up from the database.

    A tick for a shop waits in its queue behind what is written back, so it is kept longer.
    """
    patience_s = max(5.0, seconds) if not args else max(60.0, 10 * seconds)
    return {"task": task, "schedule": seconds, "args": args, "options": {"expires": patience_s}}


beat_max_loop_interval = 5
beat_schedule = {
    **{
        f"poll {shop.key}": _every("tasks.polling.poll", _settings.poll_interval_s, shop.key)
        for shop in _settings.shops
    },
    "relay": _every("tasks.sweeps.relay", _settings.relay_interval_s),
    "closed carriers": _every("tasks.sweeps.move_parcels", 2.0),
    "parcels": _every("tasks.sweeps.parcels", _settings.pickup_sweep_interval_s),
    **{
        f"reconcile {shop.key}": _every("tasks.sweeps.reconcile", _settings.reconcile_interval_s, shop.key)
        for shop in _settings.shops
    },
    **{
        f"stock {shop.key}": _every("tasks.stock.sync", shop.stock.interval_s, shop.key)
        for shop in _settings.shops
        if shop.stock.interval_s
    },
    **{
        f"shipments {erp.key}": _every("tasks.shipments.poll", erp.erp.shipments_interval_s, erp.key)
        for erp in _settings.erps
        if erp.erp.takes_shipments
    },
    # also where no ERP ships (any more): what was told before then closes
    "unsent parcels": _every("tasks.sweeps.unsent", _settings.pickup_sweep_interval_s),
    # hourly, so that a day's restarts of beat never put it off for ever; it finds nothing 23 times
    "old labels": _every("tasks.sweeps.labels", 3600.0),
    "old people": _every("tasks.sweeps.people", 3600.0),
    "heartbeat": _every("tasks.sweeps.heartbeat", 20.0),
}
