"""One call of a Fengqiao service, and its answer: an envelope that says little around a text that says it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mappings.carriers.sf.results import Verdict, error_of, judge
from mappings.carriers.sf.settings import SfSettings
from mappings.carriers.sf.signing import envelope
from mappings.errors import PeerError, TransientError, UncertainError
from mappings.fields import text_of
from mappings.wire import HttpCall, HttpReply, Stamp, check_status, read_json_object, to_json

FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said: its verdict, its own code and words, and the whole of apiResultData."""

    verdict: Verdict
    code: str
    text: str
    result: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        """msgData; some services answer without one."""
        found = self.result.get("msgData")
        return found if isinstance(found, Mapping) else {}

    def error(self, area: str, *, changes_peer: bool = True) -> PeerError:
        return error_of(self.verdict, area, self.code, self.text, changes_peer=changes_peer)


def service_call(
    operation: str, service_code: str, message: Mapping[str, Any], settings: SfSettings, *, changes_peer: bool = True
) -> HttpCall:
    """A call in Fengqiao's envelope; its text is built once, its time and requestID when it leaves."""
    text = to_json(message)

    def sealed(call: HttpCall, stamp: Stamp) -> HttpCall:
        body = envelope(
            text,
            partner_id=settings.partner_id,
            checkword=settings.checkword,
            service_code=service_code,
            stamp=stamp,
        )
        return replace(call, body=body)

    return HttpCall(
        operation, "POST", settings.url, FORM, changes_peer=changes_peer, secrets=settings.secrets, stamped=sealed
    )


def read_answer(reply: HttpReply, area: str, *, changes_peer: bool = True) -> Answer:
    """What the service behind the gateway said, good or bad; A1000 means no more than that it was asked.

    Raises any PeerError for what the gateway itself refused, and for what is not the protocol's JSON.
    """
    check_status(reply, area, changes_peer=changes_peer)
    outer = read_json_object(reply, area, changes_peer=changes_peer)
    code = text_of(outer, "apiResultCode")
    if code != "A1000":
        verdict = judge(code) if code else Verdict("inspect", "garbled", "SF's reply names no result code")
        raise error_of(verdict, area, code, text_of(outer, "apiErrorMsg"), changes_peer=changes_peer)
    result = _read_result(outer.get("apiResultData"))
    if result is None:
        text = "SF's gateway took the request, and what the service answered is not readable"
        raise (UncertainError if changes_peer else TransientError)(f"{area}.garbled", text, peer_code=code)
    said = text_of(result, "errorMsg") or text_of(result, "errorMessage")
    return Answer(_verdict(result), text_of(result, "errorCode"), said, result)


def _verdict(result: Mapping[str, Any]) -> Verdict:
    """The service's code decides; where it names none, its word of success does."""
    code, is_success = text_of(result, "errorCode"), text_of(result, "success").lower() == "true"
    verdict = judge(code) if code else Verdict("ok" if is_success else "inspect", "reason_unknown")
    if verdict.cls == "ok" and not is_success:
        return Verdict("inspect", "garbled", "SF's answer says both that it was done and that it was not")
    return verdict


def _read_result(found: object) -> Mapping[str, Any] | None:
    """apiResultData is a text that holds JSON; an object is understood too."""
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, Mapping) else None
