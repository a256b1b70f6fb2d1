"""Asking for pushes about a number that may be anybody's (`poll`)."""

from __future__ import annotations

from mappings.carriers.kuaidi100.results import contradicts, error_of, judge, read_answer
from mappings.carriers.kuaidi100.settings import Kuaidi100Settings
from mappings.carriers.kuaidi100.shippers import find_shipper
from mappings.carriers.kuaidi100.signing import subscribe_body
from mappings.carriers.kuaidi100.tracking import phone_tail
from mappings.carriers.kuaidi100.waybill import FORM, RESULT_LEVEL
from mappings.errors import UncertainError
from mappings.wire import HttpCall, HttpReply, check_status, read_json_object, spellings, to_json

AREA = "kuaidi100.subscribe"


def subscribe_call(
    settings: Kuaidi100Settings, *, shipper_code: str, waybill_no: str, phone: str, callback_url: str
) -> HttpCall:
    """One subscription; at most four a month are taken for a number. Without an address of its own, ours is given.

    Raises UnmappedError `kuaidi100.subscribe.shipper_unmapped`, PermanentError `kuaidi100.subscribe.phone_missing`.
    """
    shipper = find_shipper(shipper_code, AREA)
    param = {
        "company": shipper.com,
        "number": waybill_no,
        "key": settings.key,
        "parameters": {
            "callbackurl": callback_url or settings.callback_url,
            "salt": settings.salt,
            "resultv2": RESULT_LEVEL,
            "autoCom": "0",
            "phone": phone_tail(shipper, phone, AREA),
        },
    }
    body = subscribe_body(to_json(param))
    return HttpCall("subscribe", "POST", settings.subscribe_url, FORM, body, secrets=spellings(settings.secrets))


def read_subscribe(reply: HttpReply) -> None:
    """Return when the number is followed, by this call or an earlier one. Raises any PeerError but DuplicateError."""
    check_status(reply, AREA)
    answer = read_answer(read_json_object(reply, AREA))
    verdict = judge(answer)
    if verdict.cls == "duplicate":
        return
    if verdict.cls != "ok":
        raise error_of(verdict, AREA, answer)
    if contradicts(answer, verdict):
        message = "Kuaidi100's answer says both that the number is followed and that it is not"
        raise UncertainError(f"{AREA}.garbled", message, peer_code=answer.code, peer_text=answer.message[:200])
