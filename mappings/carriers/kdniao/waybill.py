"""Booking an e-waybill (RequestType 1007): the request from an order, the waybill from the reply."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from mappings.address import clean_text, complete_region
from mappings.carriers.kdniao.results import error_of, judge
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.shippers import Shipper, find_shipper
from mappings.carriers.kdniao.signing import FORBIDDEN, envelope
from mappings.carriers.kdniao.times import read_time, write_time
from mappings.errors import PermanentError, UncertainError
from mappings.model import Address, Consignee, Consignor, Order, OrderLine, Waybill, WaybillRequest
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kdniao.waybill"
FORM = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}

ORDER_CODE_LENGTH, SHIPPER_CODE_LENGTH = 30, 20
REMARK_LENGTH, GOODS_NAME_LENGTH = 60, 100

_ORDER_CODE = re.compile(r"[0-9A-Za-z_.-]+")
_MOBILE = re.compile(r"1\d{10}")
_FIELD_CODES = {
    "DeliveryMethod": "delivery_method",
    "WareHouseID": "warehouse_id",
    "LogisticCode": "own_number",
    "Weight": "weight",
}


def order_call(request: WaybillRequest, settings: KdniaoSettings) -> HttpCall:
    """The 1007 call; the text is built once, and exactly that text is signed and sent.

    Raises PermanentError (`kdniao.waybill.*_missing`, `*_refused`), UnmappedError, `address.region_*`.
    """
    text = json.dumps(build_order(request, settings), ensure_ascii=False, separators=(",", ":"))
    return signed_call("book_waybill", "1007", text, settings.order_url, settings)


def signed_call(
    operation: str, request_type: str, text: str, url: str, settings: KdniaoSettings, *, changes_peer: bool = True
) -> HttpCall:
    """A call in KDNiao's envelope. Its secrets are named in both spellings, plain and as the form encodes them."""
    secrets = {word for word in (settings.app_key, settings.customer_pwd, settings.month_code) if word}
    body = envelope(text, ebusiness_id=settings.ebusiness_id, request_type=request_type, app_key=settings.app_key)
    return HttpCall(
        operation,
        "POST",
        url,
        FORM,
        body,
        changes_peer,
        tuple(sorted(secrets | {quote_plus(word) for word in secrets})),
    )


def build_order(request: WaybillRequest, settings: KdniaoSettings) -> dict[str, Any]:
    """RequestData of 1007 as values; field names and lengths are KDNiao's."""
    shipper = find_shipper(request.shipper_code, AREA)
    order = request.order
    data: dict[str, Any] = {
        "CallBack": _words(request.reference),
        "OrderCode": _order_code(request.order_code),
        "ShipperCode": shipper.code,
        "CustomerName": settings.customer_name,
        "CustomerPwd": settings.customer_pwd,
        "SendSite": settings.send_site,
        "MonthCode": settings.month_code,
        "PayType": int(settings.pay_type),
        "ExpType": settings.exp_type,
        "Sender": _party(request.consignor, "consignor", shipper),
        "Receiver": _party(order.consignee, "consignee", shipper),
        "Commodity": [_commodity(line) for line in order.lines],
        "Quantity": 1,
        "Remark": _words(order.buyer_note)[:REMARK_LENGTH],
        "IsNotice": int(settings.is_notice),
        "IsReturnPrintTemplate": "1" if settings.template else "0",
        "IsSubscribe": "1",
    }
    if not data["Commodity"]:
        raise PermanentError(f"{AREA}.goods_missing", "The order has nothing to ship")
    if order.weight_g > 0:
        data["Weight"] = order.weight_g / 1000
    if request.pickup_from and request.pickup_until:
        data |= {"StartDate": write_time(request.pickup_from), "EndDate": write_time(request.pickup_until)}
    if order.cod_fen > 0:
        data["AddService"] = [{"Name": "COD", "Value": _yuan_text(order.cod_fen)}]
    data |= _special_fields(shipper, order, settings)
    return {name: value for name, value in data.items() if value != ""}


def _special_fields(shipper: Shipper, order: Order, settings: KdniaoSettings) -> dict[str, Any]:
    """What only some companies want; PostCode stands with the two parties."""
    known = {
        "DeliveryMethod": int(settings.delivery_method) if settings.delivery_method.isdecimal() else None,
        "WareHouseID": settings.warehouse_id or None,
        "ThrOrderCode": order.order_sn,
        "Weight": order.weight_g / 1000 if order.weight_g > 0 else None,
    }
    wanted = shipper.needs - {"PostCode"}
    if settings.exp_type != "1":
        wanted -= {"ThrOrderCode"}  # JD wants the platform's own order number with its standard product only
    for field in sorted(wanted):
        if known.get(field) is None:
            name = _FIELD_CODES.get(field, "field")
            raise PermanentError(f"{AREA}.{name}_missing", f"{shipper.name} wants {field}, which we do not have")
    return {field: known[field] for field in wanted}


