"""An order as the ERP wants to read it: field names by setting, money exactly from fen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from mappings.errors import PermanentError
from mappings.model import ErpOrder, OrderLine

LINE_PREFIX = "lines."
HEADER_REQUIRED = ("order_id", "customer_name", "total_amount", "order_date", "lines")
HEADER_OPTIONAL = (
    "order_sn",
    "waybill_no",
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


@dataclass(frozen=True, slots=True)
class OrderForm:
    """How one ERP spells an order: names (ours -> theirs), constants, and amounts as string or number."""

    header_names: Mapping[str, str]
    line_names: Mapping[str, str]
    header_constants: Mapping[str, str]
    line_constants: Mapping[str, str]
    amounts_as_text: bool = True

    def write(self, order: ErpOrder) -> bytes:
        """The request body. Raises PermanentError for a line without SKU: some ERPs take it in silence."""
        if not order.order.lines or any(not line.sku.strip() for line in order.order.lines):
            raise PermanentError(
                "generic_rest.order.sku_missing",
                "An order line has no SKU, or there is no line: complete the goods number in the shop",
            )
        facts = {**header_facts(order), "lines": [self._line(line) for line in order.order.lines]}
        named = {theirs: facts[ours] for ours, theirs in self.header_names.items()}
        # the order's own facts come last: no constant may replace an amount or a number
        return _encode({**self.header_constants, **order.extra, **named}, self.amounts_as_text).encode()

    def _line(self, line: OrderLine) -> dict[str, Any]:
        facts = {"sku": line.sku, "name": line.name, "quantity": line.quantity, "price": yuan(line.price_fen)}
        return {**self.line_constants, **{theirs: facts[ours] for ours, theirs in self.line_names.items()}}


def build_form(field_map: Mapping[str, str], extra_fields: Mapping[str, str], *, amounts_as_text: bool) -> OrderForm:
    """Raises ValueError when two fields of the ERP would have the same name."""
    lines_map, header_map = _split(field_map)
    line_constants, header_constants = _split(extra_fields)
    header_names = {name: header_map.get(name, name) for name in (*HEADER_REQUIRED, *header_map)}
    line_names = {name: lines_map.get(name, name) for name in LINE_FACTS}
    _refuse_doubles([*header_names.values(), *header_constants])
    _refuse_doubles([*line_names.values(), *line_constants])
    return OrderForm(header_names, line_names, header_constants, line_constants, amounts_as_text)


def header_facts(order: ErpOrder) -> dict[str, Any]:
    """Everything an ERP may be told about the order as a whole, by our names."""
    bought, consignee = order.order, order.order.consignee
    return {
        "order_id": order.external_ref,
        "customer_name": consignee.name,
        "total_amount": yuan(bought.total_fen),
        "order_date": f"{date.fromisoformat(order.order_date):%Y%m%d}",
        "order_sn": bought.order_sn,
        "waybill_no": order.waybill_no,
        "phone": consignee.phone,
        "province": consignee.address.province,
        "city": consignee.address.city,
        "district": consignee.address.district,
        "street": consignee.address.street,
        "cod_amount": yuan(bought.cod_fen),
        "shipping_fee": yuan(bought.shipping_fee_fen),
        "discount": yuan(bought.discount_fen),
    }


def _split(pairs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Pairs for the lines, without their prefix, and pairs for the header."""
    lines = {name.removeprefix(LINE_PREFIX): value for name, value in pairs.items() if name.startswith(LINE_PREFIX)}
    return lines, {name: value for name, value in pairs.items() if not name.startswith(LINE_PREFIX)}


def _refuse_doubles(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"Two fields would be called {name!r}: change field_map or extra_fields")
        seen.add(name)


def _encode(value: Any, amounts_as_text: bool) -> str:
    """JSON in which a Decimal stays exact; the standard encoder knows numbers only as float."""
    if isinstance(value, dict):
        members = (f"{json.dumps(k, ensure_ascii=False)}:{_encode(v, amounts_as_text)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_encode(item, amounts_as_text) for item in value) + "]"
    if isinstance(value, Decimal):
        return f'"{value:f}"' if amounts_as_text else f"{value:f}"
    return json.dumps(value, ensure_ascii=False)
