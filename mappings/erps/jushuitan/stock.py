"""Stock by SKU or by the time of its last change, and which SKUs Jushuitan knows at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from mappings.china_time import read_time, write_time
from mappings.erps.jushuitan.service import Biz, Service
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.model import StockFigure
from mappings.stock_rows import Stretch
from mappings.wire import Exchange

AREA = "jushuitan.stock"
AT_ONCE = 100
LONGEST_STRETCH = timedelta(days=7)
CLOCKS_DIFFER = timedelta(minutes=15)
"""As much as Jushuitan bears; the times of change are by its own clock."""


def read_stock(service: Service, since: datetime | None, skus: Collection[str]) -> Exchange[tuple[StockFigure, ...]]:
    """The figures of these SKUs, or of all that changed since. Raises PermanentError for one that cannot be read."""
    if skus:
        rows = yield from rows_of(service, skus, "read_stock", AREA)
    elif since is not None:
        rows = yield from _changed_rows(service, since)
    else:
        raise PermanentError(
            "jushuitan.stock.skus_needed",
            "Jushuitan tells stock by SKU or by time of change, and was asked for neither",
        )
    figures: dict[str, StockFigure] = {}
    for row in rows:
        figure = _figure(row, service)
        if figure.sku and figures.setdefault(figure.sku, figure).available != figure.available:
            figures[figure.sku] = figure  # it changed between two pages: the later answer counts
    return tuple(figures.values())


def rows_of(service: Service, skus: Collection[str], operation: str, area: str) -> Exchange[list[Mapping[str, Any]]]:
    """The rows of these SKUs, as many at once as Jushuitan takes; one with a comma cannot be asked for."""
    wanted, rows = sorted(sku for sku in set(skus) if "," not in sku), list[Mapping[str, Any]]()
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        rows += yield from _rows(service, partial(_by_sku, some), operation, area)
    return rows


def check_skus(service: Service, skus: Collection[str], area: str) -> Exchange[None]:
    """Raise PermanentError `<area>.sku_unknown` unless Jushuitan has a row of every SKU."""
    rows = yield from rows_of(service, skus, "check_skus", area)
    known = {text_of(row, "sku_id") for row in rows}
    if unknown := sorted(set(skus) - known):
        raise PermanentError(
            f"{area}.sku_unknown",
            f"Jushuitan knows no stock of {', '.join(unknown[:20])}; nothing was sent. Enter the goods there under "
            "this SKU, or correct the goods number in the shop, then retry (CHECK_SKUS=0 sends without asking)",
        )


def _changed_rows(service: Service, since: datetime) -> Exchange[list[Mapping[str, Any]]]:
    stretch, rows = Stretch(since - CLOCKS_DIFFER, LONGEST_STRETCH), list[Mapping[str, Any]]()
    while True:
        rows += yield from _rows(service, partial(_by_time, stretch), "read_stock", AREA)
        if not stretch.move_on():
            return rows


def _by_sku(skus: Sequence[str], now: datetime) -> dict[str, Any]:
    return {"sku_ids": ",".join(skus)}


def _by_time(stretch: Stretch, now: datetime) -> dict[str, Any]:
    begin, end = stretch.close(now)
    return {"modified_begin": write_time(begin), "modified_end": write_time(end)}


def _rows(service: Service, wanted: Biz, operation: str, area: str) -> Exchange[list[Mapping[str, Any]]]:
    """All pages of one question. What is locked by hand is told to those only who ask for it."""
    settings = service.settings
    locked = {"has_lock_qty": True} if "lock_qty" in settings.formula.names else {}

    def asked(now: datetime) -> dict[str, Any]:
        return {"wms_co_id": settings.wms_co_id, **locked, **wanted(now)}

    return (yield from service.rows(operation, settings.stock_path, asked, area, "inventorys", AT_ONCE))


def _figure(row: Mapping[str, Any], service: Service) -> StockFigure:
    sku, settings = text_of(row, "sku_id"), service.settings
    try:
        pieces = settings.formula.pieces(row)
    except ValueError as problem:
        raise PermanentError(
            "jushuitan.stock.figure_unreadable",
            f"Jushuitan's field {problem} of SKU {sku} is missing or no number. Nothing was written. Check "
            "STOCK_FORMULA",
        ) from None
    warehouse = str(settings.wms_co_id) if settings.wms_co_id else ""
    return StockFigure(sku, pieces, warehouse, read_time(row.get("modified", "")))
