"""Tells workers of what nobody was told of, or whose message got lost: the reason the broker may lose everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.db import steps
from sync.db.steps import Wake, find_idle
from sync.runtime import Runtime
from sync.services import apply_callback as inbox
from sync.services.apply_callback import find_waiting

CALLBACKS = "callbacks"
"""The queue of pushes to apply."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """Whom to wake, and which stored pushes to apply."""

    wakes: list[Wake]
    inbox_ids: list[int]


def relay(rt: Runtime, queue_depths: Mapping[str, int]) -> Relayed:
    """Find owed steps and waiting pushes that no message speaks of; `queue_depths` is what the broker holds.

    Looking takes no write lock; only a find is marked.
    """
    wait_s = rt.settings.requeue_after_s
    with rt.database.reading() as session:
        closed = rt.door.closed(session)
        idle = find_idle(session, requeue_after_s=wait_s, queue_depths=queue_depths, closed_peers=closed)
        waiting = find_waiting(session, is_queue_empty=not queue_depths.get(CALLBACKS))
    if not idle and not waiting:
        return Relayed([], [])
    with rt.database.writing() as session:
        steps.mark_told(session, list(idle))
        told = inbox.mark_told(session, waiting, requeue_after_s=wait_s)
    return Relayed(list(dict.fromkeys(idle.values())), told)
