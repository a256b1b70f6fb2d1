"""Stock by SKU or by the time of its last change, and which SKUs Wangdiantong knows at all."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from mappings.china_time import read_time, write_time
from mappings.erps.wangdiantong.service import Service, always
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.model import StockFigure
from mappings.stock_rows import Stretch
from mappings.wire import Exchange

AREA = "wangdiantong.stock"
BY_SPEC, AVAILABLE = "wms.StockSpec.search2", "wms.StockSpec.queryAvailableStock"
AT_ONCE = 100
LONGEST_STRETCH = timedelta(days=30)

_EPOCH_MS = re.compile(r"\d{12,13}")
_LISTS = {BY_SPEC: "detail_list", AVAILABLE: "stocks"}

Rows = list[Mapping[str, Any]]


def read_stock(service: Service, since: datetime | None, skus: Collection[str]) -> Exchange[tuple[StockFigure, ...]]:
    """The figures of these SKUs, or of all that changed since, by warehouse; defective pieces do not count."""
    method = service.settings.stock_method
    if skus:
        rows = yield from _rows_of(service, method, skus, "read_stock", AREA)
    elif since is not None:
        rows = yield from _changed_rows(service, method, since)
    else:
        raise PermanentError(
            "wangdiantong.stock.skus_needed",
            "Wangdiantong tells stock by SKU or by time of change, and was asked for neither",
        )
    figures: dict[tuple[str, str], StockFigure] = {}
    for row in rows:
        figure = _figure(service, row)
        if figure is not None:  # what changed between two pages comes twice: the later row counts
            figures[figure.sku, figure.warehouse] = figure
    return tuple(figures.values())


def check_skus(service: Service, skus: Collection[str], area: str) -> Exchange[None]:
    """Raise PermanentError `<area>.sku_unknown` unless Wangdiantong has a row of every SKU."""
    rows = yield from _rows_of(service, BY_SPEC, skus, "check_skus", area)
    known = {text_of(row, "spec_no") for row in rows}
    if unknown := sorted(set(skus) - known):
        raise PermanentError(
            f"{area}.sku_unknown",
            f"Wangdiantong knows no stock of {', '.join(unknown[:20])}; nothing was sent. Enter the goods there under "
            "this SKU (spec_no), or correct the goods number in the shop, then retry (CHECK_SKUS=0 sends without "
            "asking: suites have no stock of their own)",
        )


def _rows_of(service: Service, method: str, skus: Collection[str], operation: str, area: str) -> Exchange[Rows]:
    """A hundred SKUs a question, or one where the method takes no more."""
    wanted, rows, at_once = sorted(set(skus)), Rows(), AT_ONCE if method == BY_SPEC else 1
    for start in range(0, len(wanted), at_once):
        some = wanted[start : start + at_once]
        asked: dict[str, Any] = {"spec_nos": some} if method == BY_SPEC else {"spec_no": some[0]}
        rows += yield from service.rows(operation, method, always([asked]), area, _LISTS[method])
    return rows


def _changed_rows(service: Service, method: str, since: datetime) -> Exchange[Rows]:
    stretch, rows = Stretch(since, LONGEST_STRETCH), Rows()

    def asked(now: datetime) -> list[Any]:
        begin, end = stretch.close(now)
        return [{"start_time": write_time(begin), "end_time": write_time(end)}]

    while True:
        rows += yield from service.rows("read_stock", method, asked, AREA, _LISTS[method])
        if not stretch.move_on():
            return rows


def _figure(service: Service, row: Mapping[str, Any]) -> StockFigure | None:
    sku = text_of(row, "spec_no")
    if not sku or text_of(row, "defect").lower() == "true":
        return None
    try:
        pieces = service.settings.formula.pieces(row)
    except ValueError as problem:
        raise PermanentError(
            "wangdiantong.stock.figure_unreadable",
            f"Wangdiantong's field {problem} of SKU {sku} is missing or no number. Nothing was written. Check "
            "STOCK_FORMULA",
        ) from None
    return StockFigure(sku, pieces, text_of(row, "warehouse_no"), _changed_at(row))


def _changed_at(row: Mapping[str, Any]) -> datetime | None:
    """Milliseconds or a time of Shanghai; both occur."""
    said = text_of(row, "modified")
    return datetime.fromtimestamp(int(said) / 1000, UTC) if _EPOCH_MS.fullmatch(said) else read_time(said)
