"""Pickup booking: order a courier (1801, or 1001), look the booking up (1804), cancel it (1802, or 1004).

The booking has an order code of its own, made from the parcel's, so that it never meets the waybill's order there. Its
number mostly comes later, by push 103.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mappings.carriers.kdniao.results import contradicts, error_of, judge, judge_cancel
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.shippers import find_shipper
from mappings.carriers.kdniao.tracking import PICKUP_SUFFIX
from mappings.carriers.kdniao.waybill import (
    REMARK_LENGTH,
    check_order_code,
    commodity,
    packages_of,
    party,
    signed_call,
    words,
)
from mappings.china_time import SHANGHAI, read_time, write_time
from mappings.errors import DuplicateError, PermanentError, UncertainError
from mappings.events import CARRIER_ORDER_LENGTH, WAYBILL_LENGTH
from mappings.fields import number_of, text_of
from mappings.model import PickupBooking, PickupRequest
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kdniao.pickup"
NEW = "1801"
LEAD = timedelta(hours=1)
"""How soon a courier can come at the earliest, and how long a window is at least."""


def window(settings: KdniaoSettings, now: datetime) -> tuple[datetime, datetime]:
    """The next window, aware UTC: from an hour from now until the day's last hour; too late today means tomorrow."""
    opens, closes = settings.hours
    day = now.astimezone(SHANGHAI)
    start = max(day.replace(hour=opens.hour, minute=opens.minute, second=0, microsecond=0), _full_minutes(day + LEAD))
    end = day.replace(hour=closes.hour, minute=closes.minute, second=0, microsecond=0)
    if end - start < LEAD:
        start = day.replace(hour=opens.hour, minute=opens.minute, second=0, microsecond=0) + timedelta(days=1)
        end += timedelta(days=1)
    return start.astimezone(now.tzinfo), end.astimezone(now.tzinfo)


