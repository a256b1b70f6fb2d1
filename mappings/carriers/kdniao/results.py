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
_REASONS = [(re.compile(row["pattern"]), row["class"], row["code"]) for row in _TABLE["reason"]]

_MESSAGES = {
    "duplicate": "KDNiao holds this order already but did not return its number",
    "permanent": "KDNiao refuses this order until a person changes something",
    "auth": "KDNiao refuses our account or plan",
    "transient": "KDNiao is busy",
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


def judge(result_code: str, reason: str) -> Verdict:
    """The verdict; an unknown reason is `inspect`, an unknown code `unmapped`. No code at all: the reason decides."""
    row = _TABLE["result"].get(result_code) if result_code else {"class": "inspect"}
    if row is None:
        return Verdict("unmapped", "result_unmapped")
    if row["class"] != "inspect":
        return Verdict(row["class"], row.get("code", ""))
    for pattern, cls, code in _REASONS:
        if pattern.search(reason):
            return Verdict(cls, code)
    return Verdict("inspect", "reason_unknown")


def error_of(verdict: Verdict, area: str, result_code: str, reason: str, *, changes_peer: bool = True) -> PeerError:
    """The error that says this verdict; `area` is the front of its code (`kdniao.waybill`).

    A reason nobody knows is uncertain for a call that changes the peer: the same order code may be sent again.
    """
    code, text = f"{area}.{verdict.code}", reason[:200]
    if verdict.cls == "unmapped":
        hint = f'Add to {__package__.replace(".", "/")}/results.toml under [result]: {result_code} = {{ class = "…" }}'
        message = "KDNiao answered with a code nobody mapped"
        return UnmappedError(code, message, hint=hint, peer_code=result_code, peer_text=text)
    unknown: type[PeerError] = UncertainError if changes_peer else TransientError
    error = _ERRORS.get(verdict.cls, unknown)
    message = _MESSAGES.get(verdict.cls, "KDNiao failed for a reason nobody mapped")
    return error(code, message, peer_code=result_code, peer_text=text)
