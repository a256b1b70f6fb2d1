"""The ORDERS05 IDoc as data: filled in, checked against SAP's basic type before anything is sent, and written as XML.

Both the basic type and what an order becomes stand in `idoc.toml`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from mappings.sap_text import cut_text, sap_length
from mappings.tables import read_table

_TABLE = read_table(__package__, "idoc.toml")
_FILL_IN = re.compile(r"\{([a-z0-9_]+)\}")
_FORMS = {
    "digits": re.compile(r"\d+"),
    "decimal": re.compile(r"\d+(\.\d+)?"),
    "date": re.compile(r"\d{8}"),
    "time": re.compile(r"\d{6}"),
}
_CLOCKS = {"date": "%Y%m%d", "time": "%H%M%S"}

Facts = Mapping[str, str]
"""What is filled in, by the names that `idoc.toml` uses."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why SAP would not take a segment. `kind` is too_long or invalid; `where` is segment and field, never a value."""

    kind: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment with its fields in the sequence in which they are written."""

    name: str
    fields: Mapping[str, str]
    children: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    """What the basic type says of one segment."""

    name: str
    fields: Mapping[str, str]
    needs: Sequence[str] = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    least: int = 0
    most: int = 1
    under: str = ""


_RULES = {row["name"]: _Rule(**row) for row in _TABLE["segment"]}
_PLACES = {name: place for place, name in enumerate(_RULES)}


def build_order(facts: Facts, items: Iterable[Facts]) -> tuple[Segment, ...]:
    """The segments of a new order; `items` are what each line has beyond the order's own facts."""
    lines = tuple(_nest(_fill(_TABLE["item"], {**facts, **item})) for item in items)
    return (*_fill(_TABLE["order"], facts), *lines, *_fill(_TABLE["sum"], facts))


def build_cancel(facts: Facts) -> tuple[Segment, ...]:
    """The segments of the wish to cancel an order (message type ORDCHG)."""
    return _fill(_TABLE["cancel"], facts)


def find_flaw(segments: Sequence[Segment], parent: str = "") -> Flaw | None:
    """The first thing that SAP's parser or a field's length would refuse; None when there is none."""
    places = [_PLACES[segment.name] for segment in segments]
    if any(_RULES[segment.name].under != parent for segment in segments) or places != sorted(places):
        return Flaw("invalid", parent or "ORDERS05", "the segments do not stand in the sequence of the basic type")
    counts = Counter(segment.name for segment in segments)
    for rule in _RULES.values():
        if rule.under == parent and not rule.least <= counts[rule.name] <= rule.most:
            return Flaw("invalid", rule.name, f"it stands there {counts[rule.name]} times")
    found = (_segment_flaw(segment) for segment in segments)
    return next((flaw for flaw in found if flaw), None) or _twice(segments)


def write_idoc(segments: Iterable[Segment]) -> str:
    """The IDoc as XML, without a declaration; the texts hold no control characters (`mappings.address.clean_text`)."""
    return f'<ORDERS05><IDOC BEGIN="1">{"".join(map(_write, segments))}</IDOC></ORDERS05>'


def split_text(text: str, length: int, parts: int) -> tuple[str, ...]:
    """The text in so many fields of that length; what is too much stays in the last one, where the check finds it."""
    pieces: list[str] = []
    for _ in range(parts - 1):
        size = len(cut_text(text, length))
        pieces.append(text[:size])
        text = text[size:]
    return (*pieces, text)


def _fill(rows: Iterable[Mapping[str, str]], facts: Facts) -> tuple[Segment, ...]:
    wanted = (row for row in rows if not row.get("when") or facts[row["when"]])
    return tuple(Segment(row["segment"], _fields(row, facts)) for row in wanted)


def _fields(row: Mapping[str, str], facts: Facts) -> dict[str, str]:
    filled = {
        name: _FILL_IN.sub(lambda match: facts[match.group(1)], text)
        for name, text in row.items()
        if name not in ("segment", "when")
    }
    return {name: text for name, text in filled.items() if text}


def _nest(segments: tuple[Segment, ...]) -> Segment:
    """The first segment with the others beneath it."""
    return Segment(segments[0].name, segments[0].fields, segments[1:])


def _segment_flaw(segment: Segment) -> Flaw | None:
    rule = _RULES[segment.name]
    for name in rule.needs:
        if not segment.fields.get(name):
            return Flaw("invalid", f"{segment.name}-{name}", "it is empty")
    of_fields = (_field_flaw(rule, name, text) for name, text in segment.fields.items())
    return next((flaw for flaw in of_fields if flaw), None) or find_flaw(segment.children, segment.name)


def _field_flaw(rule: _Rule, name: str, text: str) -> Flaw | None:
    where = f"{rule.name}-{name}"
    if name not in rule.fields:
        return Flaw("invalid", where, "the basic type has no such field")
    length, _, kind = rule.fields[name].partition(" ")
    if sap_length(text) > int(length):
        return Flaw("too_long", where, f"it has {sap_length(text)} characters, SAP takes {length}")
    if kind and not _is_of_kind(text, kind):
        return Flaw("invalid", where, f"it is no {kind}")
    if name in rule.values and text not in rule.values[name]:
        return Flaw("invalid", where, f"the qualifier {text} is not known")
    return None


def _is_of_kind(text: str, kind: str) -> bool:
    if not text.isascii() or not _FORMS[kind].fullmatch(text):
        return False
    if kind not in _CLOCKS:
        return True
    try:
        datetime.strptime(text, _CLOCKS[kind])  # noqa: DTZ007 - a calendar date or a time of day, of no zone
    except ValueError:
        return False
    return True


def _twice(segments: Sequence[Segment]) -> Flaw | None:
    """A qualifier says which of several a segment is, so two of one kind contradict each other."""
    seen: set[Any] = set()
    for segment in segments:
        for name in _RULES[segment.name].values:
            key = (segment.name, segment.fields[name])
            if key in seen:
                return Flaw("invalid", f"{segment.name}-{name}", f"the qualifier {segment.fields[name]} is there twice")
            seen.add(key)
    return None


def _write(segment: Segment) -> str:
    fields = "".join(f"<{name}>{escape(text, quote=False)}</{name}>" for name, text in segment.fields.items())
    return f'<{segment.name} SEGMENT="1">{fields}{"".join(map(_write, segment.children))}</{segment.name}>'
