"""An order as a sale of Tryton's: lines by product, money exactly from fen, nothing left to an on_change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from mappings.bill import make_bill
from mappings.bill_lines import BillLine, discount_lines, freight_lines, goods_lines
from mappings.erps.tryton.masters import Customer, Product, Warehouse, WebShop
from mappings.erps.tryton.protocol import write_date, write_decimal
from mappings.erps.tryton.settings import TrytonSettings
from mappings.errors import PermanentError
from mappings.model import Consignee, ErpOrder

AREA = "tryton.order"


def lines_of(order: ErpOrder, settings: TrytonSettings) -> list[BillLine]:
    """Everything that was bought, in whatever parcels it leaves, then what it cost more or less: the order's total.

    Raises PermanentError for an order whose lines or sums are incomplete.
    """
    bill = make_bill(order.order, AREA)
    freight = freight_lines(bill, settings.freight_sku, AREA)
    return [*goods_lines(bill), *freight, *discount_lines(bill, settings.discount_sku, AREA)]


def write_sale(
    order: ErpOrder,
    settings: TrytonSettings,
    shop: WebShop,
    customer: Customer,
    warehouse: Warehouse,
    products: Mapping[str, Product],
) -> dict[str, Any]:
    """The values of one `sale.sale`. Its key is (`web_shop`, `web_id`), of which PostgreSQL holds one only.

    `sale_date` is the order's date in the shop's zone. Lines carry no taxes: the shop's prices are what the buyer paid.
    """
    return {
        "party": customer.id,
        "company": shop.company,
        "currency": shop.currency,
        "invoice_address": customer.invoice_address,
        "shipment_address": customer.shipment_address,
        "warehouse": warehouse.id,
        "web_shop": shop.id,
        "web_id": order.external_ref,
        "reference": order.external_ref,
        "sale_date": write_date(date.fromisoformat(order.order_date)),
        "comment": _comment(order, settings),
        "lines": [["create", [_line(products[line.sku], line) for line in lines_of(order, settings)]]],
    }


def check_currency(shop: WebShop, settings: TrytonSettings) -> None:
    """Raise PermanentError unless the web shop sells in the currency that the shop's prices are in."""
    if shop.currency_code != settings.currency:
        raise PermanentError(
            f"{AREA}.currency_differs",
            f"The shop's prices are in {settings.currency}, and Tryton's web shop sells in {shop.currency_code}. "
            "Nothing was sent. Correct the web shop's currency there, or CURRENCY",
        )


def check_customer(shop: WebShop, customer: Customer) -> None:
    """Raise PermanentError for the guest party: Tryton quotes no sale to it."""
    if customer.id == shop.guest_party:
        raise PermanentError(
            f"{AREA}.party_is_guest",
            "PARTY is the guest party of Tryton's web shop, and Tryton confirms no sale to it. Nothing was sent. Name "
            "another party, or take it out of the web shop there",
        )


def _line(product: Product, line: BillLine) -> dict[str, Any]:
    return {
        "type": "line",
        "product": product.id,
        "quantity": line.quantity,
        "unit": product.unit,
        "unit_price": write_decimal(f"{Decimal(line.price_fen).scaleb(-2):f}"),
    }


def _comment(order: ErpOrder, settings: TrytonSettings) -> str:
    """Who the parcel is for stands there only where the ERP wants it: it is personal data."""
    known = f"ECShop {order.order.order_sn}"
    return f"{known}\n{_address(order.order.consignee)}" if settings.consignee_in_comment else known


def _address(who: Consignee) -> str:
    where = who.address
    return f"{who.name} {who.phone}\n{where.province}{where.city}{where.district}{where.street}"
