"""Booking: EXP_RECE_CREATE_ORDER, and EXP_RECE_SEARCH_ORDER_RESP where SF holds the order already."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from mappings.address import clean_text, complete_region
from mappings.booking import check_order_code, demand_text, phone_fields, text_refused
from mappings.carriers.sf.results import BOOKING as AREA
from mappings.carriers.sf.service import Answer, read_answer, service_call
from mappings.carriers.sf.settings import SfSettings
from mappings.china_time import write_time
from mappings.errors import AuthError, PeerError, PermanentError, UncertainError, UndecidedError
from mappings.events import WAYBILL_LENGTH
from mappings.fields import number_of, objects_in, text_of
from mappings.model import Consignee, Consignor, OrderLine, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpCall

SHIPPER_CODE = "SF"

ORDER_ID_LENGTH = 64
REMARK_LENGTH, GOODS_NAME_LENGTH = 100, 128

_MASTER, _CHILD = "1", "2"
_BY_HAND, _REFUSED = "1", "3"
_WHY_REFUSED = {"1": "it does not collect at the sender's", "2": "it does not deliver to the consignee's address"}

_demand = partial(demand_text, carrier="SF", area=AREA)


def book(request: WaybillRequest, settings: SfSettings) -> Exchange[Waybill]:
    """Order once under this orderId, or find what was ordered under it before. Raises any PeerError.

    UndecidedError `sf.waybill.awaits_confirmation`: SF's people decide whether they deliver there; the order stands,
    and the same orderId again brings its number once they have.
    """
    reply = yield order_call(request, settings)
    try:
        answer = read_answer(reply, AREA)
    except AuthError as refusal:
        if refusal.code != f"{AREA}.signature_refused":
            raise
        raise (yield from _clear_check_word(request, settings)) from refusal
    is_held = answer.verdict.cls == "duplicate"
    if is_held:
        reply = yield search_call(request.order_code, settings)
        answer = read_answer(reply, AREA)
    if answer.verdict.cls != "ok":
        raise _refusal(answer, request)
    return _read_waybill(answer, request, settings, adopted=is_held)


def _clear_check_word(request: WaybillRequest, settings: SfSettings) -> Exchange[PermanentError]:
    """Ask for the order in plain ASCII. Where SF takes that signature, it is this order's text, and the other orders
    must not wait for it. Raises what SF says of the check word."""
    own_text = text_refused(AREA, carrier="SF", peer_code="A1006")
    reply = yield replace(search_call(request.order_code, settings), after=own_text)
    read_answer(reply, AREA)
    return own_text


def _refusal(answer: Answer, request: WaybillRequest) -> PeerError:
    """What SF's no means; one to a card that a routing rule named leaves the other cards open."""
    refusal = answer.error(AREA)
    if request.account and isinstance(refusal, AuthError) and answer.verdict.code == "monthly_card_refused":
        refusal.peer_is_well, refusal.account = True, request.account
    return refusal


def order_call(request: WaybillRequest, settings: SfSettings) -> HttpCall:
    """The order itself. Raises PermanentError (`sf.waybill.*_missing`, `*_refused`), `address.region_*`."""
    return service_call("book_waybill", "EXP_RECE_CREATE_ORDER", build_order(request, settings), settings)


def search_call(order_code: str, settings: SfSettings) -> HttpCall:
    """The look-up of an order. It counts as a part of the booking: while it is not answered, that is uncertain."""
    message = {"orderId": order_code, "language": "zh-CN"}
    return service_call("find_waybill", "EXP_RECE_SEARCH_ORDER_RESP", message, settings)


def build_order(request: WaybillRequest, settings: SfSettings) -> dict[str, Any]:
    """msgData of an order as values; field names and lengths are SF's."""
    order = request.order
    _refuse_other_couriers(request, settings)
    data: dict[str, Any] = {
        "language": "zh-CN",
        "orderId": check_order_code(request.order_code, most=ORDER_ID_LENGTH, area=AREA),
        "cargoDetails": [_cargo(line) for line in order.lines],
        "contactInfoList": [
            _contact(1, request.consignor, "consignor"),
            _contact(2, order.consignee, "consignee"),
        ],
        "monthlyCard": settings.card_of(request.account, AREA),
        "payMethod": int(settings.pay_method),
        "expressTypeId": settings.express_type_id,
        "parcelQty": 1,
        "isDocall": int(settings.is_docall),
        "isReturnRoutelabel": 1,
        "remark": clean_text(order.buyer_note)[:REMARK_LENGTH],
    }
    if not data["cargoDetails"]:
        raise PermanentError(f"{AREA}.goods_missing", "The order has nothing to ship")
    if order.weight_g > 0:
        data["totalWeight"] = order.weight_g / 1000
    if request.pickup_from:
        data["sendStartTm"] = write_time(request.pickup_from)
    if order.cod_fen > 0:
        data["serviceList"] = [_collect(order.cod_fen, settings)]
    return {name: value for name, value in data.items() if value != ""}


