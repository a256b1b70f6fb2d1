"""The rows that the bare loop writes: the same columns with the same kind of content as the pipeline's."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from mappings.model import Order, OrderLine
from sync.clock import utc_now

_TEXTS = ("shipping_code", "shipping_name", "shipper_code", "buyer_note", "seller_note", "note_id")
_NUMBERS = ("cod_fen", "shipping_fee_fen", "discount_fen", "user_id")
_DETAILS = ("shop_line_id", "attributes", "goods_id", "product_id", "package_id", "is_gift")
_PLACE = ("province", "city", "district", "street", "postcode")


def order_row(order: Order, now: datetime) -> dict[str, Any]:
    who = order.consignee
    address = {name: getattr(who.address, name) for name in _PLACE}
    return {
        "shop": order.shop,
        "shop_order_id": order.shop_order_id,
        "order_sn": order.order_sn,
        "state": "open",
        "status": "received",
        "queue": str(order.queue),
        "content_hash": order.content_hash,
        "header": {
            "consignee": {"name": who.name, "phone": who.phone, "email": who.email, "address": address},
            **{name: getattr(order, name) for name in (*_TEXTS, *_NUMBERS)},
        },
        "total_fen": order.total_fen,
        "placed_at": order.placed_at,
        "paid_at": order.paid_at,
        "received_at": now,
        "updated_at": now,
        "erp_no": "",
    }


def line_rows(order: Order, order_id: int) -> list[dict[str, Any]]:
    return [_line_row(order_id, number, line) for number, line in enumerate(order.lines, 1)]


def _line_row(order_id: int, number: int, line: OrderLine) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "line_no": number,
        "sku": line.sku,
        "name": line.name,
        "quantity": line.quantity,
        "price_fen": line.price_fen,
        "weight_g": line.weight_g,
        "details": {name: getattr(line, name) for name in _DETAILS},
    }


def parcel_row(order: Order, order_id: int) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "parcel_no": 1,
        "peer": "carrier.kdniao",
        "shipper_code": order.shipper_code,
        "order_code": f"{order.order_sn}-1",
        "environment": "sandbox",
        "waybill_no": "",
        "carrier_order_no": "",
        "status": "unknown",
        "pickup_is_inferred": False,
        "note_id": "",
    }


def document_row(order_id: int, peer: str, erp_no: str) -> dict[str, Any]:
    now = utc_now()
    return {"order_id": order_id, "peer": peer, "erp_no": erp_no, "state": "created", "taken_at": now, "at": now}


def step_row(name: str, peer: str, order_id: int, shipment_id: int | None) -> dict[str, Any]:
    """A step in its final state."""
    now = utc_now()
    return {
        "order_id": order_id,
        "parcel_no": 1 if shipment_id else 0,
        "shipment_id": shipment_id,
        "name": name,
        "peer": peer,
        "state": "done",
        "attempts": 0,
        "losses": 0,
        "resumes": 0,
        "is_uncertain": False,
        "not_before": now,
        "enqueued_at": now,
        "lease_token": "",
        "created_at": now,
        "finished_at": now,
        "last_outcome": "ok",
        "last_code": "",
        "last_message": "",
    }


def attempt_row(peer: str, operation: str, started_at: datetime, clock: float) -> dict[str, Any]:
    """A call that went well; `clock` is the monotonic time at which it began."""
    return {
        "peer": peer,
        "operation": operation,
        "try_no": 1,
        "started_at": started_at,
        "duration_ms": round((time.monotonic() - clock) * 1000),
        "outcome": "ok",
        "code": "",
        "http_status": 0,
        "request": "",
        "reply": "",
    }
