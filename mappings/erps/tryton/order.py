"""An order as a sale of Tryton's: lines by product, money exactly from fen, nothing left to an on_change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from mappings.erps.tryton.masters import Customer, Product, Warehouse, WebShop
from mappings.erps.tryton.protocol import write_date, write_decimal
from mappings.erps.tryton.settings import TrytonSettings
from mappings.errors import PermanentError
from mappings.model import Consignee, ErpOrder


def skus_of(order: ErpOrder, settings: TrytonSettings) -> set[str]:
    """Every product code that the sale will name. Raises PermanentError for a line without one."""
    skus = {line.sku for line in order.order.lines}
    if not skus or any(not sku.strip() for sku in skus):
        raise PermanentError(
            "tryton.order.sku_missing",
            "An order line has no SKU, or there is no line: complete the goods number in the shop",
        )
    return skus | {sku for sku, _ in fees_of(order, settings).values()}


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
    goods = [(line.sku, line.quantity, line.price_fen) for line in order.order.lines]
    fees = [(sku, 1, fen) for sku, fen in fees_of(order, settings).values()]
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
        "sale_date": write_date(datetime.strptime(order.order_date, "%Y%m%d").date()),  # noqa: DTZ007 - a date, no moment
        "comment": _comment(order, settings),
        "lines": [["create", [_line(products[sku], pieces, fen) for sku, pieces, fen in (*goods, *fees)]]],
    }


def check_currency(shop: WebShop, settings: TrytonSettings) -> None:
    """Raise PermanentError unless the web shop sells in the currency that the shop's prices are in."""
    if shop.currency_code != settings.currency:
        raise PermanentError(
            "tryton.order.currency_differs",
            f"The shop's prices are in {settings.currency}, and Tryton's web shop sells in {shop.currency_code}. "
            "Nothing was sent. Correct the web shop's currency there, or CURRENCY",
        )


def check_customer(shop: WebShop, customer: Customer) -> None:
    """Raise PermanentError for the guest party: Tryton quotes no sale to it."""
    if customer.id == shop.guest_party:
        raise PermanentError(
            "tryton.order.party_is_guest",
            "PARTY is the guest party of Tryton's web shop, and Tryton confirms no sale to it. Nothing was sent. Name "
            "another party, or take it out of the web shop there",
        )


def fees_of(order: ErpOrder, settings: TrytonSettings) -> dict[str, tuple[str, int]]:
    """What the buyer pays or saves beside the goods: setting -> product code and fen, in the order of the lines."""
    worth = {"freight_sku": order.order.shipping_fee_fen, "discount_sku": -order.order.discount_fen}
    return {name: (sku, worth[name]) for name, sku in settings.fee_skus().items() if worth[name]}


def _line(product: Product, pieces: int, price_fen: int) -> dict[str, Any]:
    return {
        "type": "line",
        "product": product.id,
        "quantity": pieces,
        "unit": product.unit,
        "unit_price": write_decimal(f"{Decimal(price_fen).scaleb(-2):f}"),
    }


def _comment(order: ErpOrder, settings: TrytonSettings) -> str:
    """Who the parcel is for stands there only where the ERP wants it: it is personal data."""
    known = f"ECShop {order.order.order_sn}"
    return f"{known}\n{_address(order.order.consignee)}" if settings.consignee_in_comment else known


def _address(who: Consignee) -> str:
    where = who.address
    return f"{who.name} {who.phone}\n{where.province}{where.city}{where.district}{where.street}"
