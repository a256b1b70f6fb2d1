"""Stock from A_MatlStkInAcctMod: what lies on the shelves, summed per material. SAP subtracts no open order from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from mappings.erps.sap_odata.access import SapAccess
from mappings.erps.sap_odata.odata import address, any_of, literal
from mappings.erps.sap_odata.order import material_of
from mappings.erps.sap_odata.reply import read_page
from mappings.erps.sap_odata.settings import Place, SapSettings
from mappings.erps.sap_odata.shapes import ITEM, longest
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.model import StockFigure
from mappings.sap_text import sap_length
from mappings.wire import Exchange

CODE = "sap_odata.stock"
SKUS_AT_ONCE = 40
"""A filter stands in the address, which proxies cut at 8 KB."""
ROWS_AT_ONCE = 1000
MOST_PAGES = 2000
MOST_PIECES = 10**9
UNRESTRICTED = "01"
"""InventoryStockType; 02 is in quality inspection, 07 is blocked."""

_SET = "A_MatlStkInAcctMod"
_FIELDS = (
    "Material,Plant,StorageLocation,InventoryStockType,InventorySpecialStockType,"
    "MaterialBaseUnit,MatlWrhsStkQtyInMatlBaseUnit"
)
_ORDER = "Material,Plant,StorageLocation,Batch,InventoryStockType"

Rows = list[Mapping[str, Any]]


def read_stock(access: SapAccess, given: SapSettings, skus: Collection[str]) -> Exchange[tuple[StockFigure, ...]]:
    """The figures of these SKUs, or of all materials in the places that count. Never raises UncertainError.

    A material that has stock there of another kind only (blocked, in inspection, a customer's own) has none to sell.
    One without any row is left out, unless `missing_stock` says that it is sold out. Raises PermanentError
    `not_offered`, `figure_unreadable` or `endless`.
    """
    if not given.stock_path:
        raise PermanentError(
            "sap_odata.stock.not_offered",
            "STOCK_PATH is empty: SAP is not asked for stock. Set it, or name another STOCK_ERP",
        )
    room = longest(ITEM, "Material")
    asked = {sku: material_of(sku) for sku in skus if 0 < sap_length(material_of(sku)) <= room}
    if skus and not asked:
        return ()
    rows = yield from _read_rows(access, given, _filter(sorted(set(asked.values())), given.counting_places))
    totals = _sum(rows, given.counting_places)
    if given.missing_stock == "zero":
        totals = dict.fromkeys(asked.values(), Decimal(0)) | totals
    named = asked or {material: material for material in totals}
    return tuple(StockFigure(sku, _pieces(totals[material])) for sku, material in named.items() if material in totals)


def _filter(materials: list[str], places: tuple[Place, ...]) -> str:
    """Materials and places; a location is asked for together with its plant."""
    parts = [any_of("Material", materials)] if materials else []
    if places:
        parts.append("(" + " or ".join(_place(*place) for place in places) + ")")
    return " and ".join(parts)


def _place(plant: str, location: str) -> str:
    at_plant = f"Plant eq {literal(plant)}"
    return f"({at_plant} and StorageLocation eq {literal(location)})" if location else at_plant


def _read_rows(access: SapAccess, given: SapSettings, wanted: str) -> Exchange[Rows]:
    """All pages: as SAP links them, else on until one is not full."""
    fixed = {**given.options, "$select": _FIELDS, "$orderby": _ORDER, "$top": str(ROWS_AT_ONCE)}
    if wanted:
        fixed["$filter"] = wanted
    found: Rows = []
    place: dict[str, str] = {}
    for _ in range(MOST_PAGES):
        url = address(given.base_url + given.stock_path, _SET, fixed | place)
        reply = yield from access.read("read_stock", url, is_order=False)
        rows, place = read_page(reply, CODE)
        found += rows
        if not place and len(rows) >= ROWS_AT_ONCE:
            place = {"$skip": str(len(found))}
        if not place or not rows:
            return found
    raise PermanentError(
        "sap_odata.stock.endless", f"SAP gives more than {MOST_PAGES} pages of stock: name the plants in STOCK_PLACES"
    )


def _sum(rows: Rows, places: tuple[Place, ...]) -> dict[str, Decimal]:
    """By material; what a gateway let through that was not asked for is left out."""
    totals: dict[str, Decimal] = {}
    for row in rows:
        plant, location = text_of(row, "Plant"), text_of(row, "StorageLocation")
        if places and (plant, "") not in places and (plant, location) not in places:
            continue
        material = material_of(text_of(row, "Material"))
        is_free = text_of(row, "InventoryStockType") == UNRESTRICTED and not text_of(row, "InventorySpecialStockType")
        totals[material] = totals.get(material, Decimal(0)) + (_quantity(row, material) if is_free else 0)
    return totals


def _quantity(row: Mapping[str, Any], material: str) -> Decimal:
    """SAP writes decimals as texts, and a gateway may leave the zeros behind the point away."""
    value = row.get("MatlWrhsStkQtyInMatlBaseUnit")
    try:
        number = Decimal(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number) > MOST_PIECES:
        raise PermanentError(
            "sap_odata.stock.figure_unreadable",
            f"SAP's quantity of material {material} is no number of pieces. Nothing was written: look at it there",
        )
    return number


def _pieces(total: Decimal) -> int:
    """Whole pieces, rounded down: half a piece cannot be sold."""
    return int(total.to_integral_value(ROUND_FLOOR))
