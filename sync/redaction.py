"""Masks names, phones, addresses and secrets before anything is recorded or logged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

PHONE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
LANDLINE = re.compile(r"(?<!\d)(0\d{2,3})-?\d{3,4}(\d{4})(?!\d)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
HIDDEN = "•••"
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
    """The text without secrets and with private texts masked, also where JSON or XML escaped them."""
    for secret in secrets:
        if len(secret) >= 3:
            text = text.replace(secret, HIDDEN)
    for word in sorted((w for w in private if w), key=len, reverse=True):
        for spelled in {word, json.dumps(word)[1:-1], escape(word)}:
            text = text.replace(spelled, mask(word))
    text = TOKEN.sub(rf"\1{HIDDEN}", text)
    text = CONTROL.sub("\ufffd", text)  # peers send anything; PostgreSQL stores no NUL, and a log is for reading
    return LANDLINE.sub(r"\1****\2", PHONE.sub(r"\1****\2", text))


def readable(body: bytes, content_type: str, limit: int = 4000) -> str:
    """A body as people read it: form encoding undone, cut at `limit` characters."""
    text = body[: limit * 9].decode("utf-8", errors="replace")
    if "form-urlencoded" in content_type:
        text = unquote_plus(text)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(body)} bytes)"
