"""Stock by ExecuteBillQuery of STK_Inventory: one row a lot, place and status, added up by material and warehouse.

Always whole: a query for what changed since a time gives single rows of a sum.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from mappings.erps.kingdee.service import Row, Service
from mappings.erps.kingdee.settings import KingdeeSettings
from mappings.errors import PermanentError
from mappings.model import StockFigure
from mappings.wire import Exchange

AREA = "kingdee.stock"
MOST_PIECES = 10**9


def read_figures(service: Service, settings: KingdeeSettings) -> Exchange[tuple[StockFigure, ...]]:
    """One figure a material and warehouse, all pages. Never raises UncertainError."""
    fields = ("FID", "FMaterialId.FNumber", "FStockId.FNumber", settings.stock_field)
    rows = yield from service.read("read_stock", AREA, "STK_Inventory", fields, settings.stock_filter)
    return _add_up(rows, settings)


def _add_up(rows: list[Row], settings: KingdeeSettings) -> tuple[StockFigure, ...]:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for _, sku, stock, value in rows:
        sums[str(sku or ""), str(stock or "")] += _pieces(str(sku), value, settings)
    return tuple(
        StockFigure(sku, int(pieces.to_integral_value(ROUND_FLOOR)), stock)
        for (sku, stock), pieces in sums.items()
        if sku
    )


def _pieces(sku: str, value: object, settings: KingdeeSettings) -> Decimal:
    try:
        number = Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number) > MOST_PIECES:
        raise PermanentError(
            f"{AREA}.figure_unreadable",
            f"Kingdee's {settings.stock_field} of {sku} is no number. Nothing was written. Correct STOCK_FIELD",
        )
    return number
