"""What Tryton wants to be told once: where it is, our key, and on whose account the web shop sells."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mappings.bill_lines import LEFT_OUT
from mappings.connector import Config, Setting
from mappings.parsing import fill_in, parse_flag
from mappings.wire import parse_base_url

_DATABASE = re.compile(r"[A-Za-z0-9_.-]+")
_KEY = re.compile(r"[!-~]+")
_CURRENCY = re.compile(r"[A-Z]{3}")


def parse_database(text: str) -> str:
    """The name of a database, as it stands in Tryton's addresses. Raises ValueError."""
    if not _DATABASE.fullmatch(text.strip()):
        raise ValueError("must be the name of Tryton's database: letters, digits, _ . -")
    return text.strip()


def parse_key(text: str) -> str:
    """The key of a user application: one word. Raises ValueError; the message never shows it."""
    if not _KEY.fullmatch(text.strip()):
        raise ValueError("must be the key of a user application, one word of ASCII letters and digits")
    return text.strip()


def parse_name(text: str) -> str:
    """A name or code as people type it, which must be there. Raises ValueError."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def parse_currency(text: str) -> str:
    """An ISO 4217 code. Raises ValueError."""
    if not _CURRENCY.fullmatch(text.strip()):
        raise ValueError("must be three capital letters, such as CNY")
    return text.strip()


SETTINGS = (
    Setting("base_url", "Address of trytond", "trytond 地址", required=True, parse=parse_base_url),
    Setting("database", "Name of the database", "数据库名", required=True, parse=parse_database),
    Setting("key", "Key of the user application (REST)", "用户应用密钥（REST）", required=True, secret=True,
            parse=parse_key),
    Setting("web_shop", "Name of the web shop in Tryton", "Tryton 中网店的名称", required=True, parse=parse_name),
    Setting("party", "Code of the party that all orders are sold to", "所有订单归属的客户编号", required=True,
            parse=parse_name),
    Setting("warehouse", "Name of the warehouse (empty: the web shop has only one)",
            "仓库名称（留空表示网店只有一个仓库）", "", parse=str.strip),
    Setting("currency", "Currency of the shop's prices", "店铺价格的币种", "CNY", parse=parse_currency),
    Setting("freight_sku", "Product code for the shipping fee and other fees (-: not sent)",
            "运费及其他费用对应的产品编码（- 不发送）", "", parse=str.strip),
    Setting("discount_sku", "Product code for the discount (-: not sent)", "优惠对应的产品编码（- 不发送）", "",
            parse=str.strip),
    Setting("consignee_in_comment", "Write name, phone and address into the sale's comment",
            "在销售单备注中写入收件人姓名、电话和地址", False, parse=parse_flag),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrytonSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    base_url: str
    database: str
    key: str = field(repr=False)
    web_shop: str
    party: str
    warehouse: str
    currency: str
    freight_sku: str
    discount_sku: str
    consignee_in_comment: bool

    @classmethod
    def of(cls, config: Config) -> TrytonSettings:
        """Fill in defaults. Raises ValueError with a sentence."""
        values = fill_in(SETTINGS, config)
        if values["freight_sku"] not in ("", LEFT_OUT) and values["freight_sku"] == values["discount_sku"]:
            raise ValueError("tryton freight_sku and discount_sku: name two products, or a sum cannot be told apart")
        return cls(**values)
