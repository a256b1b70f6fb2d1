"""A waybill number as a person types or scans it."""

from __future__ import annotations

import re
import unicodedata

SHORTEST, LONGEST = 6, 40
_NUMBER = re.compile(r"[0-9A-Z][0-9A-Z-]*[0-9A-Z]")


def parse_waybill_number(text: str) -> str:
    """The number without blanks, in ASCII capitals: input methods write full-width digits. Raises ValueError."""
    number = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    if not SHORTEST <= len(number) <= LONGEST:
        raise ValueError(
            f"A waybill number has {SHORTEST} to {LONGEST} characters, and {number[:60]!r} has {len(number)}"
        )
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"A waybill number is of letters, digits and hyphens, and {number!r} is not: look again")
    if not re.search(r"\d", number):
        raise ValueError(f"{number} has no digit, so it is no waybill number")
    return number
