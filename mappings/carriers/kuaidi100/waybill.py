"""Booking an e-waybill (`label/order`, method order): the request from an order, the waybill from the reply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mappings.address import clean_text, complete_region
from mappings.booking import demand_text, phone_fields
from mappings.carriers.kuaidi100.results import contradicts, error_of, judge, read_answer, text_of
from mappings.carriers.kuaidi100.settings import Kuaidi100Settings
from mappings.carriers.kuaidi100.shippers import find_shipper
from mappings.carriers.kuaidi100.signing import order_body
from mappings.carriers.kuaidi100.times import milliseconds
from mappings.errors import PermanentError, UncertainError
from mappings.events import CARRIER_ORDER_LENGTH, WAYBILL_LENGTH
from mappings.fields import number_of, page_of
from mappings.model import Consignee, Consignor, Order, Waybill, WaybillRequest
from mappings.wire import HttpCall, HttpReply, Stamp, check_status, read_json_object, spellings, to_json

AREA = "kuaidi100.waybill"
FORM = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
RESULT_LEVEL = "4"
"""`resultv2` of every subscription and query: scans carry their fine state codes."""

CARGO_LENGTH, REMARK_LENGTH = 100, 60

_FIRST_BYTES = {"iVBORw0KGgo": "png", "JVBERi": "pdf"}

_demand = partial(demand_text, carrier="Kuaidi100", area=AREA)


def order_call(request: WaybillRequest, settings: Kuaidi100Settings) -> HttpCall:
    """The order; its text is built once, the signature over it and the moment of sending is made when it leaves.

    Raises PermanentError (`kuaidi100.waybill.*_missing`), UnmappedError, `address.region_*`.
    """
    return label_call("book_waybill", "order", build_order(request, settings), settings)


def label_call(operation: str, method: str, param: Mapping[str, Any], settings: Kuaidi100Settings) -> HttpCall:
    """A call to `label/order`, signed as it leaves."""
    text = to_json(param)

    def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
        t = str(milliseconds(stamp.at))
        return replace(call, body=order_body(method, text, t=t, key=settings.key, secret=settings.secret))

    return HttpCall(operation, "POST", settings.order_url, FORM, secrets=spellings(settings.secrets), stamped=sealed)


def build_order(request: WaybillRequest, settings: Kuaidi100Settings) -> dict[str, Any]:
    """The param of an order as values. With `reorder` false the order id brings the first waybill again for 48 h."""
    order = request.order
    shipper = find_shipper(request.shipper_code, AREA)
    account = settings.account_of(shipper.code, request.account, AREA)
    param: dict[str, Any] = {
        "printType": settings.print_type,
        **account.words(),
        "kuaidicom": shipper.com,
        "recMan": person_of(order.consignee, "consignee"),
        "sendMan": person_of(request.consignor, "consignor"),
        "cargo": cargo_of(order),
        "count": 1,
        "payType": account.pay_type,
        "expType": account.exp_type,
        "remark": clean_text(order.buyer_note)[:REMARK_LENGTH],
        "tempId": settings.template if settings.print_type != "NON" else "",
        "orderId": request.order_code,
        "reorder": False,
        "needSubscribe": True,
        "pollCallBackUrl": settings.callback_url,
        "salt": settings.salt,
        "resultv2": RESULT_LEVEL,
    }
    if order.weight_g > 0:
        param["weight"] = order.weight_g / 1000
    if order.cod_fen > 0:
        param["collection"] = order.cod_fen / 100
    if request.pickup_from and request.pickup_until:
        param |= {
            "startGotTime": milliseconds(request.pickup_from),
            "endGotTime": milliseconds(request.pickup_until),
        }
    return {name: value for name, value in param.items() if value != ""}


def person_of(party: Consignee | Consignor, side: str) -> dict[str, str]:
    """A party: name, mobile or tel, printAddr, company. Raises PermanentError `kuaidi100.waybill.*`, `address.*`."""
    region = complete_region(party.address)
    # A municipality's city carries the province's name already.
    province = "" if region.city.startswith(region.province) else region.province
    street = _demand(party.address.street, "street", side)
    person = {
        "name": _demand(party.name, "name", side),
        **phone_fields(party.phone, side, area=AREA),
        "printAddr": f"{province}{region.city}{clean_text(region.district)}{street}",
        "company": clean_text(party.company) if isinstance(party, Consignor) else "",
    }
    return {field: value for field, value in person.items() if value}


def cargo_of(order: Order) -> str:
    """The names of the goods, each once. Raises PermanentError `kuaidi100.waybill.goods_*missing`."""
    if not order.lines:
        raise PermanentError(f"{AREA}.goods_missing", "The order has nothing to ship")
    names = dict.fromkeys(_demand(line.name, "goods_name", f"line {line.shop_line_id}") for line in order.lines)
    return "、".join(names)[:CARGO_LENGTH]


def read_waybill(reply: HttpReply, request: WaybillRequest) -> Waybill:
    """The waybill Kuaidi100 issued, by this call or an earlier one under the same order id. Raises any PeerError."""
    check_status(reply, AREA)
    data = read_json_object(reply, AREA)
    answer = read_answer(data)
    verdict = judge(answer)
    if verdict.cls != "ok":
        raise error_of(verdict, AREA, answer)
    found = data.get("data")
    issued = found if isinstance(found, dict) else {}
    number = number_of(issued, "kuaidinum", WAYBILL_LENGTH)
    if contradicts(answer, verdict) or not number:
        message = "Kuaidi100 accepted the order but named no waybill number"
        raise UncertainError(f"{AREA}.number_missing", message, peer_code=answer.code, peer_text=answer.message[:200])
    label, kind = read_label(issued.get("label"))
    return Waybill(
        waybill_no=number,
        shipper_code=request.shipper_code,
        order_code=request.order_code,
        label=label,
        label_kind=kind,
        carrier_order_no=number_of(issued, "kdComOrderNum", CARRIER_ORDER_LENGTH),
        estimated_pickup_at=request.pickup_from,
        sub_waybill_nos=tuple(
            part for part in text_of(issued, "childNum").replace(",", " ").split() if len(part) <= WAYBILL_LENGTH
        ),
    )


def read_label(found: object) -> tuple[str, str]:
    """The printable and its kind: an address, base64 of a picture or PDF (with or without a data: head), else HTML."""
    text = page_of(found)
    if text.startswith(("http://", "https://")):
        return text, "url"
    bare = re.sub(r"^data:[\w/+.-]+;base64,", "", text)
    kind = next((kind for first, kind in _FIRST_BYTES.items() if bare.startswith(first)), "html")
    return (bare if kind != "html" else text), kind
