"""How a shop's stock is kept by an ERP: settings of one shop, `ECSYNC_SHOP_<NAME>_STOCK_…`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sync.settings_reader import Reader, parse_seconds_or_never, parse_words


@dataclass(frozen=True, slots=True)
class StockSettings:
    """`interval_s` 0: stock is written on demand only. `erp` empty: the only ERP there is. No warehouses: all count."""

    interval_s: float = 0.0
    erp: str = ""
    warehouses: tuple[str, ...] = ()
    safety: int = 0
    most_zeroed_percent: int = 20
    most_lowered_percent: int = 50


def read_stock_settings(reader: Reader, prefix: str) -> StockSettings:
    """Those of one shop, whose variables begin with `prefix`."""
    get, default = reader.get, StockSettings()
    return StockSettings(
        interval_s=get(f"{prefix}STOCK_INTERVAL_S", parse_seconds_or_never, default.interval_s),
        erp=get(f"{prefix}STOCK_ERP", default=default.erp),
        warehouses=get(f"{prefix}STOCK_WAREHOUSES", parse_words, default.warehouses),
        safety=get(f"{prefix}STOCK_SAFETY", _pieces, default.safety),
        most_zeroed_percent=get(f"{prefix}STOCK_MOST_ZEROED_PERCENT", _percent, default.most_zeroed_percent),
        most_lowered_percent=get(f"{prefix}STOCK_MOST_LOWERED_PERCENT", _percent, default.most_lowered_percent),
    )


def stock_problems(
    shops: Mapping[str, tuple[StockSettings, Mapping[str, bool]]], erps: Collection[str]
) -> dict[str, str]:
    """Shops whose stock would come from an ERP that is not there, cannot say it, or from nobody knows which.

    Each shop comes with the ERPs that get its orders, and whether they can be asked for stock.
    """
    found = {}
    for name, (stock, sources) in shops.items():
        if problem := _problem(stock, sources, erps, name.upper()):
            found[f"ECSYNC_SHOP_{name.upper()}_STOCK_ERP"] = problem
    return found


def _problem(stock: StockSettings, sources: Mapping[str, bool], erps: Collection[str], shop: str) -> str:
    source = stock.erp or (next(iter(sources)) if len(sources) == 1 else "")
    if stock.erp and stock.erp not in erps:
        return f"{stock.erp!r} is no ERP of ECSYNC_ERPS"
    if stock.erp and stock.erp not in sources:
        return (
            f"{stock.erp!r} gets no order of this shop, so its figures would not know what is sold here; "
            f"add it to ECSYNC_SHOP_{shop}_ERPS"
        )
    if stock.interval_s and not source and len(sources) > 1:
        return f"must name the ERP that keeps the stock: {', '.join(sources)}"
    if (stock.interval_s or stock.erp) and not sources.get(source, True):
        return (
            f"{source!r} cannot be asked for stock; name another ERP, or set ECSYNC_SHOP_{shop}_STOCK_INTERVAL_S to 0"
        )
    return ""


def _pieces(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _percent(text: str) -> int:
    if not text.isdecimal() or int(text) > 100:
        raise ValueError(f"{text!r} is not a percentage from 0 to 100")
    return int(text)
