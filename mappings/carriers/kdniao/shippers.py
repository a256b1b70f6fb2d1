"""The courier companies behind KDNiao: name, what a query must carry, what a booking needs besides the usual."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.errors import PermanentError, UnmappedError
from mappings.tables import path_of, read_table


@dataclass(frozen=True, slots=True)
class Shipper:
    """One courier company. `customer_name`: "", phone_tail, phone_tail_if_known or merchant_code."""

    code: str
    name: str
    customer_name: str = ""
    needs: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    """How its numbers begin, where letters say whose they are."""
    is_free: bool = False
    """Whether KDNiao's free plan follows it (1002, 1008)."""


def _read() -> dict[str, Shipper]:
    rows = read_table(__package__, "shippers.toml")
    return {
        code: Shipper(
            code,
            row["name"],
            row.get("customer_name", ""),
            frozenset(row.get("needs", ())),
            tuple(row.get("prefixes", ())),
            row.get("free", False),
        )
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
            hint=f'Add to {path_of(__package__, "shippers.toml")}: {shipper_code or "CODE"} = {{ name = "…" }}',
        )
    return shipper


def check_free(shipper_code: str, area: str, request_type: str) -> None:
    """Raise PermanentError `<area>.shipper_not_free` before a call that KDNiao's free plan would refuse."""
    if not find_shipper(shipper_code, area).is_free:
        free = ", ".join(code for code, shipper in SHIPPERS.items() if shipper.is_free)
        message = (
            f"KDNiao's free service {request_type} follows {free} only, not {shipper_code}. Buy 8001 and 8008 and set "
            "QUERY_REQUEST_TYPE and SUBSCRIBE_REQUEST_TYPE, or look this parcel up by hand and resolve the line"
        )
        raise PermanentError(f"{area}.shipper_not_free", message)
