"""Accounts of any platform: its own fields are read, checked and kept secret by what the platform declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from mappings.accounts import CourierAccount, pick_account, read_accounts, single_account
from mappings.errors import PermanentError


@dataclass(frozen=True, slots=True)
class Account(CourierAccount):
    number: str = ""
    password: str = field(default="", repr=False)


def check(name: str, text: str) -> str:
    if name == "number" and not text.isdecimal():
        raise ValueError("must be digits")
    return text.strip()


def test_an_account_is_read_with_the_platforms_own_fields() -> None:
    read = read_accounts('[hz]\nshipper = "ZTO"\nnumber = 7\npassword = " s3cret "', Account, check)
    assert read == {"hz": Account("ZTO", "7", "s3cret")}
    assert (read["hz"].secrets, "s3cret" in repr(read)) == (("s3cret",), False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[hz]\nshipper = "ZTO"\nnumber = "s3cret"', "account hz: number must be digits"),
        ('[hz]\nshipper = "ZTO"\npassword = true', "account hz: password must be a text"),
        ('[hz]\nshipper = "ZTO"\ntoken = "s3cret"', "account hz: token is none of shipper, number, password"),
        ('[hz]\npassword = "s3cret"', "account hz names no shipper: whose account is it (ZTO, SF …)?"),
    ],
)
def test_what_is_wrong_is_told_by_account_and_field(text: str, told: str) -> None:
    with pytest.raises(ValueError, match="account hz") as caught:
        read_accounts(text, Account, check)
    assert str(caught.value) == told


def test_a_call_uses_the_named_account_else_the_companys_first_else_the_settings_own() -> None:
    accounts = {"hz": Account("ZTO", "1"), "yw": Account("ZTO", "2"), "sf": Account("SF", "3")}
    single = single_account(Account, SimpleNamespace(number="9", password="s3cret", accounts=accounts))

    def pick(name: str, shipper_code: str) -> str:
        return pick_account(accounts, single, shipper_code=shipper_code, name=name, area="hub.waybill").number

    assert [pick("yw", "ZTO"), pick("", "ZTO"), pick("", "SF"), pick("", "YTO")] == ["2", "1", "3", "9"]
    for name in ("sf", "gone"):
        with pytest.raises(PermanentError) as caught:
            pick(name, "ZTO")
        assert caught.value.code == "hub.waybill.account_unknown"
