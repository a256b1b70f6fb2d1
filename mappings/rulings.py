"""What an ERP's codes and wordings tell us to do, out of the `results.toml` beside its connector.

[result] rules by code, [[reason]] by wording where the code's class is `words`; `otherwise` is for what neither holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.errors import PeerError, TransientError, UncertainError
from mappings.tables import read_table
from mappings.verdicts import ERRORS, unmapped_result

_SENTENCES = {
    "permanent": "{peer} refuses this until a person changes something",
    "auth": "{peer} refuses our account",
    "transient": "{peer} is busy; nothing was done there",
    "unclear": "{peer} failed and does not say whether it did it",
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """What to do: `cls` is ok, permanent, auth, transient, unclear (it may have happened), words or unmapped."""

    cls: str
    code: str = ""
    say: str = ""
    retry_after_s: float | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Ruling:
        return cls(row["class"], row.get("code", ""), row.get("say", ""), row.get("retry_after_s"))


@dataclass(frozen=True, slots=True)
class Rules:
    """One ERP's table; `peer` is what its sentences call it, `package` the one that holds its `results.toml`."""

    peer: str
    package: str
    by_code: Mapping[str, Ruling]
    by_words: tuple[tuple[re.Pattern[str], Ruling], ...]
    otherwise: Ruling

    @classmethod
    def of(cls, peer: str, package: str) -> Rules:
        """Read the table of a package."""
        table = read_table(package, "results.toml")
        return cls(
            peer,
            package,
            {code: Ruling.of(row) for code, row in table["result"].items()},
            tuple((re.compile(row["pattern"]), Ruling.of(row)) for row in table.get("reason", ())),
            Ruling.of(table.get("otherwise", {"class": "unmapped", "code": "result_unmapped"})),
        )

    def judge(self, code: str, text: str = "") -> Ruling:
        """The ruling on a code; its words decide where the code alone says nothing."""
        ruling = self.by_code.get(code, self.otherwise)
        return self.judge_words(text) if ruling.cls == "words" else ruling

    def judge_words(self, text: str) -> Ruling:
        """The first wording that fits; one that nobody mapped is a refusal, told in the ERP's own words."""
        fitting = (ruling for pattern, ruling in self.by_words if pattern.search(text))
        return next(fitting, Ruling("permanent", "rejected"))

    def error(self, ruling: Ruling, area: str, peer_code: str, text: str, *, changes_peer: bool = True) -> PeerError:
        """The error that says this ruling; `area` is the front of its code (`jushuitan.order`)."""
        code, said = f"{area}.{ruling.code}", text[:200]
        if ruling.cls == "unmapped":
            return unmapped_result(code, self.peer, self.package, peer_code, said)
        say = ruling.say or _SENTENCES[ruling.cls].format(peer=self.peer)
        if ruling.cls == "transient" or (ruling.cls == "unclear" and not changes_peer):
            wait_s = ruling.retry_after_s
            return TransientError(code, say, peer_code=peer_code, peer_text=said, retry_after_s=wait_s)
        return ERRORS.get(ruling.cls, UncertainError)(code, say, peer_code=peer_code, peer_text=said)


def garbled(area: str, message: str, peer_code: str = "", *, changes_peer: bool = True) -> PeerError:
    """What an answer means that says neither yes nor no."""
    kind = UncertainError if changes_peer else TransientError
    return kind(f"{area}.garbled", message, peer_code=peer_code)


def is_utf8(body: bytes) -> bool:
    """Whether an answer came in the charset that it was promised in; its words cannot be judged in another one."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
