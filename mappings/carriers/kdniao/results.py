"""KDNiao's verdict on a request: ResultCode first, then the reason's wording, both from results.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from mappings.errors import (
    AuthError,
    DuplicateError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UnmappedError,
)

_TABLE = tomllib.loads(files(__package__).joinpath("results.toml").read_text("utf-8"))


def _read_reasons(name: str) -> list[tuple[re.Pattern[str], str, str]]:
    return [(re.compile(row["pattern"]), row["class"], row["code"]) for row in _TABLE[name]]


_REASONS = _read_reasons("reason")
_CANCEL_REASONS = [*_read_reasons("cancel_reason"), *_REASONS]
_SUBSCRIPTION_REASONS = [*_read_reasons("subscription_reason"), *_REASONS]

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
_ERRORS: dict[str, type[PeerError]] = {
    "duplicate": DuplicateError,
    "permanent": PermanentError,
    "auth": AuthError,
    "transient": TransientError,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: `cls` is ok, duplicate, permanent, auth, transient, inspect or unmapped; `code` names the case."""

    cls: str
    code: str = ""


_QUOTA = Verdict("transient", "quota_used")


def judge(result_code: str, reason: str) -> Verdict:
    """The verdict; an unknown reason is `inspect`, an unknown code `unmapped`. No code at all: the reason decides."""
    return _judge(result_code, reason, _REASONS)


def judge_cancel(result_code: str, reason: str) -> Verdict:
    """The verdict on a cancel: ok with code `already_void` when it was voided before, never a duplicate."""
    verdict = _judge(result_code, reason, _CANCEL_REASONS)
    return Verdict("inspect", "reason_unknown") if verdict.cls == "duplicate" else verdict


def judge_subscription(result_code: str, reason: str, *, is_free: bool) -> Verdict:
    """The verdict on a subscription: ok when it stood there before. Without a code the reason decides."""
    verdict = _judge(result_code, reason, _SUBSCRIPTION_REASONS)
    return _QUOTA if is_free and verdict.code == "no_plan" else verdict


def judge_query(result_code: str, reason: str, *, is_free: bool) -> Verdict:
    """The verdict on a query: of the free plan, "no plan" mostly means that the day's quota is used."""
    verdict = _judge(result_code, reason, _REASONS)
    return _QUOTA if is_free and verdict.code == "no_plan" else verdict


def _judge(result_code: str, reason: str, reasons: list[tuple[re.Pattern[str], str, str]]) -> Verdict:
    row = _TABLE["result"].get(result_code) if result_code else {"class": "inspect"}
    if row is None:
        return Verdict("unmapped", "result_unmapped")
    if row["class"] != "inspect":
        return Verdict(row["class"], row.get("code", ""))
    for pattern, cls, code in reasons:
        if pattern.search(reason):
            return Verdict(cls, code)
    return Verdict("inspect", "reason_unknown")


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
        hint = f'Add to {__package__.replace(".", "/")}/results.toml under [result]: {result_code} = {{ class = "…" }}'
        message = "KDNiao answered with a code nobody mapped"
        return UnmappedError(code, message, hint=hint, peer_code=result_code, peer_text=text)
    unknown: type[PeerError] = UncertainError if changes_peer else TransientError
    error = _ERRORS.get(verdict.cls, unknown)
    message = _MESSAGES.get(verdict.code) or _MESSAGES.get(verdict.cls, "KDNiao failed for a reason nobody mapped")
    made = error(code, message, peer_code=result_code, peer_text=text)
    is_quota = verdict.code == "quota_used"
    made.peer_is_well = is_quota or (one_kind_only and verdict.code in ("no_plan", "balance_used"))
    if is_quota and isinstance(made, TransientError):
        made.retry_after_s = QUOTA_WAIT_S
    return made
