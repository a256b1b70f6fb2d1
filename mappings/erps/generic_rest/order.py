"""An order as the ERP wants to read it: field names, dates and amounts by setting, money exactly from fen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from mappings.bill import whole_lines
from mappings.china_time import SHANGHAI
from mappings.erps.generic_rest.formats import nest
from mappings.errors import PermanentError
from mappings.model import ErpOrder, OrderLine

LINE_PREFIX = "lines."
HEADER_REQUIRED = ("order_id", "customer_name", "total_amount", "order_date", "lines")
HEADER_OPTIONAL = (
    "order_sn",
    "phone",
    "province",
    "city",
    "district",
    "street",
    "cod_amount",
    "shipping_fee",
    "discount",
)
"""Sent only when `field_map` names them: an ERP gets no more personal data than it asks for."""
HEADER_FACTS = HEADER_REQUIRED + HEADER_OPTIONAL
LINE_FACTS = ("sku", "name", "quantity", "price")


def yuan(fen: int) -> Decimal:
    """Fen as yuan with two places; exact, since only the decimal point moves."""
    return Decimal(fen).scaleb(-2)


AMOUNT_FORMATS: Mapping[str, Callable[[int], str | Decimal | int]] = {
    "string": lambda fen: f"{yuan(fen):f}",
    "number": yuan,
    "fen": lambda fen: fen,
}
"""How an amount in fen is written."""

DATE_FORMATS: Mapping[str, Callable[[ErpOrder], str | int]] = {
    "YYYYMMDD": lambda order: f"{date.fromisoformat(order.order_date):%Y%m%d}",
    "YYYY-MM-DD": lambda order: f"{date.fromisoformat(order.order_date):%Y-%m-%d}",
    "iso": lambda order: order.order.placed_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
    "epoch": lambda order: int(order.order.placed_at.timestamp()),
}
"""How the order's date is written: its calendar date in Asia/Shanghai, or the moment it was placed."""


@dataclass(frozen=True, slots=True)
class OrderForm:
    """How one ERP spells an order: names (ours -> theirs), constants, and how amounts and dates are written.

    Their names may be dotted: `head.no` stands in an object `head`.
    """

    header_names: Mapping[str, str]
    line_names: Mapping[str, str]
    header_constants: Mapping[str, str]
    line_constants: Mapping[str, str]
    amount: Callable[[int], str | Decimal | int]
    date: Callable[[ErpOrder], str | int]

    @property
    def names(self) -> Iterable[str]:
        """Every name that the ERP gets to see."""
        return (
            *self.header_names.values(),
            *self.line_names.values(),
            *self.header_constants,
            *self.line_constants,
        )

    def write(self, order: ErpOrder) -> dict[str, Any]:
        """The document, with the lines of every parcel. Raises PermanentError for a line without SKU: some ERPs take it
        in silence."""
        lines = whole_lines(order.order)
        if not lines or any(not line.sku.strip() for line in lines):
            raise PermanentError(
                "generic_rest.order.sku_missing",
                "An order line has no SKU, or there is no line: complete the goods number in the shop",
            )
        facts = {**self._facts(order), "lines": [self._line(line) for line in lines]}
        named = {theirs: facts[ours] for ours, theirs in self.header_names.items()}
        # the order's own facts come last: no constant may replace an amount or a number
        return nest({**self.header_constants, **named})

    def _line(self, line: OrderLine) -> dict[str, Any]:
        price = self.amount(line.price_fen)
        facts = {"sku": line.sku, "name": line.name, "quantity": line.quantity, "price": price}
        return nest({**self.line_constants, **{theirs: facts[ours] for ours, theirs in self.line_names.items()}})

    def _facts(self, order: ErpOrder) -> dict[str, Any]:
        """Everything an ERP may be told about the order as a whole, by our names."""
        bought, consignee = order.order, order.order.consignee
        return {
            "order_id": order.external_ref,
            "customer_name": consignee.name,
            "total_amount": self.amount(bought.total_fen),
            "order_date": self.date(order),
            "order_sn": bought.order_sn,
            "phone": consignee.phone,
            "province": consignee.address.province,
            "city": consignee.address.city,
            "district": consignee.address.district,
            "street": consignee.address.street,
            "cod_amount": self.amount(bought.cod_fen),
            "shipping_fee": self.amount(bought.shipping_fee_fen),
            "discount": self.amount(bought.discount_fen),
        }


def build_form(
    field_map: Mapping[str, str], extra_fields: Mapping[str, str], *, amount_format: str, date_format: str
) -> OrderForm:
    """Raises ValueError when two fields of the ERP would have the same name, or one would stand in another."""
    lines_map, header_map = _split(field_map)
    line_constants, header_constants = _split(extra_fields)
    header_names = {name: header_map.get(name, name) for name in (*HEADER_REQUIRED, *header_map)}
    line_names = {name: lines_map.get(name, name) for name in LINE_FACTS}
    _refuse_doubles([*header_names.values(), *header_constants])
    _refuse_doubles([*line_names.values(), *line_constants])
    return OrderForm(
        header_names,
        line_names,
        header_constants,
        line_constants,
        amount=AMOUNT_FORMATS[amount_format],
        date=DATE_FORMATS[date_format],
    )


def _split(pairs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Pairs for the lines, without their prefix, and pairs for the header."""
    lines = {name.removeprefix(LINE_PREFIX): value for name, value in pairs.items() if name.startswith(LINE_PREFIX)}
    return lines, {name: value for name, value in pairs.items() if not name.startswith(LINE_PREFIX)}


def _refuse_doubles(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if any(f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}.") for other in seen):
            raise ValueError(f"Two fields would be called {name!r}: change field_map or extra_fields")
        seen.add(name)
