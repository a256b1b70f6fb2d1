"""An ECShop order as the port gives it, once its rows are gathered."""

from __future__ import annotations

from datetime import datetime

from mappings.model import Order
from mappings.shops.ecshop import OrderRows, ReadRules, Unfit, read_order
from sync.shops.port import Unreadable


def judge(rows: OrderRows, rules: ReadRules, now: datetime) -> Order | Unreadable | None:
    """None when it is in no open queue or not settled yet."""
    found = read_order(rows, rules, now)
    if not isinstance(found, Unfit):
        return found
    order = rows.order
    return Unreadable(str(order["order_id"]), order["order_sn"], found.code, found.reason, found.content_hash)
