"""Applies stored callbacks, one task each."""

from __future__ import annotations

from typing import Any

from celery import Task

from sync.services.apply_callback import apply_callback
from tasks.app import app, runtime
from tasks.policy import publish


@app.task(name="tasks.callbacks.apply", bind=True)
def apply(self: Task[Any, Any], inbox_id: int) -> None:
    """Apply one stored push to the parcels it speaks of."""
    publish(self, apply_callback(runtime(), inbox_id))
