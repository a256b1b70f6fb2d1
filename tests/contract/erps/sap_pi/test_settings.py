"""The settings: each refused with a sentence where it is wrong, alone or together with others."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from mappings.connector import ErpConnector
from mappings.erps.sap_pi import SapPiErp
from tests.contract.erps.sap_pi.cases import HTTP, NAMED, REST, SN, SOAP, document, erp, run


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("base_url", "http://pi.example.com:50000", "https://"),
        ("sender", "idoc", "soap, http, rest"),
        ("username", "a:b", "colon"),
        ("password", "a\nb", "line break"),
        ("soap_path", "XISOAPAdapter", "must start with /"),
        ("rest_path", "/RESTAdapter/orders?x=1", "query"),
        ("channel", "BC_ECSHOP", "party:service:channel"),
        ("channel", "p:s", "party:service:channel"),
        ("queue_id", "a" * 17, "at most 16"),
        ("find_url", "https://pi.example.com/orders", "{external_ref}"),
        ("find_url", "http://pi.example.com/{external_ref}", "https://"),
        ("find_url", "https://user:pw@pi.example.com/{external_ref}", "credentials"),
        ("cancel_url", "pi.example.com/x", "https://"),
        ("cancel_url", "https://pi.example.com/a b", "blanks"),
        ("sender_type", "LI", "LS, KU"),
        ("sales_org", "10100", "at most 4"),
        ("sold_to", "客户", "ASCII"),
        ("material_qualifier", "004", "002, 001, 003"),
        ("delivery_days", "-1", "whole number"),
        ("delivery_days", "366", "0 to 365"),
        ("region_codes", "广东", "PROVINCE=CODE"),
        ("region_codes", "广东=19000", "3 characters"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        erp(SOAP, **{name: text})

    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("base", "changes", "sentence"),
    [
        (SOAP, {"username": ""}, "username and password"),
        (SOAP, {"password": ""}, "username and password"),
        (SOAP, {"channel": ""}, "set channel, or"),
        (HTTP, {"interface": ""}, "sender_service, interface"),
        (SOAP, {"payload": "json"}, "sender=rest"),
        (HTTP, {"payload": "json"}, "sender=rest"),
        (REST, {"sold_to": "", "sales_org": ""}, "an IDoc needs sales_org, sold_to"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    base: dict[str, str], changes: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        erp({**base, **changes})


def test_json_wants_nothing_of_what_only_an_idoc_needs() -> None:
    needed = {name: REST[name] for name in ("base_url", "sender", "username", "password")}

    assert erp({**needed, "payload": "json"})


def test_channel_and_interface_may_both_be_given() -> None:
    assert erp({**SOAP, **NAMED})


def test_only_the_password_is_secret_and_every_setting_has_both_languages() -> None:
    settings = SapPiErp.spec.settings

    assert {setting.name for setting in settings if setting.secret} == {"password"}
    assert all(setting.label_en.isascii() or "广东" in setting.label_en for setting in settings)
    assert all(not setting.label_zh.isascii() for setting in settings)


def test_it_accepts_first_numbers_later_and_has_no_stock() -> None:
    spec = SapPiErp.spec

    assert (spec.numbers_later, spec.reads_stock, spec.repeat_is_safe, spec.finds_first) == (True, False, False, False)


def test_nothing_is_to_be_confirmed() -> None:
    assert run(erp().confirm(document("1"))) == (document("1"), [])


def test_the_connector_is_what_its_entry_point_names() -> None:
    [point] = entry_points(group="ecsync.erps", name="sap_pi")
    connector: ErpConnector = erp()

    assert isinstance(connector, point.load())
    assert run(erp(HTTP).find(SN)) == (None, [])
