"""Accounts per courier company and branch: how they are written, which one a call uses, and that none leaks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from mappings.carriers.kdniao.accounts import parse_accounts
from mappings.errors import AuthError, PermanentError
from mappings.model import OrderLine
from mappings.wire import HttpCall
from tests.contract.kdniao.cases import a_request, an_order, carrier, finish, json_reply, start

TOML = """
[zto-hangzhou]
shipper = "ZTO"
customer_name = "HZ-1"
customer_pwd = "hz-secret"
send_site = "杭州网点"
send_staff = "007"

[zto-yiwu]
shipper = "ZTO"
customer_name = "YW-1"
month_code = "yw-secret"
pay_type = 1

[sf]
shipper = "SF"
month_code = "7551234567"
exp_type = "2"
"""
ACCOUNTS = parse_accounts(TOML)


def data_of(call: HttpCall) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(parse_qs(call.body.decode())["RequestData"][0])
    return found


def sent(account: str = "", shipper_code: str = "ZTO", **settings: Any) -> dict[str, Any]:
    given = {"accounts": ACCOUNTS, "customer_name": "SINGLE"} | settings
    return data_of(start(carrier(**given).book_waybill(a_request(account=account, shipper_code=shipper_code))))


def test_a_named_account_is_used_with_all_that_it_holds() -> None:
    made = sent("zto-hangzhou")
    assert {name: made[name] for name in ("CustomerName", "CustomerPwd", "SendSite", "SendStaff", "PayType")} == {
        "CustomerName": "HZ-1",
        "CustomerPwd": "hz-secret",
        "SendSite": "杭州网点",
        "SendStaff": "007",
        "PayType": 3,
    }
    assert (sent("zto-yiwu")["CustomerName"], sent("zto-yiwu")["PayType"]) == ("YW-1", 1)


def test_without_a_name_the_first_account_of_the_company_is_used_else_the_single_settings() -> None:
    assert sent()["CustomerName"] == "HZ-1"
    assert sent(shipper_code="SF")["ExpType"] == "2"
    assert sent(shipper_code="YTO")["CustomerName"] == "SINGLE"


@pytest.mark.parametrize(("account", "shipper_code"), [("gone", "ZTO"), ("sf", "ZTO")])
def test_an_account_that_does_not_fit_is_never_replaced_by_another(account: str, shipper_code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        sent(account, shipper_code)
    assert caught.value.code == "kdniao.waybill.account_unknown"


def test_a_waybill_is_voided_under_the_account_that_it_was_booked_with() -> None:
    ours = carrier(accounts=ACCOUNTS)
    known = {"shipper_code": "ZTO", "waybill_no": "731", "order_code": "1-1"}
    assert data_of(start(ours.cancel_waybill(**known, account="zto-yiwu")))["CustomerName"] == "YW-1"
    with pytest.raises(PermanentError) as caught:
        start(ours.cancel_waybill(**known, account="gone"))
    assert caught.value.code == "kdniao.cancel.account_unknown"


def test_no_record_may_show_what_any_account_keeps_secret() -> None:
    call = start(carrier(accounts=ACCOUNTS).book_waybill(a_request()))
    assert {"hz-secret", "yw-secret", "7551234567"} <= set(call.secrets)
    assert "secret" not in repr(ACCOUNTS)
    assert "secret" not in repr(carrier(accounts=ACCOUNTS).settings)


def test_json_says_the_same_as_toml() -> None:
    text = '{"sf": {"shipper": "SF", "month_code": "7551234567", "exp_type": "2"}}'
    assert parse_accounts(text) == {"sf": ACCOUNTS["sf"]}
    assert parse_accounts('sf = { shipper = "SF", month_code = "7551234567", exp_type = "2" }') == {
        "sf": ACCOUNTS["sf"]
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[zto", "neither TOML nor JSON"),
        ('{"zto": ', "neither TOML nor JSON"),
        ('zto = "s3cret"', "must be a table"),
        ('[zto]\ncustomer_name = "s3cret"', "names no shipper"),
        ('[zto]\nshipper = "ZTO"\npassword = "s3cret"', "password is none of"),
        ('[zto]\nshipper = "ZTO"\ncustomer_pwd = "s3cret#"', "signature check"),
        ('[zto]\nshipper = "ZTO"\ncustomer_pwd = "' + "s3cret" * 6 + '"', "longer than"),
        ('[zto]\nshipper = "ZTO"\npay_type = 7', "pay_type must be"),
        ('[zto]\nshipper = "ZTO"\nsend_site = ["s3cret"]', "must be a text"),
        ('["中 通"]\nshipper = "ZTO"', "account name"),
    ],
)
def test_what_is_wrong_with_an_account_is_told_without_its_values(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        parse_accounts(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("account", "refused"), [("zto-yiwu", "zto-yiwu"), ("", "ZTO")])
def test_a_refused_account_is_named_and_no_other_is_touched(account: str, refused: str) -> None:
    reply = json_reply(Success=False, ResultCode="105", Reason="月结账号错误")
    with pytest.raises(AuthError) as caught:
        finish(carrier(accounts=ACCOUNTS).book_waybill(a_request(account=account)), reply)
    assert (caught.value.account, caught.value.peer_is_well) == (refused, True)


# --- several packages


def a_heavy_order(grams: int) -> Any:
    return an_order(lines=(replace(OrderLine("1", "X", "铁", 1, 100, grams)),))


@pytest.mark.parametrize(("grams", "quantity"), [(0, 1), (999, 1), (30_000, 1), (30_001, 2), (90_000, 3)])
def test_a_parcel_heavier_than_a_package_is_ordered_as_several(grams: int, quantity: int) -> None:
    request = a_request(order=a_heavy_order(grams))
    assert data_of(start(carrier(package_weight_g=30_000).book_waybill(request)))["Quantity"] == quantity
    assert data_of(start(carrier().book_waybill(request)))["Quantity"] == 1


def test_more_packages_than_kdniao_takes_are_a_persons_to_split() -> None:
    with pytest.raises(PermanentError) as caught:
        start(carrier(package_weight_g=1000).book_waybill(a_request(order=a_heavy_order(31_000))))
    assert caught.value.code == "kdniao.waybill.too_many_packages"
