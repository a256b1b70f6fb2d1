"""Asks an ERP for its stock: all of it, or what changed since (docs/adr/0014-changed-stock.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from mappings.connector import Spec
from mappings.model import StockFigure
from sync.db import stock as record
from sync.db.stock import Level
from sync.gateway import CallContext
from sync.runtime import Runtime
from sync.settings import PeerSettings

TURN_WAIT_S = 60.0
"""What was read so far is worth waiting for the peer's next minute."""


def tells_changes(spec: Spec) -> bool:
    """Whether it can be asked for changes; one that answers for all SKUs knows by itself what it does with a time."""
    return spec.tells_changes or not spec.skus_at_once


def ask_stock(
    rt: Runtime, peer: PeerSettings, erp: PeerSettings, since: datetime | None, kept: Mapping[str, Level]
) -> list[StockFigure]:
    """The ERP's figures, all of them without `since`; raises any PeerError, or PeerAway.

    Of one that answers by SKU all that the shop shows. Beside its changes those that nothing is `kept` of, and those
    of orders that it has just heard of: what it reserves for ours must be seen, whatever it calls a change.
    """
    connector = rt.erps[erp.key]
    if not erp.spec.skus_at_once:
        return list(rt.gateway.run(erp.key, connector.read_stock(since), CallContext(turn_wait_s=TURN_WAIT_S)))
    wanted = _sold(rt, peer)
    if since is None:
        return _ask_by_sku(rt, erp, wanted)
    told = list(rt.gateway.run(erp.key, connector.read_stock(since), CallContext(turn_wait_s=TURN_WAIT_S)))
    with rt.database.reading() as session:
        ordered = record.read_ordered(session, erp.key, since)
    known = {sku for sku, level in kept.items() if level.figures} - ordered
    return told + _ask_by_sku(rt, erp, wanted - known)


def _sold(rt: Runtime, peer: PeerSettings) -> set[str]:
    shop = rt.shops[peer.key]
    lines = rt.gateway.observe(peer.key, "read_stock", lambda: tuple(shop.read_stock()), CallContext())
    return {line.sku for line in lines if line.sku.strip() and len(line.sku) <= record.LONGEST_SKU}


def _ask_by_sku(rt: Runtime, erp: PeerSettings, skus: Collection[str]) -> list[StockFigure]:
    """Some at a time."""
    wanted, told = sorted(skus), list[StockFigure]()
    for start in range(0, len(wanted), erp.spec.skus_at_once):
        some = wanted[start : start + erp.spec.skus_at_once]
        exchange = rt.erps[erp.key].read_stock(None, some)
        told += rt.gateway.run(erp.key, exchange, CallContext(turn_wait_s=TURN_WAIT_S))
    return told
