"""What KDNiao's gateway demands of a request: signature, characters, fields of 1007, region names.

Sources: the public field table of RequestType 1007 (lengths, types, required), KDNiao's published notes on
forbidden characters and on region names. Written apart from our own connector on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FORBIDDEN = frozenset("'\"#&+<>%\\")
_SUSPECT = re.compile(r"['#&+<>%\\]")

_SHIPPER_CODES = """
SF ZTO YTO STO YD JTSD YZPY EMS JD DBL HTKY HHTT UC ZJS FWX ZYE CND PJ SURE YZBK JDKY ZTOKY YDKY
DBLKY BTWL ANE ANEKY KYSY SX YMDD RRS HOAU XFEX JYM DSWL DNWL ZTKY SUBIDA AMAZON FEDEX FEDEX_GJ DHL
UPS TNT USPS YTOGJ FBOX
"""
SHIPPER_CODES = frozenset(_SHIPPER_CODES.split())
FREE_QUERY = frozenset({"STO", "YTO", "HTKY", "HHTT"})
"""The only couriers of the free RequestTypes 1002 and 1008."""

_NEED_POSTCODE = frozenset({"EMS", "YZPY", "YZBK"})
_NEED_DELIVERY_METHOD = frozenset({"JTSD", "DBL", "ZYE", "DBLKY"})
_NEED_WAREHOUSE = frozenset({"JD", "JDKY"})

_MUNICIPALITIES = frozenset({"北京", "上海", "天津", "重庆"})
_SPECIAL_REGIONS = frozenset({"香港特别行政区", "澳门特别行政区", "台湾省"})
_PLAIN_PROVINCES = """
安徽省 福建省 甘肃省 广东省 贵州省 海南省 河北省 河南省 黑龙江省 湖北省 湖南省 吉林省 江苏省 江西省 辽宁省 青海省
山东省 山西省 陕西省 四川省 云南省 浙江省 广西壮族自治区 内蒙古自治区 宁夏回族自治区 西藏自治区 新疆维吾尔自治区
"""
_PROVINCES = frozenset(_PLAIN_PROVINCES.split()) | _MUNICIPALITIES | _SPECIAL_REGIONS
_CITY_ENDINGS = ("市", "自治州", "地区", "盟", "县", "林区")

_LENGTHS = {
    "OrderCode": 30,
    "ShipperCode": 20,
    "MemberID": 50,
    "CustomerName": 50,
    "CustomerPwd": 30,
    "SendSite": 30,
    "SendStaff": 30,
    "CustomArea": 500,
    "WareHouseID": 30,
    "ThrOrderCode": 50,
    "ExpType": 2,
    "OperateRequire": 20,
    "Remark": 60,
    "TemplateSize": 10,
    "IsReturnPrintTemplate": 1,
    "IsSubscribe": 1,
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_PHONE = re.compile(r"[0-9\-() ＋转]{5,30}")


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A ResultCode and the Reason that goes with it."""

    code: str
    reason: str


def sign(request_data: str, app_key: str) -> str:
    """DataSign: base64 of the lower-case hex md5 of text and key, in UTF-8."""
    return base64.b64encode(hashlib.md5((request_data + app_key).encode()).hexdigest().encode()).decode()


def has_forbidden(text: str, data: Any) -> bool:
    """Whether any text value of `data` (read from the JSON `text`) holds a character the signature check trips over.

    A quote inside a value needs a backslash in the JSON, so most texts need no walk through their values.
    """
    return bool(_SUSPECT.search(text)) and _has_forbidden_value(data)


def _has_forbidden_value(value: Any) -> bool:
    if isinstance(value, str):
        return not FORBIDDEN.isdisjoint(value)
    if isinstance(value, Mapping):
        return any(_has_forbidden_value(item) for item in value.values())
    return isinstance(value, list) and any(_has_forbidden_value(item) for item in value)


def check_order(order: Mapping[str, Any]) -> None:
    """Check a 1007 order. Raises Refusal 101 (missing), 103 (type, length, range), 105 (region, courier)."""
    missing = next(_missing(order), "")
    if missing:
        raise Refusal("101", f"缺少必要参数：{missing}")
    malformed = next(_malformed(order), "")
    if malformed:
        raise Refusal("103", f"格式问题：{malformed}")
    if order["ShipperCode"] not in SHIPPER_CODES:
        raise Refusal("105", f"快递公司编码错误：{order['ShipperCode']}")
    for side in ("Sender", "Receiver"):
        check_region(side, order[side])


