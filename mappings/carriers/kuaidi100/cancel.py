"""Voiding a waybill that was not picked up: one issued as a label (`label/order`), or a courier ordered with it."""

from __future__ import annotations

from mappings.carriers.kuaidi100 import merchant_pickup
from mappings.carriers.kuaidi100.results import contradicts, error_of, judge_cancel, read_answer
from mappings.carriers.kuaidi100.settings import Kuaidi100Settings
from mappings.carriers.kuaidi100.shippers import find_shipper
from mappings.carriers.kuaidi100.waybill import label_call
from mappings.errors import PermanentError, UncertainError
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object

AREA = "kuaidi100.cancel"

_REFUSALS = {
    "picked_up": "The courier has the parcel already, so its waybill cannot be voided: ask the carrier to intercept it",
    "not_found": "Kuaidi100 knows no such waybill under this account: look it up in Kuaidi100's console",
}


def cancel_call(
    settings: Kuaidi100Settings, *, shipper_code: str, waybill_no: str, carrier_order_no: str, account: str
) -> HttpCall:
    """The cancel, the way that the waybill was booked, whatever the settings say today.

    Raises UnmappedError `kuaidi100.cancel.shipper_unmapped`, PermanentError `kuaidi100.cancel.account_unknown` and
    `kuaidi100.cancel.order_unnamed`.
    """
    if names := merchant_pickup.names_of(carrier_order_no):
        return merchant_pickup.cancel_call(settings, *names)
    if settings.books_pickups and not carrier_order_no:
        raise PermanentError(
            f"{AREA}.order_unnamed",
            f"We do not know what Kuaidi100 calls the order of waybill {waybill_no}: its answer was lost. Cancel it in "
            "Kuaidi100's console, then resolve this line",
        )
    return _label_cancel(settings, shipper_code, waybill_no, carrier_order_no, account)


def _label_cancel(
    settings: Kuaidi100Settings, shipper_code: str, waybill_no: str, carrier_order_no: str, account: str
) -> HttpCall:
    """Under the account of the order; the courier's own order number is wanted where it gave one."""
    shipper = find_shipper(shipper_code, AREA)
    ours = settings.account_of(shipper.code, account, AREA)
    param = ours.words() | {
        "kuaidicom": shipper.com,
        "kuaidinum": waybill_no,
        "orderId": carrier_order_no,
        "reason": "订单已取消",
        "expType": ours.exp_type,
    }
    return label_call("cancel_waybill", "cancel", {name: word for name, word in param.items() if word}, settings)


def read_cancel(reply: HttpReply) -> None:
    """Return when the waybill is void, by this call or an earlier one. Raises any PeerError but DuplicateError.

    PermanentError `kuaidi100.cancel.picked_up` and `kuaidi100.cancel.not_found` say that it cannot be voided. An answer
    that nobody understands is uncertain: asking again is safe, a void waybill stays void.
    """
    check_status(reply, AREA)
    answer = read_answer(read_json_object(reply, AREA))
    verdict = judge_cancel(answer)
    if verdict.code in _REFUSALS:
        text = answer.message[:200]
        raise PermanentError(f"{AREA}.{verdict.code}", _REFUSALS[verdict.code], peer_code=answer.code, peer_text=text)
    if verdict.cls != "ok":
        raise error_of(verdict, AREA, answer)
    if contradicts(answer, verdict):
        message = "Kuaidi100's answer says both that the waybill was voided and that it was not"
        raise UncertainError(f"{AREA}.garbled", message, peer_code=answer.code, peer_text=answer.message[:200])
