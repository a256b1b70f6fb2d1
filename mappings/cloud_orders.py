"""What ERPs in the cloud have in common: orders that must not be sent to any, and money as they write it."""

from __future__ import annotations

from mappings.errors import PermanentError
from mappings.model import Order


def check_phone(order: Order, area: str) -> None:
    """Raise PermanentError `<area>.phone_rejected` for a phone that nobody can call."""
    phone = order.consignee.phone
    if not phone.strip() or "*" in phone:
        raise PermanentError(
            f"{area}.phone_rejected",
            "The consignee's phone is missing or masked with *, and no courier could call it; nothing was sent. "
            "Correct it in the shop, then retry",
        )


def check_cod(order: Order, cod: str, area: str) -> None:
    """Raise PermanentError `<area>.cod_refused` for an order that is paid on delivery, where `cod` is `refuse`."""
    if order.cod_fen and cod == "refuse":
        raise PermanentError(
            f"{area}.cod_refused",
            "The order is paid on delivery, which was not agreed with the ERP; nothing was sent. Set COD=send once one "
            "such order was tried, then retry; or enter it there by hand",
        )


def yuan_number(fen: int) -> float:
    """Yuan as a JSON number: the nearest float of a hundredth is written with two places at most."""
    return fen / 100
