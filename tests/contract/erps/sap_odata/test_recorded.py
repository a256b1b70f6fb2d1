"""Every recorded exchange: what was sent there is what the connector sends, and what was answered is understood."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.errors import AuthError, PermanentError
from mappings.model import ErpDocument, StockFigure
from mappings.wire import Exchange
from tests.contract.erps.hands import SN, erp_order, failure, run, said
from tests.contract.erps.sap_odata.hands import (
    RECORDED,
    SESSION,
    TOKEN,
    Asked,
    asked,
    body_of,
    erp,
    opened,
    replied,
)

AS_RECORDED = {
    "ship_to": "10100001",
    "delivery_days": "2",
    "note_text_id": "TX01",
    "item_text": "0",
}
BOUGHT = erp_order(total_fen=278600, shipping_fee_fen=1000, buyer_note="请尽快发货")


def recorded_address(name: str) -> Asked:
    return Asked.of(RECORDED[name]["path"])


def test_the_token_is_fetched_as_recorded_and_goes_with_the_cookies_into_the_create() -> None:
    document, [fetch, create] = run(erp(**AS_RECORDED).create(BOUGHT), replied("fetch_token"), replied("create"))

    assert asked(fetch) == recorded_address("fetch_token")
    assert (fetch.method, fetch.headers["x-csrf-token"], fetch.changes_peer) == ("GET", "fetch", False)
    assert asked(create) == recorded_address("create")
    assert create.headers["x-csrf-token"] == TOKEN
    assert create.headers["Cookie"] == f"SAP_SESSIONID_S4H_100={SESSION}; sap-usercontext=sap-client=100"
    assert document == ErpDocument("100001", SN)


def test_an_order_is_the_deep_insert_that_was_recorded() -> None:
    _, [create] = run(opened(**AS_RECORDED).create(BOUGHT), replied("create"))

    assert body_of(create) == RECORDED["create"]["sent"]


def test_a_create_without_token_is_refused_as_recorded_and_sent_again_with_a_new_one() -> None:
    document, calls = run(
        opened(**AS_RECORDED).create(BOUGHT),
        replied("create_without_token"),
        replied("fetch_token"),
        replied("create"),
    )

    assert [call.operation for call in calls] == ["create_order", "fetch_token", "create_order"]
    assert document.erp_no == "100001"


def test_the_look_up_asks_for_our_number_at_our_customer() -> None:
    found, [call] = run(erp().find(SN), replied("look_up_before"))

    recorded = recorded_address("look_up_before")
    assert (asked(call).path, asked(call).options["$filter"]) == (recorded.path, recorded.options["$filter"])
    assert (call.method, call.changes_peer, found) == ("GET", False, None)


def test_what_the_look_up_finds_is_adopted() -> None:
    found, _ = run(erp().find(SN), replied("look_up_after"))

    assert found == ErpDocument("100001", SN, adopted=True)


def test_an_order_read_back_shows_its_items_for_the_cancel() -> None:
    """The mock writes null for what SAP writes as empty text."""
    error = failure(erp().cancel(ErpDocument("100001", SN)), replied("read_back"))

    assert (type(error), error.code) == (PermanentError, "sap_odata.cancel.by_hand")


def test_a_mock_may_take_iso_dates_but_what_we_send_is_gateway_s_own_form() -> None:
    _, [create] = run(opened().create(erp_order()), replied("create_with_iso_date"))

    assert RECORDED["create_with_iso_date"]["sent"]["CustomerPurchaseOrderDate"] == "2026-11-21T00:00:00"
    assert body_of(create)["CustomerPurchaseOrderDate"] == "/Date(1795219200000)/"


@pytest.mark.parametrize(
    ("name", "peer_code", "text", "code"),
    [
        ("create_without_sold_to", "VP/112", "Enter a value for SoldToParty", "rejected"),
        ("create_with_unknown_property", "400", 'Property "OrderSn" does not exist', "field_refused"),
    ],
)
def test_a_recorded_refusal_goes_to_a_person_in_sap_s_own_words(
    name: str, peer_code: str, text: str, code: str
) -> None:
    error = failure(opened().create(erp_order()), replied(name))

    assert (type(error), error.code, error.peer_code) == (PermanentError, f"sap_odata.order.{code}", peer_code)
    assert text in error.peer_text
    assert error.peer_text.count(text) == 1, "the details repeat the top message, as {lang, value}"


def test_stock_is_asked_for_as_recorded_and_summed() -> None:
    figures, [call] = run(erp(plant="1010").read_stock(None, ["ECS000000", "ECS000004"]), replied("stock_by_filter"))

    wanted = recorded_address("stock_by_filter")
    assert asked(call).path == wanted.path
    materials = "(Material eq 'ECS000000' or Material eq 'ECS000004')"
    assert materials in wanted.options["$filter"]
    assert asked(call).options["$filter"] == f"{materials} and (Plant eq '1010')"
    assert figures == (StockFigure("ECS000000", 50), StockFigure("ECS000004", 17))


def test_what_is_in_quality_inspection_is_not_counted() -> None:
    rows = RECORDED["stock_by_navigation"]["answer"]["d"]["to_MatlStkInAcctMod"]["results"]
    figures, _ = run(erp().read_stock(None, ["ECS000004"]), said({"d": {"results": rows}}))

    assert [row["InventoryStockType"] for row in rows] == ["01", "02"]
    assert figures == (StockFigure("ECS000004", 17),)


def test_an_order_that_sap_does_not_know_cannot_be_cancelled() -> None:
    error = failure(erp().cancel(ErpDocument("999", SN)), replied("order_not_found"))

    assert (type(error), error.code) == (PermanentError, "sap_odata.cancel.not_found")


@pytest.mark.parametrize(
    "exchange",
    [erp().find(SN), erp().read_stock(None), erp().create(erp_order()), erp().cancel(ErpDocument("100001", SN))],
    ids=["find", "stock", "create", "cancel"],
)
def test_a_wrong_password_stops_the_peer_and_not_the_order(exchange: Exchange[Any]) -> None:
    assert isinstance(failure(exchange, replied("wrong_password")), AuthError)
