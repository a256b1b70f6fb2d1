"""The settings of SAP behind PI: which adapter takes the order, how PI finds the interface, and what SAP calls us."""

from __future__ import annotations

import re
from collections.abc import Callable

from mappings.connector import Config, Setting
from mappings.parsing import one_of, parse_address, parse_count, parse_credential, parse_flag, parse_path, parse_user
from mappings.wire import parse_base_url

SOAP, HTTP, REST = "soap", "http", "rest"
SETTLE_S = 300
LEFT_OUT = "-"
"""Instead of a condition type: this amount is not told to SAP."""
_CHANNEL = re.compile(r"[^:\s]*:[^:\s]+:[^:\s]+")


def parse_adapter_path(text: str) -> str:
    """The path of an adapter; its query is made here. Raises ValueError."""
    path = parse_path(text)
    if "?" in path or "#" in path:
        raise ValueError("must have no query: what PI wants to find there has settings of its own")
    return path


def parse_find_url(text: str) -> str:
    """An address that says where our order number goes. Raises ValueError."""
    url = parse_address(text)
    if url and "{external_ref}" not in url:
        raise ValueError("must say where the order number goes: {external_ref}")
    return url


def parse_sku_url(text: str) -> str:
    """An address that says where a goods number goes. Raises ValueError."""
    url = parse_address(text)
    if url and "{sku}" not in url:
        raise ValueError("must say where the goods number goes: {sku}")
    return url


def parse_channel(text: str) -> str:
    """`party:service:channel`; without a party it begins with the colon. Raises ValueError."""
    channel = text.strip()
    if channel and not _CHANNEL.fullmatch(channel):
        raise ValueError("must be party:service:channel, or :service:channel where there is no party")
    return channel


def parse_days(text: str) -> int:
    """A whole number of days, 0 to 365. Raises ValueError."""
    if not text.strip().isdecimal() or int(text) > 365:
        raise ValueError("must be a whole number of days, 0 to 365")
    return int(text)


def parse_region_codes(text: str) -> dict[str, str]:
    """Read `广东=190,北京=010`: the province as the shop spells it, SAP's region. Raises ValueError."""
    codes: dict[str, str] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, code = (part.strip() for part in item.partition("="))
        if not (name and equals and code) or len(code) > 3:
            raise ValueError(f"{item!r} is not PROVINCE=CODE with a code of at most 3 characters")
        codes[name] = code
    return codes


def code_of(length: int) -> Callable[[str], str]:
    """A parser of one of SAP's codes: visible ASCII without blanks, at most so long."""

    def parse(text: str) -> str:
        code = text.strip()
        if len(code) > length or not code.isascii() or any(mark.isspace() for mark in code):
            raise ValueError(f"must be a code of at most {length} ASCII characters without blanks")
        return code

    return parse


def tells_numbers(values: Config) -> bool:
    """Whether SAP's number of an order can become known at all: by a look-up, or by an ORDRSP that is waited for."""
    is_safe = values.get("sender") == HTTP or bool(values.get("duplicate_check"))
    return bool(values.get("find_url")) or (bool(values.get("ordrsp_pushed")) and is_safe)


def check_together(values: Config) -> None:
    """Raise ValueError where settings that are right alone do not fit together."""
    if not (values["username"] and values["password"]):
        raise ValueError("username and password must be set: PI lets nobody in without")
    is_named = all(values[name] for name in ("sender_service", "interface", "interface_namespace"))
    if values["sender"] == SOAP and not (values["channel"] or is_named):
        raise ValueError("set channel, or sender_service, interface and interface_namespace")
    if values["sender"] == HTTP and not is_named:
        raise ValueError("sender is http, so sender_service, interface and interface_namespace must be set")
    if values["sender"] != REST and values["payload"] == "json":
        raise ValueError("payload is json, which only sender=rest can carry")
    if values["payload"] == "idoc":
        _check_idoc(values)


