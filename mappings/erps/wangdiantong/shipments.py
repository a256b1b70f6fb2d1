"""What Wangdiantong's warehouse sent: the list that waits to be told to the shop, and our answer to each entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from mappings.china_time import read_time
from mappings.erps.wangdiantong.service import Service, always
from mappings.erps.wangdiantong.trade import trades_of
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.model import ErpShipment
from mappings.wire import Exchange

AREA = "wangdiantong.shipment"
WAITING, ANSWER = "sales.LogisticsSync.getSyncListExt", "sales.LogisticsSync.update"
AT_ONCE = 100
LONGEST_WHY = 200

TAKEN, REFUSED = "0", "2"


def poll_shipments(service: Service) -> Exchange[tuple[ErpShipment, ...]]:
    """Every entry that waits, oldest first, whenever it was made: each waits until it is answered."""
    asked = {"shop_no": service.settings.shop_no, "is_own_platform": True}
    rows = yield from service.rows("poll_shipments", WAITING, always([asked]), AREA, "")
    shipments = []
    for row in sorted(rows, key=lambda row: text_of(row, "created")):
        quantities = yield from _quantities(service, row)
        shipments.append(
            ErpShipment(
                external_ref=text_of(row, "tid"),
                waybill_no=text_of(row, "logistics_no"),
                shipper=text_of(row, "logistics_name") or text_of(row, "logistics_code"),
                key=text_of(row, "sync_id"),
                shipped_at=read_time(text_of(row, "created")),
                quantities=quantities,
            )
        )
    return tuple(shipment for shipment in shipments if shipment.key.isdecimal())


def settle_shipments(service: Service, taken: Mapping[str, str]) -> Exchange[None]:
    """Answer every entry: taken, or failed with the reason, for whoever looks there. Raises any PeerError."""
    entries = [
        {
            "sync_id": int(key) if key.isdecimal() else key,
            "status": REFUSED if why else TAKEN,
            "error_msg": why[:LONGEST_WHY],
        }
        for key, why in taken.items()
    ]
    for start in range(0, len(entries), AT_ONCE):
        some = entries[start : start + AT_ONCE]
        answer = yield from service.ask("settle_shipments", ANSWER, always([some]), AREA)
        if problems := answer.get("data"):
            raise PermanentError(
                f"{AREA}.rejected",
                "Wangdiantong did not take our answer about what it shipped: it will tell it again",
                peer_text=str(problems)[:200],
            )


def _quantities(service: Service, row: Mapping[str, Any]) -> Exchange[dict[str, int]]:
    """SKU to pieces of a part that was sent; empty: the whole order. A part names its lines by our own oid.

    A line that the order does not have stands under its oid: no SKU is called so, and that entry alone is refused.
    """
    oids = [oid for oid in re.split(r"[,，;\s]+", text_of(row, "oids")) if oid]
    if not oids:
        return {}
    trades = yield from trades_of(service, text_of(row, "tid"), AREA)
    lines = {text_of(line, "oid"): line for trade in trades for line in objects_in(trade.get("trade_orders"))}
    sent = _pieces(row.get("goods_count"))
    quantities: dict[str, int] = {}
    for sku, pieces in _parts(oids, lines):
        quantities[sku] = quantities.get(sku, 0) + pieces
    if sent and sent != sum(quantities.values()):  # the number was split too: only for one line is it known how
        return dict.fromkeys(quantities, sent) if len(oids) == 1 else dict.fromkeys(oids, 1)
    return quantities


def _parts(oids: list[str], lines: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for oid in oids:
        line = lines.get(oid, {})
        yield text_of(line, "spec_no") or oid, _pieces(line.get("num")) or 1


def _pieces(value: object) -> int:
    try:
        return int(Decimal(str(value)))
    except (InvalidOperation, ValueError, OverflowError):
        return 0
