"""A platform's verdict on a request, out of its `results.toml`: codes under [result], wordings under [[reason]]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mappings.errors import AuthError, DuplicateError, PeerError, PermanentError, UnmappedError
from mappings.tables import path_of

ERRORS: Mapping[str, type[PeerError]] = {
    "duplicate": DuplicateError,
    "permanent": PermanentError,
    "auth": AuthError,
}
"""The class of a verdict that means the same wherever it is said."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: `cls` is ok, duplicate, permanent, auth, transient, inspect or unmapped; `code` names the case."""

    cls: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """A wording that decides where the code does not."""

    pattern: re.Pattern[str]
    verdict: Verdict


def read_reasons(rows: Iterable[Mapping[str, str]]) -> tuple[Reason, ...]:
    """The wordings of a table, in its order: the first that fits decides."""
    return tuple(Reason(re.compile(row["pattern"]), Verdict(row["class"], row["code"])) for row in rows)


def find_reason(text: str, reasons: Iterable[Reason]) -> Verdict | None:
    """What the wording says, or None: nobody mapped it."""
    return next((reason.verdict for reason in reasons if reason.pattern.search(text)), None)


def unmapped_result(code: str, carrier: str, package: str, result_code: str, text: str) -> UnmappedError:
    """The error of a code that no table holds, with the line to add to the package's `results.toml`."""
    return UnmappedError(
        code,
        f"{carrier} answered with a code nobody mapped",
        hint=f'Add to {path_of(package, "results.toml")} under [result]: {result_code} = {{ class = "…" }}',
        peer_code=result_code,
        peer_text=text,
    )
