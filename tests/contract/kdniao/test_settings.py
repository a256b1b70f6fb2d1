"""What KDNiao's settings allow, and what they refuse to start with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.kdniao.cases import carrier


def parse(name: str, text: str) -> Any:
    return next(setting for setting in carrier().spec.settings if setting.name == name).parse(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("environment", "prod"),
        ("order_url", "ftp://x"),
        ("query_url", "https://"),
        ("customer_pwd", "a&b"),
        ("customer_name", "x" * 51),
        ("pay_type", "9"),
        ("is_notice", "maybe"),
        ("template", "maybe"),
        ("max_items", "0"),
        ("max_items", "many"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        parse(name, text)


def test_production_wants_tls_and_an_account() -> None:
    with pytest.raises(ValueError, match="https"):
        carrier(environment="production", order_url="http://api.kdniao.com/api/EOrderService")
    with pytest.raises(ValueError, match="app_key"):
        carrier(app_key="")
    with pytest.raises(ValueError, match="ebusiness_id"):
        carrier(ebusiness_id="")


def test_every_default_is_a_value_its_own_setting_accepts() -> None:
    for setting in carrier().spec.settings:
        if isinstance(setting.default, str) and setting.default:
            assert setting.parse(setting.default) == setting.default
    assert [setting.name for setting in carrier().spec.settings if setting.secret] == [
        "app_key",
        "app_key_previous",
        "customer_pwd",
        "month_code",
        "accounts",
    ]
