"""Courier companies by their two codes: KDNiao's shipper code, which is the house's, and Kuaidi100's `kuaidicom`."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.errors import UnmappedError
from mappings.tables import path_of, read_table


@dataclass(frozen=True, slots=True)
class Shipper:
    """One courier company. `wants_phone`: it tells of a parcel only to who knows a party's last four digits."""

    code: str
    com: str
    name: str
    wants_phone: bool = False


def _read() -> dict[str, Shipper]:
    rows = read_table(__package__, "shippers.toml")
    return {code: Shipper(code, row["com"], row["name"], row.get("phone", False)) for code, row in rows.items()}


SHIPPERS = _read()
_BY_COM = {shipper.com: shipper for shipper in SHIPPERS.values()}


def find_shipper(shipper_code: str, area: str) -> Shipper:
    """The company of a shipper code; raises UnmappedError `<area>.shipper_unmapped`."""
    shipper = SHIPPERS.get(shipper_code)
    if shipper is None:
        raise UnmappedError(
            f"{area}.shipper_unmapped",
            f"We know no Kuaidi100 code for the courier company {shipper_code!r}",
            hint=f"{_line_to_add(shipper_code or 'CODE', '…')}",
        )
    return shipper


def find_com(com: str) -> Shipper | None:
    """The company of a `kuaidicom`, or None: nobody mapped it."""
    return _BY_COM.get(com.lower())


def com_to_add(com: str) -> str:
    """The line that maps a `kuaidicom` which is missing, as a sentence."""
    return _line_to_add("CODE", com)


def _line_to_add(code: str, com: str) -> str:
    return f'Add to {path_of(__package__, "shippers.toml")}: {code} = {{ com = "{com}", name = "…" }}'
