"""Explains a request by the table beside its connector: a row for each field, for the ERPs that have many of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from mappings.explaining import Explained
from mappings.tables import read_table
from mappings.wire import to_json

Rows = Mapping[str, tuple[str, str]]
"""Source and rule by the field's path; `lines[].sku` stands for the field of every line."""


def read_rows(package: str) -> Rows:
    """The `fields.toml` of a package."""
    return {path: (source, rule) for path, (source, rule) in read_table(package, "fields.toml")["field"].items()}


def explain_fields(
    sent: Mapping[str, Any], rows: Rows, named: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Explained]:
    """Every field of what is sent, in its order; raises KeyError for one without a row: it came in unexplained.

    `named` are the items of lists that have rows of their own: `lines[2]` -> `lines[freight_sku]`.
    """
    for target, path, value in _leaves(sent, named):
        source, rule = rows[path]
        yield Explained(target, source, rule, _spell(value))


def _leaves(value: Any, named: Mapping[str, str], target: str = "", path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Each value with its name and its row's; what is empty is a value, because it is sent."""
    if isinstance(value, Mapping) and value:
        dot = "." if path else ""
        for name, child in value.items():
            yield from _leaves(child, named, f"{target}{dot}{name}", f"{path}{dot}{name}")
    elif isinstance(value, list) and value:
        for number, child in enumerate(value):
            item = f"{target}[{number}]"
            yield from _leaves(child, named, item, named.get(item, f"{path}[]"))
    else:
        yield target, path, value


def _spell(value: Any) -> str:
    """As it is sent."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, str) else to_json(value)
