"""Accounts with courier companies: what a branch gave us for its e-waybills, one record a company and branch."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PAY_TYPES = ("SHIPPER", "CONSIGNEE", "MONTHLY", "THIRDPARTY")


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `shipper` is our code of the company; empty: any (the single settings). Empty words are
    not sent."""

    shipper: str = ""
    partner_id: str = ""
    partner_key: str = field(default="", repr=False)
    partner_secret: str = field(default="", repr=False)
    partner_name: str = ""
    net: str = ""
    code: str = ""
    check_man: str = ""
    pay_type: str = "MONTHLY"
    exp_type: str = "标准快递"

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(word for word in (self.partner_key, self.partner_secret) if word)

    def words(self) -> dict[str, str]:
        """What an order and a cancel say of it, by Kuaidi100's names."""
        named = {
            "partnerId": self.partner_id,
            "partnerKey": self.partner_key,
            "partnerSecret": self.partner_secret,
            "partnerName": self.partner_name,
            "net": self.net,
            "code": self.code,
            "checkMan": self.check_man,
        }
        return {name: word for name, word in named.items() if word}


_NAME = re.compile(r"[0-9A-Za-z_-]{1,40}")
_FIELDS = tuple(field.name for field in fields(Account))

Accounts = Mapping[str, Account]


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
    if account.pay_type not in PAY_TYPES:
        raise ValueError(f"account {name}: pay_type must be one of {', '.join(PAY_TYPES)}")
    return account


def _read_word(name: str, key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"account {name}: {key} must be a text")
    return str(value).strip()
