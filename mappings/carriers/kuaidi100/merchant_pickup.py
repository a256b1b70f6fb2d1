"""Merchant pickup 商家寄件 (`order/borderapi.do`): a courier is ordered, and his order brings the waybill number.

Kuaidi100 says nothing about an order that comes twice, and finds none by our own code (`detail` wants its task id), so
one that may have arrived is never sent again (`Spec.repeat_window_s`). Sources: the vendor's demo code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mappings.address import clean_text
from mappings.carriers.kuaidi100.results import contradicts, error_of, judge, read_answer, text_of
from mappings.carriers.kuaidi100.settings import Kuaidi100Settings
from mappings.carriers.kuaidi100.shippers import find_shipper
from mappings.carriers.kuaidi100.signing import order_body
from mappings.carriers.kuaidi100.times import milliseconds
from mappings.carriers.kuaidi100.waybill import AREA, FORM, REMARK_LENGTH, RESULT_LEVEL, cargo_of, person_of
from mappings.china_time import SHANGHAI
from mappings.errors import PermanentError, UncertainError, UndecidedError
from mappings.events import ORDER_CODE_LENGTH, WAYBILL_LENGTH
from mappings.fields import number_of
from mappings.model import Order, Waybill, WaybillRequest
from mappings.wire import HttpCall, HttpReply, Stamp, check_status, read_json_object, spellings, to_json

NUMBER_WAIT_S = 600.0
"""How long a push may take that brings the number."""

DAYS = ("今天", "明天", "后天")
LEAST_WINDOW, CUT_OFF = timedelta(hours=1), timedelta(hours=2)
"""SF's rules, kept for all: how long a window is at least, how long before its end it can still be asked for."""

_DAY = timedelta(days=1)
_TASK_LENGTH = 32

Fields = Mapping[str, str]


def order_call(request: WaybillRequest, settings: Kuaidi100Settings) -> HttpCall:
    """The order (method bOrder). The day is told as today or tomorrow, so its text is made as it leaves.

    Raises PermanentError (`kuaidi100.waybill.*`), UnmappedError, `address.region_*`.
    """
    param = build_order(request, settings)
    _refuse_short(request)
    return _call("book_waybill", "bOrder", lambda now: param | window_fields(request, settings, now), settings)


def cancel_call(settings: Kuaidi100Settings, order_id: str, task_id: str) -> HttpCall:
    """The cancel of an order; it wants both of Kuaidi100's names for it."""
    param = {"taskId": task_id, "orderId": order_id, "cancelMsg": "订单已取消"}
    return _call("cancel_waybill", "cancel", lambda now: param, settings)


def _call(operation: str, method: str, param_at: Callable[[datetime], Fields], settings: Kuaidi100Settings) -> HttpCall:
    def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
        t, text = str(milliseconds(stamp.at)), to_json(param_at(stamp.at))
        return replace(call, body=order_body(method, text, t=t, key=settings.key, secret=settings.secret))

    return HttpCall(operation, "POST", settings.pickup_url, FORM, secrets=spellings(settings.secrets), stamped=sealed)


def build_order(request: WaybillRequest, settings: Kuaidi100Settings) -> dict[str, str]:
    """The param of an order but for its time; an empty word is not sent."""
    order = request.order
    shipper = find_shipper(request.shipper_code, AREA)
    account = settings.account_of(shipper.code, request.account, AREA)
    _refuse_cod(order)
    param = {
        settings.pickup_code_field: request.order_code,
        "kuaidicom": shipper.com,
        **_person("recMan", person_of(order.consignee, "consignee")),
        **_person("sendMan", person_of(request.consignor, "consignor")),
        "cargo": cargo_of(order),
        "weight": f"{order.weight_g / 1000:g}" if order.weight_g > 0 else "",
        "payment": settings.pickup_payment,
        "serviceType": account.exp_type,
        "remark": clean_text(order.buyer_note)[:REMARK_LENGTH],
        "callBackUrl": settings.callback_url,
        "salt": settings.salt,
        "op": "1",
        "pollCallBackUrl": settings.callback_url,
        "resultv2": RESULT_LEVEL,
    }
    return {name: word for name, word in param.items() if name and word}


