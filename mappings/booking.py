"""What every carrier wants of an order and its parties, and what a person is told where it is missing."""

from __future__ import annotations

import re

from mappings.address import clean_text
from mappings.errors import PermanentError

_ORDER_CODE = re.compile(r"[0-9A-Za-z_.-]+")
_MOBILE = re.compile(r"1\d{10}")


def check_order_code(code: str, *, most: int, area: str) -> str:
    """Our idempotency key: to cut or change it would be to book twice, so an unfit one is refused.

    Raises PermanentError `<area>.order_code_refused`.
    """
    if len(code) > most or not _ORDER_CODE.fullmatch(code):
        raise PermanentError(
            f"{area}.order_code_refused",
            f"The order code {code!r} must be 1 to {most} of 0-9 A-Z a-z _ . -",
        )
    return code


def demand_text(text: str, what: str, whose: str, *, carrier: str, area: str) -> str:
    """The clean text; raises PermanentError `<area>.<what>_missing` where there is none."""
    words = clean_text(text)
    if not words:
        raise PermanentError(f"{area}.{what}_missing", f"{carrier} wants a {what.replace('_', ' ')}: {whose} has none")
    return words


def text_refused(area: str, *, carrier: str, peer_code: str, peer_text: str = "") -> PermanentError:
    """The carrier's no to the signature of one order while it takes another: the others must not wait for it."""
    message = (
        f"{carrier} refuses the signature of this order alone, so it reads a sign of its text otherwise: take emoji "
        "and odd signs out of names, address, goods and remark in the shop, then retry"
    )
    return PermanentError(f"{area}.text_refused", message, peer_code=peer_code, peer_text=peer_text)


def phone_fields(phone: str, side: str, *, area: str, mobile: str = "mobile", tel: str = "tel") -> dict[str, str]:
    """A mobile number under the name `mobile`, anything else under `tel`. Raises PermanentError `<area>.phone_missing`.

    A mobile number loses its country code and the signs between its digits, a landline keeps them.
    """
    text = clean_text(phone)
    bare = re.sub(r"^(\+|00)86|[\s()-]", "", text)
    if not re.search(r"\d", text):
        raise PermanentError(f"{area}.phone_missing", f"The {side} has no phone number")
    return {mobile: bare} if _MOBILE.fullmatch(bare) else {tel: text}


def last_digits(phone: str) -> str:
    """A phone's last four digits, which some companies want before they tell of a parcel; empty where it has fewer."""
    tail = re.sub(r"\D", "", clean_text(phone))[-4:]
    return tail if len(tail) == 4 else ""
