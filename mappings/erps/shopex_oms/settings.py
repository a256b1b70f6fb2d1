"""The settings of an OMS: where it is, the two ways in with a secret each, and which of its shops is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.connector import Setting
from mappings.parsing import parse_flag
from mappings.wire import parse_base_url, spellings

LONGEST_SHOP = 20
"""What the OMS holds of a shop's code."""


def parse_path(text: str) -> str:
    """A path on the OMS's host. Raises ValueError."""
    path = text.strip()
    if not path.startswith("/") or any(mark.isspace() for mark in path):
        raise ValueError("must start with / and have no spaces")
    return path


def parse_word(text: str) -> str:
    """One printable word without blanks around it. Raises ValueError; the message never shows it."""
    word = text.strip()
    if not word or not word.isprintable() or " " in word:
        raise ValueError("must be one word without blanks or line breaks")
    return word


def parse_shop(text: str) -> str:
    """A shop's code (店铺编码). Raises ValueError."""
    shop = parse_word(text)
    if len(shop) > LONGEST_SHOP:
        raise ValueError(f"must be the shop's code in the OMS, at most {LONGEST_SHOP} characters")
    return shop


SETTINGS = (
    Setting("base_url", "Address of the OMS", "OMS 地址", required=True, parse=parse_base_url),
    Setting(
        "node_id", "Node of our shop in the OMS (节点号)", "店铺在 OMS 中的节点号", required=True, parse=parse_word
    ),
    Setting("token", "Token that signs orders", "订单接口的签名 token", required=True, secret=True, parse=parse_word),
    Setting(
        "shop_bn", "Code of our shop in the OMS (店铺编码)", "店铺在 OMS 中的店铺编码", required=True, parse=parse_shop
    ),
    Setting(
        "flag", "Name of our access to the open API (flag)", "开放接口的标识（flag）", required=True, parse=parse_word
    ),
    Setting("key", "Key that signs its calls", "开放接口的密钥", required=True, secret=True, parse=parse_word),
    Setting("certi_id", "Certificate of the OMS, where it wants one named", "OMS 证书号，要求填写时才需要", default=""),
    Setting(
        "check_skus",
        "Ask for the SKUs before an order leaves: 1 or 0",
        "推送前先查货号是否存在：1 或 0",
        default=True,
        parse=parse_flag,
    ),
    Setting(
        "read_back",
        "Read each order back after it was pushed or cancelled: 1 or 0",
        "推送或取消后读回订单核对：1 或 0",
        default=True,
        parse=parse_flag,
    ),
    Setting(
        "pay_bn", "Code of the payment method (pay_bn)", "支付方式编码（pay_bn）", default="online", parse=parse_word
    ),
    Setting("pay_name", "Name of the payment method", "支付方式名称", default="在线支付"),
    Setting("order_path", "Path of the matrix RPC", "订单接口的路径", default="/index.php/api", parse=parse_path),
    Setting(
        "query_path",
        "Path of the open API",
        "开放接口的路径",
        default="/index.php/openapi/rpc/service",
        parse=parse_path,
    ),
)


@dataclass(frozen=True, slots=True)
class OmsSettings:
    """One OMS as configured. `token` signs orders, `key` signs questions."""

    order_url: str
    query_url: str
    node_id: str
    token: str = field(repr=False)
    certi_id: str
    shop_bn: str
    flag: str
    key: str = field(repr=False)
    pay_bn: str
    pay_name: str
    check_skus: bool
    read_back: bool

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> OmsSettings:
        """The settings by their declared names."""
        same = (
            "node_id",
            "token",
            "certi_id",
            "shop_bn",
            "flag",
            "key",
            "pay_bn",
            "pay_name",
            "check_skus",
            "read_back",
        )
        return cls(
            order_url=values["base_url"] + values["order_path"],
            query_url=values["base_url"] + values["query_path"],
            **{name: values[name] for name in same},
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        return spellings((self.token, self.key))
