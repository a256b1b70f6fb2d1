"""Booking an e-waybill (RequestType 1007): the request from an order, the waybill from the reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings import booking
from mappings.address import clean_text, complete_region
from mappings.carriers.kdniao.accounts import Account
from mappings.carriers.kdniao.results import error_of, judge
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.shippers import Shipper, find_shipper
from mappings.carriers.kdniao.signing import FORBIDDEN, envelope
from mappings.china_time import read_time, write_time
from mappings.errors import AuthError, PermanentError, UncertainError
from mappings.events import CARRIER_ORDER_LENGTH, SHIPPER_CODE_LENGTH, WAYBILL_LENGTH
from mappings.fields import number_of, page_of, text_of
from mappings.model import (
    LABEL_PAGE_BREAK,
    Address,
    Consignee,
    Consignor,
    Order,
    OrderLine,
    Waybill,
    WaybillRequest,
)
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object, spellings, to_json

AREA = "kdniao.waybill"
SIGNATURE_REFUSED = f"{AREA}.signature_refused"
FORM = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}

ORDER_CODE_LENGTH = 30
MOST_PACKAGES = 30
REMARK_LENGTH, GOODS_NAME_LENGTH = 60, 100

_FIELD_CODES = {
    "DeliveryMethod": "delivery_method",
    "WareHouseID": "warehouse_id",
    "LogisticCode": "own_number",
    "Weight": "weight",
}


def order_call(request: WaybillRequest, settings: KdniaoSettings) -> HttpCall:
    """The 1007 call.

    Raises PermanentError (`kdniao.waybill.*_missing`, `*_refused`), UnmappedError, `address.region_*`.
    """
    return signed_call("book_waybill", "1007", build_order(request, settings), settings.order_url, settings)


def signed_call(
    operation: str,
    request_type: str,
    data: Mapping[str, Any],
    url: str,
    settings: KdniaoSettings,
    *,
    changes_peer: bool = True,
) -> HttpCall:
    """A call in KDNiao's envelope; its text is built once, and exactly that text is signed and sent."""
    body = envelope(
        to_json(data), ebusiness_id=settings.ebusiness_id, request_type=request_type, app_key=settings.app_key
    )
    return HttpCall(operation, "POST", url, FORM, body, changes_peer, spellings(settings.secrets))


