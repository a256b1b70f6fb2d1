"""What Jushuitan wants to be told once: the app, the shop there, and what the public documents leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.connector import Setting, Spec
from mappings.parsing import fill_in, one_of, parse_flag
from mappings.stock_rows import Formula, parse_formula
from mappings.wire import parse_base_url, spellings


def parse_number(text: str) -> int:
    """A number that Jushuitan gave, 0 included. Raises ValueError."""
    if not text.strip().isdecimal():
        raise ValueError("must be a number")
    return int(text)


def parse_key(text: str) -> str:
    """A credential without blanks around it. Raises ValueError; the message never shows it."""
    if not text.strip().isprintable():
        raise ValueError("holds a line break or another unprintable character")
    return text.strip()


def parse_path(text: str) -> str:
    """A path on Jushuitan's host. Raises ValueError."""
    if not text.strip().startswith("/") or any(mark.isspace() for mark in text.strip()):
        raise ValueError("must start with / and hold no blanks")
    return text.strip()


SETTINGS = (
    Setting("base_url", "Address of the open platform", "开放平台地址", "https://openapi.jushuitan.com",
            parse=parse_base_url),
    Setting("app_key", "App key", "App Key", required=True, parse=parse_key),
    Setting("app_secret", "App secret", "App Secret", required=True, secret=True, parse=parse_key),
    Setting("access_token", "Access token", "访问令牌(access_token)", required=True, secret=True, parse=parse_key),
    Setting("refresh_token", "Refresh token; empty: a token that ran out is renewed by hand",
            "刷新令牌(refresh_token)；留空表示到期后人工更新", "", secret=True, parse=parse_key),
    Setting("shop_id", "Number of the shop in Jushuitan", "聚水潭店铺编号", required=True, parse=parse_number),
    Setting("check_skus", "Look up every SKU before an order is sent", "推送前核对每个商品编码", True,
            parse=parse_flag),
    Setting("payment", "What the way of payment is called there", "支付方式名称", "在线支付", parse=str.strip),
    Setting("seller_account", "The account that was paid", "收款账号", "ecshop", parse=str.strip),
    Setting("cod", "Orders paid on delivery: refuse, or send as is_cod",
            "货到付款订单：refuse 拒绝，send 以 is_cod 发送", "refuse", parse=one_of("refuse", "send")),
    Setting("cancel_reason", "Reason that a cancel gives (cancel_type)", "取消原因(cancel_type)", "买家取消",
            parse=str.strip),
    Setting("find_path", "Path of the look-up of orders", "订单查询接口路径", "/open/orders/single/query",
            parse=parse_path),
    Setting("stock_path", "Path of the look-up of stock", "库存查询接口路径", "/open/inventory/query",
            parse=parse_path),
    Setting("stock_formula", "What can be sold, as a sum of the answer's fields", "可售数量公式(由返回字段加减)",
            "qty-order_lock-pick_lock+virtual_qty", parse=parse_formula),
    Setting("wms_co_id", "Number of the one warehouse that counts; 0: all of them",
            "仅取该分仓(wms_co_id)的库存；0 为全部", 0, parse=parse_number),
)  # fmt: skip

SPEC = Spec(
    name="jushuitan",
    kind="erp",
    title_en="Jushuitan",
    title_zh="聚水潭",
    settings=SETTINGS,
    rate_per_s=2.5,  # five in any two seconds: five a second are allowed, and do not arrive as evenly as they leave
    rate_per_minute=100,
    repeat_is_safe=True,
    polls_shipments=True,
    skus_at_once=100,
    tells_changes=True,
    keeps_secrets=True,
)


@dataclass(frozen=True, slots=True)
class JushuitanSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    base_url: str
    app_key: str
    app_secret: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    shop_id: int
    check_skus: bool
    payment: str
    seller_account: str
    cod: str
    cancel_reason: str
    find_path: str
    stock_path: str
    stock_formula: str
    wms_co_id: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> JushuitanSettings:
        """Fill in defaults. Raises ValueError with a sentence."""
        values = fill_in(SETTINGS, config)
        if not all(values[name] for name in ("app_key", "app_secret", "access_token")):
            raise ValueError("jushuitan: app_key, app_secret and access_token must all be set")
        return cls(**values)

    @property
    def formula(self) -> Formula:
        return Formula.of(self.stock_formula)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no record may show, also as a form encodes it."""
        return spellings((self.app_secret, self.access_token, self.refresh_token))
