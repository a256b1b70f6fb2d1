"""Finds connectors through entry points: the one discovery mechanism.

A connector is named nowhere but in its own folder and in its entry-point line (`ecsync.carriers`, `ecsync.erps`,
`ecsync.shops`).
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mappings.connector import Spec

KINDS = {"shop": "ecsync.shops", "carrier": "ecsync.carriers", "erp": "ecsync.erps"}


class UnknownConnector(Exception):
    """No installed package offers this connector, or two do."""


@cache
def _installed(kind: str) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=KINDS[kind]):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def names(kind: str) -> list[str]:
    """The installed connectors of a kind (`shop`, `carrier`, `erp`)."""
    return sorted(_installed(kind))


@cache
def load_connector(kind: str, name: str) -> Any:
    """The connector class; raises UnknownConnector when none or several packages offer it."""
    entries = _installed(kind).get(name, ())
    if not entries:
        raise UnknownConnector(f"no {kind} connector is called {name!r}; installed: {', '.join(names(kind)) or 'none'}")
    if len({entry.value for entry in entries}) > 1:
        offers = ", ".join(entry.value for entry in entries)
        raise UnknownConnector(f"several packages offer the {kind} connector {name!r}: {offers}; uninstall all but one")
    connector = entries[0].load()
    if not isinstance(connector.spec, Spec):
        raise UnknownConnector(f"{entries[0].value} declares no Spec")
    return connector
