"""Buyers' text as ECShop stores it, made fit to send on."""

from __future__ import annotations

import re
import unicodedata

_LOST_EMOJI = re.compile(r"\?{4,}")
"""A four-byte character that a utf8 table could not hold is stored as `????`."""
_SPACES = re.compile(r"\s+")


def clean(text: str | None) -> str:
    """One line without control characters, lost emoji and doubled blanks; full-width signs stay as typed."""
    kept = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text or "")
    visible = "".join(sign for sign in kept if unicodedata.category(sign) not in ("Cf", "Co", "Cs"))
    return _SPACES.sub(" ", _LOST_EMOJI.sub("", visible)).strip()


def narrowings(text: str) -> tuple[str, ...]:
    """The text, and what is left of it where a shop's tables hold no four-byte characters, or only those of GBK:
    a question mark stands for each that is lost."""
    short = "".join(sign if ord(sign) <= 0xFFFF else "?" for sign in text)
    return tuple(dict.fromkeys((text, short, text.encode("gbk", "replace").decode("gbk"))))


def usable_phone(*numbers: str | None) -> str:
    """The first that has at least seven digits, or nothing."""
    cleaned = (clean(number) for number in numbers)
    return next((number for number in cleaned if sum(sign.isdigit() for sign in number) >= 7), "")
