"""What Kingdee wants to be told once: who signs, on whose account it is sold, and how far an order is released."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mappings.connector import Config, Setting
from mappings.erps.kingdee.signing import client_secret_of
from mappings.parsing import fill_in, one_of, parse_count, parse_flag
from mappings.wire import parse_base_url

PUBLIC_URL = "https://api.kingdee.com/galaxyapi"
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RATE = re.compile(r"\d{1,2}(\.\d{1,2})?")


def parse_app_id(text: str) -> str:
    """An app ID that holds its client and, encoded, its client's secret. Raises ValueError; it is never shown."""
    app_id = text.strip()
    client, line, hidden = app_id.partition("_")
    try:
        client_secret_of(app_id)
    except ValueError:
        hidden = ""
    if not (client and line and hidden):
        raise ValueError("must be the app ID as Kingdee shows it: a number, _ and letters")
    return app_id


def parse_word(text: str) -> str:
    """A name, number or secret that must be there. Raises ValueError; the message never shows it."""
    word = text.strip()
    if not word or "," in word:
        raise ValueError("must not be empty, and holds no comma")
    return word


def parse_field(text: str) -> str:
    """A field's key in Kingdee's forms. Raises ValueError."""
    if not _FIELD.fullmatch(text.strip()):
        raise ValueError("must be the key of a field, such as FBillNo")
    return text.strip()


def parse_rate(text: str) -> str:
    """A tax rate in percent; empty: Kingdee takes the material's. Raises ValueError."""
    if text.strip() and not _RATE.fullmatch(text.strip()):
        raise ValueError("must be a rate in percent, such as 13")
    return text.strip()


SETTINGS = (
    Setting("base_url", "Address up to the service's name", "服务名之前的地址", PUBLIC_URL, parse=parse_base_url),
    Setting("app_id", "App ID of the third-party login", "第三方登录应用 ID", required=True, secret=True,
            parse=parse_app_id),
    Setting("app_secret", "App secret", "应用密钥", required=True, secret=True, parse=parse_word),
    Setting("acct_id", "ID of the account set", "数据中心（账套）ID", required=True, parse=parse_word),
    Setting("user", "User that we work as", "集成用户名", required=True, parse=parse_word),
    Setting("org", "Number of the organisation that we log in to", "登录组织编码", "100", parse=parse_word),
    Setting("lcid", "Language of its messages", "语言代码", 2052, parse=parse_count),
    Setting("customer", "Number of the customer that all orders are sold to", "所有订单归属的客户编码", required=True,
            parse=parse_word),
    Setting("sale_org", "Number of the sales organisation (empty: ORG)", "销售组织编码（留空同 ORG）", "",
            parse=str.strip),
    Setting("bill_type", "Number of the order's bill type", "单据类型编码", "XSDD01_SYS", parse=parse_word),
    Setting("number_field", "Field that holds our number: FBillNo, or a text field of your own",
            "存放我们订单号的字段：FBillNo 或自定义文本字段", "FBillNo", parse=parse_field),
    Setting("currency", "Number of the currency", "币别编码", "PRE001", parse=parse_word),
    Setting("unit", "Number of the unit that lines are sold in", "销售单位编码", "Pcs", parse=parse_word),
    Setting("tax_rate", "Tax rate in percent (empty: the material's)", "税率，百分数（留空按物料）", "",
            parse=parse_rate),
    Setting("delivery_days", "Days from the order's date to its delivery date", "订单日期到要货日期的天数", 2,
            parse=parse_count),
    Setting("freight_sku", "Material for the shipping fee and other fees (-: not sent)",
            "运费及其他费用对应的物料编码（- 不发送）", "", parse=str.strip),
    Setting("check_numbers", "Ask whether materials and customer exist before an order is saved",
            "保存订单前先查询物料和客户是否存在", True, parse=parse_flag),
    Setting("consignee_in_note", "Write name, phone and address into the note", "在备注中写入收件人姓名、电话和地址",
            False, parse=parse_flag),
    Setting("release", "How far an order is released: audit, submit or save",
            "订单处理到哪一步：audit 审核、submit 提交、save 仅保存", "audit", parse=one_of("audit", "submit", "save")),
    Setting("cancel", "A withdrawn order: by_hand, or void (unaudit and void it there)",
            "撤回的订单：by_hand 人工处理，void 反审核并作废", "by_hand", parse=one_of("by_hand", "void")),
    Setting("stock_field", "Quantity that can be sold", "可售数量字段", "FBaseAVBQty", parse=parse_field),
    Setting("stock_filter", "Which stock counts (empty: all)", "计入哪些库存（留空为全部）",
            "FStockStatusId.FNumber = 'KCZT01_SYS'", parse=str.strip),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KingdeeSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    base_url: str
    app_id: str = field(repr=False)
    app_secret: str = field(repr=False)
    acct_id: str
    user: str
    org: str
    lcid: int
    customer: str
    sale_org: str
    bill_type: str
    number_field: str
    currency: str
    unit: str
    tax_rate: str
    delivery_days: int
    freight_sku: str
    check_numbers: bool
    consignee_in_note: bool
    release: str
    cancel: str
    stock_field: str
    stock_filter: str

    @classmethod
    def of(cls, config: Config) -> KingdeeSettings:
        """Fill in defaults."""
        values = fill_in(SETTINGS, config)
        values["sale_org"] = values["sale_org"] or values["org"]
        return cls(**values)

    @property
    def app_data(self) -> str:
        """Who works where, as it is signed."""
        return f"{self.acct_id},{self.user},{self.lcid},{self.org}"
