"""How a shop's stock is kept by an ERP: settings of one shop, `ECSYNC_SHOP_<NAME>_STOCK_…`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.settings_reader import Reader, parse_seconds_or_never


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
        warehouses=get(f"{prefix}STOCK_WAREHOUSES", _names, default.warehouses),
        safety=get(f"{prefix}STOCK_SAFETY", _pieces, default.safety),
        most_zeroed_percent=get(f"{prefix}STOCK_MOST_ZEROED_PERCENT", _percent, default.most_zeroed_percent),
        most_lowered_percent=get(f"{prefix}STOCK_MOST_LOWERED_PERCENT", _percent, default.most_lowered_percent),
    )


def stock_problems(shops: Mapping[str, StockSettings], erps: tuple[str, ...]) -> dict[str, str]:
    """Shops whose stock would come from an ERP that is not there, or from nobody knows which."""
    problems = {}
    for name, stock in shops.items():
        variable = f"ECSYNC_SHOP_{name.upper()}_STOCK_ERP"
        if stock.erp and stock.erp not in erps:
            problems[variable] = f"{stock.erp!r} is no ERP of ECSYNC_ERPS"
        elif stock.interval_s and not stock.erp and len(erps) > 1:
            problems[variable] = f"must name the ERP that keeps the stock: {', '.join(erps)}"
    return problems


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pieces(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _percent(text: str) -> int:
    if not text.isdecimal() or int(text) > 100:
        raise ValueError(f"{text!r} is not a percentage from 0 to 100")
    return int(text)
