"""Asks ERPs whose warehouses send the parcels what they have sent; Beat says when, for those with TAKES_SHIPMENTS."""

from __future__ import annotations

from typing import Any

from celery import Task

from mappings.errors import PeerError
from sync.gateway import PeerAway
from sync.services.take_shipments import take_shipments
from tasks.app import app, runtime
from tasks.policy import publish


@app.task(name="tasks.shipments.poll", bind=True, throws=(PeerError, PeerAway))
def poll(self: Task[Any, Any], erp: str) -> None:
    """Take what one ERP has sent (`erp.jushuitan`); a failed look is simply the next one's work."""
    publish(self, take_shipments(runtime(), erp).wakes)
