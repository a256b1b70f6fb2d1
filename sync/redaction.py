"""Masks names, phones, addresses and secrets before anything is recorded or logged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from mappings.address import FULL_WIDTH, clean_text

PHONE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
LANDLINE = re.compile(r"(?<!\d)(0\d{2,3})-?\d{3,4}(\d{4})(?!\d)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
HIDDEN = "•••"
PIECE = 10
"""A text that is cut to fit, or over two fields, is known by so many characters of its beginning or its end."""
TOKEN = re.compile(r'(token\\*"\s*:\s*\\*")[^"\\]+', re.IGNORECASE)
"""A key that a peer hands out in its JSON, also where that JSON stands in another."""


def mask(text: str) -> str:
    """Keep just enough of a private text to recognise it: `张*`, `138****5678`."""
    if len(text) <= 1:
        return "*"
    if text.isascii() and text.replace("-", "").isdigit():
        return f"{text[:3]}****{text[-4:]}" if len(text) > 7 else "****"
    return text[0] + "*" * min(len(text) - 1, 6)


def redact(text: str, *, private: Iterable[str] = (), secrets: Iterable[str] = ()) -> str:
    """The text without secrets and with private texts masked, also as they are cleaned, cut, or escaped for peers."""
    for secret in secrets:
        if len(secret) >= 3:
            text = text.replace(secret, HIDDEN)
    for word in sorted((w for w in private if w), key=len, reverse=True):
        shown, known = mask(word), _spellings(word)
        for spelled in known:
            text = text.replace(spelled, shown)
        for spelled in known:
            text = _without_pieces(text, spelled, shown)
    text = TOKEN.sub(rf"\1{HIDDEN}", text)
    text = CONTROL.sub("\ufffd", text)  # peers send anything; PostgreSQL stores no NUL, and a log is for reading
    return LANDLINE.sub(r"\1****\2", PHONE.sub(r"\1****\2", text))


@lru_cache(maxsize=32)  # the calls of one order follow each other
def _spellings(word: str) -> tuple[str, ...]:
    """How peers are sent a private text, the cleaned ones first: a piece of those is the likeliest to be met."""
    clean = clean_text(word)
    sent = (clean, clean.translate(FULL_WIDTH), word)
    spelled = (form for one in sent for form in (one, json.dumps(one)[1:-1], escape(one)))
    return tuple(filter(None, dict.fromkeys(spelled)))


def _without_pieces(text: str, word: str, shown: str) -> str:
    """The text with what stands in it of the word's beginning, and of its end, as far as either goes."""
    if len(word) <= PIECE:
        return text
    while (at := text.find(word[:PIECE])) >= 0:
        length = _common_length(text[at : at + len(word)], word)
        text = text[:at] + shown + text[at + length :]
    while (at := text.find(word[-PIECE:])) >= 0:
        end = at + PIECE
        length = _common_length(text[max(0, end - len(word)) : end][::-1], word[::-1])
        text = text[: end - length] + shown + text[end:]
    return text


def _common_length(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def readable(body: bytes, content_type: str, limit: int = 4000) -> str:
    """A body as people read it: form encoding undone, cut at `limit` characters."""
    text = body[: limit * 9].decode("utf-8", errors="replace")
    if "form-urlencoded" in content_type:
        text = unquote_plus(text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(body)} bytes)"
