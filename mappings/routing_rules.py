"""Reads routing rules from a TOML text. Every problem is told at once, by rule name and field; nothing is ignored."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.address import full_cities, full_province
from mappings.routing import DEFAULT, Offer, Routing, Rule, Tariff, When, Zone

_PART = re.compile(r"[\w.-]{1,40}")
"""A courier company's code or an account's name: it also stands in the switchboard, after the carrier's name."""

_RULE = {"name", "carrier", "shipper", "account", "when", "choose", "offers"}
_OFFER = {"carrier", "shipper", "account", "tariff"}
_ZONE = {"provinces", "first_weight_g", "first_fee_fen", "step_weight_g", "step_fee_fen"}
_TABLE = dict[str, Any]


def parse_routing(text: str, carriers: Collection[str]) -> Routing:
    """The rule set of a text; raises ValueError that names every problem. `carriers` are the configured names."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ValueError(f"is no TOML: {problem}") from None
    reader = _RulesReader(carriers)
    routing = reader.read(data)
    if reader.problems:
        raise ValueError("\n    ".join(reader.problems))
    return routing


@dataclass(slots=True)
class _RulesReader:
    """Reads tables and remembers what was wrong with them. A wrong value reads as if it were absent."""

    carriers: Collection[str]
    problems: list[str] = field(default_factory=list)

    def read(self, data: _TABLE) -> Routing:
        self._refuse_unknown("the text", data, {"rule", "tariff"})
        named = data.get("tariff", {})
        if not isinstance(named, dict):
            self._tell("tariff", "", "is written as [[tariff.NAME]]")
            named = {}
        tariffs = {name: self._tariff(name, zones) for name, zones in named.items()}
        tables = self._tables("the text", "rule", data.get("rule", []))
        rules = [self._rule(number, table, tariffs) for number, table in enumerate(tables, 1)]
        names = [rule.name for rule in rules]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._tell(f'rule "{name}"', "name", "is used twice; the reason of a choice must name one rule")
        return Routing(tuple(rules), tariffs)

    def _rule(self, number: int, table: _TABLE, tariffs: Mapping[str, Tariff]) -> Rule:
        name = table.get("name")
        if not isinstance(name, str) or not name.strip() or len(name) > 60 or name == DEFAULT:
            self._tell(f"rule {number}", "name", f"is a text of 1 to 60 characters, and not {DEFAULT!r}")
            name = f"{number}"
        where = f'rule "{name}"'
        self._refuse_unknown(where, table, _RULE)
        is_cheapest = self._is_cheapest(where, table)
        if "offers" in table:
            for key in sorted({"carrier", "shipper", "account"} & set(table)):
                self._tell(where, key, "stands in each of the offers where there are offers")
            offered = self._tables(where, "offers", table["offers"])
            if not offered:
                self._tell(where, "offers", "lists at least one carrier")
            offers = [self._offer(f"{where}: offers", offer, tariffs, is_priced=is_cheapest) for offer in offered]
        else:
            if is_cheapest:
                self._tell(where, "offers", "is needed to choose the cheapest")
            own: _TABLE = {key: table[key] for key in ("carrier", "shipper", "account") if key in table}
            offers = [self._offer(where, own, tariffs, is_priced=False)]
        return Rule(name, tuple(offers), self._when(where, table.get("when", {})), is_cheapest)

    def _is_cheapest(self, where: str, table: _TABLE) -> bool:
        wish = table.get("choose", "first")
        if wish not in ("first", "cheapest"):
            self._tell(where, "choose", f'is "first" or "cheapest", not {wish!r}')
        return bool(wish == "cheapest")

    def _offer(self, where: str, table: _TABLE, tariffs: Mapping[str, Tariff], *, is_priced: bool) -> Offer:
        self._refuse_unknown(where, table, _OFFER)
        carrier, tariff = table.get("carrier"), table.get("tariff", "")
        if carrier not in self.carriers:
            known = ", ".join(self.carriers)
            self._tell(where, "carrier", f"{carrier!r} is no carrier of ECSYNC_CARRIERS ({known})")
            carrier = ""
        if is_priced and tariff not in tariffs:
            known = ", ".join(tariffs) or "none"
            self._tell(where, "tariff", f"{tariff!r} is no [[tariff.NAME]] of the text ({known})")
        if tariff and not is_priced:
            self._tell(where, "tariff", 'is read only where choose = "cheapest"')
        shipper, account = self._part(where, table, "shipper").upper(), self._part(where, table, "account")
        return Offer(str(carrier), shipper, account, str(tariff))

    def _part(self, where: str, table: _TABLE, key: str) -> str:
        value = table.get(key, "")
        if value == "" or (isinstance(value, str) and _PART.fullmatch(value)):
            return str(value)
        self._tell(where, key, f"{value!r} is not a name of letters, digits and _ . -, at most 40")
        return ""

    def _when(self, where: str, table: object) -> When:
        if not isinstance(table, dict):
            self._tell(where, "when", "is a table, such as { cod = true }")
            return When()
        self._refuse_unknown(f"{where}: when", table, set(_CONDITIONS))
        asked: _TABLE = {}
        for key, value in table.items():
            if key in _CONDITIONS:
                asked[key] = self._value(where, f"when.{key}", value, _CONDITIONS[key])
        when = When(**{key: value for key, value in asked.items() if value is not None})
        for name in ("weight_g", "total_fen"):
            least, most = getattr(when, f"min_{name}"), getattr(when, f"max_{name}")
            if least is not None and most is not None and least > most:
                self._tell(where, f"when.min_{name}", f"is more than max_{name}: nothing fits")
        return when

    def _tariff(self, name: str, zones: object) -> Tariff:
        where = f"tariff {name}"
        read = [self._zone(where, zone) for zone in self._tables("the text", f"tariff.{name}", zones)]
        seen: set[str] = set()
        for zone in read:
            for province in sorted(zone.provinces & seen):
                self._tell(where, "provinces", f"{province} stands in two zones")
            seen |= zone.provinces
        if sum(not zone.provinces for zone in read) > 1:
            self._tell(where, "provinces", "only one zone may be for all the other provinces")
        return tuple(read)

    def _zone(self, where: str, table: _TABLE) -> Zone:
        self._refuse_unknown(where, table, _ZONE)
        numbers = {}
        for key in sorted(_ZONE - {"provinces"}):
            least = 1 if key == "step_weight_g" else 0
            if key not in table:
                self._tell(where, key, "is missing")
            number = self._value(where, key, table.get(key, least), _whole)
            if number is not None and number < least:
                self._tell(where, key, f"is at least {least}")
                number = least
            numbers[key] = least if number is None else number
        provinces = self._value(where, "provinces", table["provinces"], _provinces) if "provinces" in table else None
        return Zone(provinces=provinces or frozenset(), **numbers)

    def _tables(self, where: str, key: str, value: object) -> list[_TABLE]:
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        self._tell(where, key, f"is a list of tables, each written under [[{key}]]")
        return []

    def _value(self, where: str, key: str, value: object, read: Callable[[object], Any]) -> Any:
        try:
            return read(value)
        except ValueError as problem:
            self._tell(where, key, str(problem))
            return None

    def _refuse_unknown(self, where: str, table: _TABLE, known: set[str]) -> None:
        for key in sorted(set(table) - known):
            self._tell(where, key, f"is not known here; known are {', '.join(sorted(known))}")

    def _tell(self, where: str, key: str, problem: str) -> None:
        self.problems.append(f"{where}: {key}: {problem}" if key else f"{where}: {problem}")


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a whole number from 0 up")
    return value


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError('is a list of texts, such as ["a", "b"]')
    return frozenset(value)


def _provinces(value: object) -> frozenset[str]:
    names = _texts(value)
    if unknown := sorted(name for name in names if not full_province(name)):
        raise ValueError(f"{', '.join(unknown)}: no such province; write 广东 or 广东省")
    return frozenset(full_province(name) for name in names)


def _cities(value: object) -> frozenset[str]:
    names = _texts(value)
    if unknown := sorted(name for name in names if not full_cities(name)):
        raise ValueError(f"{', '.join(unknown)}: no such city; write 深圳 or 深圳市")
    return frozenset[str]().union(*(full_cities(name) for name in names))


_CONDITIONS: Mapping[str, Callable[[object], Any]] = {
    "provinces": _provinces,
    "cities": _cities,
    "min_weight_g": _whole,
    "max_weight_g": _whole,
    "cod": _yes_or_no,
    "shops": _texts,
    "shipping": _texts,
    "min_total_fen": _whole,
    "max_total_fen": _whole,
}
