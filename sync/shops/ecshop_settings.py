"""What an ECShop reached by SQL must be told: the connector's Spec and its settings as one value."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import URL

from mappings.connector import Config, Setting, Spec
from mappings.shops.ecshop import ReadRules
from mappings.shops.ecshop.settings import (
    SHARED,
    SharedSettings,
    page_size_to,
    parse_offset,
    read_rules,
    shared_values,
    stored_floor,
    with_defaults,
)
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
class ShopSettings(SharedSettings):
    """The settings of one shop."""

    url: URL
    prefix: str
    rules: ReadRules

    @property
    def stored_floor(self) -> int | None:
        """The lowest add_time that counts."""
        return stored_floor(self.go_live, self.rules.utc_offset_s)


def read_settings(name: str, config: Config) -> ShopSettings:
    """Fill what the config leaves out from the Spec's defaults."""
    values = with_defaults(SPEC, config)
    dsn = values["dsn"]
    return ShopSettings(
        **shared_values(values),
        url=parse_dsn(dsn) if isinstance(dsn, str) else dsn,
        prefix=values["prefix"],
        rules=read_rules(name, values, values["utc_offset_s"]),
    )
