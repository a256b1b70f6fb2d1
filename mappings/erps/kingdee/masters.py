"""Whether Kingdee knows the numbers that an order names; it takes an unknown one for a field that was left empty."""

from __future__ import annotations

from collections.abc import Iterable

from mappings.erps.kingdee.order import AREA
from mappings.erps.kingdee.service import Service, quoted
from mappings.errors import PermanentError
from mappings.wire import Exchange

AT_ONCE = 100
NAMED_AT_MOST = 20

_USABLE = "FDocumentStatus = 'C' and FForbidStatus = 'A'"
"""Audited and not disabled: no other base data can stand in an order. Which organisation may use it, Kingdee judges."""


def check_materials(service: Service, skus: Iterable[str]) -> Exchange[None]:
    """Raise PermanentError `kingdee.order.sku_unknown`, which names them, unless each is a material there."""
    unknown = yield from _find_unknown(service, "check_skus", "BD_MATERIAL", "FMATERIALID", skus)
    if unknown:
        more = f" and {len(unknown) - NAMED_AT_MOST} more" if len(unknown) > NAMED_AT_MOST else ""
        raise PermanentError(
            f"{AREA}.sku_unknown",
            f"Kingdee has no material {', '.join(unknown[:NAMED_AT_MOST])}{more} that is audited and not disabled; "
            "nothing was sent. Enter or audit it there under this number, or correct the goods number in the shop, "
            "then retry (CHECK_NUMBERS=0 sends without asking)",
        )


def check_customer(service: Service, number: str) -> Exchange[None]:
    """Raise PermanentError `kingdee.order.customer_unknown` unless there is such a customer."""
    if (yield from _find_unknown(service, "check_customer", "BD_Customer", "FCUSTID", [number])):
        raise PermanentError(
            f"{AREA}.customer_unknown",
            f"Kingdee has no customer {number} that is audited and not disabled; nothing was sent. Correct CUSTOMER "
            "and restart, or enter or audit it there, then retry (CHECK_NUMBERS=0 sends without asking)",
        )


def _find_unknown(service: Service, operation: str, form: str, key: str, numbers: Iterable[str]) -> Exchange[list[str]]:
    """The numbers that no usable record of the form has."""
    wanted, known = sorted(set(numbers)), set[str]()
    for start in range(0, len(wanted), AT_ONCE):
        some = ", ".join(quoted(number) for number in wanted[start : start + AT_ONCE])
        where = f"FNumber in ({some}) and {_USABLE}"
        rows = yield from service.read(operation, AREA, form, (key, "FNumber"), where)
        known |= {_folded(str(number)) for _, number in rows}
    return [number for number in wanted if _folded(number) not in known]


def _folded(number: str) -> str:
    """Kingdee's database compares without the case of letters and the blanks around them."""
    return number.strip().casefold()
