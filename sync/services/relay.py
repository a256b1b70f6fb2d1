"""Tells workers of what nobody was told of, or whose message got lost: the reason the broker may lose everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.db.steps import Wake, find_idle
from sync.runtime import Runtime
from sync.services.apply_callback import find_waiting


@dataclass(frozen=True, slots=True)
class Relayed:
    """Whom to wake, and which stored pushes to apply."""

    wakes: list[Wake]
    inbox_ids: list[int]


def relay(rt: Runtime, queue_depths: Mapping[str, int]) -> Relayed:
    """Find owed steps and waiting pushes that no message speaks of; `queue_depths` is what the broker holds."""
    wait_s = rt.settings.requeue_after_s
    with rt.database.writing() as session:
        wakes = find_idle(session, requeue_after_s=wait_s, queue_depths=queue_depths)
        return Relayed(wakes, find_waiting(session, requeue_after_s=wait_s))
