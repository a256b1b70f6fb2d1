"""An order as a sales order of Kingdee's (SAL_SaleOrder): numbers of base data out of the settings, prices with tax."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from mappings.bill import make_bill
from mappings.bill_lines import BillLine, freight_lines, goods_lines
from mappings.erps.kingdee.settings import KingdeeSettings
from mappings.model import ErpOrder, Order

AREA, FORM = "kingdee.order", "SAL_SaleOrder"


def write_save(order: ErpOrder, settings: KingdeeSettings) -> dict[str, Any]:
    """What Save is told: everything that was bought, in whatever parcels it leaves; the lines add up to the total.

    Dates are those of the shop's zone, as `YYYY-MM-DD`; amounts are yuan as numbers, exact to the fen. Raises
    PermanentError for an order whose lines or sums are incomplete, before anything is sent.
    """
    lines = lines_of(order, settings)
    day = date.fromisoformat(order.order_date)
    due = (day + timedelta(days=settings.delivery_days)).isoformat()
    model = {
        "FID": 0,
        "FBillTypeID": {"FNumber": settings.bill_type},
        settings.number_field: order.external_ref,
        "FDate": day.isoformat(),
        "FSaleOrgId": {"FNumber": settings.sale_org},
        "FCustId": {"FNumber": settings.customer},
        "FNote": _note(order.order, settings),
        "FSaleOrderFinance": {"FSettleCurrId": {"FNumber": settings.currency}},
        "FSaleOrderEntry": [_entry(line, settings) | {"FDeliveryDate": due} for line in lines],
    }
    return {"formid": FORM, "data": {"NeedReturnFields": ["FBillNo"], "IsDeleteEntry": "true", "Model": model}}


def lines_of(order: ErpOrder, settings: KingdeeSettings) -> list[BillLine]:
    """The goods, then what was charged beside them. Raises PermanentError where no material stands for that."""
    bill = make_bill(order.order, AREA)
    return [*goods_lines(bill), *freight_lines(bill, settings.freight_sku, AREA)]


def _entry(line: BillLine, settings: KingdeeSettings) -> dict[str, Any]:
    """A line, in the order of the form's own fields: what comes later is reckoned from what comes before."""
    entry: dict[str, Any] = {
        "FMaterialId": {"FNumber": line.sku},
        "FUnitID": {"FNumber": settings.unit},
        "FQty": line.quantity,
        "FTaxPrice": yuan(line.price_fen),
    }
    if settings.tax_rate:
        entry["FEntryTaxRate"] = float(settings.tax_rate)
    if line.discount_fen:
        entry["FDiscount"] = yuan(line.discount_fen)
    return entry


def yuan(fen: int) -> int | float:
    """Yuan as JSON's shortest number, which has two places at most for every sum that a shop can hold."""
    return fen // 100 if fen % 100 == 0 else fen / 100


def _note(order: Order, settings: KingdeeSettings) -> str:
    """The sums as the shop has them, for whoever compares; the address only where it is wanted."""
    sums = {"合计": order.total_fen, "运费": order.shipping_fee_fen, "优惠": order.discount_fen}
    note = "; ".join((f"ECShop {order.order_sn}", *(f"{word} {fen / 100:.2f}" for word, fen in sums.items())))
    if not settings.consignee_in_note:
        return note
    who, where = order.consignee, order.consignee.address
    return f"{note}; {who.name} {who.phone} {where.province}{where.city}{where.district}{where.street}"
