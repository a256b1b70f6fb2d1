"""Texts as SAP measures them, whichever interface they go through."""

from __future__ import annotations


def sap_length(text: str) -> int:
    """Characters as SAP counts them: one beyond the basic plane (a rare name, an emoji) counts twice."""
    return len(text.encode("utf-16-le")) // 2


def cut_text(text: str, length: int) -> str:
    """As much of the text as SAP has room for; a character is never cut in two."""
    taken = text[:length]
    while sap_length(taken) > length:
        taken = taken[:-1]
    return taken
