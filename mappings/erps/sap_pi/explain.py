"""Where each field of an order's IDoc, or of its JSON, comes from: for the person who compares it with WE02."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from mappings.connector import Config
from mappings.erps.sap_pi.idoc import Facts, Segment, build_order
from mappings.erps.sap_pi.order import CONSTANTS, PERSONAL, order_facts, order_segments, write_order_json
from mappings.explaining import Explained
from mappings.field_sources import explain_fields, read_rows
from mappings.model import ErpOrder

_ROWS = read_rows(__package__)
_PERSONAL = frozenset(f"{{{name}}}" for name in PERSONAL)


def explain_order(order: ErpOrder, config: Config) -> tuple[Explained, ...]:
    """Every field of the payload, in the order of sending; raises PermanentError as the create does."""
    if config["payload"] == "json":
        return tuple(explain_fields(json.loads(write_order_json(order)), _ROWS))
    facts, items = order_facts(order, config)
    named = build_order(_name(facts), map(_name, items))
    return tuple(_explain(order_segments(order, config), named))


def _name(facts: Facts) -> dict[str, str]:
    """Each fact as its own name in braces: the same fields come out, each with what `idoc.toml` has there."""
    return {name: f"{{{name}}}" if text else "" for name, text in facts.items()}


def _explain(segments: Sequence[Segment], named: Sequence[Segment], path: str = "") -> Iterator[Explained]:
    places = Counter[str]()
    for segment, origin in zip(segments, named, strict=True):
        here = f"{path}{segment.name}[{places[segment.name]}]."
        places[segment.name] += 1
        for name, text in segment.fields.items():
            filled = origin.fields[name]
            yield Explained(here + name, *_source(filled), text, is_personal=filled in _PERSONAL)
        yield from _explain(segment.children, origin.children, here)


def _source(filled: str) -> tuple[str, str]:
    """Where a field comes from, and what was done with it, by what `idoc.toml` has there."""
    if not filled.startswith("{"):
        return "idoc.toml", "constant"
    fact = filled.strip("{}")
    return (f"the setting {fact}", "constant") if fact in CONSTANTS else _ROWS[filled]
