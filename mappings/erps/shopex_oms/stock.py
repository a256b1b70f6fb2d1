"""The OMS's stock: which SKUs it knows, and what it can still sell of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from mappings.erps.shopex_oms.calls import question
from mappings.erps.shopex_oms.reply import read_response, rows_of
from mappings.erps.shopex_oms.settings import OmsSettings
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.model import StockFigure
from mappings.wire import Exchange

CODE = "shopex_oms.stock"
SKUS_AT_ONCE = 50
"""The OMS names no limit and does not page this answer; its own source once had this one."""
PAGE_SIZE = 100
"""The most that the OMS gives."""
MOST_PAGES = 2000
MOST_PIECES = 10**9
_UNASKABLE = frozenset(",'\"\\")
"""SKUs are asked for in one text with commas, and quotes would end the OMS's own query."""

Rows = list[Mapping[str, Any]]


def find_unknown_skus(settings: OmsSettings, skus: Iterable[str]) -> Exchange[tuple[str, ...]]:
    """Those that the OMS does not know, in their order. Its database does not heed case, and no more do we."""
    wanted = list(dict.fromkeys(sku.strip() for sku in skus))
    rows = yield from _ask(settings, "check_skus", wanted)
    known = {text_of(row, "bn").casefold() for row in rows}
    return tuple(sku for sku in wanted if sku.casefold() not in known)


def read_stock(settings: OmsSettings, skus: Collection[str]) -> Exchange[tuple[StockFigure, ...]]:
    """Every SKU's figure over all warehouses, or those of `skus`: what is on hand less what orders hold.

    Orders hold a SKU as such before they hold it in one warehouse. So a warehouse's figures are too high, and its list
    of what moved (`stock.getDetailList`) leaves out what was ordered meanwhile: neither is asked for.
    """
    rows = yield from (_ask(settings, "read_stock", list(dict.fromkeys(skus))) if skus else _all_pages(settings))
    return _figures(rows)


def _ask(settings: OmsSettings, operation: str, skus: Sequence[str]) -> Exchange[Rows]:
    """The rows of those of `skus` that the OMS knows."""
    askable = [sku for sku in skus if sku and not _UNASKABLE & set(sku)]
    rows: Rows = []
    for start in range(0, len(askable), SKUS_AT_ONCE):
        asked = {"product_bns": ",".join(askable[start : start + SKUS_AT_ONCE])}
        reply = yield question(settings, operation, "stock.getBnStock", asked)
        rows += rows_of(read_response(reply, CODE), CODE)
    return rows


def _all_pages(settings: OmsSettings) -> Exchange[Rows]:
    rows: Rows = []
    for page in range(1, MOST_PAGES + 1):
        asked = {"page_no": str(page), "page_size": str(PAGE_SIZE)}
        reply = yield question(settings, "read_stock", "stock.getAll", asked)
        found = rows_of(read_response(reply, CODE), CODE)
        rows += found
        if len(found) < PAGE_SIZE:
            return rows
    raise PermanentError(
        "shopex_oms.stock.endless", f"The OMS gives more than {MOST_PAGES} pages of stock; nothing was written"
    )


def _figures(rows: Iterable[Mapping[str, Any]]) -> tuple[StockFigure, ...]:
    """A SKU that comes twice, because stock moved while pages were read, counts with its lower figure."""
    available: dict[str, int] = {}
    for row in rows:
        sku = text_of(row, "bn")
        if not sku or row.get("store") is None:
            continue  # the OMS keeps no stock of it
        number = _pieces(row, sku, "store") - _pieces(row, sku, "store_freeze")
        whole = int(number.to_integral_value(ROUND_FLOOR))
        available[sku] = min(whole, available.get(sku, whole))
    return tuple(StockFigure(sku, number) for sku, number in available.items())


def _pieces(row: Mapping[str, Any], sku: str, name: str) -> Decimal:
    try:
        number = Decimal(text_of(row, name) or "0")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > MOST_PIECES:
        raise PermanentError(
            "shopex_oms.stock.figure_unreadable",
            f"The OMS's {name!r} of SKU {sku} is no number of pieces. Nothing was written. Correct it there",
        )
    return number
