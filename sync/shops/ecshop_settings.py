"""What an ECShop reached by SQL must be told: the connector's Spec and its settings as one value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import URL

from mappings.connector import Config, Setting, Spec
from mappings.shops.ecshop import ReadRules
from mappings.shops.ecshop.settings import SHARED, page_size_to, parse_offset, read_rules, stored_floor
from sync.shops.ecshop_db import parse_dsn


def _prefix(text: str) -> str:
    if not text.replace("_", "a").isalnum() or not text.isascii():
        raise ValueError(f"{text!r} is no table prefix: letters, digits and _ only")
    return text


SPEC = Spec(
    name="ecshop_sql",
    kind="shop",
    title_en="ECShop (its own database)",
    title_zh="ECShop（直连数据库）",
    repeat_is_safe=True,
    settings=(
        Setting("dsn", "Database URL", "数据库连接", required=True, secret=True, parse=parse_dsn),
        Setting("prefix", "Table prefix", "表前缀", default="ecs_", parse=_prefix),
        Setting(
            "utc_offset_s", "UTC offset of $timezone (s)", "$timezone 的时差（秒）", default=28800, parse=parse_offset
        ),
        *SHARED,
        Setting("page_size", "Orders a page", "每页订单数", default=200, parse=page_size_to(2000)),
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
    grant_points: bool
    page_size: int
    rules: ReadRules

    @property
    def stored_floor(self) -> int | None:
        """The lowest add_time that counts."""
        return stored_floor(self.go_live, self.rules.utc_offset_s)


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
        grant_points=values["grant_points"],
        page_size=values["page_size"],
        rules=read_rules(name, values, values["utc_offset_s"]),
    )
