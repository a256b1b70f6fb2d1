"""Cancelling: the raw trade is pushed once more as closed, with what Wangdiantong itself holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.erps.wangdiantong.order import PAID
from mappings.erps.wangdiantong.service import Service
from mappings.erps.wangdiantong.trade import find_trade, push_trade
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.wire import Exchange

AREA = "wangdiantong.cancel"

SHIPPED = frozenset({"15", "30", "40", "60"})
"""process_status: a part has left at least."""
CANCELLED = "70"
ENDED = frozenset({"80", "90"})
"""trade_status: refunded, closed."""

_TRADE_FIELDS = (
    "tid", "pay_status", "pay_method", "delivery_term", "trade_time", "pay_time", "buyer_nick", "buyer_message",
    "remark", "receiver_name", "receiver_area", "receiver_address", "receiver_zip", "receiver_mobile", "receiver_telno",
    "post_amount", "other_amount", "discount", "receivable", "paid", "order_count", "goods_count", "is_auto_wms",
    "warehouse_no",
)  # fmt: skip
_LINE_FIELDS = (
    "tid", "oid", "goods_id", "spec_id", "goods_no", "spec_no", "goods_name", "spec_name", "num", "price", "discount",
    "share_discount", "total_amount", "adjust_amount", "remark",
)  # fmt: skip


def cancel_trade(service: Service, tid: str) -> Exchange[None]:
    """Close the raw trade; one that is closed already is a success. Raises any PeerError."""
    trade = yield from find_trade(service, tid, AREA)
    if trade is None:
        raise PermanentError(
            f"{AREA}.not_found",
            f"Wangdiantong knows no order {tid}; nothing was cancelled. Look there by hand, then resolve this line",
        )
    if is_cancelled(trade):
        return
    _refuse(service, trade, tid)
    made, changed = yield from push_trade(
        service, closing_args(trade, service.settings.shop_no), tid, "cancel_order", AREA
    )
    if made + changed:
        return
    after = yield from find_trade(service, tid, AREA)
    if after is None or not is_cancelled(after):
        raise PermanentError(
            f"{AREA}.rejected",
            f"Wangdiantong took the cancel of {tid} and changed nothing: cancel it there by hand, then resolve this "
            "line",
        )


def is_cancelled(trade: Mapping[str, Any]) -> bool:
    return text_of(trade, "process_status") == CANCELLED or text_of(trade, "trade_status") in ENDED


def closing_args(trade: Mapping[str, Any], shop_no: str) -> list[Any]:
    """The trade as it is held, refunded where it was paid and closed where not; all fields are wanted again."""
    is_paid = text_of(trade, "pay_status") == str(PAID)
    trade_status, refund_status, line_refund = (80, 3, 5) if is_paid else (90, 0, 6)
    closed = {name: trade.get(name, "") for name in _TRADE_FIELDS} | {
        "process_status": int(CANCELLED),
        "trade_status": trade_status,
        "refund_status": refund_status,
        "end_time": None,
    }
    lines = [
        {name: line.get(name, "") for name in _LINE_FIELDS}
        | {
            "status": trade_status,
            "refund_status": line_refund,
            "refund_amount": line.get("share_amount", line.get("total_amount", 0)) if is_paid else 0,
            "json": "",
        }
        for line in objects_in(trade.get("trade_orders"))
    ]
    return [shop_no, [closed], lines]


def _refuse(service: Service, trade: Mapping[str, Any], tid: str) -> None:
    if text_of(trade, "process_status") in SHIPPED:
        raise PermanentError(
            f"{AREA}.too_late",
            f"Wangdiantong has shipped {tid}, or a part of it; nothing was cancelled. Ask the courier to bring it "
            "back, then resolve this line",
        )
    is_masked = any("*" in text_of(trade, name) for name in ("receiver_mobile", "receiver_telno", "receiver_name"))
    if is_masked or not service.settings.cancel:
        why = (
            "shows its consignee masked only, and would refuse that" if is_masked else "is set to be cancelled by hand"
        )
        raise PermanentError(
            f"{AREA}.cannot_cancel",
            f"Wangdiantong {why}; nothing was cancelled. Cancel {tid} there by hand, then resolve this line",
        )