def build_order(request: WaybillRequest, settings: KdniaoSettings) -> dict[str, Any]:
    """RequestData of 1007 as values; field names and lengths are KDNiao's."""
    shipper = find_shipper(request.shipper_code, AREA)
    account = settings.account_of(shipper.code, request.account, AREA)
    order = request.order
    data: dict[str, Any] = {
        "CallBack": words(request.reference),
        "OrderCode": check_order_code(request.order_code, AREA),
        "ShipperCode": shipper.code,
        "CustomerName": account.customer_name,
        "CustomerPwd": account.customer_pwd,
        "SendSite": account.send_site,
        "SendStaff": account.send_staff,
        "MonthCode": account.month_code,
        "PayType": int(account.pay_type),
        "ExpType": account.exp_type,
        "Sender": party(request.consignor, "consignor", shipper, AREA),
        "Receiver": party(order.consignee, "consignee", shipper, AREA),
        "Commodity": [commodity(line, AREA) for line in order.lines],
        "Quantity": packages_of(order, settings.package_weight_g),
        "Remark": words(order.buyer_note)[:REMARK_LENGTH],
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
    data |= _special_fields(shipper, order, account)
    return {name: value for name, value in data.items() if value != ""}


def packages_of(order: Order, package_weight_g: int) -> int:
    """Into how many packages (KDNiao: Quantity) the parcel goes, by weight; more than one makes child numbers."""
    if not package_weight_g:
        return 1
    count = max(1, -(-order.weight_g // package_weight_g))
    if count > MOST_PACKAGES:
        message = (
            f"The parcel would need {count} packages of {package_weight_g} g; KDNiao takes {MOST_PACKAGES} at most"
        )
        raise PermanentError(f"{AREA}.too_many_packages", message)
    return count


def _special_fields(shipper: Shipper, order: Order, account: Account) -> dict[str, Any]:
    """What only some companies want; PostCode stands with the two parties."""
    known = {
        "DeliveryMethod": int(account.delivery_method) if account.delivery_method.isdecimal() else None,
        "WareHouseID": account.warehouse_id or None,
        "ThrOrderCode": order.order_sn,
        "Weight": order.weight_g / 1000 if order.weight_g > 0 else None,
    }
    wanted = shipper.needs - {"PostCode"}
    if account.exp_type != "1":
        wanted -= {"ThrOrderCode"}  # JD wants the platform's own order number with its standard product only
    for field in sorted(wanted):
        if known.get(field) is None:
            name = _FIELD_CODES.get(field, "field")
            raise PermanentError(f"{AREA}.{name}_missing", f"{shipper.name} wants {field}, which we do not have")
    return {field: known[field] for field in wanted}


def check_order_code(code: str, area: str) -> str:
    """The order code of a waybill or a booking; raises PermanentError `<area>.order_code_refused`."""
    return booking.check_order_code(code, most=ORDER_CODE_LENGTH, area=area)


def party(who: Consignee | Consignor, side: str, shipper: Shipper, area: str) -> dict[str, Any]:
    """One side of an order in KDNiao's fields, without the empty ones; raises PermanentError `<area>.*_missing`."""
    region = complete_region(who.address)
    person = {
        "Company": words(who.company) if isinstance(who, Consignor) else "",
        "Name": _demand(who.name, f"{side}_name", side, area),
        **_phone(who.phone, side, area),
        "PostCode": _postcode(who.address, side, shipper, area),
        "ProvinceName": region.province,
        "CityName": region.city,
        "ExpAreaName": words(region.district),
        "Address": _demand(who.address.street, f"{side}_street", side, area),
    }
    return {field: value for field, value in person.items() if value}


def _postcode(address: Address, side: str, shipper: Shipper, area: str) -> str:
    postcode = words(address.postcode)
    if "PostCode" in shipper.needs and not postcode:
        raise PermanentError(f"{area}.postcode_missing", f"{shipper.name} wants the {side}'s postcode")
    return postcode


def _phone(phone: str, side: str, area: str) -> dict[str, str]:
    """Mobile or Tel, without what KDNiao's signature check trips over: a country code would bring a `+`."""
    known = booking.phone_fields(phone, side, area=area, mobile="Mobile", tel="Tel")
    return {field: text.translate(FORBIDDEN) for field, text in known.items()}


def commodity(line: OrderLine, area: str) -> dict[str, Any]:
    """One line of the goods in KDNiao's fields, without the empty ones."""
    goods = {
        "GoodsName": _demand(line.name, "goods_name", f"line {line.shop_line_id}", area)[:GOODS_NAME_LENGTH],
        "GoodsCode": words(line.sku),
        "Goodsquantity": line.quantity,  # KDNiao's spelling, lower-case q
        "GoodsPrice": line.price_fen / 100,
        "GoodsWeight": line.weight_g / 1000,
    }
    return {field: value for field, value in goods.items() if value not in ("", 0)}


def _demand(text: str, what: str, whose: str, area: str) -> str:
    return booking.demand_text(text, what, whose, carrier="KDNiao", area=area).translate(FORBIDDEN)


def words(text: str) -> str:
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
    code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
    number = number_of(order, "LogisticCode", WAYBILL_LENGTH)
    verdict = judge(code, reason)
    if verdict.cls not in ("ok", "duplicate") or (verdict.cls == "duplicate" and not number):
        if verdict.code == "account_rejected":
            raise _refused_account(request, code, reason)
        raise error_of(verdict, AREA, code, reason)
    if not number:
        raise UncertainError(f"{AREA}.number_missing", "KDNiao accepted the order but named no waybill number")
    if text_of(order, "OrderCode") not in ("", request.order_code):
        raise UncertainError(f"{AREA}.other_order", "KDNiao answered for another order than we asked about")
    return Waybill(
        waybill_no=number,
        shipper_code=number_of(order, "ShipperCode", SHIPPER_CODE_LENGTH) or request.shipper_code,
        order_code=request.order_code,
        adopted=verdict.cls == "duplicate",
        label=_labels(data),
        carrier_order_no=number_of(order, "KDNOrderCode", CARRIER_ORDER_LENGTH),
        estimated_pickup_at=read_time(order.get("StartDate")) or request.pickup_from,
        estimated_delivery_at=read_time(data.get("EstimatedDeliveryTime")),
        sub_waybill_nos=_sub_waybills(data.get("SubOrders")),
    )


def refused_key(refusal: PermanentError) -> AuthError:
    """KDNiao's no to the signature of whatever we ask."""
    message = "KDNiao refuses our signature: compare EBusinessID and AppKey with its console, of this environment"
    return AuthError(SIGNATURE_REFUSED, message, peer_code=refusal.peer_code, peer_text=refusal.peer_text)


def _refused_account(request: WaybillRequest, code: str, reason: str) -> AuthError:
    """The courier company's no to its account: every further order with it would be refused, no other."""
    message = "The courier company refuses our account with it: correct it in the settings, restart, then retry"
    refusal = AuthError(f"{AREA}.account_rejected", message, peer_code=code, peer_text=reason[:200])
    refusal.peer_is_well, refusal.account = True, request.account or request.shipper_code
    return refusal


def _sub_waybills(items: object) -> tuple[str, ...]:
    """Child numbers; public samples do not say whether an item is a text or an object, so both are read."""
    if not isinstance(items, list):
        return ()
    objects = (item if isinstance(item, Mapping) else {"LogisticCode": item} for item in items)
    return tuple(number for item in objects if (number := number_of(item, "LogisticCode", WAYBILL_LENGTH)))


def _labels(data: Mapping[str, Any]) -> str:
    """The printable of the whole parcel: its packages' labels follow the first one, a page each."""
    more = data.get("SubPrintTemplates")
    pages = [data.get("PrintTemplate"), *(more if isinstance(more, list) else ())]
    return LABEL_PAGE_BREAK.join(filter(None, map(page_of, pages)))
