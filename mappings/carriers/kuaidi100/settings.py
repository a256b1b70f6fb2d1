"""What Kuaidi100 wants to be told once: who we are, where it pushes to, how parcels are sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time

from mappings.accounts import pick_account, single_account
from mappings.callbacks import Networks, parse_networks
from mappings.carriers.kuaidi100.accounts import PAY_TYPES, Account, Accounts, parse_accounts
from mappings.connector import NEVER, Config, Setting, Spec
from mappings.parsing import demand_https, fill_in, one_of, parse_count, parse_hours, parse_url, read_hours

ORDER_URL = "https://api.kuaidi100.com/label/order"
QUERY_URL = "https://poll.kuaidi100.com/poll/query.do"
SUBSCRIBE_URL = "https://poll.kuaidi100.com/poll"
PICKUP_URL = "https://poll.kuaidi100.com/order/borderapi.do"

LABEL, MERCHANT_PICKUP = "label", "merchant_pickup"
"""The ways to book: an e-waybill for any courier who comes, or a courier who is ordered and brings the number."""

SALT_LENGTH = 32
WAYBILL_REPEAT_S = 48 * 3600
QUERY_SPACING_S = 1800
RESUBSCRIBE_AFTER_S = 1800
SUBSCRIPTIONS_A_MONTH = 4


def _salt(text: str) -> str:
    word = text.strip()
    if len(word) > SALT_LENGTH:
        raise ValueError(f"is longer than Kuaidi100's {SALT_LENGTH} characters")
    return word


SETTINGS = (
    Setting("environment", "Environment", "环境", "sandbox", parse=one_of("sandbox", "production")),
    Setting("key", "Authorisation key (key)", "授权 key", required=True, secret=True, parse=str.strip),
    Setting("secret", "Secret (secret), signs waybill orders", "secret(面单签名)", required=True, secret=True,
            parse=str.strip),
    Setting("customer", "Customer number (customer), signs queries", "customer(查询签名)", required=True, secret=True,
            parse=str.strip),
    Setting("salt", "Salt of the pushes: a random word of yours", "推送签名 salt(自定随机词)", required=True,
            secret=True, parse=_salt),
    Setting("salt_previous", "Former salt, still accepted on pushes", "旧 salt(回调仍接受)", "", secret=True,
            parse=_salt),
    Setting("callback_url", "Our receiver's public address, with its token", "我方回调公网地址(含密令)", required=True,
            secret=True, parse=parse_url),
    Setting("order_url", "Waybill service address", "电子面单接口地址", "", parse=parse_url),
    Setting("query_url", "Tracking query address", "实时查询接口地址", "", parse=parse_url),
    Setting("subscribe_url", "Subscription address", "订阅接口地址", "", parse=parse_url),
    Setting(
        "book_by", "Book by: label an e-waybill, merchant_pickup a courier",
        "下单方式:label 电子面单、merchant_pickup 商家寄件", LABEL, parse=one_of(LABEL, MERCHANT_PICKUP),
    ),
    Setting("pickup_url", "Merchant pickup address", "商家寄件接口地址", "", parse=parse_url),
    Setting("pickup_payment", "Who pays the ordered courier", "商家寄件付款方式", "SHIPPER", parse=one_of(*PAY_TYPES)),
    Setting("pickup_hours", "Hours for ordered couriers, China time", "商家寄件可上门时段(北京时间)", "",
            parse=parse_hours),
    Setting("pickup_code_field", "Field of an ordered courier for our order code (empty: none)",
            "商家寄件中放我方订单号的字段(留空不放)", "thirdOrderId", parse=str.strip),
    Setting("partner_id", "E-waybill account or monthly account (partnerId)", "电子面单客户号或月结号", "",
            parse=str.strip),
    Setting("partner_key", "E-waybill password (partnerKey)", "电子面单密码", "", secret=True, parse=str.strip),
    Setting("partner_secret", "E-waybill secret (partnerSecret)", "电子面单密钥", "", secret=True, parse=str.strip),
    Setting("partner_name", "E-waybill account's name (partnerName)", "电子面单客户账户名称", "", parse=str.strip),
    Setting("net", "Branch (net)", "收件网点", "", parse=str.strip),
    Setting("code", "E-waybill carrier number (code)", "电子面单承载编号", "", parse=str.strip),
    Setting("check_man", "Courier's name at the branch (checkMan)", "承载快递员名", "", parse=str.strip),
    Setting(
        "pay_type", "Who pays: SHIPPER, CONSIGNEE, MONTHLY, THIRDPARTY", "运费支付:寄付、到付、月结、第三方", "MONTHLY",
        parse=one_of(*PAY_TYPES),
    ),
    Setting("exp_type", "The courier's product", "快递产品类型", "标准快递", parse=str.strip),
    Setting("accounts", "Accounts per courier company and branch (TOML or JSON)", "各公司与网点的账号(TOML 或 JSON)",
            {}, secret=True, parse=parse_accounts),
    Setting("print_type", "Label: NON none, IMAGE, HTML", "面单:NON不要 IMAGE图片 HTML网页", "NON",
            parse=one_of("NON", "IMAGE", "HTML")),
    Setting("template", "Label template of Kuaidi100's console (tempId)", "面单模板编码", "", parse=str.strip),
    Setting("callback_allow", "Addresses that may push; empty: any", "允许推送的地址;留空不限", (),
            parse=parse_networks),
    Setting("max_items", "Most scans taken from one push", "单次推送最多轨迹数", 1000, parse=parse_count),
)  # fmt: skip

SPEC = Spec(
    name="kuaidi100",
    kind="carrier",
    title_en="Kuaidi100",
    title_zh="快递100",
    settings=SETTINGS,
    repeat_is_safe=True,
    repeat_window_s=lambda config: NEVER if config.get("book_by") == MERCHANT_PICKUP else WAYBILL_REPEAT_S,
    query_spacing_s=QUERY_SPACING_S,
    resubscribe_after_s=RESUBSCRIBE_AFTER_S,
    subscriptions_a_month=SUBSCRIPTIONS_A_MONTH,
)


@dataclass(frozen=True, slots=True)
class Kuaidi100Settings:
    """The parsed settings; see `SETTINGS` for what each means."""

    environment: str
    key: str = field(repr=False)
    secret: str = field(repr=False)
    customer: str = field(repr=False)
    salt: str = field(repr=False)
    salt_previous: str = field(repr=False)
    callback_url: str = field(repr=False)
    order_url: str
    query_url: str
    subscribe_url: str
    book_by: str
    pickup_url: str
    pickup_payment: str
    pickup_hours: str
    pickup_code_field: str
    partner_id: str
    partner_key: str = field(repr=False)
    partner_secret: str = field(repr=False)
    partner_name: str
    net: str
    code: str
    check_man: str
    pay_type: str
    exp_type: str
    accounts: Accounts = field(repr=False)
    print_type: str
    template: str
    callback_allow: Networks
    max_items: int

    @classmethod
    def of(cls, config: Config) -> Kuaidi100Settings:
        """Fill in defaults; production has the documented addresses. Raises ValueError with a sentence."""
        values = fill_in(SETTINGS, config)
        for name in ("key", "secret", "customer", "salt", "callback_url"):
            if not values[name]:
                raise ValueError(f"kuaidi100: {name} must be set")
        if values["print_type"] != "NON" and not values["template"]:
            raise ValueError("kuaidi100: a label (print_type) needs the template of Kuaidi100's console (template)")
        _fill_in_addresses(values)
        return cls(**values)

    @property
    def books_pickups(self) -> bool:
        """Whether a courier is ordered for each parcel."""
        return self.book_by == MERCHANT_PICKUP

    @property
    def hours(self) -> tuple[time, time] | None:
        """The hours in which an ordered courier can come; None asks for no time."""
        return read_hours(self.pickup_hours) if self.pickup_hours else None

    @property
    def salts(self) -> tuple[str, ...]:
        """What a push may be signed with: a subscription keeps the salt that it was made with until it ends."""
        return (self.salt, self.salt_previous) if self.salt_previous else (self.salt,)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that no record may show."""
        words = [getattr(self, setting.name) for setting in SETTINGS if setting.secret and setting.name != "accounts"]
        return (*words, *(word for account in self.accounts.values() for word in account.secrets))

    def account_of(self, shipper_code: str, name: str, area: str) -> Account:
        """The account that a routing rule named, else the first of this company, else the single settings.

        Raises PermanentError `<area>.account_unknown`.
        """
        single = single_account(Account, self)
        return pick_account(self.accounts, single, shipper_code=shipper_code, name=name, area=area)


def _fill_in_addresses(values: dict[str, str]) -> None:
    """Kuaidi100 has no test service, so a sandbox must name the peer that stands in for it."""
    documented = {
        "order_url": ORDER_URL,
        "query_url": QUERY_URL,
        "subscribe_url": SUBSCRIBE_URL,
        "pickup_url": PICKUP_URL,
    }
    is_sandbox = values["environment"] == "sandbox"
    if is_sandbox and values["book_by"] == LABEL:  # nothing is ordered there, and the real service is out of reach
        values["pickup_url"] = values["pickup_url"] or values["order_url"]
    for name, url in documented.items():
        if is_sandbox and not values[name]:
            raise ValueError(
                f"kuaidi100: Kuaidi100 has no test service, every waybill is real. Set environment to production, or "
                f"{name} to a stand-in"
            )
        values[name] = values[name] or url
    for name in (*documented, "callback_url"):
        if not is_sandbox:
            demand_https(f"kuaidi100 {name}", values[name])