def _person(side: str, person: Fields) -> dict[str, str]:
    """Here a party is three fields, and a landline has none of its own."""
    return {
        f"{side}Name": person["name"],
        f"{side}Mobile": person.get("mobile") or person["tel"],
        f"{side}PrintAddr": person["printAddr"],
    }


def _refuse_cod(order: Order) -> None:
    if order.cod_fen > 0:
        raise PermanentError(
            f"{AREA}.cod_refused",
            "A courier ordered by merchant pickup collects no money from the consignee: send this order by another "
            "carrier or account, or let the buyer pay first",
        )


def _refuse_short(request: WaybillRequest) -> None:
    if request.pickup_from and request.pickup_until and request.pickup_until - request.pickup_from < LEAST_WINDOW:
        raise PermanentError(f"{AREA}.window_refused", "A window for a courier lasts an hour at least")


def window_fields(request: WaybillRequest, settings: Kuaidi100Settings, now: datetime) -> dict[str, str]:
    """Day, start and end of the window, China time; none where neither the request nor the settings ask for one.

    A window that is over, or ends too soon, is asked for on the next day it can be; none is further away than 后天.
    """
    here = now.astimezone(SHANGHAI).replace(second=0, microsecond=0)
    if request.pickup_from and request.pickup_until:
        begins, ends = (moment.astimezone(SHANGHAI) for moment in (request.pickup_from, request.pickup_until))
    elif settings.hours:
        begins, ends = (here.replace(hour=at.hour, minute=at.minute) for at in settings.hours)
    else:
        return {}
    while ends - here <= CUT_OFF:
        begins, ends = begins + _DAY, ends + _DAY
    day = min((ends.date() - here.date()).days, len(DAYS) - 1)
    begins = max(begins, here) if day == 0 else begins
    return {"dayType": DAYS[day], "pickupStartTime": f"{begins:%H:%M}", "pickupEndTime": f"{ends:%H:%M}"}


def read_waybill(reply: HttpReply, request: WaybillRequest) -> Waybill:
    """The order that Kuaidi100 took, under the number that it has.

    Raises any PeerError but DuplicateError: UndecidedError `kuaidi100.waybill.number_awaited` where a push will bring
    the number.
    """
    check_status(reply, AREA)
    data = read_json_object(reply, AREA)
    answer = read_answer(data)
    verdict = judge(answer)
    told = {"peer_code": answer.code, "peer_text": answer.message[:200]}
    if verdict.cls == "duplicate":  # nobody knows of which order, so it is not to be sent again
        raise UncertainError(f"{AREA}.number_not_returned", "Kuaidi100 says that it holds this order already", **told)
    if verdict.cls != "ok":
        raise error_of(verdict, AREA, answer)
    found = data.get("data")
    taken = found if isinstance(found, dict) else {}
    number, names = number_of(taken, "kuaidinum", WAYBILL_LENGTH), _names(taken)
    if contradicts(answer, verdict) or not (number or names):
        raise UncertainError(
            f"{AREA}.number_missing", "Kuaidi100 accepted the order but named neither it nor a number", **told
        )
    if not number:
        message = f"Kuaidi100 took the order as {names} and will push its waybill number later"
        raise UndecidedError(
            f"{AREA}.number_awaited", message, retry_after_s=NUMBER_WAIT_S, carrier_order_no=names, **told
        )
    return Waybill(
        waybill_no=number,
        shipper_code=request.shipper_code,
        order_code=request.order_code,
        carrier_order_no=names,
        estimated_pickup_at=request.pickup_from,
    )


def _names(taken: Mapping[str, Any]) -> str:
    """Kuaidi100's order id, which its pushes name, and its task id."""
    order_id, task_id = text_of(taken, "orderId"), text_of(taken, "taskId")
    if len(order_id) > ORDER_CODE_LENGTH or len(task_id) > _TASK_LENGTH:
        return ""
    return " ".join(word for word in (order_id, task_id) if word)


def names_of(carrier_order_no: str) -> tuple[str, str] | None:
    """Order id and task id of a waybill that was booked here; None where it was booked as a label, or they are lost."""
    words = carrier_order_no.split()
    return (words[0], words[1]) if len(words) == 2 else None
