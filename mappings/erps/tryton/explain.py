"""Where each field of a sale comes from: for the person who compares one with what Tryton shows.

The fields are those of `sale.sale` and its lines, without what JSON wraps around dates, decimals and new lines there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from mappings.erps.tryton.masters import Customer, Product, Warehouse, WebShop
from mappings.erps.tryton.order import lines_of, write_sale
from mappings.erps.tryton.protocol import read_wrapped
from mappings.erps.tryton.settings import TrytonSettings
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.model import ErpOrder

_ROWS = read_rows(__package__)


class _LookedUp(int):
    """An id that only Tryton knows: it stands in the sale where the id would, and says what it is looked up with."""

    told: str

    def __new__(cls, told: str) -> Self:
        unknown = super().__new__(cls)
        unknown.told = told
        return unknown


def explain_sale(order: ErpOrder, settings: TrytonSettings) -> Iterator[Explained]:
    """Every field of the sale, in the order of sending; raises PermanentError for what is refused without asking."""
    values = _write_unasked(order, settings)
    [[_verb, lines]] = values["lines"]
    told = enumerate(lines_of(order, settings))
    fees = {f"lines[{place}]": f"lines[{line.setting}]" for place, line in told if line.setting}
    return explain_fields(_unwrap({**values, "lines": lines}), _ROWS, fees)


def _write_unasked(order: ErpOrder, settings: TrytonSettings) -> dict[str, Any]:
    """The sale with names in the place of ids."""
    skus = {line.sku for line in lines_of(order, settings)}
    shop, party = f"web shop {settings.web_shop}", f"party {settings.party}"
    warehouse = f"warehouse {settings.warehouse}" if settings.warehouse else f"the only warehouse of {shop}"
    return write_sale(
        order,
        settings,
        WebShop(
            id=_LookedUp(shop),
            company=_LookedUp(f"company of {shop}"),
            currency=_LookedUp(f"currency of {shop}"),
            currency_code=settings.currency,
            guest_party=None,
            warehouses=(),
        ),
        Customer(
            id=_LookedUp(party),
            invoice_address=_LookedUp(f"invoice address of {party}"),
            shipment_address=_LookedUp(f"delivery address of {party}"),
        ),
        Warehouse(_LookedUp(warehouse), settings.warehouse),
        {sku: Product(_LookedUp(f"product {sku}"), _LookedUp(f"unit of product {sku}")) for sku in skus},
    )


def _unwrap(value: Any) -> Any:
    if isinstance(value, _LookedUp):
        return value.told
    if isinstance(value, Mapping):
        is_wrapped = "__class__" in value
        return read_wrapped(value) if is_wrapped else {name: _unwrap(child) for name, child in value.items()}
    return [_unwrap(child) for child in value] if isinstance(value, list) else value
