"""PI's refusals: a SOAP fault or a `<SAP:Error>`, and what `results.toml` says that they mean."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.erps.sap_pi.xml_reply import Element
from mappings.errors import PeerError, PermanentError, TransientError, UncertainError
from mappings.tables import read_table
from mappings.verdicts import ERRORS, find_reason, read_reasons, unmapped_result

_TABLE = read_table(__package__, "results.toml")
_REASONS = read_reasons(_TABLE["reason"])
_SENTENCES = {row["code"]: row["say"] for row in (*_TABLE["reason"], *_TABLE["result"].values()) if "say" in row}

_APPLICATION = "SAP's application refuses the order; its own words stand here. Correct what they name, then retry"


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal in PI's words. `is_system` is False where the receiver's application refused, not PI itself."""

    code: str
    text: str
    is_system: bool = True


def find_fault(root: Element) -> Fault | None:
    """The refusal in an answer; None when it holds none."""
    error = root.find("Error") if root.name in ("Error", "Envelope") else None
    fault = root.find("Fault")
    system = fault.find("SystemError") if fault else None
    if system is not None:
        return Fault(system.say("code"), system.say("text") or system.say("context"))
    if error is not None and error.find("Category") is not None:
        is_system = error.say("Category") != "Application"
        return Fault(error.say("Code"), error.say("AdditionalText"), is_system)
    if fault is None:
        return None
    said = " ".join(element.text.strip() for element in fault.walk() if element.text.strip())
    return Fault(fault.say("faultcode"), said, is_system=False)


def is_known_duplicate(text: str) -> bool:
    """Whether an answer says that PI holds this message already."""
    verdict = find_reason(text, _REASONS)
    return verdict is not None and verdict.cls == "duplicate"


def error_of(fault: Fault, area: str) -> PeerError:
    """The error that a refusal means; `area` is the front of its code (`sap_pi.order`)."""
    said = fault.text[:300]
    verdict = find_reason(fault.text, _REASONS)
    if verdict is None and not fault.is_system:
        return PermanentError(f"{area}.application_fault", _APPLICATION, peer_code=fault.code, peer_text=said)
    row = _TABLE["result"].get(fault.code)
    if verdict is None and row is None:
        return unmapped_result(f"{area}.result_unmapped", "SAP PI", __package__, f'"{fault.code}"', said)
    cls, word = (verdict.cls, verdict.code) if verdict else (row["class"], row["code"])
    kind = TransientError if cls == "transient" else ERRORS.get(cls, UncertainError)
    return kind(f"{area}.{word}", _SENTENCES.get(word, "PI refuses the order"), peer_code=fault.code, peer_text=said)
