"""What the sandbox SAP demands of an order: SAP's property table, enforced on the JSON as it came in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mappings.tables import read_table

ENTITIES: Mapping[str, Mapping[str, str]] = read_table("mappings.erps.sap_odata", "entities.toml")
"""The table that the connector has too, made from SAP's EDMX; how it is enforced here is written a second time."""

DAY_MS = 86_400_000
_DATE = re.compile(r"/Date\((-?\d+)\)/")
_NEEDED = {
    "A_SalesOrder": (
        "SalesOrderType",
        "SalesOrganization",
        "DistributionChannel",
        "OrganizationDivision",
        "SoldToParty",
    ),
    "A_SalesOrderItem": ("Material", "RequestedQuantity"),
}


class Refused(Exception):
    """A refusal as SAP words it: T100 class and number, text, and the property that is wrong."""

    def __init__(self, code: str, text: str, target: str = "", *, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.text, self.target, self.status = code, text, target, status


def check_deep_insert(entity: str, values: object) -> None:
    """Raise Refused for the first thing that SAP would not take of an entity and of what stands below it."""
    if not isinstance(values, Mapping):
        raise Refused("/IWBEP/CM_MGW_RT/176", "The request body is not an entity")
    known = ENTITIES[entity]
    for name, value in values.items():
        words = known.get(name)
        if words is None:
            raise Refused("/IWFND/CM_MGW/096", f"Property '{name}' is invalid", f"{entity}/{name}")
        if words.startswith("-> "):
            _check_below(words.removeprefix("-> "), name, value)
        else:
            check_value(name, words, value)
    for name in _NEEDED.get(entity, ()):
        if not values.get(name):
            raise Refused("VP/112", f"Enter a value for {name}", name)
    if entity == "A_SalesOrder" and not values.get("to_Item"):
        raise Refused("V1/555", "Enter at least one item", "to_Item")


def _check_below(entity: str, name: str, value: object) -> None:
    if not isinstance(value, list):
        raise Refused("/IWBEP/CM_MGW_RT/176", f"'{name}' is not a collection", name)
    for child in value:
        check_deep_insert(entity, child)


def check_value(name: str, words: str, value: Any) -> None:
    """One value against its type, its length and whether it may be given at all."""
    if words.endswith("read_only"):
        raise Refused("/IWBEP/CM_MGW_RT/198", f"Property '{name}' is not creatable", name)
    kind, *rest = words.split()
    size = rest[0] if rest else ""
    is_well = {
        "text": lambda: isinstance(value, str) and _fits(value, size),
        "code": lambda: isinstance(value, str) and _fits(value, size),
        "digits": lambda: isinstance(value, str) and _fits(value, size) and value.isdecimal(),
        "decimal": lambda: isinstance(value, str) and _is_decimal(value, size),
        "date": lambda: isinstance(value, str) and _is_day(value),
        "flag": lambda: isinstance(value, bool),
    }.get(kind, lambda: False)()
    if not is_well:
        raise Refused("CX_SXML_PARSE_ERROR/001", f"Property '{name}' has an invalid value", name)


def _fits(value: str, size: str) -> bool:
    return not size or len(value.encode("utf-16-le")) <= 2 * int(size)


def _is_decimal(value: str, size: str) -> bool:
    digits, scale = (int(part) for part in size.split("."))
    found = re.fullmatch(r"-?(\d+)(?:\.(\d+))?", value)
    return found is not None and len(found[1]) <= digits - scale and len(found[2] or "") <= scale


def _is_day(value: str) -> bool:
    """A calendar day is midnight UTC; any other moment would be another day somewhere."""
    found = _DATE.fullmatch(value)
    return found is not None and int(found[1]) % DAY_MS == 0
