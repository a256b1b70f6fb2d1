"""What SAP must be told of the company that the orders belong to, and what of an order it shall get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mappings.connector import Config, Setting
from mappings.erps.sap_odata.shapes import ITEM, ORDER, parse_constants
from mappings.field_sources import read_rows
from mappings.parsing import fill_in, one_of, parse_address, parse_credential, parse_flag, parse_path, parse_user
from mappings.wire import parse_base_url

SETTLE_S = 60
LEFT_OUT = "-"
"""Instead of a condition type: this amount is not told to SAP."""

FIELDS = read_rows(__package__)
"""What fills each field of an order."""
_OF_ITEM = {path.removeprefix("to_Item[].") for path in FIELDS if path.startswith("to_Item[].")}

Place = tuple[str, str]
"""Plant, and a storage location of it or empty for all of them."""


def code(length: int) -> Callable[[str], str]:
    """A parser for a key of SAP's customizing, which is kept in capital letters; empty text stays empty."""

    def parse(text: str) -> str:
        word = text.strip().upper()
        if len(word) > length or any(mark.isspace() for mark in word):
            raise ValueError(f"{text!r} is not a code of at most {length} characters")
        return word

    return parse


def parse_client(text: str) -> str:
    """The three digits of a client; empty where the system has a default one. Raises ValueError."""
    if text.strip() and (len(text.strip()) != 3 or not text.strip().isdecimal()):
        raise ValueError(f"{text!r} is not a client of three digits")
    return text.strip()


def parse_service(text: str) -> str:
    """The path of a service, without a slash at its end; empty where there is none. Raises ValueError."""
    return parse_path(text).rstrip("/") if text.strip() else ""


def parse_number(text: str) -> int:
    """A whole number from 0 to 3650. Raises ValueError."""
    if not text.strip().isdecimal() or int(text) > 3650:
        raise ValueError(f"{text!r} is not a whole number from 0 to 3650")
    return int(text)


def parse_days(text: str) -> int | None:
    """Days; empty text is none. Raises ValueError."""
    return parse_number(text) if text.strip() else None


def parse_places(text: str) -> tuple[Place, ...]:
    """Read `1010,1020/101A`: plants, or one storage location of a plant. Raises ValueError."""
    places = []
    for item in filter(None, (item.strip().upper() for item in text.split(","))):
        plant, slash, location = item.partition("/")
        if not plant or len(plant) > 4 or len(location) > 4 or (slash and not location):
            raise ValueError(f"{item!r} is not PLANT or PLANT/LOCATION, each of at most 4 characters")
        places.append((plant, location))
    return tuple(places)


