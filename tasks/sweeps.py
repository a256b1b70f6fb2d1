"""What must happen though nothing triggers it: lost messages, overdue pickups, conservation, the heartbeat."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task

from mappings.errors import PeerError
from sync.db.cursors import set_cursor
from sync.gateway import PeerAway
from sync.services import relay as relay_service
from sync.services.reconcile import reconcile_shop
from sync.services.sweep_pickups import sweep_pickups
from tasks.app import app, runtime
from tasks.policy import publish

log = logging.getLogger(__name__)


@app.task(name="tasks.sweeps.relay", bind=True, send_events=False)
def relay(self: Task[Any, Any]) -> None:
    """Tell workers of owed steps and waiting callbacks that no message speaks of."""
    found = relay_service.relay(runtime(), _queue_depths(self))
    publish(self, found.wakes)
    for inbox_id in found.inbox_ids:
        self.app.send_task("tasks.callbacks.apply", args=(inbox_id,))


@app.task(name="tasks.sweeps.pickups", bind=True)
def pickups(self: Task[Any, Any]) -> None:
    """Find parcels whose pickup is overdue."""
    publish(self, sweep_pickups(runtime()))


@app.task(name="tasks.sweeps.reconcile", throws=(PeerError, PeerAway))
def reconcile(shop: str) -> None:
    """Count every paid order of a shop into one bucket."""
    account = reconcile_shop(runtime(), shop)
    if account.difference:
        log.error("%s: %d paid orders are nowhere: %s", shop, account.difference, ", ".join(account.unaccounted))


@app.task(name="tasks.sweeps.heartbeat", send_events=False)
def heartbeat() -> None:
    """Show that a worker consumes: a worker can be up and deaf."""
    with runtime().database.writing() as session:
        set_cursor(session, "heartbeat", "")


def _queue_depths(task: Task[Any, Any]) -> dict[str, int]:
    """Messages waiting per queue, by asking the broker; a queue that does not exist yet holds none."""
    depths: dict[str, int] = {}
    with task.app.connection_for_read() as connection:
        for queue in task.app.conf.task_queues:
            channel: Any = connection.channel()
            try:
                depths[queue.name] = channel.queue_declare(queue.name, passive=True).message_count
            except connection.channel_errors:
                depths[queue.name] = 0
            else:
                channel.close()
    return depths
