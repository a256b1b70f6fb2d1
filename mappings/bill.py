"""An order's lines and money as one bill that adds up to the fen, for ERPs that refuse sums which do not agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mappings.errors import PermanentError
from mappings.model import Order, OrderLine, Queue


@dataclass(frozen=True, slots=True)
class BillItem:
    """A line of the bill. `key` is unique in the order and stays the same however staff split it into parcels.

    `share_fen` is its part of the order's discount.
    """

    key: str
    line: OrderLine
    share_fen: int = 0

    @property
    def amount_fen(self) -> int:
        """Price times quantity, before the discount."""
        return self.line.price_fen * self.line.quantity


@dataclass(frozen=True, slots=True)
class Bill:
    """Fen throughout: the items' amounts - discount + freight + other = total; the items' shares are the discount.

    `other_fen` is what the shop charged beside goods and freight: insurance, packing, tax, things nobody ships.
    """

    items: tuple[BillItem, ...]
    discount_fen: int
    freight_fen: int
    other_fen: int
    total_fen: int


def whole_lines(order: Order) -> tuple[OrderLine, ...]:
    """All that the shop owes; what staff split into several parcels is one line of the order all the same."""
    whole: dict[tuple[str, str, int, int, int], OrderLine] = {}
    for line in (*order.lines, *order.later_lines):
        key = (line.shop_line_id, line.sku, line.goods_id, line.product_id, line.price_fen)
        known = whole.get(key)
        whole[key] = replace(known, quantity=known.quantity + line.quantity) if known else line
    return tuple(whole.values())


def make_bill(order: Order, area: str) -> Bill:
    """The bill of an order with all its lines; what stands in two parcels is one item.

    Raises PermanentError `<area>.sku_missing`, or `<area>.sums_differ` where goods, freight and discount cannot be
    what the order's total is made of: a part was sent before it came here, or its amounts were changed by hand.
    """
    lines = whole_lines(order)
    if not lines or any(not line.sku.strip() for line in lines):
        raise PermanentError(
            f"{area}.sku_missing",
            "An order line has no SKU, or there is no line; nothing was sent. Complete the goods number in the shop",
        )
    goods_fen = sum(line.price_fen * line.quantity for line in lines)
    discount_fen = max(0, order.discount_fen)  # a discount line may be a surcharge; that is another fee
    other_fen = order.total_fen - goods_fen + discount_fen - order.shipping_fee_fen
    if other_fen < 0 or discount_fen > goods_fen + order.shipping_fee_fen or _lacks_lines(order, other_fen):
        raise PermanentError(
            f"{area}.sums_differ",
            f"The order's total is {order.total_fen} fen, and its goods ({goods_fen}), freight "
            f"({order.shipping_fee_fen}) and discount ({order.discount_fen}) do not make it; nothing was sent. Correct "
            "the amounts in the shop and retry, or enter the order in the ERP by hand and resolve this line",
        )
    on_goods_fen = min(discount_fen, goods_fen)  # what goes beyond the goods made the freight cheaper
    items = _share(lines, on_goods_fen)
    freight_fen = order.shipping_fee_fen - (discount_fen - on_goods_fen)
    return Bill(items, on_goods_fen, freight_fen, other_fen, order.total_fen)


def _lacks_lines(order: Order, other_fen: int) -> bool:
    """Whether a remainder is worth more than what is left of it: the first part was sent without us."""
    return order.queue is Queue.REMAINDER and other_fen > 0


def _share(lines: Sequence[OrderLine], discount_fen: int) -> tuple[BillItem, ...]:
    """Share the discount by amount, in whole fen: the last line that costs anything takes what rounding left."""
    items, left_fen, goods_fen = [], discount_fen, sum(line.price_fen * line.quantity for line in lines)
    for line in lines:
        amount_fen = line.price_fen * line.quantity
        share_fen = left_fen * amount_fen // goods_fen if goods_fen else 0
        left_fen, goods_fen = left_fen - share_fen, goods_fen - amount_fen
        items.append(BillItem(_key(line), line, share_fen))
    return tuple(items)


def _key(line: OrderLine) -> str:
    """The parts of a package share the shop's line, so their goods tell them apart."""
    if not line.package_id:
        return line.shop_line_id
    return f"{line.shop_line_id}.{line.goods_id}.{line.product_id}"
