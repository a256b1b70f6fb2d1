"""Voiding an e-waybill (RequestType 1147): one that was issued and not picked up. Its order code is used up then."""

from __future__ import annotations

from mappings.carriers.kdniao.results import contradicts, error_of, judge_cancel
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.waybill import signed_call
from mappings.errors import PermanentError, UncertainError
from mappings.fields import text_of
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kdniao.cancel"

_REFUSALS = {
    "picked_up": "The courier has the parcel already, so its waybill cannot be voided: ask the carrier to intercept it",
    "not_found": "KDNiao knows no such waybill under this account: look it up in KDNiao's console",
}


def cancel_call(
    settings: KdniaoSettings, *, shipper_code: str, waybill_no: str, order_code: str, account: str
) -> HttpCall:
    """The 1147 call; it goes where waybills are ordered, with the account they were ordered under.

    Raises PermanentError `kdniao.cancel.account_unknown`.
    """
    ours = settings.account_of(shipper_code, account, AREA)
    data = {
        "ShipperCode": shipper_code,
        "OrderCode": order_code,
        "ExpNo": waybill_no,
        "CustomerName": ours.customer_name,
        "CustomerPwd": ours.customer_pwd,
    }
    given = {name: value for name, value in data.items() if value}
    return signed_call("cancel_waybill", "1147", given, settings.order_url, settings)


def read_cancel(reply: HttpReply) -> None:
    """Return when the waybill is void, by this call or an earlier one. Raises any PeerError but DuplicateError.

    PermanentError `kdniao.cancel.picked_up` and `kdniao.cancel.not_found` say that it cannot be voided. An answer that
    nobody understands is uncertain: asking again is safe, a void waybill stays void.
    """
    check_status(reply, AREA)
    data = read_json_object(reply, AREA)
    code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
    verdict = judge_cancel(code, reason)
    if verdict.code in _REFUSALS:
        raise PermanentError(f"{AREA}.{verdict.code}", _REFUSALS[verdict.code], peer_code=code, peer_text=reason[:200])
    if verdict.cls != "ok":
        raise error_of(verdict, AREA, code, reason)
    if contradicts(data, verdict):
        message = "KDNiao's answer says both that the waybill was voided and that it was not"
        raise UncertainError(f"{AREA}.garbled", message, peer_code=code, peer_text=reason[:200])