def _check_idoc(values: Config) -> None:
    wanted = ("sales_org", "distribution_channel", "division", "order_type", "sold_to")
    partners = ("sender_port", "sender_partner", "receiver_port", "receiver_partner")
    missing = [name for name in (*wanted, *partners) if not values[name]]
    if missing:
        raise ValueError(f"an IDoc needs {', '.join(missing)}")


CONNECTION = (
    Setting("base_url", "Address of PI: https://host:50001", "PI 地址：https://host:50001", required=True,
            parse=parse_base_url),
    Setting("sender", "Adapter that takes the orders: soap, http or rest", "接收订单的发送方适配器：soap、http 或 rest",
            SOAP, parse=one_of(SOAP, HTTP, REST)),
    Setting("username", "User name in PI", "PI 用户名", "", parse=parse_user),
    Setting("password", "Its password", "PI 密码", "", secret=True, parse=parse_credential),
    Setting("duplicate_check", "1 when PI or SAP drops an order that comes twice (http does by itself)",
            "PI 或 SAP 会丢弃重复订单时填 1（http 自带去重）", False, parse=parse_flag),
    Setting("soap_path", "Path of the SOAP adapter", "SOAP 适配器路径", "/XISOAPAdapter/MessageServlet",
            parse=parse_adapter_path),
    Setting("http_path", "Path of the plain HTTP adapter", "HTTP 适配器路径", "/HttpAdapter/HttpMessageServlet",
            parse=parse_adapter_path),
    Setting("rest_path", "Path of the REST channel", "REST 通道路径", "/RESTAdapter/orders", parse=parse_adapter_path),
    Setting("payload", "What is sent: idoc (XML) or json (sender=rest only)",
            "发送内容：idoc（XML）或 json（仅 sender=rest）", "idoc", parse=one_of("idoc", "json")),
    Setting("channel", "SOAP channel party:service:channel; empty: the interface is named below",
            "SOAP 通道 party:service:channel；留空则用下面的接口名", "", parse=parse_channel),
    Setting("nosoap", "1 when the SOAP channel takes no envelope", "SOAP 通道不使用信封时填 1", False,
            parse=parse_flag),
    Setting("sender_party", "Sender party", "发送方 Party", "", parse=parse_credential),
    Setting("sender_service", "Sender service", "发送方 Service", "", parse=parse_credential),
    Setting("receiver_party", "Receiver party", "接收方 Party", "", parse=parse_credential),
    Setting("receiver_service", "Receiver service", "接收方 Service", "", parse=parse_credential),
    Setting("interface", "Sender interface", "发送方接口名", "", parse=parse_credential),
    Setting("interface_namespace", "Its namespace", "接口命名空间", "", parse=parse_credential),
    Setting("queue_id", "Queue of the HTTP adapter, for orders in sequence (EOIO); empty: none (EO)",
            "HTTP 适配器队列名（EOIO 保序）；留空为 EO", "", parse=code_of(16)),
)  # fmt: skip

LOOK_UPS = (
    Setting("find_url", "Where an order is looked up by our number {external_ref}; empty: nowhere",
            "按订单号 {external_ref} 查询 SAP 单号的地址；留空表示无", "", parse=parse_find_url),
    Setting("find_ref_field", "Field with our number in its JSON answer", "查询结果（JSON）中我方单号的字段",
            "order_id"),
    Setting("find_erp_no_field", "Field with SAP's number in it", "查询结果（JSON）中 SAP 单号的字段", "erp_no"),
    Setting("ordrsp_pushed", "1 when PI posts SAP's ORDRSP to our receiver, which brings the number",
            "PI 会把 SAP 的 ORDRSP（含单号）推送到我方接收地址时填 1", False, parse=parse_flag),
    Setting("sku_url", "Where each SKU {sku} is asked for before an order (404 or nothing: unknown); empty: not asked",
            "推送订单前核对货号 {sku} 的地址（404 或空结果表示未知）；留空不核对", "", parse=parse_sku_url),
    Setting("settle_s", "Seconds that SAP may take to post what PI accepted: a lost answer is looked up no sooner",
            "SAP 过账最多需要的秒数：应答丢失后隔这么久才查询", SETTLE_S, parse=parse_count),
    Setting("cancel_url", "Where an ORDCHG is posted and answered at once; empty: a person cancels",
            "接收 ORDCHG 并立即答复的取消地址；留空由人工取消", "", parse=parse_address),
    Setting("cancel_field", "Field that tells in its answer", "取消结果（JSON）中表示状态的字段", "status"),
    Setting("cancelled_word", "What stands there once it is cancelled", "表示已取消的值", "cancelled"),
)  # fmt: skip

