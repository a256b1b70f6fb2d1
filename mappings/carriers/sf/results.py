"""SF's verdict on a request: the gateway's code first, then the service's, both from results.toml."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.errors import PeerError, TransientError, UncertainError
from mappings.tables import read_table
from mappings.verdicts import ERRORS, unmapped_result

_TABLE = read_table(__package__, "results.toml")["result"]

BOOKING = "sf.waybill"
"""The front of the codes of a booking's errors."""

_SENTENCES = {
    "duplicate": "SF holds this order already",
    "permanent": "SF refuses this until a person changes something",
    "auth": "SF refuses our account",
    "transient": "SF is busy; nothing was done there",
    "unclear": "SF failed and does not say whether it did it",
    "inspect": "SF failed for a reason that its code does not tell",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: `cls` is ok, duplicate, permanent, auth, transient, unclear, inspect or unmapped."""

    cls: str
    code: str = ""
    say: str = ""
    retry_after_s: float | None = None


def judge(code: str) -> Verdict:
    """The verdict on a code of the gateway (A…) or of a service (S…, digits)."""
    row = _TABLE.get(code)
    if row is None:
        return Verdict("unmapped", "result_unmapped")
    say = row.get("say") or _SENTENCES.get(row["class"], "")
    return Verdict(row["class"], row.get("code", ""), say, row.get("retry_after_s"))


def error_of(verdict: Verdict, area: str, result_code: str, text: str, *, changes_peer: bool = True) -> PeerError:
    """The error that says this verdict; `area` is the front of its code (`sf.waybill`).

    What SF may have done is uncertain for a call that changes something: the same orderId may be sent again. SF allows
    each service by itself: one that is not allowed to us leaves the others well, but without booking there is no work.
    """
    code, said = f"{area}.{verdict.code}", text[:200]
    if verdict.cls == "unmapped":
        return unmapped_result(code, "SF", __package__, result_code, said)
    if verdict.cls == "transient" or (verdict.cls in ("unclear", "inspect") and not changes_peer):
        wait_s = verdict.retry_after_s
        busy = TransientError(code, verdict.say, peer_code=result_code, peer_text=said, retry_after_s=wait_s)
        busy.peer_is_well = wait_s is not None  # what lasts that long is about a place and its couriers, not about SF
        return busy
    refusal = ERRORS.get(verdict.cls, UncertainError)(code, verdict.say, peer_code=result_code, peer_text=said)
    refusal.peer_is_well = verdict.code == "service_not_allowed" and area != BOOKING
    return refusal
