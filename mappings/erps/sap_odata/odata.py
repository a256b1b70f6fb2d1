"""OData V2 as SAP Gateway speaks it: addresses, literals, dates, and where an answer holds its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

_EPOCH = date(1970, 1, 1)


def literal(text: str) -> str:
    """A text in a filter or a key: in single quotes, a quote inside it doubled."""
    return "'" + text.replace("'", "''") + "'"


def key(**parts: str) -> str:
    """The key of one entity, `('4711')` for a single part."""
    if len(parts) == 1:
        return f"({literal(*parts.values())})"
    return "(" + ",".join(f"{name}={literal(value)}" for name, value in parts.items()) + ")"


def any_of(name: str, values: Iterable[str]) -> str:
    """A filter that one property has one of these values."""
    return "(" + " or ".join(f"{name} eq {literal(value)}" for value in values) + ")"


def wire_date(day: date) -> str:
    """A calendar day as `/Date(ms)/`: midnight UTC of that very day, whatever the zone, or China is a day early."""
    return f"/Date({(day - _EPOCH) // timedelta(milliseconds=1)})/"


def address(service: str, path: str, options: Mapping[str, str]) -> str:
    """The address of an entity or a set; blanks as %20, because not every gateway takes + for one."""
    where = f"{service}/{quote(path, safe=_KEY_SIGNS)}"
    return f"{where}?{urlencode(options, quote_via=quote, safe='$,()/')}" if options else where


_KEY_SIGNS = "()',="


def rows_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """The entities of a collection, `{"d": {"results": […]}}` or the older `{"d": […]}`; None when it holds none."""
    held = body.get("d")
    rows = held.get("results") if isinstance(held, Mapping) else held
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return None
    return rows


def next_page(body: Mapping[str, Any]) -> dict[str, str]:
    """Where the next page begins (`$skiptoken` or `$skip`), out of the link that SAP gives; empty on the last page.

    Of the link only these count: the host in it is the one that SAP knows itself by, behind whatever proxy.
    """
    held = body.get("d")
    link = held.get("__next") if isinstance(held, Mapping) else None
    asked = parse_qs(urlsplit(link).query) if isinstance(link, str) else {}
    return {name: values[0] for name, values in asked.items() if name in ("$skiptoken", "$skip")}
