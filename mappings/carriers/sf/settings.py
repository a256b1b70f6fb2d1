"""What SF wants to be told once: who we are, on which card it is charged, how parcels are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.callbacks import Networks, parse_networks
from mappings.connector import Config, Setting, Spec
from mappings.errors import PermanentError
from mappings.parsing import demand_https, fill_in, one_of, parse_count, parse_flag
from mappings.wire import parse_base_url

SANDBOX_URL = "https://sfapi-sbox.sf-express.com/std/service"
SERVICE_URL = "https://sfapi.sf-express.com/std/service"


def _cards(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    cards = {name.strip(): card.strip() for name, _, card in pairs}
    if len(cards) != len(pairs) or not all(name and card for name, card in cards.items()):
        raise ValueError("must be names and cards like shanghai=0210000001,shenzhen=7550000001, each name once")
    return cards


SETTINGS = (
    Setting("environment", "Environment", "环境", "sandbox", parse=one_of("sandbox", "production")),
    Setting("partner_id", "Customer code (partnerID)", "顾客编码(partnerID)", required=True, parse=str.strip),
    Setting("checkword", "Check word of this environment", "校验码(checkword)", required=True, secret=True,
            parse=str.strip),
    Setting("url", "Service address", "接口地址", "", parse=parse_base_url),
    Setting("monthly_card", "Monthly account", "月结卡号", "", secret=True, parse=str.strip),
    Setting("monthly_cards", "Further monthly accounts, which routing rules name", "其他月结卡号(供路由规则选用)",
            {}, secret=True, parse=_cards),
    Setting("cod_card", "Account that collected money is paid to", "代收货款卡号", "", secret=True, parse=str.strip),
    Setting("pay_method", "Who pays: 1 sender, 2 consignee, 3 third party", "付款方式:1寄方付 2收方付 3第三方付", "1",
            parse=one_of("1", "2", "3")),
    Setting("express_type_id", "Product (expressTypeId)", "快件产品类别(expressTypeId)", 2, parse=parse_count),
    Setting("is_docall", "Courier: 1 call, 0 do not call", "通知收派员上门:1通知 0不通知", "1",
            parse=one_of("0", "1")),
    Setting("take_all", "Ship orders meant for other courier companies too", "其他快递公司的订单也发顺丰", False,
            parse=parse_flag),
    Setting("confirm_retry_s", "Seconds between questions while SF decides by hand", "人工筛单期间的查询间隔(秒)", 600,
            parse=parse_count),
    Setting("print_template", "Cloud print template; empty: no label", "云打印模板编码;留空不取面单", "",
            parse=str.strip),
    Setting("push_format", "What SF pushes: json, or xml of old contracts", "路由推送格式:json 或旧版 xml", "json",
            parse=one_of("json", "xml")),
    Setting("callback_allow", "Addresses that may push; empty: any", "允许推送的地址;留空不限", (),
            parse=parse_networks),
    Setting("max_items", "Most routes taken from one push", "单次推送最多路由数", 1000, parse=parse_count),
)  # fmt: skip

SPEC = Spec(
    name="sf",
    kind="carrier",
    title_en="SF Express",
    title_zh="顺丰速运",
    settings=SETTINGS,
    rate_per_s=20,
    repeat_is_safe=True,
    fetches_labels=lambda config: bool(config.get("print_template")),
    signs_pushes=False,
)


@dataclass(frozen=True, slots=True)
class SfSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    environment: str
    partner_id: str
    checkword: str = field(repr=False)
    url: str
    monthly_card: str = field(repr=False)
    monthly_cards: Mapping[str, str] = field(repr=False)
    cod_card: str = field(repr=False)
    pay_method: str
    express_type_id: int
    is_docall: str
    take_all: bool
    confirm_retry_s: int
    print_template: str
    push_format: str
    callback_allow: Networks
    max_items: int

    @classmethod
    def of(cls, config: Config) -> SfSettings:
        """Fill in defaults; the address follows the environment. Raises ValueError with a sentence."""
        values = fill_in(SETTINGS, config)
        is_sandbox = values["environment"] == "sandbox"
        values["url"] = values["url"] or (SANDBOX_URL if is_sandbox else SERVICE_URL)
        if not is_sandbox:
            demand_https("sf url", values["url"])
        if not is_sandbox and values["pay_method"] == "1" and not values["monthly_card"]:
            raise ValueError("sf monthly_card: the sender pays, so name the card that SF charges (or set pay_method)")
        if not values["partner_id"] or not values["checkword"]:
            raise ValueError("sf: partner_id and checkword must both be set")
        return cls(**values)

    def card_of(self, account: str, area: str) -> str:
        """The card that a parcel is charged to; no account is the usual one. Raises PermanentError."""
        if account in ("", *self.monthly_cards):
            return self.monthly_cards[account] if account else self.monthly_card
        raise PermanentError(
            f"{area}.account_unknown",
            f"A routing rule names the account {account}, and SF's settings have no such card: correct monthly_cards, "
            "or the rule; then retry",
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The cards that no record may show."""
        return tuple(self.monthly_cards.values())
