"""Where each field of a sales order comes from: for the person who compares one with what SAP shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.erps.sap_odata.order import write_order
from mappings.erps.sap_odata.settings import SapSettings
from mappings.explaining import Explained
from mappings.model import ErpOrder

_SETTINGS = {
    "SalesOrderType": "order_type",
    "SalesOrganization": "sales_organization",
    "DistributionChannel": "distribution_channel",
    "OrganizationDivision": "division",
    "SoldToParty": "sold_to",
    "TransactionCurrency": "currency",
    "Customer": "ship_to",
    "RequestedQuantityUnit": "unit",
    "ConditionQuantityUnit": "unit",
    "ProductionPlant": "plant",
    "StorageLocation": "storage_location",
    "ConditionCurrency": "currency",
    "Language": "text_language",
}
_FACTS = {
    "PurchaseOrderByCustomer": ("the order's number, with the shop's name where there are several shops", "as it is"),
    "CustomerPurchaseOrderDate": ("order.placed_at", "the calendar day in China, as midnight UTC"),
    "RequestedDeliveryDate": ("order.placed_at", "the setting delivery_days later"),
    "Material": ("line.sku", "in capital letters"),
    "RequestedQuantity": ("line.quantity", "as text"),
    "SalesOrderItemText": ("line.name", "cut to 40 characters"),
    "PartnerFunction": ("a constant", "ship-to"),
    "ConditionQuantity": ("a constant", "the price is of one piece"),
}


def explain_order(order: ErpOrder, given: SapSettings) -> tuple[Explained, ...]:
    """Every field of the create, in the order of sending; raises PermanentError as the create does."""
    return tuple(_explain("", write_order(order, given), given))


def _explain(path: str, values: Mapping[str, Any], given: SapSettings) -> Iterator[Explained]:
    for name, value in values.items():
        if isinstance(value, list):
            for number, child in enumerate(value):
                yield from _explain(f"{path}{name}[{number}].", child, given)
        else:
            yield Explained(path + name, *_source(path, name, values, given), str(value))


def _source(path: str, name: str, beside: Mapping[str, Any], given: SapSettings) -> tuple[str, str]:
    """Where a field comes from, and what was done with it."""
    if name in _FACTS:
        return _FACTS[name]
    if name in _SETTINGS:
        return f"the setting {_SETTINGS[name]}", "constant"
    if name in ("ConditionType", "ConditionRateValue"):
        source, setting = _amount(path, str(beside["ConditionType"]), given)
        return (f"the setting {setting}", "constant") if name == "ConditionType" else (source, "fen as yuan, as text")
    if name in ("LongTextID", "LongText"):
        is_note = beside["LongTextID"] == given.note_text_id
        setting, source = ("note_text_id", "order.buyer_note") if is_note else ("address_text_id", "consignee")
        return (f"the setting {setting}", "constant") if name == "LongTextID" else (source, "as it is")
    return f"the setting {'item_fields' if path else 'header_fields'}", "constant"


def _amount(path: str, kind: str, given: SapSettings) -> tuple[str, str]:
    if path.startswith("to_Item"):
        return "line.price_fen", "price_condition"
    if kind == given.freight_condition:
        return "order.shipping_fee_fen", "freight_condition"
    if kind == given.discount_condition:
        return "order.discount_fen", "discount_condition"
    return "what is left of order.total_fen", "fee_condition"
