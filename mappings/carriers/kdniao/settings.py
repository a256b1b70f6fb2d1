"""What KDNiao wants to be told once: who we are, where its services are, how parcels are sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time

from mappings.accounts import pick_account, single_account
from mappings.callbacks import Networks, parse_networks
from mappings.carriers.kdniao.accounts import PAY_TYPES, Account, Accounts, check_word, parse_accounts
from mappings.connector import Config, Setting, Spec
from mappings.parsing import demand_https, fill_in, one_of, parse_count, parse_flag, parse_hours, parse_url, read_hours

SANDBOX_URL = "http://sandboxapi.kdniao.com:8080/kdniaosandbox/gateway/exterfaceInvoke.json"
ORDER_URL = "https://api.kdniao.com/api/EOrderService"
QUERY_URL = "https://api.kdniao.com/Ebusiness/EbusinessOrderHandle.aspx"
SUBSCRIBE_URL = "https://api.kdniao.com/api/dist"
PICKUP_URL = "https://api.kdniao.com/api/OOrderService"
FREE_QUERY, FREE_QUERIES_A_DAY = "1002", 500
_URLS = {"order_url": ORDER_URL, "query_url": QUERY_URL, "subscribe_url": SUBSCRIBE_URL, "pickup_url": PICKUP_URL}


def _account(limit: int) -> Callable[[str], str]:
    return lambda text: check_word(text, limit)


def _grams(text: str) -> int:
    return 0 if text.strip() == "0" else parse_count(text)


SETTINGS = (
    Setting("environment", "Environment", "环境", "sandbox", parse=one_of("sandbox", "production")),
    Setting("ebusiness_id", "KDNiao user ID (EBusinessID)", "快递鸟用户ID", required=True, parse=_account(50)),
    Setting("app_key", "API key (AppKey)", "API key", required=True, secret=True, parse=str.strip),
    Setting(
        "app_key_previous", "Former API key, still accepted on pushes", "旧 API key(回调仍接受)", "", secret=True,
        parse=str.strip,
    ),
    Setting("order_url", "Waybill service address", "电子面单接口地址", "", parse=parse_url),
    Setting("query_url", "Tracking query address", "轨迹查询接口地址", "", parse=parse_url),
    Setting("subscribe_url", "Tracking subscription address", "轨迹订阅接口地址", "", parse=parse_url),
    Setting("pickup_url", "Pickup booking address", "预约取件接口地址", "", parse=parse_url),
    Setting("customer_name", "E-waybill account", "电子面单客户号", "", parse=_account(50)),
    Setting("customer_pwd", "E-waybill password", "电子面单密码", "", secret=True, parse=_account(30)),
    Setting("send_site", "Branch", "网点", "", parse=_account(30)),
    Setting("send_staff", "Courier (person)", "取件快递员", "", parse=_account(30)),
    Setting("month_code", "Monthly account or key", "月结号/密钥", "", secret=True, parse=_account(50)),
    Setting("warehouse_id", "Warehouse ID (JD)", "京东仓库编码", "", parse=_account(30)),
    Setting("delivery_method", "Delivery method (JTSD, DBL, ZYE)", "送货方式(极兔、德邦、众邮)", "", parse=_account(2)),
    Setting(
        "pay_type", "Who pays: 1 sender, 2 consignee, 3 monthly, 4 third party", "运费支付:1现付 2到付 3月结 4第三方",
        "3", parse=one_of(*PAY_TYPES),
    ),
    Setting("exp_type", "Product (1 = standard)", "快递业务类型", "1", parse=_account(2)),
    Setting(
        "is_notice", "Courier: 0 call, 1 do not call", "通知快递员上门:0通知 1不通知", "0", parse=one_of("0", "1")
    ),
    Setting(
        "query_request_type", "Tracking query type", "轨迹查询接口类型", "8001", parse=one_of("8001", "8002", "1002")
    ),
    Setting(
        "accounts", "Accounts per courier company and branch (TOML or JSON)", "各公司与网点的账号(TOML 或 JSON)",
        {}, secret=True, parse=parse_accounts,
    ),
    Setting(
        "package_weight_g", "Heaviest package of a parcel in grams (0: one package)", "单件最大重量(克,0为不拆件)", 0,
        parse=_grams,
    ),
    Setting(
        "subscribe_request_type", "Tracking subscription type", "轨迹订阅接口类型", "8008",
        parse=one_of("8008", "1008", "off"),
    ),
    Setting(
        "pickup", "Couriers: off (come by themselves) or booked", "上门揽收:off 自行上门 booked 逐单预约", "off",
        parse=one_of("off", "booked"),
    ),
    Setting("pickup_request_type", "Pickup booking type", "预约取件接口类型", "1801", parse=one_of("1801", "1001")),
    Setting("pickup_hours", "Hours for pickups, China time", "可上门时段(北京时间)", "09:00-18:00", parse=parse_hours),
    Setting("pickup_shipper_type", "ShipperType of 1801", "1801 的 ShipperType", "5", parse=_account(2)),
    Setting("pickup_cancel_type", "CancelType of 1802", "1802 的 CancelType", "1", parse=_account(2)),
    Setting("template", "Return the printable label", "返回面单模板", True, parse=parse_flag),
    Setting("callback_allow", "Addresses that may push; empty: any", "允许推送的地址;留空不限", (),
            parse=parse_networks),
    Setting("max_items", "Most parcels taken from one push", "单次推送最多包裹数", 1000, parse=parse_count),
)  # fmt: skip

SPEC = Spec(
    name="kdniao",
    kind="carrier",
    title_en="KDNiao",
    title_zh="快递鸟",
    settings=SETTINGS,
    rate_per_s=20,
    repeat_is_safe=True,
    books_pickups=True,
    finds_couriers=True,
    queries_a_day=lambda config: FREE_QUERIES_A_DAY if config.get("query_request_type") == FREE_QUERY else 0,
)


@dataclass(frozen=True, slots=True)
class KdniaoSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    environment: str
    ebusiness_id: str
    app_key: str = field(repr=False)
    app_key_previous: str = field(repr=False)
    order_url: str
    query_url: str
    subscribe_url: str
    pickup_url: str
    customer_name: str
    customer_pwd: str = field(repr=False)
    send_site: str
    send_staff: str
    month_code: str = field(repr=False)
    warehouse_id: str
    delivery_method: str
    pay_type: str
    exp_type: str
    is_notice: str
    query_request_type: str
    accounts: Accounts
    package_weight_g: int
    subscribe_request_type: str
    pickup: str
    pickup_request_type: str
    pickup_hours: str
    pickup_shipper_type: str
    pickup_cancel_type: str
    template: bool
    callback_allow: Networks
    max_items: int

    @classmethod
    def of(cls, config: Config) -> KdniaoSettings:
        """Fill in defaults; addresses follow the environment. Raises ValueError with a sentence."""
        values = fill_in(SETTINGS, config)
        is_sandbox = values["environment"] == "sandbox"
        sandbox_url = values["order_url"] or SANDBOX_URL  # there every service has one address
        for name, url in _URLS.items():
            values[name] = values[name] or (sandbox_url if is_sandbox else url)
            if not is_sandbox:
                demand_https(f"kdniao {name}", values[name])
        if not values["ebusiness_id"] or not values["app_key"]:
            raise ValueError("kdniao: ebusiness_id and app_key must both be set")
        return cls(**values)

    @property
    def app_keys(self) -> tuple[str, ...]:
        """The keys a push may be signed with: the present one, and the former one while it is being replaced."""
        return (self.app_key, self.app_key_previous) if self.app_key_previous else (self.app_key,)

    @property
    def secrets(self) -> frozenset[str]:
        """What no record of a call may show, whichever account it was made with."""
        words = {self.app_key, *single_account(Account, self).secrets}
        return frozenset(words.union(*(account.secrets for account in self.accounts.values())))

    @property
    def hours(self) -> tuple[time, time]:
        return read_hours(self.pickup_hours)

    def account_of(self, shipper_code: str, name: str, area: str) -> Account:
        """The account that a routing rule named, else the first of this company, else the single settings.

        Raises PermanentError `<area>.account_unknown`.
        """
        single = single_account(Account, self)
        return pick_account(self.accounts, single, shipper_code=shipper_code, name=name, area=area)