def check_region(side: str, person: Mapping[str, Any]) -> None:
    """Names must be official ones: 广东省 深圳市, but 北京 北京市. Raises Refusal 105."""
    province, city = person["ProvinceName"], person["CityName"]
    if province not in _PROVINCES:
        raise Refusal("105", f"{side}.ProvinceName 地址省份名称不规范：{province}")
    if province in _MUNICIPALITIES:
        fits = city == f"{province}市"
    else:
        fits = province in _SPECIAL_REGIONS or city.endswith(_CITY_ENDINGS)
    if not fits:
        raise Refusal("105", f"{side}.CityName 地址城市名称不规范：{city}")


def _missing(order: Mapping[str, Any]) -> Iterator[str]:
    required = ["OrderCode", "ShipperCode", "PayType", "ExpType", "Quantity", "Sender", "Receiver", "Commodity"]
    shipper_code = order.get("ShipperCode")
    if shipper_code in _NEED_DELIVERY_METHOD:
        required.append("DeliveryMethod")
    if shipper_code in _NEED_WAREHOUSE:
        required.append("WareHouseID")
    yield from (name for name in required if order.get(name) in (None, "", [], {}))
    for side in ("Sender", "Receiver"):
        yield from (f"{side}.{name}" for name in _missing_of_person(order[side], shipper_code))
    for number, item in enumerate(order["Commodity"] if isinstance(order["Commodity"], list) else []):
        if not isinstance(item, dict) or not item.get("GoodsName"):
            yield f"Commodity[{number}].GoodsName"


def _missing_of_person(person: Any, shipper_code: Any) -> Iterator[str]:
    if not isinstance(person, dict):
        yield "Name"
        return
    for name in ("Name", "ProvinceName", "CityName", "ExpAreaName", "Address"):
        if not person.get(name):
            yield name
    if not person.get("Tel") and not person.get("Mobile"):
        yield "Mobile"
    if shipper_code in _NEED_POSTCODE and not person.get("PostCode"):
        yield "PostCode"


def _malformed(order: Mapping[str, Any]) -> Iterator[str]:
    for name, limit in _LENGTHS.items():
        value = order.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > limit):
            yield f"{name} 应为不超过{limit}位的字符串"
    if not _is_int(order["PayType"]) or not 1 <= order["PayType"] <= 4:
        yield "PayType 应为1至4的整数"
    if not _is_int(order["Quantity"]) or not 1 <= order["Quantity"] <= 30:
        yield "Quantity 应为1至30的整数"
    for name, whole in (("Weight", 10), ("Volume", 20)):
        if order.get(name) is not None and not _is_measure(order[name], whole):
            yield f"{name} 应为不小于0且最多3位小数的数字"
    for side in ("Sender", "Receiver"):
        yield from (f"{side}.{name}" for name in _malformed_of_person(order[side]))
    yield from _malformed_goods(order["Commodity"])
    yield from _malformed_window(order)


def _malformed_of_person(person: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name, value in person.items() if value is not None and not isinstance(value, str))
    yield from (name for name in ("Tel", "Mobile") if person.get(name) and not _PHONE.fullmatch(person[name]))


def _malformed_goods(goods: Any) -> Iterator[str]:
    if not isinstance(goods, list):
        yield "Commodity 应为数组"
        return
    for number, item in enumerate(goods):
        quantity = item.get("Goodsquantity")
        if quantity is not None and (not _is_int(quantity) or quantity < 1):
            yield f"Commodity[{number}].Goodsquantity 应为正整数"


def _malformed_window(order: Mapping[str, Any]) -> Iterator[str]:
    for name in ("StartDate", "EndDate"):
        text = order.get(name)
        if text and not _is_moment(text):
            yield f"{name} 应为 yyyy-MM-dd HH:mm:ss"
    if order.get("StartDate") and order.get("EndDate") and order["StartDate"] > order["EndDate"]:
        yield "EndDate 早于 StartDate"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_measure(value: Any, whole: int) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return bool(0 <= value < 10**whole and round(value, 3) == value)


def _is_moment(text: Any) -> bool:
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
