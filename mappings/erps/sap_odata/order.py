"""An order as one deep insert: header, items, partner, prices and texts. Amounts are exact texts, made from fen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from mappings.address import clean_text
from mappings.bill import Bill, BillItem, make_bill
from mappings.erps.sap_odata.odata import wire_date
from mappings.erps.sap_odata.reply import ORDER_AREA
from mappings.erps.sap_odata.settings import LEFT_OUT, SapSettings
from mappings.erps.sap_odata.shapes import ITEM, ORDER, longest, problem_of
from mappings.errors import PermanentError
from mappings.model import ErpOrder, Order
from mappings.sap_text import cut_text, sap_length

SHIP_TO = "SH"
"""The partner function as the API writes it, whatever the language (WE in a German system)."""


def reference(external_ref: str) -> str:
    """Our number as SAP keeps it, PurchaseOrderByCustomer. Raises PermanentError when it would not fit: cut short it
    could not be looked up. (ExternalDocumentID would be longer, and SAP lets nobody set it.)"""
    room = longest(ORDER, "PurchaseOrderByCustomer")
    if sap_length(external_ref) > room:
        raise PermanentError(
            "sap_odata.order.reference_too_long",
            f"The order's number has {sap_length(external_ref)} characters, and SAP takes {room}; nothing was sent. "
            "Enter the order in SAP by hand and resolve this line; give the shop a shorter name, or its orders",
        )
    return external_ref


def write_order(order: ErpOrder, given: SapSettings) -> dict[str, Any]:
    """The body of the create. Raises PermanentError for what SAP would not take, before anything is sent."""
    bill = make_bill(order.order, ORDER_AREA)
    placed = date.fromisoformat(order.order_date)
    body: dict[str, Any] = {
        **given.header_fields,
        "SalesOrderType": given.order_type,
        "SalesOrganization": given.sales_organization,
        "DistributionChannel": given.distribution_channel,
        "OrganizationDivision": given.division,
        "SoldToParty": given.sold_to,
        "PurchaseOrderByCustomer": reference(order.external_ref),
        "CustomerPurchaseOrderDate": wire_date(placed),
        "TransactionCurrency": given.currency,
        "to_Item": [_item(item, given) for item in bill.items],
    }
    if given.delivery_days is not None:
        body["RequestedDeliveryDate"] = wire_date(placed + timedelta(days=given.delivery_days))
    if given.ship_to:
        body["to_Partner"] = [{"PartnerFunction": SHIP_TO, "Customer": given.ship_to}]
    if prices := [_price(kind, fen, given) for _, kind, fen in header_amounts(bill, given)]:
        body["to_PricingElement"] = prices
    if texts := [_text(text_id, text, given) for _, text_id, text in texts_of(order.order, given)]:
        body["to_Text"] = texts
    if problem := problem_of(ORDER, body):
        raise PermanentError(
            "sap_odata.order.not_writable",
            f"SAP would not take this order, so it was not sent: {problem}. Correct it in the shop or in the settings, "
            "then retry",
        )
    return body


def _item(item: BillItem, given: SapSettings) -> dict[str, Any]:
    line = item.line
    body: dict[str, Any] = {
        **given.item_fields,
        "Material": material_of(line.sku),
        "RequestedQuantity": str(line.quantity),
        "RequestedQuantityUnit": given.unit,
    }
    if given.item_text and (text := cut_text(clean_text(line.name), longest(ITEM, "SalesOrderItemText")).strip()):
        body["SalesOrderItemText"] = text
    if given.plant:
        body["ProductionPlant"] = given.plant
    if given.storage_location:
        body["StorageLocation"] = given.storage_location
    if given.price_condition not in ("", LEFT_OUT):
        a_piece = {"ConditionQuantity": "1", "ConditionQuantityUnit": given.unit}
        body["to_PricingElement"] = [_price(given.price_condition, line.price_fen, given) | a_piece]
    return body


def material_of(sku: str) -> str:
    """A SKU as SAP spells materials: in capital letters."""
    return sku.strip().upper()


def header_amounts(bill: Bill, given: SapSettings) -> Iterator[tuple[str, str, int]]:
    """What stands on the order beside its goods: setting, condition type, fen. Raises PermanentError where nobody said
    how SAP wants it."""
    amounts = (
        ("freight_condition", given.freight_condition, "shipping fee", bill.freight_fen),
        ("discount_condition", given.discount_condition, "discount", -bill.discount_fen),
        ("fee_condition", given.fee_condition, "sum of other fees (tax, insurance, packing …)", bill.other_fen),
    )
    for setting, kind, words, fen in amounts:
        if fen == 0 or kind == LEFT_OUT:
            continue
        if not kind:
            raise PermanentError(
                "sap_odata.order.condition_unset",
                f"The order has a {words} of {_yuan(abs(fen))}, and nobody said how SAP is told of it; nothing was "
                f"sent. Name its condition type in {setting.upper()} (or - to leave it out), restart, then retry",
            )
        yield setting, kind, fen


def texts_of(order: Order, given: SapSettings) -> Iterator[tuple[str, str, str]]:
    """The texts of the order: setting, text ID, text.

    Personal data leaves only where a text ID asks for it: this API lets nobody write a one-off address.
    """
    who = order.consignee
    where = "".join((who.address.province, who.address.city, who.address.district, who.address.street))
    wanted = (
        ("note_text_id", given.note_text_id, order.buyer_note),
        (
            "address_text_id",
            given.address_text_id,
            "\n".join(filter(None, (f"{who.name} {who.phone}", where, who.address.postcode))),
        ),
    )
    return (row for row in wanted if row[1] and row[2].strip())


def _price(kind: str, fen: int, given: SapSettings) -> dict[str, str]:
    return {"ConditionType": kind, "ConditionRateValue": _yuan(fen), "ConditionCurrency": given.currency}


def _yuan(fen: int) -> str:
    return f"{Decimal(fen).scaleb(-2):f}"


def _text(text_id: str, text: str, given: SapSettings) -> dict[str, str]:
    return {"Language": given.text_language, "LongTextID": text_id, "LongText": text}
