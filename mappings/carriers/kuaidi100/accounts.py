"""Accounts with courier companies: what a branch gave us for its e-waybills, one record a company and branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.accounts import CourierAccount, read_accounts

PAY_TYPES = ("SHIPPER", "CONSIGNEE", "MONTHLY", "THIRDPARTY")


@dataclass(frozen=True, slots=True)
class Account(CourierAccount):
    """One account, in Kuaidi100's fields; an empty one is not sent."""

    partner_id: str = ""
    partner_key: str = field(default="", repr=False)
    partner_secret: str = field(default="", repr=False)
    partner_name: str = ""
    net: str = ""
    code: str = ""
    check_man: str = ""
    pay_type: str = "MONTHLY"
    exp_type: str = "标准快递"

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


Accounts = Mapping[str, Account]


def parse_accounts(text: str) -> Accounts:
    """Accounts by name, from TOML or JSON. Raises ValueError that shows no value."""
    return read_accounts(text, Account, _check_field)


def _check_field(name: str, text: str) -> str:
    word = text.strip()
    if name == "pay_type" and word not in PAY_TYPES:
        raise ValueError(f"must be one of {', '.join(PAY_TYPES)}")
    return word
