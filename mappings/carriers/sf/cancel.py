"""Cancelling an order that was not picked up: EXP_RECE_UPDATE_ORDER with dealType 2. Its orderId is used up then."""

from __future__ import annotations

from mappings.carriers.sf.service import Answer, read_answer, service_call
from mappings.carriers.sf.settings import SfSettings
from mappings.errors import PermanentError
from mappings.fields import text_of
from mappings.wire import HttpCall, HttpReply

AREA = "sf.cancel"

_CANCEL = 2
_DONE = "2"


def cancel_call(settings: SfSettings, *, waybill_no: str, order_code: str) -> HttpCall:
    """The cancel of one order, with its number so that SF refuses a pair that does not belong together."""
    message = {
        "orderId": order_code,
        "dealType": _CANCEL,
        "language": "zh-CN",
        "waybillNoInfoList": [{"waybillType": 1, "waybillNo": waybill_no}] if waybill_no else [],
    }
    return service_call("cancel_waybill", "EXP_RECE_UPDATE_ORDER", message, settings)


def read_cancel(reply: HttpReply) -> None:
    """Return when the order is cancelled, by this call or an earlier one (8037). Raises any PeerError.

    PermanentError `sf.cancel.not_found`, `sf.cancel.confirmed` and `sf.cancel.number_mismatch` say that it cannot be.
    """
    answer = read_answer(reply, AREA)
    if answer.verdict.code == "order_cancelled":
        return
    if answer.verdict.code == "order_unknown":
        raise _refusal(answer, "not_found", "SF knows no such order under our partner ID: look it up in Fengqiao")
    if answer.verdict.cls == "duplicate":
        message = "SF has confirmed the order, so it cannot be cancelled: ask SF to intercept the parcel"
        raise _refusal(answer, "confirmed", message)
    if answer.verdict.cls != "ok":
        raise answer.error(AREA)
    if text_of(answer.data, "resStatus") not in ("", _DONE):
        raise PermanentError(
            f"{AREA}.number_mismatch",
            "SF says that this number and this order do not belong together, and cancelled nothing: look both up",
            peer_code=f"resStatus {text_of(answer.data, 'resStatus')}",
        )


def _refusal(answer: Answer, code: str, message: str) -> PermanentError:
    return PermanentError(f"{AREA}.{code}", message, peer_code=answer.code, peer_text=answer.text[:200])
