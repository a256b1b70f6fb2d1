"""Kuaidi100's verdict on a request: the code, and for a general failure the message's wording, from results.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.errors import PeerError, TransientError, UncertainError
from mappings.fields import text_of as any_text_of
from mappings.tables import read_table
from mappings.verdicts import ERRORS, Reason, Verdict, find_reason, read_reasons, unmapped_result

_TABLE = read_table(__package__, "results.toml")
_REASONS = read_reasons(_TABLE["reason"])
_QUERY_REASONS = (*read_reasons(_TABLE["query_reason"]), *_REASONS)
_CANCEL_ALONE = read_reasons(_TABLE["cancel_reason"])

_MESSAGES = {
    "duplicate": "Kuaidi100 holds this order already but did not return its number",
    "permanent": "Kuaidi100 refuses this request until a person changes something",
    "auth": "Kuaidi100 refuses our account or plan",
    "transient": "Kuaidi100 or the courier's system failed",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's head: `code` and `message` as Kuaidi100 gave them; `flag` is success or result, None without one."""

    code: str
    message: str
    flag: bool | None


def read_answer(data: Mapping[str, Any]) -> Answer:
    """Waybill replies say `code` and `success`, all others `returnCode` and `result`."""
    flag = data.get("success", data.get("result"))
    code = text_of(data, "code") or text_of(data, "returnCode")
    return Answer(code, text_of(data, "message"), flag if isinstance(flag, bool) else None)


def judge(answer: Answer) -> Verdict:
    """The verdict on an order or a subscription."""
    return _judge(answer, _REASONS)


def judge_query(answer: Answer) -> Verdict:
    """The verdict on a query: ok with code `no_trace` when there is nothing to tell yet, never a duplicate."""
    verdict = _judge(answer, _QUERY_REASONS)
    return Verdict("transient", "busy") if verdict.cls == "duplicate" else verdict


def judge_cancel(answer: Answer) -> Verdict:
    """The verdict on a cancel: ok with code `already_void` when it was voided before, never a duplicate."""
    if answer.code in ("201", "500", "501") and (found := find_reason(answer.message, _CANCEL_ALONE)):
        return found
    verdict = _judge(answer, (*_CANCEL_ALONE, *_REASONS))
    return Verdict("inspect", "reason_unknown") if verdict.cls == "duplicate" else verdict


def _judge(answer: Answer, reasons: tuple[Reason, ...]) -> Verdict:
    row = _TABLE["result"].get(answer.code) if answer.code else {"class": "inspect", "code": "reason_unknown"}
    if row is None:
        return Verdict("unmapped", "result_unmapped")
    if row["class"] in ("transient", "inspect") and (found := find_reason(answer.message, reasons)):
        return found
    return Verdict(row["class"], row.get("code", ""))


def error_of(verdict: Verdict, area: str, answer: Answer, *, changes_peer: bool = True) -> PeerError:
    """The error that says this verdict; `area` is the front of its code (`kuaidi100.waybill`).

    A failure of theirs is uncertain for a call that changes the peer: the courier's system may have taken the order.
    """
    code, text = f"{area}.{verdict.code}", answer.message[:200]
    if verdict.cls == "unmapped":
        return unmapped_result(code, "Kuaidi100", __package__, answer.code, text)
    failed: type[PeerError] = UncertainError if changes_peer else TransientError
    error = ERRORS.get(verdict.cls, failed)
    message = _MESSAGES.get(verdict.cls, "Kuaidi100 failed for a reason nobody mapped")
    return error(code, message, peer_code=answer.code, peer_text=text)


def contradicts(answer: Answer, verdict: Verdict) -> bool:
    """A reply whose code says yes and whose flag says no tells nothing."""
    return verdict.cls == "ok" and not verdict.code and answer.flag is False


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A text of Kuaidi100's, where truth values are no texts."""
    return "" if isinstance(fields.get(name), bool) else any_text_of(fields, name)
