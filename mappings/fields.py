"""The fields of a peer's JSON, whatever type they come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings.address import clean_text


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A field as clean text; numbers and truth values are read as text, nested values and null as nothing."""
    value = fields.get(name)
    return clean_text(str(value)) if isinstance(value, (str, int, float)) else ""


def objects_in(found: object) -> list[Mapping[str, Any]]:
    """The objects of a list; what is no list holds none."""
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []
