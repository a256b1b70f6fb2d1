"""Explains a request by the table beside its connector: a row for each field, for the ERPs that have many of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.explaining import Explained
from mappings.tables import read_table
from mappings.wire import to_json

Rows = Mapping[str, tuple[str, str]]
"""Source and rule by the field's path; `lines[].sku` stands for the field of every line."""


def read_rows(package: str) -> Rows:
    """The `fields.toml` of a package."""
    return {path: (source, rule) for path, (source, rule) in read_table(package, "fields.toml")["field"].items()}


def explain_fields(sent: Mapping[str, Any], rows: Rows) -> Iterator[Explained]:
    """Every field of what is sent, in its order; raises KeyError for one without a row: it came in unexplained."""
    for target, path, value in _leaves(sent):
        source, rule = rows[path]
        yield Explained(target, source, rule, value if isinstance(value, str) else to_json(value))


def _leaves(value: Any, target: str = "", path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Each value with its name and its row's; what is empty is a value, because it is sent."""
    if isinstance(value, Mapping) and value:
        dot = "." if path else ""
        for name, child in value.items():
            yield from _leaves(child, f"{target}{dot}{name}", f"{path}{dot}{name}")
    elif isinstance(value, list) and value:
        for number, child in enumerate(value):
            yield from _leaves(child, f"{target}[{number}]", f"{path}[]")
    else:
        yield target, path, value
