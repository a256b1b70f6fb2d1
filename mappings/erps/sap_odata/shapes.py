"""What SAP takes of an order, property by property (`entities.toml`): checked before anything leaves."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.sap_text import sap_length
from mappings.tables import read_table

_DATE = re.compile(r"/Date\(-?\d+\)/")


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `kind` is text, code, digits, decimal, date, moment, flag or number; `length` counts characters,
    of a decimal its digits in all, `scale` of which stand behind the point. 0: no limit is known."""

    kind: str
    length: int
    scale: int
    is_creatable: bool

    def problem_of(self, value: object) -> str:
        """Why SAP would not take this value, as the end of a sentence; empty when it would."""
        if not self.is_creatable:
            return "is set by SAP alone"
        if self.kind in ("text", "code", "digits"):
            return self._problem_of_text(value)
        if self.kind == "decimal":
            return self._problem_of_decimal(value)
        if self.kind == "date":
            return "" if isinstance(value, str) and _DATE.fullmatch(value) else "is no /Date(…)/"
        if self.kind == "flag":
            return "" if isinstance(value, bool) else "is neither true nor false"
        return f"is a {self.kind}, which ecsync does not send"

    def _problem_of_text(self, value: object) -> str:
        if not isinstance(value, str):
            return "is no text"
        if self.length and sap_length(value) > self.length:
            return f"may have {self.length} characters"
        if self.kind == "digits" and not value.isdecimal():
            return "may have digits only"
        return ""

    def _problem_of_decimal(self, value: object) -> str:
        before = self.length - self.scale
        form = rf"-?\d{{1,{before}}}(\.\d{{1,{self.scale}}})?" if self.scale else rf"-?\d{{1,{before}}}"
        if not isinstance(value, str) or not re.fullmatch(form, value):
            return f"is no decimal of {before} digits before and {self.scale} behind the point"
        return ""


def _read_property(words: str) -> Property:
    kind, *rest = words.removesuffix(" read_only").split()
    length, _, scale = (rest[0] if rest else "0").partition(".")
    return Property(kind, int(length), int(scale or 0), not words.endswith(" read_only"))


def _read_entities() -> tuple[dict[str, dict[str, Property]], dict[str, dict[str, str]]]:
    """The properties of each entity by name, and what may be put below it."""
    table = read_table(__package__, "entities.toml")
    properties, below = {}, {}
    for entity, rows in table.items():
        links = {name: words.removeprefix("-> ") for name, words in rows.items() if words.startswith("-> ")}
        properties[entity] = {name: _read_property(words) for name, words in rows.items() if name not in links}
        below[entity] = links
    return properties, below


_PROPERTIES, _BELOW = _read_entities()

ORDER, ITEM = "A_SalesOrder", "A_SalesOrderItem"


def longest(entity: str, name: str) -> int:
    """How many characters a property may have."""
    return _PROPERTIES[entity][name].length


def problem_of(entity: str, values: Mapping[str, Any]) -> str:
    """The first thing that SAP would not take of a deep insert, as a sentence; empty when there is none."""
    for name, value in values.items():
        if target := _BELOW[entity].get(name):
            found = next(filter(None, (problem_of(target, child) for child in value)), "")
        elif known := _PROPERTIES[entity].get(name):
            found = (words := known.problem_of(value)) and f"{name} of {entity} {words}"
        else:
            found = f"{entity} has no property {name}"
        if found:
            return found
    return ""


def parse_constants(entity: str, filled: Collection[str], text: str) -> dict[str, str | bool]:
    """Read `ShippingCondition=01,CustomerPaymentTerms=0001` for an entity. Raises ValueError, also for what is `filled`
    from the order or another setting: it would replace the constant in silence."""
    found: dict[str, str | bool] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, word = (part.strip() for part in item.partition("="))
        if not (name and equals and word):
            raise ValueError(f"{item!r} is not PROPERTY=VALUE")
        if name in found:
            raise ValueError(f"{name!r} stands there twice")
        if name in _BELOW[entity]:
            raise ValueError(f"{name!r} is no single value")
        if name in filled:
            raise ValueError(f"{name!r} is filled from the order or by a setting of its own: take it out")
        known = _PROPERTIES[entity].get(name)
        is_flag = known is not None and known.kind == "flag" and word.lower() in ("true", "false")
        value: str | bool = word.lower() == "true" if is_flag else word
        if problem := problem_of(entity, {name: value}):
            raise ValueError(f"{problem}: {item!r}")
        found[name] = value
    return found
