"""Polls the shops; Beat says when."""

from __future__ import annotations

from typing import Any

from celery import Task

from mappings.errors import PeerError
from sync.gateway import PeerAway
from sync.services.poll_shop import poll_shop
from tasks.app import app, runtime
from tasks.policy import publish


@app.task(name="tasks.polling.poll", bind=True, throws=(PeerError, PeerAway))
def poll(self: Task[Any, Any], shop: str) -> None:
    """Poll one shop (`shop.main`); a failed poll is simply the next one's work."""
    publish(self, poll_shop(runtime(), shop).wakes)
