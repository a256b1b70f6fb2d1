"""Whose a waybill number is (RequestType 2002): asked where nobody knows the company, or the number contradicts it."""

from __future__ import annotations

from mappings.carriers.kdniao.results import error_of, judge
from mappings.carriers.kdniao.settings import KdniaoSettings
from mappings.carriers.kdniao.shippers import SHIPPERS
from mappings.carriers.kdniao.waybill import signed_call
from mappings.errors import PermanentError
from mappings.fields import objects_in, text_of
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kdniao.recognise"


def doubts(shipper_code: str, waybill_no: str) -> bool:
    """The company is none that we know, or the number begins as only other companies' numbers do."""
    known = SHIPPERS.get(shipper_code)
    if known is None:
        return True
    number = waybill_no.upper()
    owners = [one for one in SHIPPERS.values() for prefix in one.prefixes if number.startswith(prefix)]
    return bool(owners) and known not in owners


def recognise_call(settings: KdniaoSettings, *, waybill_no: str) -> HttpCall:
    """The 2002 call; a pure question."""
    data = {"LogisticCode": waybill_no}
    return signed_call("recognise", "2002", data, settings.query_url, settings, changes_peer=False)


def refuses_signature(reply: HttpReply) -> bool:
    """Whether KDNiao refuses even the signature of this plain question. Raises what stands for no answer at all."""
    check_status(reply, AREA, changes_peer=False)
    data = read_json_object(reply, AREA, changes_peer=False)
    return judge(text_of(data, "ResultCode"), text_of(data, "Reason")).code == "signature_refused"


def read_recognised(reply: HttpReply, waybill_no: str) -> str:
    """The one company that it can be. Several or none are a person's: PermanentError `kdniao.recognise.ambiguous`,
    `.unknown`; so is one that our table does not hold."""
    check_status(reply, AREA, changes_peer=False)
    data = read_json_object(reply, AREA, changes_peer=False)
    codes = {text_of(row, "ShipperCode") for row in objects_in(data.get("Shippers"))} - {""}
    if not codes and text_of(data, "Success").lower() != "true":
        code, reason = text_of(data, "ResultCode"), text_of(data, "Reason")
        verdict = judge(code, reason)
        if verdict.cls not in ("ok", "duplicate", "inspect"):
            raise error_of(verdict, AREA, code, reason, changes_peer=False, one_kind_only=True)
    if len(codes) == 1 and codes <= SHIPPERS.keys():
        return codes.pop()
    what = f"may be of {', '.join(sorted(codes))}" if codes else "is no number that KDNiao knows"
    message = (
        f"Waybill {waybill_no} {what}, so nobody follows it. Correct the shipping method or the number of the order in "
        "the shop, or follow this parcel by hand and resolve the line"
    )
    raise PermanentError(f"{AREA}.{'ambiguous' if codes else 'unknown'}", message)