IDOC = (
    Setting("sender_port", "Sender port (SNDPOR)", "发送方端口 SNDPOR", "", parse=code_of(10)),
    Setting("sender_type", "Sender partner type: LS or KU", "发送方伙伴类型：LS 或 KU", "LS", parse=one_of("LS", "KU")),
    Setting("sender_partner", "Sender partner (SNDPRN)", "发送方伙伴 SNDPRN", "", parse=code_of(10)),
    Setting("receiver_port", "Receiver port (RCVPOR)", "接收方端口 RCVPOR", "", parse=code_of(10)),
    Setting("receiver_type", "Receiver partner type: LS or KU", "接收方伙伴类型：LS 或 KU", "LS",
            parse=one_of("LS", "KU")),
    Setting("receiver_partner", "Receiver partner (RCVPRN)", "接收方伙伴 RCVPRN", "", parse=code_of(10)),
    Setting("sales_org", "Sales organisation", "销售组织", "", parse=code_of(4)),
    Setting("distribution_channel", "Distribution channel", "分销渠道", "", parse=code_of(2)),
    Setting("division", "Division", "产品组", "", parse=code_of(2)),
    Setting("order_type", "Sales document type", "销售凭证类型", "OR", parse=code_of(4)),
    Setting("sales_office", "Sales office; empty: none", "销售办公室；留空不传", "", parse=code_of(4)),
    Setting("sold_to", "Sold-to party: SAP's customer for the shop", "售达方客户号", "", parse=code_of(10)),
    Setting("ship_to", "Ship-to party; empty: the sold-to party", "送达方客户号；留空同售达方", "", parse=code_of(10)),
    Setting("currency", "Currency", "币种", "CNY", parse=code_of(3)),
    Setting("payment_terms", "Terms of payment; empty: SAP's own", "付款条件；留空由 SAP 决定", "", parse=code_of(4)),
    Setting("unit", "Unit of quantities", "数量单位", "PCE", parse=code_of(3)),
    Setting("plant", "Delivering plant; empty: SAP's own", "交货工厂；留空由 SAP 决定", "", parse=code_of(4)),
    Setting("material_qualifier", "What the SKU is: 002 SAP's material, 001 the customer's, 003 an EAN",
            "货号类型：002 SAP 物料号，001 客户物料号，003 EAN", "002", parse=one_of("002", "001", "003")),
    Setting("delivery_days", "Days from order to wished delivery", "下单后几天要求交货", 2, parse=parse_days),
    Setting("freight_condition", "Condition type of the shipping fee (-: not told)", "运费的条件类型（- 表示不传）",
            "HD00", parse=code_of(4)),
    Setting("discount_condition", "Condition type of a discount (-: not told; empty: such orders wait for a person)",
            "折扣的条件类型（- 表示不传；留空则此类订单等人处理）", "", parse=code_of(4)),
    Setting("fee_condition", "Condition type of all other fees (-: not told; empty: such orders wait for a person)",
            "其他费用的条件类型（- 表示不传；留空则此类订单等人处理）", "", parse=code_of(4)),
    Setting("region_codes",
            "SAP's regions of provinces: 广东=190,北京=010; where there is none the province stands before the city",
            "省份对应的 SAP 地区码：广东=190,北京=010；没有的省份写在城市前", parse=parse_region_codes),
)  # fmt: skip

SETTINGS = (*CONNECTION, *LOOK_UPS, *IDOC)
