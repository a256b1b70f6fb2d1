"""What other systems call a courier company, and our code for it: KDNiao's `ShipperCode`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mappings.tables import read_table


@cache
def _known() -> dict[str, str]:
    """Codes and full Chinese names of the couriers that KDNiao serves -> code."""
    table = read_table("mappings.carriers.kdniao", "shippers.toml")
    return {word: code for code, facts in table.items() for word in (code, facts["name"])}


def find_courier(word: str, more: Mapping[str, str]) -> str:
    """The code of the courier that is called so; `more` (their word -> code) wins. Empty for an unknown word."""
    word = word.strip()
    return more.get(word) or _known().get(word) or _known().get(word.upper(), "")
