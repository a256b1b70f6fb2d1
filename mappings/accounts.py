"""Accounts with courier companies behind a platform: how they are written in a setting, and which one a call uses."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from mappings.errors import PermanentError

_NAME = re.compile(r"[0-9A-Za-z_-]{1,40}")


@dataclass(frozen=True, slots=True)
class CourierAccount:
    """One account. `shipper` is the house's code of the company; empty: any (the single settings).

    A platform adds its own fields, all of them texts; those that are secret it keeps out of `repr`.
    """

    shipper: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no record may show."""
        words = (getattr(self, field.name) for field in fields(self) if not field.repr)
        return tuple(word for word in words if word)


A = TypeVar("A", bound=CourierAccount)


def read_accounts(text: str, kind: type[A], check_word: Callable[[str, str], str]) -> Mapping[str, A]:
    """Accounts by name, from TOML (a table each) or a JSON object. Raises ValueError that shows no value.

    `check_word` is given a field's name and text, and returns what to keep or raises ValueError.
    """
    try:
        tables = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except ValueError as problem:
        raise ValueError(f"is neither TOML nor JSON: {problem}") from None
    return {name: _read_account(name, table, kind, check_word) for name, table in tables.items()}


def _read_account(name: str, table: object, kind: type[A], check_word: Callable[[str, str], str]) -> A:
    if not _NAME.fullmatch(name):
        raise ValueError(f"the account name {name!r} may have up to 40 letters, digits, - and _ only")
    if not isinstance(table, Mapping):
        raise ValueError(f"account {name} must be a table: [{name}] and below it shipper = …")
    known = [field.name for field in fields(kind)]
    if strange := sorted(set(table) - set(known)):
        raise ValueError(f"account {name}: {strange[0]} is none of {', '.join(known)}")
    account = kind(**{key: _read_word(name, key, value, check_word) for key, value in table.items()})
    if not account.shipper:
        raise ValueError(f"account {name} names no shipper: whose account is it (ZTO, SF …)?")
    return account


def _read_word(name: str, key: str, value: object, check_word: Callable[[str, str], str]) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"account {name}: {key} must be a text")
    try:
        return check_word(key, str(value))
    except ValueError as problem:
        raise ValueError(f"account {name}: {key} {problem}") from None


def pick_account(accounts: Mapping[str, A], single: A, *, shipper_code: str, name: str, area: str) -> A:
    """The account that a routing rule named, else the first of this company, else the single settings'.

    Raises PermanentError `<area>.account_unknown`: an account that does not fit is never replaced by another.
    """
    if name:
        account = accounts.get(name)
        if account is None or account.shipper != shipper_code:
            what = "no such account" if account is None else f"it is an account with {account.shipper}"
            message = f"The account {name!r} was to be used with {shipper_code}, but {what}: correct it in ACCOUNTS"
            raise PermanentError(f"{area}.account_unknown", f"{message}, or in the routing rule; then retry")
        return account
    own = (account for account in accounts.values() if account.shipper == shipper_code)
    return next(own, single)


def single_account(kind: type[A], settings: object) -> A:
    """The account that a connector's own settings make, whose names are those of its fields."""
    return kind(**{field.name: getattr(settings, field.name) for field in fields(kind) if field.name != "shipper"})
