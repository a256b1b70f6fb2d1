"""What must happen though nothing triggers it: lost messages and pushes, overdue parcels, conservation, heartbeat."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task

from mappings.errors import PeerError
from sync.db.cursors import set_cursor
from sync.gateway import PeerAway
from sync.services import move_parcels as move_service
from sync.services import relay as relay_service
from sync.services.forget import forget_people
from sync.services.keep_labels import empty_old_labels
from sync.services.reconcile import reconcile_shop
from sync.services.sweep_parcels import sweep_parcels
from sync.services.sweep_unsent import sweep_unsent
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


@app.task(name="tasks.sweeps.move_parcels", bind=True, send_events=False)
def move_parcels(self: Task[Any, Any]) -> None:
    """Move what closed carriers are owed to the next rule, and have those probed that nobody asks any more."""
    found = move_service.move_parcels(runtime())
    publish(self, found.wakes)
    for peer in found.probes:
        self.app.send_task("tasks.orders.probe", args=(peer,), expires=10)


@app.task(name="tasks.sweeps.parcels", bind=True)
def parcels(self: Task[Any, Any]) -> None:
    """Find parcels whose pickup is overdue, that do not move, that are late, or that nothing was heard of."""
    publish(self, sweep_parcels(runtime()).wakes)


@app.task(name="tasks.sweeps.unsent")
def unsent() -> None:
    """Tell of the parcels that ERPs' warehouses should have sent by now."""
    if told := sweep_unsent(runtime()):
        log.warning("%d parcels wait too long for an ERP's warehouse", told)


@app.task(name="tasks.sweeps.reconcile", throws=(PeerError, PeerAway))
def reconcile(shop: str) -> None:
    """Count every paid order of a shop into one bucket."""
    account = reconcile_shop(runtime(), shop)
    if account.difference:
        log.error("%s: %d paid orders are nowhere: %s", shop, account.difference, ", ".join(account.unaccounted))


@app.task(name="tasks.sweeps.labels")
def labels() -> None:
    """Empty the labels that are older than the retention time."""
    if emptied := empty_old_labels(runtime()):
        log.info("emptied %d labels past their retention time", emptied)


@app.task(name="tasks.sweeps.people")
def people() -> None:
    """Purge the personal data that is older than the retention time."""
    if gone := forget_people(runtime()):
        log.info(
            "past their retention time: %d orders lost their people; %d pushes, %d calls and %d scans are deleted",
            gone.orders,
            gone.pushes,
            gone.calls,
            gone.scans,
        )


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
