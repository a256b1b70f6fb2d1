"""What Kuaidi100 demands of a request: signatures, fields of an order, region names; how it spells its scans.

Sources: the public field tables of `label/order`, `poll/query.do` and `poll`, the vendor's own demo code. Written apart
from our own connector on purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_COMPANIES = """
shunfeng zhongtong yuantong shentong yunda jtexpress youzhengguonei ems jd debangkuaidi huitongkuaidi tiantian
youshuwuliu zhaijisong fengwang zhongyouex ytchengnuoda pjbest suer youzhengbk jingdongkuaiyun zhongtongkuaiyun
yundakuaiyun debangwuliu baishiwuliu ane66 annengwuliu kuayue sxjdfreight yimidida rrs tiandihuayu xinfengwuliu
"""
COMPANIES = frozenset(_COMPANIES.split())
WANT_PHONE = frozenset({"shunfeng", "zhongtong"})
PREFIXES = {
    "shunfeng": ("SF", 13),
    "zhongtong": ("7", 13),
    "yuantong": ("YT", 13),
    "shentong": ("77", 13),
    "yunda": ("46", 13),
    "jtexpress": ("JT", 13),
}

STATES = {
    "10": ("102", "待揽收"),
    "1": ("103", "揽收"),
    "2": ("1002", "干线"),
    "201": ("1001", "到达派件城市"),
    "205": ("1001", "到达派件城市"),
    "202": ("5", "派件"),
    "211": ("501", "投柜或驿站"),
    "301": ("301", "本人签收"),
    "302": ("302", "派件异常后签收"),
    "304": ("303", "代签"),
    "404": ("203", "拒收"),
    "406": ("4", "退签"),
    "407": ("6", "退回"),
    "416": ("206", "无法联系"),
    "419": ("5", "派件"),
}
"""The stations of a journey (KDNiao's words) in Kuaidi100's advanced states, which are called statusCode."""

_PRINT_TYPES = frozenset({"NON", "IMAGE", "HTML", "CLOUD"})
_PAY_TYPES = frozenset({"SHIPPER", "CONSIGNEE", "MONTHLY", "THIRDPARTY"})
PROVINCE = re.compile(
    "(北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南"
    "|陕西|甘肃|青海|台湾)(省|市)|(内蒙古|广西壮族|西藏|宁夏回族|新疆维吾尔)自治区"
)
_MOBILE = re.compile(r"1\d{10}")


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A code and the message that goes with it."""

    code: str
    message: str


def sign(*words: str) -> str:
    """Upper-case hex md5 of the words one after the other, in UTF-8."""
    return hashlib.md5("".join(words).encode("utf-8")).hexdigest().upper()


def check_sign(given: str, *words: str) -> None:
    """Raise Refusal 503 for any other signature; lower case is another one."""
    if not hmac.compare_digest(given.encode(), sign(*words).encode()):
        raise Refusal("503", "签名错误")


def read_param(text: str) -> dict[str, Any]:
    """The param of a form; raises Refusal 400."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refusal("400", "参数错误：param")
    return value


def check_order(order: Mapping[str, Any]) -> None:
    """Check the param of a waybill order; raises Refusal 400."""
    fault = next(_faults(order), "")
    if fault:
        raise Refusal("400", f"参数错误：{fault}")


def _faults(order: Mapping[str, Any]) -> Iterator[str]:
    if order.get("printType") not in _PRINT_TYPES:
        yield "printType"
    elif order["printType"] != "NON" and not order.get("tempId"):
        yield "tempId"
    if order.get("kuaidicom") not in COMPANIES:
        yield "kuaidicom"
    if order.get("payType") not in _PAY_TYPES:
        yield "payType"
    for name in ("cargo", "expType"):
        if not isinstance(order.get(name), str) or not order[name]:
            yield name
    if not isinstance(order.get("count"), int) or order["count"] < 1:
        yield "count"
    if not isinstance(order.get("weight", 1), int | float):
        yield "weight"
    if "reorder" in order and not isinstance(order["reorder"], bool):
        yield "reorder"
    if order.get("needSubscribe") and not str(order.get("pollCallBackUrl") or "").startswith("http"):
        yield "pollCallBackUrl"
    for side in ("recMan", "sendMan"):
        yield from (f"{side}.{name}" for name in _faults_of_person(order.get(side)))


def _faults_of_person(person: Any) -> Iterator[str]:
    if not isinstance(person, dict):
        yield "name"
        return
    if not person.get("name"):
        yield "name"
    if not person.get("mobile") and not person.get("tel"):
        yield "mobile"
    if person.get("mobile") and not _MOBILE.fullmatch(str(person["mobile"])):
        yield "mobile"
    if not PROVINCE.match(str(person.get("printAddr") or "")):
        yield "printAddr"


def phone_tails(order: Mapping[str, Any]) -> frozenset[str]:
    """The last four digits of either party's phone."""
    phones = (str(order[side].get(name) or "") for side in ("sendMan", "recMan") for name in ("mobile", "tel"))
    return frozenset(phone[-4:] for phone in phones if phone)


def city_of(person: Mapping[str, Any]) -> str:
    """The place that scans name; the whole address is one text here."""
    found = re.search(r"([一-鿿]{2,6}?市)", re.sub(PROVINCE, "", str(person["printAddr"]), count=1))
    return found.group(1) if found else str(person["printAddr"])[:3]
