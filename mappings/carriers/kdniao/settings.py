"""What KDNiao wants to be told once: who we are, where its services are, how parcels are sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from mappings.carriers.kdniao.signing import FORBIDDEN
from mappings.connector import Config, Setting, Spec

SANDBOX_URL = "http://sandboxapi.kdniao.com:8080/kdniaosandbox/gateway/exterfaceInvoke.json"
ORDER_URL = "https://api.kdniao.com/api/EOrderService"
QUERY_URL = "https://api.kdniao.com/Ebusiness/EbusinessOrderHandle.aspx"


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        word = text.strip()
        if word not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return word

    return parse


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in ("1", "true", "yes", "0", "false", "no"):
        raise ValueError("must be 1 or 0")
    return word in ("1", "true", "yes")


def _url(text: str) -> str:
    url = text.strip()
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError("must be an address like https://host/path")
    return url


def _account(limit: int) -> Callable[[str], str]:
    """An account word is sent as it is, so it may hold no character that KDNiao's signature check trips over."""

    def parse(text: str) -> str:
        word = text.strip()
        if len(word) > limit:
            raise ValueError(f"is longer than KDNiao's {limit} characters")
        if word.translate(FORBIDDEN) != word:
            raise ValueError("holds one of ' \" # & + < > % \\, which KDNiao's signature check does not take")
        return word

    return parse


def _count(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ValueError("must be a whole number, 1 or more")
    return int(text)


SETTINGS = (
    Setting("environment", "Environment", "环境", "sandbox", parse=_one_of("sandbox", "production")),
    Setting("ebusiness_id", "KDNiao user ID (EBusinessID)", "快递鸟用户ID", required=True, parse=_account(50)),
    Setting("app_key", "API key (AppKey)", "API key", required=True, secret=True, parse=str.strip),
    Setting(
        "app_key_previous", "Former API key, still accepted on pushes", "旧 API key(回调仍接受)", "", secret=True,
        parse=str.strip,
    ),
    Setting("order_url", "Waybill service address", "电子面单接口地址", "", parse=_url),
    Setting("query_url", "Tracking query address", "轨迹查询接口地址", "", parse=_url),
    Setting("customer_name", "E-waybill account", "电子面单客户号", "", parse=_account(50)),
    Setting("customer_pwd", "E-waybill password", "电子面单密码", "", secret=True, parse=_account(30)),
    Setting("send_site", "Branch", "网点", "", parse=_account(30)),
    Setting("month_code", "Monthly account or key", "月结号/密钥", "", secret=True, parse=_account(50)),
    Setting("warehouse_id", "Warehouse ID (JD)", "京东仓库编码", "", parse=_account(30)),
    Setting("delivery_method", "Delivery method (JTSD, DBL, ZYE)", "送货方式(极兔、德邦、众邮)", "", parse=_account(2)),
    Setting(
        "pay_type", "Who pays: 1 sender, 2 consignee, 3 monthly, 4 third party", "运费支付:1现付 2到付 3月结 4第三方",
        "3", parse=_one_of("1", "2", "3", "4"),
    ),
    Setting("exp_type", "Product (1 = standard)", "快递业务类型", "1", parse=_account(2)),
    Setting(
        "is_notice", "Courier: 0 call, 1 do not call", "通知快递员上门:0通知 1不通知", "0", parse=_one_of("0", "1")
    ),
    Setting(
        "query_request_type", "Tracking query type", "轨迹查询接口类型", "8001", parse=_one_of("8001", "8002", "1002")
    ),
    Setting("template", "Return the printable label", "返回面单模板", True, parse=_flag),
    Setting("max_items", "Most parcels taken from one push", "单次推送最多包裹数", 1000, parse=_count),
)  # fmt: skip

SPEC = Spec(
    name="kdniao",
    kind="carrier",
    title_en="KDNiao",
    title_zh="快递鸟",
    settings=SETTINGS,
    rate_per_s=20,
    repeat_is_safe=True,
)


@dataclass(frozen=True, slots=True)
class KdniaoSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    environment: str
    ebusiness_id: str
    app_key: str
    app_key_previous: str
    order_url: str
    query_url: str
    customer_name: str
    customer_pwd: str
    send_site: str
    month_code: str
    warehouse_id: str
    delivery_method: str
    pay_type: str
    exp_type: str
    is_notice: str
    query_request_type: str
    template: bool
    max_items: int

    @classmethod
    def of(cls, config: Config) -> KdniaoSettings:
        """Fill in defaults; addresses follow the environment. Raises ValueError with a sentence."""
        defaults = {setting.name: setting.default for setting in SETTINGS}
        values = {field.name: config.get(field.name, defaults[field.name]) for field in fields(cls)}
        is_sandbox = values["environment"] == "sandbox"
        values["order_url"] = values["order_url"] or (SANDBOX_URL if is_sandbox else ORDER_URL)
        values["query_url"] = values["query_url"] or (SANDBOX_URL if is_sandbox else QUERY_URL)
        for name in ("order_url", "query_url"):
            if not is_sandbox and not values[name].startswith("https://"):
                raise ValueError(f"kdniao {name}: parcels carry personal data, use https:// outside the sandbox")
        if not values["ebusiness_id"] or not values["app_key"]:
            raise ValueError("kdniao: ebusiness_id and app_key must both be set")
        return cls(**values)

    @property
    def app_keys(self) -> tuple[str, ...]:
        """The keys a push may be signed with: the present one, and the former one while it is being replaced."""
        return (self.app_key, self.app_key_previous) if self.app_key_previous else (self.app_key,)
