"""KDNiao's verdict on a request: ResultCode first, then the reason's wording, both from results.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.errors import PeerError, TransientError, UncertainError
from mappings.fields import text_of
from mappings.tables import read_table
from mappings.verdicts import ERRORS, Reason, Verdict, find_reason, read_reasons, unmapped_result

_TABLE = read_table(__package__, "results.toml")
_REASONS = read_reasons(_TABLE["reason"])
_CANCEL_REASONS = (*read_reasons(_TABLE["cancel_reason"]), *_REASONS)
_SUBSCRIPTION_REASONS = (*read_reasons(_TABLE["subscription_reason"]), *_REASONS)

QUOTA_WAIT_S = 12 * 3600.0
"""A day's quota is not asked for again before: three tries then reach into the next day."""

_MESSAGES = {
    "duplicate": "KDNiao holds this order already but did not return its number",
    "permanent": "KDNiao refuses this order until a person changes something",
    "auth": "KDNiao refuses our account or plan",
    "transient": "KDNiao is busy",
    "no_plan": "KDNiao says that our plan does not hold this service, or that it is used up: buy it, or change the "
    "setting that asks for it",
    "quota_used": "The day's quota of this KDNiao service is used; it is asked again tomorrow",
}
_ERRORS: dict[str, type[PeerError]] = {**ERRORS, "transient": TransientError}

_QUOTA = Verdict("transient", "quota_used")
_UNKNOWN = Verdict("inspect", "reason_unknown")


def judge(result_code: str, reason: str) -> Verdict:
    """The verdict; an unknown reason is `inspect`, an unknown code `unmapped`. No code at all: the reason decides."""
    return _judge(result_code, reason, _REASONS)


def judge_cancel(result_code: str, reason: str) -> Verdict:
    """The verdict on a cancel: ok with code `already_void` when it was voided before, never a duplicate."""
    verdict = _judge(result_code, reason, _CANCEL_REASONS)
    return _UNKNOWN if verdict.cls == "duplicate" else verdict


def judge_subscription(result_code: str, reason: str, *, is_free: bool) -> Verdict:
    """The verdict on a subscription: ok when it stood there before. Without a code the reason decides."""
    verdict = _judge(result_code, reason, _SUBSCRIPTION_REASONS)
    return _QUOTA if is_free and verdict.code == "no_plan" else verdict


def judge_query(result_code: str, reason: str, *, is_free: bool) -> Verdict:
    """The verdict on a query, never a duplicate; of the free plan, "no plan" mostly means that the quota is used."""
    verdict = _judge(result_code, reason, _REASONS)
    if verdict.cls == "duplicate":
        return _UNKNOWN
    return _QUOTA if is_free and verdict.code == "no_plan" else verdict


def _judge(result_code: str, reason: str, reasons: tuple[Reason, ...]) -> Verdict:
    row = _TABLE["result"].get(result_code) if result_code else {"class": "inspect"}
    if row is None:
        return Verdict("unmapped", "result_unmapped")
    if row["class"] != "inspect":
        return Verdict(row["class"], row.get("code", ""))
    return find_reason(reason, reasons) or _UNKNOWN


def contradicts(data: Mapping[str, Any], verdict: Verdict) -> bool:
    """A reply whose code says yes and whose Success says no tells nothing."""
    return verdict.cls == "ok" and not verdict.code and text_of(data, "Success").lower() == "false"


def error_of(
    verdict: Verdict,
    area: str,
    result_code: str,
    reason: str,
    *,
    changes_peer: bool = True,
    one_kind_only: bool = False,
) -> PeerError:
    """The error that says this verdict; `area` is the front of its code (`kdniao.waybill`).

    A reason nobody knows is uncertain for a call that changes the peer: the same order code may be sent again.
    `one_kind_only`: a plan or balance that is missing concerns this kind of call, and KDNiao is well for others; a used
    quota always does.
    """
    code, text = f"{area}.{verdict.code}", reason[:200]
    if verdict.cls == "unmapped":
        return unmapped_result(code, "KDNiao", __package__, result_code, text)
    unknown: type[PeerError] = UncertainError if changes_peer else TransientError
    error = _ERRORS.get(verdict.cls, unknown)
    message = _MESSAGES.get(verdict.code) or _MESSAGES.get(verdict.cls, "KDNiao failed for a reason nobody mapped")
    made = error(code, message, peer_code=result_code, peer_text=text)
    is_quota = verdict.code == "quota_used"
    made.peer_is_well = is_quota or (one_kind_only and verdict.code in ("no_plan", "balance_used"))
    if is_quota and isinstance(made, TransientError):
        made.retry_after_s = QUOTA_WAIT_S
    return made
