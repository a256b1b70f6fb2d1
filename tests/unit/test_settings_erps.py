"""Settings of ERPs: which get a shop's orders, who numbers later, who sends the parcels, whose stock counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.erps.generic_rest import GenericRestErp
from mappings.erps.sap_pi import SapPiErp
from sync.settings import read_settings
from sync.settings_erps import parse_couriers, read_erp_settings
from sync.settings_reader import Reader
from tests.unit.test_settings import GOOD, problems

TWO = {
    "ECSYNC_ERPS": "generic_rest,second",
    "ECSYNC_ERP_SECOND_CONNECTOR": "generic_rest",
    "ECSYNC_ERP_SECOND_BASE_URL": "https://second.example.invalid",
    "ECSYNC_ERP_SECOND_TOKEN": "t0ken",
}
SHIPS = {f"ECSYNC_ERP_{name}_TAKES_SHIPMENTS": "1" for name in ("GENERIC_REST", "SECOND")}


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector can do what some can."""
    spec = replace(GenericRestErp.spec, numbers_later=True, polls_shipments=True)
    monkeypatch.setattr(GenericRestErp, "spec", spec)


def test_without_a_choice_a_shop_goes_to_every_erp() -> None:
    settings = read_settings({**GOOD, **TWO})
    assert [erp.name for erp in settings.erps_of(settings.shops[0])] == ["generic_rest", "second"]


def test_a_shop_may_name_its_erps() -> None:
    settings = read_settings({**GOOD, **TWO, "ECSYNC_SHOP_MAIN_ERPS": "second"})
    assert [erp.name for erp in settings.erps_of(settings.shops[0])] == ["second"]
    assert settings.stock_erp(settings.shops[0]) == settings.erps[1], "the only one that knows what is sold there"


@pytest.mark.parametrize(("find_url", "asked_for_s"), [("", 0), ("https://pi.example.invalid/{external_ref}", 86400)])
def test_an_erp_that_cannot_say_its_numbers_is_not_asked_for_them(find_url: str, asked_for_s: float) -> None:
    read = read_erp_settings(Reader({}), "ECSYNC_ERP_SAP_PI_", SapPiErp.spec, {"find_url": find_url})

    assert read.number_within_s == asked_for_s


def test_an_erp_that_is_not_there_is_named() -> None:
    assert problems(**TWO, ECSYNC_SHOP_MAIN_ERPS="second,third") == {
        "ECSYNC_SHOP_MAIN_ERPS": "third: no ERP of ECSYNC_ERPS"
    }


def test_stock_from_an_erp_that_gets_no_order_of_the_shop_is_refused() -> None:
    found = problems(**TWO, ECSYNC_SHOP_MAIN_ERPS="second", ECSYNC_SHOP_MAIN_STOCK_ERP="generic_rest")
    assert "would not know what is sold here" in found["ECSYNC_SHOP_MAIN_STOCK_ERP"]


@pytest.mark.parametrize("wish", [{"STOCK_INTERVAL_S": "300"}, {"STOCK_ERP": "generic_rest"}])
def test_stock_from_an_erp_that_cannot_be_asked_is_refused(
    wish: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, reads_stock=False))
    found = problems(**{f"ECSYNC_SHOP_MAIN_{name}": value for name, value in wish.items()})
    assert "'generic_rest' cannot be asked for stock" in found["ECSYNC_SHOP_MAIN_STOCK_ERP"]


def test_what_an_erp_cannot_do_has_no_setting() -> None:
    assert set(problems(ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS="1", ECSYNC_ERP_GENERIC_REST_NUMBER_WITHIN_S="9")) == {
        "ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS",
        "ECSYNC_ERP_GENERIC_REST_NUMBER_WITHIN_S",
    }


@pytest.mark.usefixtures("able")
def test_a_warehouse_sends_only_where_it_is_told_to() -> None:
    settings = read_settings(GOOD)
    assert settings.shipping_erp(settings.shops[0]) is None
    assert (settings.erps[0].erp.shipments_interval_s, settings.erps[0].erp.number_within_s) == (300, 24 * 3600)


@pytest.mark.usefixtures("able")
def test_two_warehouses_never_send_the_parcels_of_one_shop() -> None:
    assert "would both send" in problems(**TWO, **SHIPS)["ECSYNC_SHOP_MAIN_ERPS"]
    settings = read_settings({**GOOD, **TWO, **SHIPS, "ECSYNC_SHOP_MAIN_ERPS": "second"})
    assert settings.shipping_erp(settings.shops[0]) == settings.erps[1]


@pytest.mark.usefixtures("able")
def test_who_follows_the_numbers_must_be_a_carrier_that_can() -> None:
    found = problems(ECSYNC_ERP_GENERIC_REST_TAKES_SHIPMENTS="1", ECSYNC_ERP_GENERIC_REST_TRACK_BY="manual")
    assert found == {"ECSYNC_ERP_GENERIC_REST_TRACK_BY": "'manual' is no carrier that follows numbers: kdniao"}


def test_couriers_are_words_of_the_erp_and_codes_of_ours() -> None:
    assert parse_couriers("顺丰速运=SF, a=b=zto,") == {"顺丰速运": "SF", "a=b": "ZTO"}


@pytest.mark.parametrize("text", ["顺丰", "=SF", "顺丰=", "顺丰=顺丰", "a=SF,a=ZTO"])
def test_a_table_of_couriers_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="courier"):
        parse_couriers(text)
