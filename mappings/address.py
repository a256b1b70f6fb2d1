"""Addresses as carriers want them: full region names, clean text. A region nobody knows is never guessed."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from mappings.errors import PermanentError, UnmappedError
from mappings.model import Address
from mappings.tables import read_table

_REGIONS = read_table("mappings", "regions.toml")


def _by_any_spelling(names: dict[str, str]) -> dict[str, str]:
    return {**{full: full for full in names.values()}, **names}


_PROVINCES = _by_any_spelling(_REGIONS["province"]) | {f"{city}市": city for city in ("北京", "上海", "天津", "重庆")}
_CITIES = {_PROVINCES[name]: _by_any_spelling(cities) for name, cities in _REGIONS["city"].items()}
_DISSOLVED: dict[str, dict[str, str]] = {_PROVINCES[name]: cities for name, cities in _REGIONS["dissolved"].items()}
_UNDIVIDED = frozenset(_REGIONS["undivided"]["cities"])
_REMOTE = frozenset(_PROVINCES[name] for name in _REGIONS["remote"]["provinces"])
_BEYOND_CUSTOMS = frozenset(_PROVINCES[name] for name in _REGIONS["customs"]["provinces"])


@dataclass(frozen=True, slots=True)
class Region:
    """Region names in full: 广东省 / 深圳市 / 福田区; municipalities 北京 / 北京市 / 海淀区."""

    province: str
    city: str
    district: str


def complete_region(address: Address) -> Region:
    """The full names of a mainland address; a district stays as the shop spells it.

    Raises UnmappedError `address.region_unknown`, PermanentError `address.region_dissolved` (merged into others),
    `address.region_customs` (Hong Kong, Macao, Taiwan) or `address.region_missing`.
    """
    short = [clean_text(name).replace(" ", "") for name in (address.province, address.city, address.district)]
    if not all(short[:2]):
        raise PermanentError("address.region_missing", "The address lacks its province or city")
    province = _PROVINCES.get(short[0])
    if province is None:
        raise _unknown("[province]", short[0])
    if province in _BEYOND_CUSTOMS:
        raise PermanentError("address.region_customs", f"{province} lies beyond the customs border; book it by hand")
    city_names = (short[1], short[1].removesuffix("市"))
    for name in city_names:
        if fate := _DISSOLVED.get(province, {}).get(name):
            raise PermanentError("address.region_dissolved", f"{short[0]}/{short[1]} is no more: {fate}")
    city = next(filter(None, map(_CITIES[province].get, city_names)), None)
    if city is None:
        raise _unknown(f'[city."{_short_province(province)}"]', short[1])
    # Carriers want a district of every address; where a city has none, its own name stands for it.
    district = short[2] or (city if city in _UNDIVIDED else "")
    if not district:
        raise PermanentError("address.region_missing", "The address lacks its district")
    return Region(province, city, district)


def _short_province(full: str) -> str:
    return next(str(short) for short, name in _REGIONS["province"].items() if name == full)


def _unknown(table: str, name: str) -> UnmappedError:
    return UnmappedError(
        "address.region_unknown",
        f"No region is called {name!r} there",
        hint=f'Correct the address, or add to mappings/regions.toml under {table}: "{name}" = "…"',
    )


def full_province(name: str) -> str:
    """The full name of a province in any of its spellings; empty for a word that is none."""
    return _PROVINCES.get(clean_text(name).replace(" ", ""), "")


def is_remote(province: str) -> bool:
    """Whether parcels to this province (its full name) take the longest; Hong Kong, Macao and Taiwan too."""
    return province in _REMOTE or province in _BEYOND_CUSTOMS


def full_cities(name: str, province: str = "") -> frozenset[str]:
    """The full names that a city's name may mean, in one province (its full name) or anywhere; empty for none."""
    bare = clean_text(name).replace(" ", "")
    tables = [_CITIES.get(province, {})] if province else list(_CITIES.values())
    found = (table.get(word) for table in tables for word in (bare, bare.removesuffix("市")))
    return frozenset(filter(None, found))


FULL_WIDTH = str.maketrans("'\"#&+<>%\\", "＇＂＃＆＋＜＞％＼")
"""Marks that a signature or a format may not bear, and the full-width forms that are sent instead."""


def clean_text(text: str) -> str:
    """One line without control characters, broken surrogates or invisible marks; runs of blanks become one.

    Full-width letters and digits become plain ones (１２ -> 12): a full-width phone is no phone to a carrier.
    Chinese punctuation stays as it is.
    """
    marks = (_clean_character(mark) for mark in text)
    return " ".join("".join(marks).split())


@lru_cache(maxsize=8192)  # each text is cleaned for every record that may show it, and characters are few
def _clean_character(mark: str) -> str:
    category = unicodedata.category(mark)
    if category == "Cc":
        return " "
    if category in ("Cf", "Cs", "Cn"):
        return ""  # among them the joiners of emoji: no loss on a waybill
    plain = unicodedata.normalize("NFKC", mark)
    return plain if "！" <= mark <= "～" and plain.isalnum() else mark
