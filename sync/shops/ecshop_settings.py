"""What an ECShop reached by SQL must be told: the connector's Spec and its settings as one value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import URL

from mappings.connector import Config, Setting, Spec
from mappings.shops.ecshop import ReadRules, parse_shipper_map
from mappings.shops.ecshop.times import to_stored
from sync.shops.ecshop_db import parse_dsn

PRODUCTION = "production"


def _bool(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _count(text: str) -> int:
    if not text.strip().isdecimal():
        raise ValueError(f"{text!r} is not a whole number from 0 up")
    return int(text)


def _page_size(text: str) -> int:
    if not 1 <= _count(text) <= 2000:
        raise ValueError(f"{text!r} is not between 1 and 2000")
    return int(text)


def _offset(text: str) -> int:
    try:
        offset = int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds") from None
    if not -12 * 3600 <= offset <= 14 * 3600:
        raise ValueError(f"{text!r} is no zone's offset from UTC in seconds")
    return offset


def _prefix(text: str) -> str:
    if not text.replace("_", "a").isalnum() or not text.isascii():
        raise ValueError(f"{text!r} is no table prefix: letters, digits and _ only")
    return text


def _short_name(text: str) -> str:
    if not 1 <= len(text) <= 30:
        raise ValueError(f"{text!r} must have 1 to 30 characters")
    return text


def _date(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2026-11-22") from None


SPEC = Spec(
    name="ecshop_sql",
    kind="shop",
    title_en="ECShop (its own database)",
    title_zh="ECShop（直连数据库）",
    repeat_is_safe=True,
    settings=(
        Setting("dsn", "Database URL", "数据库连接", required=True, secret=True, parse=parse_dsn),
        Setting("prefix", "Table prefix", "表前缀", default="ecs_", parse=_prefix),
        Setting("environment", "Environment of the shop", "店铺环境", default=PRODUCTION),
        Setting("utc_offset_s", "UTC offset of $timezone (s)", "$timezone 的时差（秒）", default=28800, parse=_offset),
        Setting("settle_s", "Leave orders younger than (s) alone", "下单后静置（秒）", default=60, parse=_count),
        Setting("go_live", "Ignore orders placed before", "只处理此日期起的订单", parse=_date),
        Setting("accept_paying", "Ship while payment is in escrow", "付款中即发货", default=False, parse=_bool),
        Setting("action_user", "Name in the order log", "操作日志署名", default="ecsync", parse=_short_name),
        Setting("default_weight_g", "Weight of goods without one (g)", "缺省重量（克）", default=0, parse=_count),
        Setting("shipper_map", "Courier of a shipping module", "配送方式对应快递", default={}, parse=parse_shipper_map),
        Setting("default_shipper", "Courier where none is mapped", "缺省快递", default=""),
        Setting("keep_stock", "ECShop keeps its own stock", "由 ECShop 扣减库存", default=True, parse=_bool),
        Setting("page_size", "Orders a page", "每页订单数", default=200, parse=_page_size),
    ),
)


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """The settings of one shop, all with a value."""

    url: URL
    prefix: str
    environment: str
    go_live: date | None
    action_user: str
    keep_stock: bool
    page_size: int
    rules: ReadRules

    @property
    def stored_floor(self) -> int | None:
        """The lowest add_time that counts: midnight of the go-live day on the shop's clock."""
        if self.go_live is None:
            return None
        midnight = datetime(self.go_live.year, self.go_live.month, self.go_live.day, tzinfo=UTC)
        offset_s = self.rules.utc_offset_s
        return to_stored(midnight - timedelta(seconds=offset_s), offset_s)


def read_settings(name: str, config: Config) -> ShopSettings:
    """Fill what the config leaves out from the Spec's defaults."""
    values = {setting.name: setting.default for setting in SPEC.settings} | dict(config)
    dsn = values["dsn"]
    return ShopSettings(
        url=parse_dsn(dsn) if isinstance(dsn, str) else dsn,
        prefix=values["prefix"],
        environment=values["environment"],
        go_live=values["go_live"],
        action_user=values["action_user"],
        keep_stock=values["keep_stock"],
        page_size=values["page_size"],
        rules=ReadRules(
            shop=name,
            utc_offset_s=values["utc_offset_s"],
            settle=timedelta(seconds=values["settle_s"]),
            accept_paying=values["accept_paying"],
            default_weight_g=values["default_weight_g"],
            shipper_map=values["shipper_map"],
            default_shipper=values["default_shipper"],
        ),
    )
