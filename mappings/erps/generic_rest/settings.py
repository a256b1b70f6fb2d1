"""The settings of a generic REST ERP that say where its orders go, how it spells them and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.connector import Setting
from mappings.erps.generic_rest.order import AMOUNT_FORMATS, DATE_FORMATS, HEADER_FACTS, LINE_FACTS, LINE_PREFIX
from mappings.erps.generic_rest.xml_text import NAME
from mappings.parsing import one_of, parse_path


@dataclass(frozen=True, slots=True)
class SuccessRule:
    """Where a reply says whether it succeeded. Without `words`: `true` and `0` are success, nothing else is."""

    field: str
    words: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        if self.words:
            return str(value).lower() in self.words
        return value is True or str(value) == "0"

    def in_text(self) -> SuccessRule:
        """The same where every value is text, as in XML: `true` is a word there."""
        return self if self.words else SuccessRule(self.field, ("true", "0"))


def parse_find_path(text: str) -> str:
    """A path that holds `{external_ref}` where the order number goes. Raises ValueError."""
    path = parse_path(text)
    if "{external_ref}" not in path:
        raise ValueError("The path must say where the order number goes: {external_ref}")
    return path


def parse_sku_path(text: str) -> str:
    """A path that holds `{sku}`; empty text says that SKUs are not asked for. Raises ValueError."""
    if not text.strip():
        return ""
    path = parse_path(text)
    if "{sku}" not in path:
        raise ValueError("must say where the SKU goes: {sku}")
    return path


def parse_pairs(text: str) -> dict[str, str]:
    """Read `a=b,c=d`; empty text is no pair. Raises ValueError."""
    pairs: dict[str, str] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (name and equals and value):
            raise ValueError(f"{item!r} is not NAME=VALUE")
        if name in pairs:
            raise ValueError(f"{name!r} stands there twice")
        pairs[name] = value
    return pairs


def parse_field_map(text: str) -> dict[str, str]:
    """Read `order_id=head.no,lines.sku=materialCode`: our name, then the ERP's, dotted where it is in an object.

    Raises ValueError.
    """
    pairs = parse_pairs(text)
    known = [*HEADER_FACTS, *(LINE_PREFIX + name for name in LINE_FACTS)]
    if unknown := [name for name in pairs if name not in known]:
        raise ValueError(f"There is no field {unknown[0]!r}; the fields are: {', '.join(known)}")
    if halved := [name for name in pairs.values() if not all(name.split("."))]:
        raise ValueError(f"The ERP's name {halved[0]!r} must have a word on both sides of each dot")
    return pairs


def order_id_name(values: Mapping[str, Any]) -> str:
    """What the ERP calls our order number."""
    return str((values["field_map"] or {}).get("order_id", "order_id"))


def parse_success_rule(text: str) -> SuccessRule | None:
    """Read `success`, `code` or, with the words for success, `code=0|200`; empty text is no rule."""
    if not text.strip():
        return None
    field, _, words = (part.strip() for part in text.partition("="))
    if not field:
        raise ValueError(f"{text!r} is not FIELD or FIELD=WORD|WORD")
    return SuccessRule(field, tuple(word.strip().lower() for word in words.split("|") if word.strip()))


def parse_element(text: str) -> str:
    """The name of an XML element, without prefix. Raises ValueError."""
    name = text.strip()
    if not NAME.fullmatch(name):
        raise ValueError(f"{text!r} is no name of an XML element: letters, digits, _ - . and no prefix")
    return name


def parse_cancel_path(text: str) -> str:
    """A path; empty text says that the ERP cannot be asked to cancel. Raises ValueError."""
    return parse_path(text) if text.strip() else ""


def parse_cancelled_field(text: str) -> str:
    """A rule as text, because it has a default: `status=cancelled`. Raises ValueError."""
    parse_success_rule(text)
    return text.strip()


SETTINGS = (
    Setting("format", "json or xml", "报文格式：json 或 xml", default="json", parse=one_of("json", "xml")),
    Setting(
        "xml_root",
        "What a request's document is called (xml)",
        "请求的根元素名（xml）",
        default="order",
        parse=parse_element,
    ),
    Setting(
        "xml_item",
        "What each order line in it is called (xml)",
        "请求中每个订单行的元素名（xml）",
        default="line",
        parse=parse_element,
    ),
    Setting("order_path", "Path to post orders to", "推送订单的路径", default="/api/orders", parse=parse_path),
    Setting(
        "find_path",
        "Path to look an order up; {external_ref} is the order number",
        "查询订单的路径；{external_ref} 为订单号",
        default="/api/orders?order_id={external_ref}",
        parse=parse_find_path,
    ),
    Setting(
        "find_field",
        "Where the look-up's answer holds the order or the list (dotted; empty: the answer itself)",
        "查询结果中订单或列表所在的字段（可用点号；留空为整个结果）",
        default="",
    ),
    Setting(
        "sku_path",
        "Path to ask for one SKU before an order is sent; {sku} is the SKU, a 404 or nothing says unknown (empty: "
        "not asked)",
        "推送订单前核对单个货号的路径；{sku} 为货号，404 或空结果表示未知（留空不核对）",
        default="",
        parse=parse_sku_path,
    ),
    Setting(
        "sku_field",
        "Where its answer holds the goods or the list (dotted; empty: the answer itself)",
        "其结果中商品或列表所在的字段（可用点号；留空为整个结果）",
        default="",
    ),
    Setting(
        "cancel_path",
        "Path to cancel an order; {external_ref} is our order number, {erp_no} the ERP's (empty: the ERP cannot)",
        "取消订单的路径；{external_ref} 为订单号，{erp_no} 为 ERP 单号（留空表示 ERP 不支持）",
        default="/api/orders/{external_ref}/cancel",
        parse=parse_cancel_path,
    ),
    Setting(
        "cancel_method",
        "How cancel_path is called: post, put, patch or delete",
        "取消订单的 HTTP 方法：post、put、patch 或 delete",
        default="post",
        parse=one_of("post", "put", "patch", "delete"),
    ),
    Setting(
        "cancel_fields",
        "Constant fields to send with a cancel: status=cancelled",
        "取消订单时附加的固定字段：status=cancelled",
        parse=parse_pairs,
    ),
    Setting(
        "cancelled_field",
        "Field by which a refusal tells that the order was cancelled before: status=cancelled (empty: none)",
        "拒绝取消时表示“早已取消”的字段：status=cancelled（留空为无）",
        default="status=cancelled",
        parse=parse_cancelled_field,
    ),
    Setting(
        "erp_no_field",
        "Field with the ERP's number in the answer to a push (dotted)",
        "推送结果中 ERP 单号所在的字段（可用点号）",
        default="erp_no",
    ),
    Setting(
        "find_erp_no_field",
        "The same in an order that was looked up (empty: as above)",
        "查询到的订单中 ERP 单号所在的字段（留空同上）",
        default="",
    ),
    Setting(
        "field_map",
        "The ERP's field names: order_id=orderNo,phone=receiver.tel,lines.sku=materialCode",
        "ERP 的字段名：order_id=orderNo,phone=receiver.tel,lines.sku=materialCode",
        parse=parse_field_map,
    ),
    Setting(
        "extra_fields",
        "Constant fields to add: source=ecshop,lines.unit=PCS",
        "附加的固定字段：source=ecshop,lines.unit=PCS",
        parse=parse_pairs,
    ),
    Setting(
        "amount_format",
        "Amounts in yuan as string or number, or in fen",
        "金额格式：string、number（元）或 fen（分）",
        default="string",
        parse=one_of(*AMOUNT_FORMATS),
    ),
    Setting(
        "date_format",
        "Dates as YYYYMMDD, YYYY-MM-DD, iso (with time, Asia/Shanghai) or epoch (s)",
        "日期格式：YYYYMMDD、YYYY-MM-DD、iso（含时间，Asia/Shanghai）或 epoch（秒）",
        default="YYYYMMDD",
        parse=one_of(*DATE_FORMATS),
    ),
    Setting(
        "failure_field",
        "Field that tells failure inside a 200: success, code or code=0|200 (empty: none)",
        "HTTP 200 中表示成败的字段：success、code 或 code=0|200（留空为无）",
        parse=parse_success_rule,
    ),
)
