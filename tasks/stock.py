"""Brings the ERP's stock into the shops; Beat says when, for shops whose STOCK_INTERVAL_S is set."""

from __future__ import annotations

from mappings.errors import PeerError
from sync.gateway import PeerAway
from sync.services.sync_stock import sync_stock
from tasks.app import app, runtime


@app.task(name="tasks.stock.sync", throws=(PeerError, PeerAway))
def sync(shop: str) -> None:
    """Bring one shop's stock up to date (`shop.main`); a failed run is simply the next one's work."""
    sync_stock(runtime(), shop)
