"""One task an order and peer: book the waybill, push to the ERP, write back to the shop, tell people."""

from __future__ import annotations

from typing import Any

from celery import Task

from sync.services.move_parcels import probe as ask_again
from sync.services.run_steps import run_steps
from tasks.app import app, runtime
from tasks.policy import RETRY, publish


def _serve(task: Task[Any, Any], order_id: int, peer: str) -> None:
    publish(task, run_steps(runtime(), order_id, peer))


@app.task(name="tasks.orders.ship", bind=True, **RETRY)
def ship(self: Task[Any, Any], order_id: int, peer: str) -> None:
    """Do what the order owes to a carrier: book its waybill, ask about its pickup."""
    _serve(self, order_id, peer)


@app.task(name="tasks.orders.push", bind=True, **RETRY)
def push(self: Task[Any, Any], order_id: int, peer: str) -> None:
    """Push the order to an ERP."""
    _serve(self, order_id, peer)


@app.task(name="tasks.orders.write_back", bind=True, **RETRY)
def write_back(self: Task[Any, Any], order_id: int, peer: str) -> None:
    """Write to the shop what it must show of the order."""
    _serve(self, order_id, peer)


@app.task(name="tasks.orders.probe")
def probe(peer: str) -> None:
    """Ask a carrier that was away whether it is back; its orders have gone elsewhere."""
    ask_again(runtime(), peer)


@app.task(name="tasks.orders.notify", bind=True, **RETRY)
def notify(self: Task[Any, Any], order_id: int, peer: str) -> None:
    """Send the notices that the order owes."""
    _serve(self, order_id, peer)
