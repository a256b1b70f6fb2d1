"""An order as a sales order of Kingdee's (SAL_SaleOrder): numbers of base data out of the settings, prices with tax."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from mappings.erps.kingdee.settings import KingdeeSettings
from mappings.errors import PermanentError
from mappings.model import ErpOrder

FORM = "SAL_SaleOrder"


def write_save(order: ErpOrder, settings: KingdeeSettings) -> dict[str, Any]:
    """What Save is told. Raises PermanentError for a line without SKU, before anything is sent.

    Dates are those of the shop's zone, as `YYYY-MM-DD`; amounts are yuan as numbers, exact to the fen.
    """
    day = datetime.strptime(order.order_date, "%Y%m%d").date()  # noqa: DTZ007 - a date, no moment
    model = {
        "FID": 0,
        "FBillTypeID": {"FNumber": settings.bill_type},
        settings.number_field: order.external_ref,
        "FDate": day.isoformat(),
        "FSaleOrgId": {"FNumber": settings.sale_org},
        "FCustId": {"FNumber": settings.customer},
        "FNote": _note(order, settings),
        "FSaleOrderFinance": {"FSettleCurrId": {"FNumber": settings.currency}},
        "FSaleOrderEntry": [_entry(*line, day, settings) for line in _lines(order, settings)],
    }
    return {"formid": FORM, "data": {"NeedReturnFields": ["FBillNo"], "IsDeleteEntry": "true", "Model": model}}


def _lines(order: ErpOrder, settings: KingdeeSettings) -> list[tuple[str, int, int]]:
    """SKU, pieces and price in fen; the shipping fee is a line where a material stands for it."""
    lines = [(line.sku, line.quantity, line.price_fen) for line in order.order.lines]
    if not lines or any(not sku.strip() for sku, _, _ in lines):
        raise PermanentError(
            "kingdee.order.sku_missing",
            "An order line has no SKU, or there is no line: complete the goods number in the shop",
        )
    if settings.freight_sku and order.order.shipping_fee_fen:
        lines.append((settings.freight_sku, 1, order.order.shipping_fee_fen))
    return lines


def _entry(sku: str, pieces: int, price_fen: int, day: date, settings: KingdeeSettings) -> dict[str, Any]:
    entry = {
        "FMaterialId": {"FNumber": sku},
        "FUnitID": {"FNumber": settings.unit},
        "FQty": pieces,
        "FTaxPrice": yuan(price_fen),
        "FDeliveryDate": (day + timedelta(days=settings.delivery_days)).isoformat(),
    }
    return {**entry, "FEntryTaxRate": float(settings.tax_rate)} if settings.tax_rate else entry


def yuan(fen: int) -> int | float:
    """Yuan as JSON's shortest number, which has two places at most for every sum that a shop can hold."""
    return fen // 100 if fen % 100 == 0 else fen / 100


def _note(order: ErpOrder, settings: KingdeeSettings) -> str:
    """What the buyer paid in all stands there, because a discount is no line; the address only where it is wanted."""
    bought, who = order.order, order.order.consignee
    total, discount = f"{yuan(bought.total_fen):.2f}", f"{yuan(bought.discount_fen):.2f}"
    note = f"ECShop {bought.order_sn}; 合计 {total}; 运费 {yuan(bought.shipping_fee_fen):.2f}; 优惠 {discount}"
    if not settings.consignee_in_note:
        return note
    where = who.address
    return f"{note}; {who.name} {who.phone} {where.province}{where.city}{where.district}{where.street}"
