"""What Kuaidi100's settings allow, and what they refuse to start with."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.carriers.kuaidi100.settings import SETTINGS, SPEC
from mappings.connector import NEVER
from mappings.errors import PermanentError
from tests.contract.kdniao.cases import a_request, start
from tests.contract.kuaidi100.cases import carrier, carrier_config, param_of


def parse(name: str, text: str) -> Any:
    return next(setting for setting in SETTINGS if setting.name == name).parse(text)


def test_production_has_the_documented_addresses() -> None:
    settings = carrier().settings
    assert settings.order_url == "https://api.kuaidi100.com/label/order"
    assert settings.query_url == "https://poll.kuaidi100.com/poll/query.do"
    assert settings.subscribe_url == "https://poll.kuaidi100.com/poll"
    assert settings.pickup_url == "https://poll.kuaidi100.com/order/borderapi.do"


def test_a_sandbox_never_reaches_the_real_service_by_default() -> None:
    with pytest.raises(ValueError, match="no test service"):
        carrier(environment="sandbox")
    places = dict.fromkeys(("order_url", "query_url", "subscribe_url"), "http://127.0.0.1:1/x")
    call = start(
        carrier(environment="sandbox", callback_url="http://127.0.0.1:2/cb", **places).book_waybill(a_request())
    )
    assert call.url == "http://127.0.0.1:1/x"


def test_a_sandbox_orders_couriers_at_the_address_that_it_was_given_only() -> None:
    places = dict.fromkeys(("order_url", "query_url", "subscribe_url"), "http://127.0.0.1:1/x")
    by_label = carrier(environment="sandbox", callback_url="http://127.0.0.1:2/cb", **places)
    assert "kuaidi100.com" not in by_label.settings.pickup_url
    with pytest.raises(ValueError, match="pickup_url to a stand-in"):
        carrier(environment="sandbox", callback_url="http://127.0.0.1:2/cb", book_by="merchant_pickup", **places)


@pytest.mark.parametrize("name", ["key", "secret", "customer", "salt", "callback_url"])
def test_nothing_starts_without(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be set"):
        carrier(**{name: ""})


@pytest.mark.parametrize("name", ["order_url", "query_url", "subscribe_url", "pickup_url", "callback_url"])
def test_production_speaks_https_only(name: str) -> None:
    with pytest.raises(ValueError, match="use https"):
        carrier(**{name: "http://peer.example.test/"})


def test_a_label_needs_a_template() -> None:
    with pytest.raises(ValueError, match="template"):
        carrier(print_type="IMAGE")
    assert carrier(print_type="IMAGE", template="t1").settings.print_type == "IMAGE"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("environment", "test"),
        ("pay_type", "3"),
        ("print_type", "PDF"),
        ("book_by", "pickup"),
        ("pickup_payment", "me"),
        ("pickup_hours", "morning"),
        ("pickup_hours", "09:00-10:30"),
        ("order_url", "ftp://x"),
        ("salt", "x" * 33),
        ("max_items", "0"),
        ("max_items", "many"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|must last|longer"):
        parse(name, text)


def test_the_limits_that_the_core_must_keep_are_declared() -> None:
    assert (SPEC.repeat_is_safe, SPEC.repeat_window_s(carrier_config())) == (True, 48 * 3600)
    assert SPEC.repeat_window_s(carrier_config(book_by="merchant_pickup")) == NEVER
    assert SPEC.query_spacing_s * 48 == 24 * 3600
    assert SPEC.tracks_own_waybills
    assert SPEC.signs_pushes
    assert not SPEC.pushes_where_told, "its own setting names the address, with or without ECSYNC_PUBLIC_URL"


def test_every_secret_is_marked_as_one() -> None:
    secret = {setting.name for setting in SETTINGS if setting.secret}
    assert secret >= {"key", "secret", "customer", "salt", "salt_previous", "partner_key", "partner_secret"}


# --- accounts

ACCOUNTS = """
[zto-east]
shipper = "ZTO"
partner_id = "ZT-EAST"
partner_key = "east-pw"
[sf]
shipper = "SF"
partner_id = 755123
pay_type = "SHIPPER"
"""


def booked_with(shipper_code: str, account: str = "", **settings: Any) -> dict[str, Any]:
    ours = carrier(accounts=parse("accounts", ACCOUNTS), **settings)
    return param_of(start(ours.book_waybill(a_request(shipper_code=shipper_code, account=account))))


def test_an_account_goes_with_its_company_and_the_single_settings_with_the_others() -> None:
    assert booked_with("ZTO")["partnerId"] == "ZT-EAST"
    assert (booked_with("SF")["partnerId"], booked_with("SF")["payType"]) == ("755123", "SHIPPER")
    assert booked_with("YTO", partner_id="YT-1")["partnerId"] == "YT-1"
    assert booked_with("ZTO", "zto-east")["partnerKey"] == "east-pw"


def test_a_waybill_is_voided_under_the_account_it_was_ordered_with() -> None:
    ours = carrier(accounts=parse("accounts", ACCOUNTS))
    waybill = {"shipper_code": "ZTO", "waybill_no": "1", "order_code": "1"}
    call = start(ours.cancel_waybill(**waybill, account="zto-east"))
    assert param_of(call)["partnerId"] == "ZT-EAST"
    assert "east-pw" in call.secrets
    assert "east-pw" not in repr(ours.settings.accounts)


@pytest.mark.parametrize(("shipper_code", "account"), [("ZTO", "west"), ("ZTO", "sf")])
def test_an_account_that_cannot_be_meant_books_nothing(shipper_code: str, account: str) -> None:
    with pytest.raises(PermanentError) as caught:
        booked_with(shipper_code, account)
    assert caught.value.code == "kuaidi100.waybill.account_unknown"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a", "neither TOML nor JSON"),
        ('{"a": 1}', "must be a table"),
        ('["a b"]\nshipper = "ZTO"', "letters, digits"),
        ('[a]\npartner_id = "1"', "names no shipper"),
        ('[a]\nshipper = "ZTO"\nfoo = "1"', "foo is none of"),
        ('[a]\nshipper = "ZTO"\nnet = true', "must be a text"),
        ('[a]\nshipper = "ZTO"\npay_type = "3"', "pay_type must be one of"),
    ],
)
def test_a_table_of_accounts_that_cannot_be_read_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse("accounts", text)
