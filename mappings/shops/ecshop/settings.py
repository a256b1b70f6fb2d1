"""The settings that every way to an ECShop shares, and how their texts are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mappings.connector import Config, Setting, Spec
from mappings.shops.ecshop.rows import ReadRules
from mappings.shops.ecshop.shipping import parse_shipper_map
from mappings.shops.ecshop.times import to_stored

PRODUCTION = "production"


def parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def parse_count(text: str) -> int:
    if not text.strip().isdecimal():
        raise ValueError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def page_size_to(most: int) -> Callable[[str], int]:
    """A parser for the number of orders a page, up to what one answer may hold."""

    def parse(text: str) -> int:
        if not 1 <= parse_count(text) <= most:
            raise ValueError(f"{text!r} is not between 1 and {most}")
        return int(text)

    return parse


def parse_offset(text: str) -> int:
    try:
        offset = int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None
    if not is_zone_offset(offset):
        raise ValueError(f"{text!r} is no zone's offset from UTC in seconds")
    return offset


def is_zone_offset(seconds: int) -> bool:
    return -12 * 3600 <= seconds <= 14 * 3600


def parse_action_user(text: str) -> str:
    if not 1 <= len(text) <= 30:
        raise ValueError(f"{text!r} must have 1 to 30 characters")
    return text


def parse_date(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2026-11-22") from None


SHARED = (
    Setting("environment", "Environment of the shop", "店铺环境", default=PRODUCTION),
    Setting("settle_s", "Leave orders younger than (s) alone", "下单后静置（秒）", default=60, parse=parse_count),
    Setting("go_live", "Ignore orders placed before", "只处理此日期起的订单", parse=parse_date),
    Setting("accept_paying", "Ship while payment is in escrow", "付款中即发货", default=False, parse=parse_bool),
    Setting("action_user", "Name in the order log", "操作日志署名", default="ecsync", parse=parse_action_user),
    Setting("default_weight_g", "Weight of goods without one (g)", "缺省重量（克）", default=0, parse=parse_count),
    Setting("shipper_map", "Courier of a shipping module", "配送方式对应快递", default={}, parse=parse_shipper_map),
    Setting("default_shipper", "Courier where none is mapped", "缺省快递", default=""),
    Setting("keep_stock", "ECShop keeps its own stock", "由 ECShop 扣减库存", default=True, parse=parse_bool),
    Setting("grant_points", "Grant members their points", "发放会员积分", default=True, parse=parse_bool),
)
"""What decides how orders are read and written, however the shop is reached."""


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """What every way to a shop goes by, besides the rules: all with a value but `go_live`."""

    environment: str
    go_live: date | None
    action_user: str
    keep_stock: bool
    grant_points: bool
    page_size: int


def with_defaults(spec: Spec, config: Config) -> dict[str, Any]:
    """The config, and the Spec's defaults for what it leaves out."""
    return {setting.name: setting.default for setting in spec.settings} | dict(config)


def shared_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of SharedSettings out of a shop's settings."""
    return {field.name: values[field.name] for field in fields(SharedSettings)}


def read_rules(name: str, values: Mapping[str, Any], utc_offset_s: int) -> ReadRules:
    """The rules of the shop `name` out of its settings, each with a value."""
    return ReadRules(
        shop=name,
        utc_offset_s=utc_offset_s,
        settle=timedelta(seconds=values["settle_s"]),
        accept_paying=values["accept_paying"],
        default_weight_g=values["default_weight_g"],
        shipper_map=values["shipper_map"],
        default_shipper=values["default_shipper"],
    )


def stored_floor(go_live: date | None, utc_offset_s: int) -> int | None:
    """The lowest add_time that counts: midnight of the go-live day on the shop's clock."""
    if go_live is None:
        return None
    midnight = datetime(go_live.year, go_live.month, go_live.day, tzinfo=UTC)
    return to_stored(midnight - timedelta(seconds=utc_offset_s), utc_offset_s)