SETTINGS = (
    Setting("base_url", "Address of the SAP system or the gateway before it", "SAP 系统（或前置网关）地址",
            required=True, parse=parse_base_url),
    Setting("order_path", "Path of the sales order service", "销售订单服务路径",
            "/sap/opu/odata/sap/API_SALES_ORDER_SRV", parse=parse_service),
    Setting("stock_path", "Path of the stock service (empty: SAP is not asked for stock)",
            "库存服务路径（留空则不读库存）", "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV", parse=parse_service),
    Setting("product_path", "Path of the product service, asked for every SKU before an order (empty: not asked)",
            "产品服务路径，推送前核对每个货号（留空不核对）", "", parse=parse_service),
    Setting("sap_client", "Client, sap-client (empty: the system's default)", "集团 sap-client（留空用系统默认）", "",
            parse=parse_client),
    Setting("auth", "basic or oauth (client credentials)", "认证方式：basic 或 oauth（客户端凭证）", "basic",
            parse=one_of("basic", "oauth")),
    Setting("username", "Communication user (basic)", "通信用户（basic）", "", parse=parse_user),
    Setting("password", "Its password (basic)", "密码（basic）", "", secret=True, parse=parse_credential),
    Setting("token_url", "Address of the tokens (oauth)", "令牌地址（oauth）", "", parse=parse_address),
    Setting("client_id", "Client ID (oauth)", "客户端 ID（oauth）", "", parse=parse_user),
    Setting("client_secret", "Client secret (oauth)", "客户端密钥（oauth）", "", secret=True, parse=parse_credential),
    Setting("order_type", "Sales document type", "销售凭证类型", "OR", parse=code(4)),
    Setting("sales_organization", "Sales organization", "销售组织", required=True, parse=code(4)),
    Setting("distribution_channel", "Distribution channel", "分销渠道", required=True, parse=code(2)),
    Setting("division", "Division", "产品组", required=True, parse=code(2)),
    Setting("sold_to", "Customer that every order is sold to", "售达方客户编号", required=True, parse=code(10)),
    Setting("ship_to", "Customer that it is shipped to (empty: as SAP determines it)",
            "送达方客户编号（留空由 SAP 确定）", "", parse=code(10)),
    Setting("unit", "Unit of a piece, in quantities and prices", "件的计量单位", "PC", parse=code(3)),
    Setting("plant", "Plant of every item (empty: SAP's own)", "行项目工厂（留空由 SAP 确定）", "", parse=code(4)),
    Setting("storage_location", "Storage location of every item (empty: SAP's own)",
            "行项目库存地点（留空由 SAP 确定）", "", parse=code(4)),
    Setting("item_text", "Send the goods' name as the item's text: 1 or 0", "以商品名称作为行项目文本：1 或 0", True,
            parse=parse_flag),
    Setting("currency", "Currency", "币种", "CNY", parse=code(5)),
    Setting("delivery_days", "Requested delivery, in days after the order (empty: SAP's own)",
            "要求交货日期：下单后天数（留空由 SAP 确定）", parse=parse_days),
    Setting("price_condition", "Condition type of a piece's price (-: SAP's own prices count)",
            "单价的条件类型（- 表示用 SAP 自己的价格）", "PPR0", parse=code(4)),
    Setting("freight_condition", "Condition type of the shipping fee (-: not told)", "运费的条件类型（- 表示不传）",
            "HD00", parse=code(4)),
    Setting("discount_condition", "Condition type of a discount (-: not told; empty: such orders wait for a person)",
            "折扣的条件类型（- 表示不传；留空则此类订单等人处理）", "", parse=code(4)),
    Setting("fee_condition", "Condition type of all other fees (-: not told; empty: such orders wait for a person)",
            "其他费用的条件类型（- 表示不传；留空则此类订单等人处理）", "", parse=code(4)),
    Setting("text_language", "Language of the texts", "文本语言", "ZH", parse=code(2)),
    Setting("note_text_id", "Text ID for the buyer's note (empty: not sent)", "买家留言的文本标识（留空不传）", "",
            parse=code(4)),
    Setting("address_text_id", "Text ID for consignee, phone and address (empty: not sent)",
            "收件人、电话和地址的文本标识（留空不传）", "", parse=code(4)),
    Setting("header_fields", "Constants for the order: ShippingCondition=01", "订单抬头固定字段：ShippingCondition=01",
            {}, parse=partial(parse_constants, ORDER, FIELDS)),
    Setting("item_fields", "Constants for every item: SalesOrderItemCategory=TAN",
            "行项目固定字段：SalesOrderItemCategory=TAN", {}, parse=partial(parse_constants, ITEM, _OF_ITEM)),
    Setting("rejection_reason", "Reason for rejection that cancels an order (empty: a person cancels it in SAP)",
            "取消订单所用的拒绝原因（留空则由人在 SAP 取消）", "", parse=code(2)),
    Setting("settle_s", "Seconds that SAP may still be at work after an answer was lost",
            "应答丢失后 SAP 可能仍在处理的秒数", SETTLE_S, parse=parse_number),
    Setting("stock_places", "Plants, or plant/location, whose stock counts: 1010,1020/101A (empty: as for items)",
            "计入库存的工厂或工厂/库存地点：1010,1020/101A（留空同行项目）", (), parse=parse_places),
    Setting("missing_stock", "A SKU without any stock row in SAP: keep or zero",
            "SAP 中没有库存记录的货号：keep（保持）或 zero（归零）", "keep", parse=one_of("keep", "zero")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SapSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    base_url: str
    order_path: str
    stock_path: str
    product_path: str
    sap_client: str
    auth: str
    username: str
    password: str = field(repr=False)
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    order_type: str
    sales_organization: str
    distribution_channel: str
    division: str
    sold_to: str
    ship_to: str
    unit: str
    plant: str
    storage_location: str
    item_text: bool
    currency: str
    delivery_days: int | None
    price_condition: str
    freight_condition: str
    discount_condition: str
    fee_condition: str
    text_language: str
    note_text_id: str
    address_text_id: str
    header_fields: Mapping[str, Any]
    item_fields: Mapping[str, Any]
    rejection_reason: str
    settle_s: int
    stock_places: tuple[Place, ...]
    missing_stock: str

    @classmethod
    def of(cls, config: Config) -> SapSettings:
        """Fill in defaults. Raises ValueError with a sentence when settings do not fit together."""
        given = cls(**fill_in(SETTINGS, config))
        if given.auth == "basic" and not (given.username and given.password):
            raise ValueError("auth is basic, so username and password must be set")
        if given.auth == "oauth" and not (given.token_url and given.client_id and given.client_secret):
            raise ValueError("auth is oauth, so token_url, client_id and client_secret must be set")
        if given.note_text_id and given.note_text_id == given.address_text_id:
            raise ValueError("note_text_id and address_text_id must differ: SAP keeps one text under one ID")
        if not all((given.order_type, given.sales_organization, given.sold_to, given.unit, given.currency)):
            raise ValueError("order_type, sales_organization, sold_to, unit and currency must not be empty")
        return given

    @property
    def order_service(self) -> str:
        return self.base_url + self.order_path

    @property
    def options(self) -> dict[str, str]:
        """What every address ends in."""
        return {"sap-client": self.sap_client} if self.sap_client else {}

    @property
    def counting_places(self) -> tuple[Place, ...]:
        """Where stock counts; empty: everywhere."""
        return self.stock_places or (((self.plant, self.storage_location),) if self.plant else ())
