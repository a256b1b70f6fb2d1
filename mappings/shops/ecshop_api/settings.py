"""What an ECShop reached by the plug-in must be told: the connector's Spec and its settings as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from mappings.connector import Config, Setting, Spec
from mappings.shops.ecshop.rows import ReadRules
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
from mappings.wire import parse_base_url

FILE = "ecsync.php"
LEAST_KEY = 32
MOST_ORDERS = 500
"""Orders in one answer of the plug-in."""


def parse_url(text: str) -> str:
    """The plug-in's address; a shop's address means the plug-in in its root. Raises ValueError."""
    url = parse_base_url(text)
    return url if url.endswith(".php") else f"{url}/{FILE}"


def parse_key(text: str) -> str:
    """The shared key. Raises ValueError; the message never shows it."""
    key = text.strip()
    if len(key) < LEAST_KEY:
        raise ValueError(f"The key has {len(key)} characters and needs {LEAST_KEY} or more: openssl rand -hex 32")
    if not key.isascii() or not key.isprintable():
        raise ValueError("The key may hold ASCII letters, digits and signs only")
    return key


SPEC = Spec(
    name="ecshop_api",
    kind="shop",
    title_en="ECShop (plug-in ecsync.php)",
    title_zh="ECShop（插件 ecsync.php）",
    repeat_is_safe=True,
    over_http=True,
    settings=(
        Setting("url", "Address of the plug-in", "插件地址", required=True, parse=parse_url),
        Setting("key", "Key shared with the plug-in", "与插件共用的密钥", required=True, secret=True, parse=parse_key),
        Setting("utc_offset_s", "UTC offset of $timezone (s)", "$timezone 的时差（秒）", parse=parse_offset),
        *SHARED,
        Setting("page_size", "Orders a page", "每页订单数", default=200, parse=page_size_to(MOST_ORDERS)),
    ),
)


@dataclass(frozen=True, slots=True)
class ApiSettings(SharedSettings):
    """The settings of one shop. Without `utc_offset_s` the shop is asked for it."""

    url: str
    key: str = field(repr=False)
    utc_offset_s: int | None
    config: Config = field(repr=False)

    def rules(self, name: str, utc_offset_s: int) -> ReadRules:
        """How the shop `name` is judged once its offset is known."""
        return read_rules(name, self.config, utc_offset_s)

    def stored_floor(self, utc_offset_s: int) -> int | None:
        """The lowest add_time that counts."""
        return stored_floor(self.go_live, utc_offset_s)


def read_settings(config: Config) -> ApiSettings:
    """Fill what the config leaves out from the Spec's defaults."""
    values = with_defaults(SPEC, config)
    return ApiSettings(
        **shared_values(values),
        url=values["url"],
        key=values["key"],
        utc_offset_s=values["utc_offset_s"],
        config=values,
    )
