"""Accounts with courier companies: what a branch gave us for its e-waybills, one record a company and branch."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mappings.carriers.kdniao.signing import FORBIDDEN


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `shipper` is KDNiao's code of the company; empty: any (the single settings). Field names are
    KDNiao's; an empty one is not sent."""

    shipper: str = ""
    customer_name: str = ""
    customer_pwd: str = field(default="", repr=False)
    send_site: str = ""
    send_staff: str = ""
    month_code: str = field(default="", repr=False)
    warehouse_id: str = ""
    delivery_method: str = ""
    pay_type: str = "3"
    exp_type: str = "1"

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(word for word in (self.customer_pwd, self.month_code) if word)


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

_NAME = re.compile(r"[0-9A-Za-z_-]{1,40}")
_FIELDS = tuple(field.name for field in fields(Account))

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
    """Accounts by name, from TOML (a table each) or a JSON object. Raises ValueError that shows no value."""
    try:
        tables = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError as problem:
        raise ValueError(f"is neither TOML nor JSON: {problem}") from None
    return {name: _read_account(name, table) for name, table in tables.items()}


def _read_account(name: str, table: object) -> Account:
    if not _NAME.fullmatch(name):
        raise ValueError(f"the account name {name!r} may have up to 40 letters, digits, - and _ only")
    if not isinstance(table, Mapping):
        raise ValueError(f"account {name} must be a table: [{name}] and below it shipper = …")
    if strange := sorted(set(table) - set(_FIELDS)):
        raise ValueError(f"account {name}: {strange[0]} is none of {', '.join(_FIELDS)}")
    account = Account(**{key: _read_word(name, key, value) for key, value in table.items()})
    if not account.shipper:
        raise ValueError(f"account {name} names no shipper: whose account is it (ZTO, SF …)?")
    if account.pay_type not in ("1", "2", "3", "4"):
        raise ValueError(f"account {name}: pay_type must be 1, 2, 3 or 4")
    return account


def _read_word(name: str, key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"account {name}: {key} must be a text")
    try:
        return check_word(str(value), LENGTHS[key])
    except ValueError as problem:
        raise ValueError(f"account {name}: {key} {problem}") from None
