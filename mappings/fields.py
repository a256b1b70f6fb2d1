"""The fields of a peer's JSON, whatever type they come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.address import clean_text


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A field as clean text; numbers and truth values are read as text, nested values and null as nothing."""
    value = fields.get(name)
    return clean_text(str(value)) if isinstance(value, (str, int, float)) else ""


def number_of(fields: Mapping[str, Any], name: str, most: int) -> str:
    """A number or code of a peer's; nothing where the field is a truth value or longer than any real one."""
    text = "" if isinstance(fields.get(name), bool) else text_of(fields, name)
    return text if len(text) <= most else ""


def page_of(found: object) -> str:
    """A printable as it came, lines and all, but without NUL and broken surrogates, which no database takes."""
    text = found.replace("\0", "") if isinstance(found, str) else ""
    return text.encode(errors="ignore").decode().strip()


def objects_in(found: object) -> list[Mapping[str, Any]]:
    """The objects of a list; what is no list holds none."""
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []
