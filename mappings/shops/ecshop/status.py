"""ECShop's order states by name, and what a combination of them means for an order that we hold."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Any


class OrderStatus(IntEnum):
    UNCONFIRMED = 0
    CONFIRMED = 1
    CANCELED = 2
    INVALID = 3
    RETURNED = 4
    SPLITED = 5
    """Every quantity is on a delivery note."""
    SPLITING_PART = 6


class ShippingStatus(IntEnum):
    UNSHIPPED = 0
    SHIPPED = 1
    RECEIVED = 2
    PREPARING = 3
    SHIPPED_PART = 4
    SHIPPED_ING = 5
    """A delivery note is made and not shipped."""
    SHIPPED_PART_API = 6
    """The 3.x/4.x order API writes its constant for a partly split order into the wrong column."""


class PayStatus(IntEnum):
    UNPAYED = 0
    PAYING = 1
    """Written by escrow gateways only."""
    PAYED = 2


class NoteStatus(IntEnum):
    """Delivery notes (delivery_order.status)."""

    SHIPPED = 0
    RETURNED = 1
    OPEN = 2


GROUP_BUY_SUCCEEDED = 3
"""goods_activity.is_finished of a group buy that may ship; before it the price can still change."""

OPEN_ORDER = (OrderStatus.CONFIRMED, OrderStatus.SPLITED, OrderStatus.SPLITING_PART)
OPEN_SHIPPING = (
    ShippingStatus.UNSHIPPED,
    ShippingStatus.PREPARING,
    ShippingStatus.SHIPPED_PART,
    ShippingStatus.SHIPPED_ING,
    ShippingStatus.SHIPPED_PART_API,
)
UNSENT_SHIPPING = (ShippingStatus.UNSHIPPED, ShippingStatus.PREPARING)


@dataclass(frozen=True, slots=True)
class _Rule:
    order: frozenset[int] | None
    shipping: frozenset[int] | None
    payable: bool | None
    nothing_left: bool | None
    standing: str


def _codes(names: Collection[str] | None, words: type[IntEnum]) -> frozenset[int] | None:
    return None if names is None else frozenset(words[name.upper()] for name in names)


def _rule(row: Mapping[str, Any]) -> _Rule:
    return _Rule(
        _codes(row.get("order"), OrderStatus),
        _codes(row.get("shipping"), ShippingStatus),
        row.get("payable"),
        row.get("nothing_left"),
        row["is"],
    )


_TABLE = tomllib.loads(files(__package__).joinpath("status.toml").read_text("utf-8"))
_RULES = tuple(_rule(row) for row in _TABLE["standing"])
COD_NAMES: tuple[str, ...] = tuple(_TABLE["cod"]["names"])


def standing_of(*, order_status: int, shipping_status: int, payable: bool, nothing_left: bool) -> str:
    """`owed`, `shipped` or `withdrawn`, by the first rule of status.toml that fits."""
    return next(
        rule.standing
        for rule in _RULES
        if (rule.order is None or order_status in rule.order)
        and (rule.shipping is None or shipping_status in rule.shipping)
        and (rule.payable is None or payable is rule.payable)
        and (rule.nothing_left is None or nothing_left is rule.nothing_left)
    )


def is_cod(order: Mapping[str, Any], cod_pay_ids: Collection[int]) -> bool:
    """The courier is to collect: by the payment's own flag, or by name for mobile orders."""
    return order["pay_id"] in cod_pay_ids or (order["pay_name"] or "").strip() in COD_NAMES


def is_payable(order: Mapping[str, Any], cod_pay_ids: Collection[int], *, accept_paying: bool) -> bool:
    """Paid, or confirmed cash on delivery; `accept_paying` counts escrow (pay_status 1) as paid."""
    if is_paid(order, accept_paying=accept_paying):
        return True
    return order["order_status"] != OrderStatus.UNCONFIRMED and is_cod(order, cod_pay_ids)


def is_paid(order: Mapping[str, Any], *, accept_paying: bool) -> bool:
    status = order["pay_status"]
    return status == PayStatus.PAYED or (accept_paying and status == PayStatus.PAYING)
