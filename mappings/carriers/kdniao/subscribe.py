"""Asking for pushes about a number that KDNiao did not issue (RequestType 8008, or 1008 of the free plan).

KDNiao pushes to the address registered in its console. An accepted subscription says nothing about whether number and
company fit each other.
"""

from __future__ import annotations

from mappings.carriers.kdniao.results import contradicts, error_of, judge_subscription
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.shippers import check_free
from mappings.carriers.kdniao.tracking import customer_name
from mappings.carriers.kdniao.waybill import signed_call
from mappings.errors import TransientError
from mappings.fields import text_of
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kdniao.subscribe"
FREE = "1008"


def subscribe_call(
    settings: KdniaoSettings, *, shipper_code: str, waybill_no: str, order_code: str, phone: str
) -> HttpCall:
    """The subscription of one number. `changes_peer` is False: asking again does no harm, so nothing is uncertain.

    Raises PermanentError `kdniao.subscribe.shipper_not_free`, `.phone_missing`, and UnmappedError.
    """
    kind = settings.subscribe_request_type
    if kind == FREE:
        check_free(shipper_code, AREA, "1008")
    data = {
        "ShipperCode": shipper_code,
        "LogisticCode": waybill_no,
        "OrderCode": order_code,
        "CustomerName": customer_name(settings, shipper_code, waybill_no, phone, AREA),
    }
    return signed_call("subscribe", kind, data, settings.subscribe_url, settings, changes_peer=False)


def read_subscription(reply: HttpReply, settings: KdniaoSettings) -> None:
    """Return when KDNiao pushes about the number, since now or before. Raises any PeerError but DuplicateError.

    A plan without subscriptions is an AuthError that concerns them alone (`peer_is_well`).
    """
    check_status(reply, AREA, changes_peer=False)
    data = read_json_object(reply, AREA, changes_peer=False)
    code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
    if not code and text_of(data, "Success").lower() == "true":
        return
    verdict = judge_subscription(code, reason, is_free=settings.subscribe_request_type == FREE)
    if verdict.cls not in ("ok", "duplicate"):
        raise error_of(verdict, AREA, code, reason, changes_peer=False, one_kind_only=True)
    if contradicts(data, verdict):
        message = "KDNiao's answer says both that the number is followed and that it is not"
        raise TransientError(f"{AREA}.garbled", message, peer_code=code, peer_text=reason[:200])
