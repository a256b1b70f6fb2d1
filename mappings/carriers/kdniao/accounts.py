"""Accounts with courier companies: what a branch gave us for its e-waybills, one record a company and branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.accounts import CourierAccount, read_accounts
from mappings.carriers.kdniao.signing import FORBIDDEN


@dataclass(frozen=True, slots=True)
class Account(CourierAccount):
    """One account, in KDNiao's fields; an empty one is not sent."""

    customer_name: str = ""
    customer_pwd: str = field(default="", repr=False)
    send_site: str = ""
    send_staff: str = ""
    month_code: str = field(default="", repr=False)
    warehouse_id: str = ""
    delivery_method: str = ""
    pay_type: str = "3"
    exp_type: str = "1"


LENGTHS = {
    "shipper": 20,
    "customer_name": 50,
    "customer_pwd": 30,
    "send_site": 30,
    "send_staff": 30,
    "month_code": 50,
    "warehouse_id": 30,
    "delivery_method": 2,
    "pay_type": 1,
    "exp_type": 2,
}
"""KDNiao's lengths of what an account holds."""

PAY_TYPES = ("1", "2", "3", "4")

Accounts = Mapping[str, Account]


def check_word(text: str, limit: int) -> str:
    """An account word is sent as it is, so it may hold no character that KDNiao's signature check trips over."""
    word = text.strip()
    if len(word) > limit:
        raise ValueError(f"is longer than KDNiao's {limit} characters")
    if word.translate(FORBIDDEN) != word:
        raise ValueError("holds one of ' \" # & + < > % \\, which KDNiao's signature check does not take")
    return word


def parse_accounts(text: str) -> Accounts:
    """Accounts by name, from TOML or JSON. Raises ValueError that shows no value."""
    return read_accounts(text, Account, _check_field)


def _check_field(name: str, text: str) -> str:
    word = check_word(text, LENGTHS[name])
    if name == "pay_type" and word not in PAY_TYPES:
        raise ValueError("must be 1, 2, 3 or 4")
    return word
