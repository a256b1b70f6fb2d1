"""The signature of both interfaces: every field in one text, hashed twice, the second time with the secret."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def assemble(fields: Mapping[str, Any]) -> str:
    """Names and values in the byte order of the names, nested ones too; null is left out, true and false are 1 and 0.

    A list counts as a mapping from its positions: so PHP, which checks it, sees it.
    """
    pieces = []
    for name in sorted(fields, key=str.encode):
        value = fields[name]
        if value is None:
            continue
        if isinstance(value, (list, tuple)):
            value = {str(position): item for position, item in enumerate(value)}
        if isinstance(value, Mapping):
            value = assemble(value)
        elif isinstance(value, bool):
            value = int(value)
        pieces.append(f"{name}{value}")
    return "".join(pieces)


def sign(fields: Mapping[str, Any], secret: str) -> str:
    """32 capital hex digits; `fields` are all that is sent but `sign` itself."""
    return _digest(_digest(assemble(fields)) + secret)


def _digest(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest().upper()