def _full_minutes(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def booking_code(order_code: str) -> str:
    """The booking's own order code; raises PermanentError `kdniao.pickup.order_code_refused`."""
    return check_order_code(f"{order_code}{PICKUP_SUFFIX}", AREA)


def booking_call(request: PickupRequest, settings: KdniaoSettings) -> HttpCall:
    """The 1801 or 1001 call. Raises PermanentError `kdniao.pickup.*` and UnmappedError."""
    shipper = find_shipper(request.shipper_code, AREA)
    account, order = settings.account_of(shipper.code, request.account, AREA), request.order
    if not order.lines:
        raise PermanentError(f"{AREA}.goods_missing", "The parcel holds nothing to pick up")
    data: dict[str, Any] = {
        "ShipperCode": shipper.code,
        "OrderCode": booking_code(request.order_code),
        "LogisticCode": request.waybill_no,
        "ExpType": int(account.exp_type) if account.exp_type.isdecimal() else account.exp_type,
        "PayType": int(account.pay_type),
        "Sender": party(request.consignor, "consignor", shipper, AREA),
        "Receiver": party(order.consignee, "consignee", shipper, AREA),
        "Weight": order.weight_g / 1000 if order.weight_g > 0 else 1,
        "Quantity": packages_of(order, settings.package_weight_g),
        "Remark": words(order.buyer_note)[:REMARK_LENGTH],
        "Commodity": [_goods(commodity(line, AREA)) for line in order.lines],
        "StartDate": write_time(request.pickup_from),
        "EndDate": write_time(request.pickup_until),
    }
    if settings.pickup_request_type == NEW:
        kind = settings.pickup_shipper_type
        data = {"TransportType": 1, "ShipperType": int(kind) if kind.isdecimal() else kind, **data}
    else:
        own = {"CustomerName": account.customer_name, "CustomerPwd": account.customer_pwd}
        data |= {**own, "MonthCode": account.month_code, "SendSite": account.send_site}
    return _call("book_pickup", settings.pickup_request_type, data, settings)


def _goods(line: Mapping[str, Any]) -> dict[str, Any]:
    """Here KDNiao spells GoodsQuantity with a capital Q."""
    return {("GoodsQuantity" if name == "Goodsquantity" else name): value for name, value in line.items()}


def look_up_call(settings: KdniaoSettings, order_code: str) -> HttpCall | None:
    """The 1804 call; None where bookings are 1001, which has no look-up."""
    if settings.pickup_request_type != NEW:
        return None
    data = {"OrderCode": booking_code(order_code)}
    return _call("find_pickup", "1804", data, settings, changes_peer=False)


def cancel_call(settings: KdniaoSettings, *, shipper_code: str, waybill_no: str, order_code: str) -> HttpCall:
    """The 1802 or 1004 call."""
    code = booking_code(order_code)
    if settings.pickup_request_type == NEW:
        kind = settings.pickup_cancel_type
        data: dict[str, Any] = {
            "OrderCode": code,
            "LogisticCode": waybill_no,
            "CancelType": int(kind) if kind.isdecimal() else kind,
            "CancelMsg": "订单已取消",
        }
        return _call("cancel_pickup", "1802", data, settings)
    data = {"OrderCode": code, "ShipperCode": shipper_code, "LogisticCode": waybill_no}
    return _call("cancel_pickup", "1004", data, settings)


def _call(
    operation: str, kind: str, data: Mapping[str, Any], settings: KdniaoSettings, *, changes_peer: bool = True
) -> HttpCall:
    given = {name: value for name, value in data.items() if value != ""}
    return signed_call(operation, kind, given, settings.pickup_url, settings, changes_peer=changes_peer)


def read_booking(reply: HttpReply, request: PickupRequest) -> PickupBooking:
    """What was booked, by this call or an earlier one under the same code. Raises any PeerError.

    DuplicateError says that the booking stands and was not returned.
    """
    check_status(reply, AREA)
    data = read_json_object(reply, AREA)
    code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
    verdict = judge(code, reason)
    order = data.get("Order")
    if verdict.cls == "duplicate" and not isinstance(order, Mapping):
        message = "KDNiao holds this pickup booking already but did not return it"
        raise DuplicateError(f"{AREA}.not_returned", message, peer_code=code, peer_text=reason[:200])
    if verdict.cls not in ("ok", "duplicate"):
        raise error_of(verdict, AREA, code, reason, one_kind_only=True)
    if contradicts(data, verdict):
        message = "KDNiao's answer says both that a courier was booked and that none was"
        raise UncertainError(f"{AREA}.garbled", message, peer_code=code, peer_text=reason[:200])
    return _booking(order if isinstance(order, Mapping) else {}, request, adopted=verdict.cls == "duplicate")


def read_look_up(reply: HttpReply, request: PickupRequest) -> PickupBooking | None:
    """The booking that stands there, None when there is none or it is cancelled. Raises any PeerError."""
    check_status(reply, AREA, changes_peer=False)
    data = read_json_object(reply, AREA, changes_peer=False)
    code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
    verdict = judge_cancel(code, reason)
    if verdict.code in ("not_found", "already_void"):
        return None
    if verdict.cls != "ok":
        raise error_of(verdict, AREA, code, reason, changes_peer=False, one_kind_only=True)
    found = data.get("Order") or data.get("Data")
    return _booking(found, request, adopted=True) if isinstance(found, Mapping) else None


def _booking(order: Mapping[str, Any], request: PickupRequest, *, adopted: bool) -> PickupBooking:
    return PickupBooking(
        carrier_order_no=number_of(order, "KDNOrderCode", CARRIER_ORDER_LENGTH),
        waybill_no=number_of(order, "LogisticCode", WAYBILL_LENGTH),
        pickup_from=read_time(order.get("StartDate")) or request.pickup_from,
        adopted=adopted,
    )


def read_cancel(reply: HttpReply) -> None:
    """Return when no courier is booked (any more). Raises PermanentError `kdniao.pickup.picked_up`, any PeerError."""
    check_status(reply, AREA)
    data = read_json_object(reply, AREA)
    code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
    verdict = judge_cancel(code, reason)
    if verdict.code == "picked_up":
        message = "The courier has the parcel already: ask the carrier to intercept it"
        raise PermanentError(f"{AREA}.picked_up", message, peer_code=code, peer_text=reason[:200])
    if verdict.cls != "ok" and verdict.code != "not_found":
        raise error_of(verdict, AREA, code, reason, one_kind_only=True)
    if contradicts(data, verdict):
        message = "KDNiao's answer says both that the booking was cancelled and that it was not"
        raise UncertainError(f"{AREA}.garbled", message, peer_code=code, peer_text=reason[:200])
