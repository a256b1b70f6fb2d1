"""What Wangdiantong wants to be told once: the account, the shop there, and what the public documents leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.connector import Setting, Spec
from mappings.parsing import fill_in, one_of, parse_count, parse_flag
from mappings.stock_rows import Formula, parse_formula
from mappings.wire import parse_base_url, spellings


def parse_secret(text: str) -> str:
    """The secret and the salt as Wangdiantong hands them out together. Raises ValueError that shows neither."""
    secret, colon, salt = text.strip().partition(":")
    if not (colon and secret and salt and text.strip().isprintable()):
        raise ValueError("must be the secret and the salt with a colon between them, as Wangdiantong shows it")
    return text.strip()


SETTINGS = (
    Setting("url", "Address of the gateway", "网关地址", "https://wdt.wangdian.cn/openapi", parse=parse_base_url),
    Setting("sid", "Seller's account (sid)", "卖家账号(sid)", required=True, parse=str.strip),
    Setting("app_key", "Interface account (key)", "接口账号(key)", required=True, parse=str.strip),
    Setting("app_secret", "App secret, as secret:salt", "接口密钥(appsecret，形如 secret:salt)", required=True,
            secret=True, parse=parse_secret),
    Setting("shop_no", "Number of the shop in Wangdiantong", "旺店通店铺编号", required=True, parse=str.strip),
    Setting("check_skus", "Look up every SKU before an order is sent", "推送前核对每个商家编码", True,
            parse=parse_flag),
    Setting("pay_method", "Way of payment: 1 online, 2 cash, 3 bank, 4 post, 5 advance, 6 card, 7 Alipay, 8 WeChat",
            "支付方式：1在线转帐 2现金 3银行转账 4邮局汇款 5预付款 6刷卡 7支付宝 8微信支付", "1",
            parse=one_of(*"12345678")),
    Setting("cod", "Orders paid on delivery: refuse, or send with delivery_term 2",
            "货到付款订单：refuse 拒绝，send 以 delivery_term 2 发送", "refuse", parse=one_of("refuse", "send")),
    Setting("cancel", "Cancel by closing the raw trade: 1; by hand: 0", "取消订单：1 推送关闭状态，0 人工处理", True,
            parse=parse_flag),
    Setting("find_method", "Method that looks a raw trade up", "原始单查询接口", "sales.RawTrade.searchSelfOrder",
            parse=str.strip),
    Setting("stock_method", "Method that tells stock", "库存查询接口", "wms.StockSpec.search2",
            parse=one_of("wms.StockSpec.search2", "wms.StockSpec.queryAvailableStock")),
    Setting("stock_formula", "What can be sold, as a sum of the answer's fields; empty: as the method gives it",
            "可售数量公式(由返回字段加减)；留空按接口默认", "",
            parse=lambda text: parse_formula(text) if text.strip() else ""),
    Setting("page_size", "Rows a page, 1000 at most", "每页条数，最多 1000", 200, parse=parse_count),
)  # fmt: skip

FORMULAS = {
    "wms.StockSpec.search2": "stock_num-unpay_num-subscribe_num-order_num-sending_num-lock_num",
    "wms.StockSpec.queryAvailableStock": "num",
}

SPEC = Spec(
    name="wangdiantong",
    kind="erp",
    title_en="Wangdiantong flagship",
    title_zh="旺店通旗舰版",
    settings=SETTINGS,
    rate_per_s=1,  # there is a limit a minute whose number is not public; who meets it is locked out for ten minutes
    repeat_is_safe=True,
    polls_shipments=True,
    skus_at_once=100,
    tells_changes=True,
)


@dataclass(frozen=True, slots=True)
class WangdiantongSettings:
    """The parsed settings; see `SETTINGS` for what each means."""

    url: str
    sid: str
    app_key: str
    app_secret: str = field(repr=False)
    shop_no: str
    check_skus: bool
    pay_method: str
    cod: str
    cancel: bool
    find_method: str
    stock_method: str
    stock_formula: str
    page_size: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> WangdiantongSettings:
        """Fill in defaults. Raises ValueError with a sentence."""
        values = fill_in(SETTINGS, config)
        if not all(values[name] for name in ("sid", "app_key", "shop_no")):
            raise ValueError("wangdiantong: sid, app_key and shop_no must all be set")
        if values["page_size"] > 1000:
            raise ValueError("wangdiantong page_size: Wangdiantong gives 1000 rows at most")
        return cls(**values)

    @property
    def secret(self) -> str:
        """What only signs; the salt is sent along."""
        return self.app_secret.partition(":")[0]

    @property
    def salt(self) -> str:
        return self.app_secret.partition(":")[2]

    @property
    def formula(self) -> Formula:
        return Formula.of(self.stock_formula or FORMULAS[self.stock_method])

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no record may show, also as an address spells it."""
        return spellings((self.app_secret, self.secret, self.salt))
