"""A bill as nothing but lines, for ERPs whose orders have no field for a fee or a discount: a product stands for it."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.bill import Bill
from mappings.errors import PermanentError

LEFT_OUT = "-"
"""Instead of a product: the ERP is not told of that sum, and its total is another than the shop's."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """`quantity` pieces at `price_fen` each, less `discount_fen` on the whole line.

    `setting` names the setting that gave the product of a sum beside the goods; empty: goods.
    """

    sku: str
    quantity: int
    price_fen: int
    discount_fen: int = 0
    setting: str = ""


def goods_lines(bill: Bill) -> list[BillLine]:
    """Everything that was bought, each line with its share of the discount."""
    return [BillLine(one.line.sku, one.line.quantity, one.line.price_fen, one.share_fen) for one in bill.items]


def freight_lines(bill: Bill, sku: str, area: str) -> list[BillLine]:
    """All that was charged beside the goods: shipping fee, insurance, packing, tax. Raises as `_lines`."""
    return _lines(bill.freight_fen + bill.other_fen, "shipping fee (with other fees)", sku, "freight_sku", area)


def discount_lines(bill: Bill, sku: str, area: str) -> list[BillLine]:
    """The discount as a line of its own, for ERPs whose lines have none. Raises as `_lines`."""
    return _lines(-bill.discount_fen, "discount", sku, "discount_sku", area)


def _lines(fen: int, words: str, sku: str, setting: str, area: str) -> list[BillLine]:
    """The line of a sum; none where there is no such sum or it is to be left out.

    Raises PermanentError `<area>.product_unset` where nobody said which product stands for it.
    """
    if fen == 0 or sku == LEFT_OUT:
        return []
    if not sku:
        raise PermanentError(
            f"{area}.product_unset",
            f"The order has a {words} of {abs(fen) / 100:.2f} yuan, and nobody said how the ERP is told of it; nothing "
            f"was sent. Name the product that stands for it in {setting.upper()} (or - to leave it out), restart, then "
            "retry",
        )
    return [BillLine(sku, 1, fen, setting=setting)]
