"""What Jushuitan's warehouse sent, read back by the time of its last change; it does not ask what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mappings.china_time import read_time, write_time
from mappings.erps.jushuitan.service import Service
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.model import ErpShipment
from mappings.stock_rows import Stretch
from mappings.wire import Exchange

AREA = "jushuitan.shipment"
SENT = "/open/logistic/query"
AT_ONCE = 50
LONGEST_STRETCH = timedelta(days=7)
BY_CHANGE = 0
"""`date_type`: by its own default a parcel whose number was corrected after it was sent would not be told again."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def read_shipments(service: Service, since: datetime) -> Exchange[tuple[ErpShipment, ...]]:
    """Our shop's parcels since then, oldest first; what has no number or was not sent yet is left out."""
    stretch, found = Stretch(since, LONGEST_STRETCH), dict[str, ErpShipment]()

    def asked(now: datetime) -> dict[str, Any]:
        begin, end = stretch.close(now)
        times = {"modified_begin": write_time(begin), "modified_end": write_time(end)}
        return {"shop_id": service.settings.shop_id, "date_type": BY_CHANGE, **times}

    while True:
        rows = yield from service.rows("poll_shipments", SENT, asked, AREA, "orders", AT_ONCE)
        for row in rows:
            found |= {one.key: one for one in _shipments(row, service.settings.shop_id)}
        if not stretch.move_on():
            return tuple(sorted(found.values(), key=lambda one: one.shipped_at or _LONG_AGO))


def _shipments(row: Mapping[str, Any], shop_id: int) -> Iterator[ErpShipment]:
    """One for each order in a parcel: Jushuitan joins what one buyer orders to one address."""
    waybill_no, sent_at = text_of(row, "l_id"), read_time(row.get("send_date", ""))
    if not waybill_no or sent_at is None or text_of(row, "shop_id") not in ("", str(shop_id)):
        return
    for ref, quantities in _orders(row).items():
        yield ErpShipment(
            external_ref=ref,
            waybill_no=waybill_no,
            shipper=text_of(row, "logistics_company") or text_of(row, "lc_id"),
            key=f"{text_of(row, 'o_id')}/{ref}",
            shipped_at=sent_at,
            quantities=quantities,
        )


def _orders(row: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Our numbers and what was sent of each, by SKU; a row without goods is a whole order."""
    orders: dict[str, dict[str, int]] = {}
    for item in objects_in(row.get("items")):
        counted = orders.setdefault(text_of(item, "raw_so_id") or text_of(row, "so_id"), {})
        sku = text_of(item, "sku_id")
        counted[sku] = counted.get(sku, 0) + _pieces(item, text_of(row, "o_id"))
    return {ref: counted for ref, counted in (orders or {text_of(row, "so_id"): {}}).items() if ref}


def _pieces(item: Mapping[str, Any], o_id: str) -> int:
    pieces = text_of(item, "qty")
    if not pieces.isdecimal():
        raise PermanentError(
            f"{AREA}.quantity_unreadable",
            f"Jushuitan's order {o_id} has a line without a whole number of pieces; nothing was taken. Look there",
        )
    return int(pieces)
