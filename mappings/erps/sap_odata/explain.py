"""Where each field of a sales order comes from: for the person who compares one with what SAP shows."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.bill import make_bill
from mappings.erps.sap_odata.order import header_amounts, texts_of, write_order
from mappings.erps.sap_odata.reply import ORDER_AREA
from mappings.erps.sap_odata.settings import FIELDS, SapSettings
from mappings.explaining import Explained
from mappings.field_sources import explain_fields
from mappings.model import ErpOrder


def explain_order(order: ErpOrder, given: SapSettings) -> Iterator[Explained]:
    """Every field of the create, in the order of sending; raises PermanentError as the create does."""
    body = write_order(order, given)
    constants = {
        **dict.fromkeys(given.header_fields, ("the setting header_fields", "constant")),
        **dict.fromkeys((f"to_Item[].{name}" for name in given.item_fields), ("the setting item_fields", "constant")),
    }
    return explain_fields(body, {**constants, **FIELDS}, _named(order, given))


def _named(order: ErpOrder, given: SapSettings) -> dict[str, str]:
    """The prices and texts of the order, each by the setting that it stands there by."""
    prices = (setting for setting, _, _ in header_amounts(make_bill(order.order, ORDER_AREA), given))
    texts = (setting for setting, _, _ in texts_of(order.order, given))
    lists = {"to_PricingElement": prices, "to_Text": texts}
    return {
        f"{name}[{place}]": f"{name}[{setting}]"
        for name, settings in lists.items()
        for place, setting in enumerate(settings)
    }
