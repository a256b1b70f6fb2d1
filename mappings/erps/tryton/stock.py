"""What a warehouse can still promise: on hand, less what is on its way out and not gone yet.

Tryton's own `forecast_quantity` counts a planned move only from today on: the goods of a parcel that should have left
yesterday would be for sale again. So what is open is read from the moves themselves, whatever their date.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from mappings.erps.tryton.masters import Warehouse, find_web_shop
from mappings.erps.tryton.protocol import RestDoor, Row, read_rows, said_no
from mappings.erps.tryton.settings import TrytonSettings
from mappings.errors import PermanentError
from mappings.model import StockFigure
from mappings.wire import Exchange

AREA = "tryton.stock"
PAGE = 500
MOST_PAGES = 2000
MOST_PIECES = 10**9

_PRODUCTS = [["code", "!=", None], ["code", "!=", ""], ["type", "=", "goods"], ["salable", "=", True]]
_OPEN = ["draft", "assigned"]
"""Moves that are planned or set aside; what is done has left the stock, what is staging is a mere proposal."""


def read_figures(door: RestDoor, settings: TrytonSettings) -> Exchange[tuple[StockFigure, ...]]:
    """One figure a product and warehouse of the web shop, all pages. Never raises UncertainError."""
    shop = yield from find_web_shop(door, settings, AREA)
    figures: list[StockFigure] = []
    for warehouse in shop.warehouses:
        # what goes out between the two reads is subtracted twice for one run; the other order would sell it twice
        leaving = yield from _read_leaving(door, warehouse)
        for row in (yield from _read_on_hand(door, warehouse)):
            available = _pieces(row, "quantity") - leaving[row["id"]]
            figures.append(StockFigure(str(row["code"]), int(available.to_integral_value(ROUND_FLOOR)), warehouse.name))
    return tuple(figures)


def _read_leaving(door: RestDoor, warehouse: Warehouse) -> Exchange[Mapping[int, Decimal]]:
    """What open moves take out of the warehouse, by product, in the unit that its stock is counted in."""
    domain = [
        ["state", "in", _OPEN],
        ["from_location", "child_of", [warehouse.id], "parent"],
        ["to_location", "not child_of", [warehouse.id], "parent"],
    ]
    leaving: defaultdict[int, Decimal] = defaultdict(Decimal)
    for row in (yield from _read_pages(door, "stock.move", domain, ("product", "internal_quantity"), {})):
        leaving[row["product"]] += _pieces(row, "internal_quantity")
    return leaving


def _read_on_hand(door: RestDoor, warehouse: Warehouse) -> Exchange[list[Row]]:
    context = {"locations": [warehouse.id], "with_childs": True}
    return (yield from _read_pages(door, "product.product", _PRODUCTS, ("code", "quantity"), context))


def _read_pages(
    door: RestDoor, model: str, domain: Sequence[object], fields: Sequence[str], context: dict[str, object]
) -> Exchange[list[Row]]:
    rows: list[Row] = []
    for _ in range(MOST_PAGES):
        call = door.search("read_stock", model, domain, fields, page=(len(rows), PAGE), context=context)
        reply = yield call
        if why := said_no(reply):
            raise PermanentError(
                f"{AREA}.rejected",
                "Tryton does not tell our user its stock: give it the group Stock there",
                peer_code="400",
                peer_text=why[:200],
            )
        page = read_rows(reply, AREA)
        rows += page
        if len(page) < PAGE:
            return rows
    raise PermanentError(f"{AREA}.endless", f"Tryton gives more than {MOST_PAGES * PAGE} rows of stock")


def _pieces(row: Row, field: str) -> Decimal:
    value: Any = row.get(field)
    number = Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if number is None or not number.is_finite() or abs(number) > MOST_PIECES:
        raise PermanentError(
            f"{AREA}.figure_unreadable",
            f"Tryton shows no {field} of {row.get('code') or 'a move'} that is a number. Nothing was written. Give our "
            "user the right to read it there (group Stock)",
        )
    return number
