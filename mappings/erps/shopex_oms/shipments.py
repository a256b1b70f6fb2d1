"""What the OMS's warehouse has sent: its list of deliveries, read back by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mappings.china_time import read_time, write_time
from mappings.erps.shopex_oms.calls import question
from mappings.erps.shopex_oms.reply import read_response, rows_of
from mappings.erps.shopex_oms.settings import OmsSettings
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.model import ErpShipment
from mappings.wire import Exchange

CODE = "shopex_oms.shipments"
TOLD_LATE = timedelta(days=1)
"""The OMS lists deliveries by the time that a warehouse gives, which may tell it hours after that."""
PAGE_SIZE = 100
MOST_PAGES = 500
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_SOLD_AS_IT_IS = ("goods", "product", "gift")
"""Kinds of lines whose pieces are the shop's own SKU; of a bundle only the parts are counted."""


def read_shipments(settings: OmsSettings, since: datetime) -> Exchange[tuple[ErpShipment, ...]]:
    """Our shop's deliveries that it was told of since then, and older ones, oldest first.

    One without a waybill number is left out: it shows nothing.
    """
    asked = {"start_time": write_time(since - TOLD_LATE), "shop_bn": settings.shop_bn, "page_size": str(PAGE_SIZE)}
    found: dict[str, ErpShipment] = {}
    for page in range(1, MOST_PAGES + 1):
        fields = {**asked, "page_no": str(page)}
        reply = yield question(settings, "poll_shipments", "sales.getDeliveryList", fields, until="end_time")
        rows = rows_of(read_response(reply, CODE), CODE)
        found |= {shipment.key: shipment for row in rows for shipment in _shipments(row)}
        if len(rows) < PAGE_SIZE:
            return tuple(sorted(found.values(), key=lambda shipment: shipment.shipped_at or _LONG_AGO))
    raise PermanentError(
        "shopex_oms.shipments.endless",
        f"The OMS gives more than {MOST_PAGES} pages of deliveries since {write_time(since)}",
    )


def _shipments(row: Mapping[str, Any]) -> Iterator[ErpShipment]:
    """One for each order in a delivery: the OMS sends orders of one buyer together."""
    waybill_no, delivery_bn = text_of(row, "logi_no"), text_of(row, "delivery_bn")
    quantities: dict[str, dict[str, int]] = {}
    for item in objects_in(row.get("items")):
        counted = quantities.setdefault(text_of(item, "order_bn"), {})
        sku = _sku(item)
        counted[sku] = counted.get(sku, 0) + _pieces(item, delivery_bn)
    for order_bn, counted in quantities.items():
        if waybill_no and order_bn:
            yield ErpShipment(
                external_ref=order_bn,
                waybill_no=waybill_no,
                shipper=text_of(row, "logi_name"),
                key=f"{delivery_bn}/{order_bn}",
                shipped_at=read_time(row.get("delivery_time")),
                quantities=counted,
            )


def _sku(item: Mapping[str, Any]) -> str:
    """The shop's number of a line is what the OMS calls its sales material."""
    is_whole = text_of(item, "obj_type") in _SOLD_AS_IT_IS
    return (text_of(item, "sales_material_bn") if is_whole else "") or text_of(item, "bn")


def _pieces(item: Mapping[str, Any], delivery_bn: str) -> int:
    pieces = text_of(item, "nums").removesuffix(".000")
    if not pieces.isdecimal():
        raise PermanentError(
            "shopex_oms.shipments.quantity_unreadable",
            f"Delivery {delivery_bn} in the OMS has a line without a whole number of pieces",
        )
    return int(pieces)