def _order_code(code: str) -> str:
    """Our idempotency key: to cut or change it would be to book twice, so an unfit one is refused."""
    if len(code) > ORDER_CODE_LENGTH or not _ORDER_CODE.fullmatch(code):
        raise PermanentError(
            f"{AREA}.order_code_refused",
            f"The order code {code!r} must be 1 to {ORDER_CODE_LENGTH} of 0-9 A-Z a-z _ . -",
        )
    return code


def _party(party: Consignee | Consignor, side: str, shipper: Shipper) -> dict[str, Any]:
    region = complete_region(party.address)
    person = {
        "Company": _words(party.company) if isinstance(party, Consignor) else "",
        "Name": _wanted(party.name, f"{side}_name", side),
        **_phone(party.phone, side),
        "PostCode": _postcode(party.address, side, shipper),
        "ProvinceName": region.province,
        "CityName": region.city,
        "ExpAreaName": _words(region.district),
        "Address": _wanted(party.address.street, f"{side}_street", side),
    }
    return {field: value for field, value in person.items() if value}


def _postcode(address: Address, side: str, shipper: Shipper) -> str:
    postcode = _words(address.postcode)
    if "PostCode" in shipper.needs and not postcode:
        raise PermanentError(f"{AREA}.postcode_missing", f"{shipper.name} wants the {side}'s postcode")
    return postcode


def _phone(phone: str, side: str) -> dict[str, str]:
    """A mobile number as Mobile, anything else as Tel; a country code would bring a forbidden `+`."""
    text = clean_text(phone)
    bare = re.sub(r"^(\+|00)86|[\s()-]", "", text)
    if not re.search(r"\d", text):
        raise PermanentError(f"{AREA}.phone_missing", f"The {side} has no phone number")
    return {"Mobile": bare} if _MOBILE.fullmatch(bare) else {"Tel": text.translate(FORBIDDEN)}


def _commodity(line: OrderLine) -> dict[str, Any]:
    goods = {
        "GoodsName": _wanted(line.name, "goods_name", f"line {line.shop_line_id}")[:GOODS_NAME_LENGTH],
        "GoodsCode": _words(line.sku),
        "Goodsquantity": line.quantity,  # KDNiao's spelling, lower-case q
        "GoodsPrice": line.price_fen / 100,
        "GoodsWeight": line.weight_g / 1000,
    }
    return {field: value for field, value in goods.items() if value not in ("", 0)}


def _wanted(text: str, what: str, whose: str) -> str:
    words = _words(text)
    if not words:
        raise PermanentError(f"{AREA}.{what}_missing", f"KDNiao wants a {what.replace('_', ' ')}: {whose} has none")
    return words


def _words(text: str) -> str:
    """Text that survives the signature check: clean, forbidden characters in full width."""
    return clean_text(text).translate(FORBIDDEN)


def _yuan_text(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def read_waybill(reply: HttpReply, request: WaybillRequest) -> Waybill:
    """The waybill KDNiao issued, or had issued before under this order code (`adopted`).

    `Success` alone decides nothing: live replies to a repeat say true with code 106. Raises any PeerError.
    """
    check_status(reply, AREA)
    data = read_json_object(reply, AREA)
    found = data.get("Order")
    order = found if isinstance(found, dict) else {}
    code, reason, number = _text(data, "ResultCode"), _text(data, "Reason"), _text(order, "LogisticCode")
    verdict = judge(code, reason)
    if verdict.cls not in ("ok", "duplicate") or (verdict.cls == "duplicate" and not number):
        raise error_of(verdict, AREA, code, reason)
    if not number:
        raise UncertainError(f"{AREA}.number_missing", "KDNiao accepted the order but named no waybill number")
    if _text(order, "OrderCode") not in ("", request.order_code):
        raise UncertainError(f"{AREA}.other_order", "KDNiao answered for another order than we asked about")
    return Waybill(
        waybill_no=number,
        shipper_code=_text(order, "ShipperCode") or request.shipper_code,
        order_code=request.order_code,
        adopted=verdict.cls == "duplicate",
        label=_text(data, "PrintTemplate"),
        carrier_order_no=_text(order, "KDNOrderCode"),
        estimated_pickup_at=read_time(order.get("StartDate")) or request.pickup_from,
        estimated_delivery_at=read_time(data.get("EstimatedDeliveryTime")),
        sub_waybill_nos=_sub_waybills(data.get("SubOrders")),
    )


def _sub_waybills(items: object) -> tuple[str, ...]:
    """Child numbers; public samples do not say whether an item is a text or an object, so both are read."""
    if not isinstance(items, list):
        return ()
    numbers = (_text(item, "LogisticCode") if isinstance(item, Mapping) else str(item).strip() for item in items)
    return tuple(number for number in numbers if number)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None or isinstance(value, (dict, list)):
        return ""
    return str(value).replace("\0", "").strip()
