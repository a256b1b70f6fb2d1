"""The demo's stock: how much lies in the ERP, and bringing the shop's figures to their end."""

from __future__ import annotations

import time

from sqlalchemy import Engine, func, select

from mappings.errors import PeerError
from sync.db.models import StockChangeRow
from sync.db.stock import read_levels
from sync.gateway import PeerAway
from sync.local.plan import SAFETY
from sync.local.verdict import StockEvidence
from sync.runtime import Runtime
from sync.sandbox.shop import read_stock_ledger
from sync.services.sync_stock import sync_stock

MOST_RUNS = 12
PAUSE_S = 0.5


def enough_for(orders: int) -> int:
    """Pieces of each SKU in the ERP: less than the shop shows at first, so that its figures move, and never too few."""
    return 600 + 5 * orders


def gather_stock(rt: Runtime, shop: Engine, on_hand: int) -> StockEvidence:
    """Run until the shop shows what it must, for a bounded time: the last orders may be newer than Beat's last run.

    The ERP fails now and then, and a figure that changed meanwhile is left to the next run.
    """
    for _ in range(MOST_RUNS):
        found = _read(rt, shop, on_hand)
        if not found.wrong:
            break
        try:
            sync_stock(rt, rt.settings.shops[0].key)
        except (PeerError, PeerAway):
            time.sleep(PAUSE_S)
    return _read(rt, shop, on_hand)


def _read(rt: Runtime, shop: Engine, on_hand: int) -> StockEvidence:
    with rt.database.reading() as session:
        figures_set = session.execute(select(func.count()).select_from(StockChangeRow)).scalar_one()
        levels = read_levels(session, rt.settings.shops[0].name)
    erp = {sku: level.available for sku, level in levels.items() if level.available is not None}
    return StockEvidence(read_stock_ledger(shop), erp, on_hand, SAFETY, figures_set)
