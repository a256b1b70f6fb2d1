"""The courier companies behind KDNiao: name, what a query must carry, what a booking needs besides the usual."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from mappings.errors import UnmappedError


@dataclass(frozen=True, slots=True)
class Shipper:
    """One courier company. `customer_name`: "", phone_tail, phone_tail_if_known or merchant_code."""

    code: str
    name: str
    customer_name: str = ""
    needs: frozenset[str] = frozenset()


def _read() -> dict[str, Shipper]:
    rows = tomllib.loads(files(__package__).joinpath("shippers.toml").read_text("utf-8"))
    return {
        code: Shipper(code, row["name"], row.get("customer_name", ""), frozenset(row.get("needs", ())))
        for code, row in rows.items()
    }


SHIPPERS = _read()


def find_shipper(shipper_code: str, area: str) -> Shipper:
    """The company of a KDNiao ShipperCode; raises UnmappedError `<area>.shipper_unmapped`."""
    shipper = SHIPPERS.get(shipper_code)
    if shipper is None:
        raise UnmappedError(
            f"{area}.shipper_unmapped",
            f"No courier company has the code {shipper_code!r} in our table",
            hint=f'Add to {__package__.replace(".", "/")}/shippers.toml: {shipper_code or "CODE"} = {{ name = "…" }}',
        )
    return shipper