def _refuse_other_couriers(request: WaybillRequest, settings: SfSettings) -> None:
    if request.shipper_code not in ("", SHIPPER_CODE) and not settings.take_all:
        raise PermanentError(
            f"{AREA}.courier_refused",
            f"The shop's shipping method means {request.shipper_code}, and SF ships only as SF. Change the order's "
            "shipping method in the shop, or set take_all to send such orders by SF all the same",
        )


def _contact(contact_type: int, party: Consignee | Consignor, side: str) -> dict[str, Any]:
    region = complete_region(party.address)
    person = {
        "contactType": contact_type,
        "company": clean_text(party.company) if isinstance(party, Consignor) else "",
        "contact": _demand(party.name, "name", f"the {side}"),
        **phone_fields(party.phone, side, area=AREA),
        "country": "CN",
        "province": region.province,
        "city": region.city,
        "county": clean_text(region.district),
        "address": _demand(party.address.street, "street", f"the {side}"),
        "postCode": clean_text(party.address.postcode),
    }
    return {name: value for name, value in person.items() if value}


def _cargo(line: OrderLine) -> dict[str, Any]:
    goods = {
        "name": _demand(line.name, "goods_name", f"line {line.shop_line_id}")[:GOODS_NAME_LENGTH],
        "count": line.quantity,
        "unit": "件",
        "weight": line.weight_g / 1000,
        "amount": line.price_fen / 100,
    }
    return {name: value for name, value in goods.items() if value not in ("", 0)}


def _collect(cod_fen: int, settings: SfSettings) -> dict[str, str]:
    if not settings.cod_card:
        raise PermanentError(
            f"{AREA}.cod_card_missing",
            "The courier is to collect money, and no account is set that SF pays it to: set cod_card, then retry",
        )
    return {"name": "COD", "value": f"{cod_fen // 100}.{cod_fen % 100:02d}", "value1": settings.cod_card}


def _read_waybill(answer: Answer, request: WaybillRequest, settings: SfSettings, *, adopted: bool) -> Waybill:
    """The waybill in a good answer, unless SF will not deliver, has not decided, or forgot its number."""
    data = answer.data
    if text_of(data, "orderId") not in ("", request.order_code):
        raise UncertainError(f"{AREA}.other_order", "SF answered for another order than we asked about")
    decision, remark = text_of(data, "filterResult"), text_of(data, "remark")
    if decision == _REFUSED:
        why = _WHY_REFUSED.get(remark, "it does not say why")
        raise PermanentError(
            f"{AREA}.undeliverable",
            f"SF took the order and will not carry it: {why}. Book the parcel with another carrier, or ask the buyer "
            "for another address",
            peer_code="filterResult 3",
            peer_text=remark[:200],
        )
    if decision == _BY_HAND:
        raise UndecidedError(
            f"{AREA}.awaits_confirmation",
            "SF took the order and decides by hand whether it delivers there; there is no number yet. Nothing is "
            "booked twice: retry this line later, which only asks SF for its decision, or call SF",
            retry_after_s=settings.confirm_retry_s,
            peer_code="filterResult 1",
        )
    numbers = _numbers(data.get("waybillNoInfoList"), _MASTER)
    if len(numbers) != 1:
        raise UncertainError(f"{AREA}.number_missing", "SF accepted the order but named no single waybill number")
    children = _numbers(data.get("waybillNoInfoList"), _CHILD)
    return Waybill(
        waybill_no=numbers[0],
        shipper_code=SHIPPER_CODE,
        order_code=request.order_code,
        adopted=adopted,
        estimated_pickup_at=request.pickup_from,
        sub_waybill_nos=children,
    )


def _numbers(items: object, waybill_type: str) -> tuple[str, ...]:
    """The numbers of one type; a type that nobody asked for (3, the signed slip that comes back) is none of ours."""
    wanted = (item for item in objects_in(items) if (text_of(item, "waybillType") or _MASTER) == waybill_type)
    return tuple(number for item in wanted if (number := number_of(item, "waybillNo", WAYBILL_LENGTH)))
