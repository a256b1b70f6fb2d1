"""Physical stock: which rows count, how they add up, pages, and what SAP says nothing of."""

from __future__ import annotations

from datetime import UTC, datetime
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import PermanentError
from mappings.model import StockFigure
from mappings.wire import HttpReply
from tests.contract.erps.hands import failure, run, said
from tests.contract.erps.sap_odata.hands import HOST, NOTHING_FOUND, asked, erp


def shelf(material: str, quantity: Any, **place: str) -> dict[str, Any]:
    usual = {"Plant": "1010", "StorageLocation": "101A", "InventoryStockType": "01", "InventorySpecialStockType": ""}
    return {"Material": material, **usual, **place, "MatlWrhsStkQtyInMatlBaseUnit": quantity}


def page(*rows: Any, link: str = "") -> HttpReply:
    return said({"d": {"results": list(rows)} | ({"__next": link} if link else {})})


def figures(reply: HttpReply, *skus: str, **settings: str) -> dict[str, int]:
    told, _ = run(erp(**settings).read_stock(None, skus), reply)
    return {figure.sku: figure.available for figure in told}


def test_batches_and_locations_add_up_and_only_free_stock_counts() -> None:
    told = figures(
        page(
            shelf("TEA", "10.00000000000000"),
            shelf("TEA", "5", StorageLocation="101B"),
            shelf("TEA", "3", InventoryStockType="02"),
            shelf("TEA", "4", InventoryStockType="07"),
            shelf("TEA", "9", InventorySpecialStockType="E"),
        )
    )

    assert told == {"TEA": 15}


def test_a_material_that_lies_there_only_blocked_is_sold_out_and_not_forgotten() -> None:
    assert figures(page(shelf("TEA", "4", InventoryStockType="07")), "TEA") == {"TEA": 0}


def test_half_a_piece_cannot_be_sold_and_halves_add_up_first() -> None:
    assert figures(page(shelf("A", "1.5"), shelf("A", "1.5"), shelf("B", "0.999"), shelf("C", "-0.5"))) == {
        "A": 3,
        "B": 0,
        "C": -1,
    }


@given(st.lists(st.decimals(-(10**6), 10**6, places=3), min_size=1, max_size=20))
def test_quantities_add_up_exactly(quantities: list[Any]) -> None:
    told = figures(page(*(shelf("A", f"{quantity:.14f}") for quantity in quantities)))

    assert told == {"A": floor(sum(quantities))}


def test_the_sku_keeps_the_shop_s_spelling_whatever_sap_s_is() -> None:
    assert figures(page(shelf("TEA-01", "2")), "tea-01") == {"tea-01": 2}


def test_only_the_named_skus_and_places_are_asked_for_and_counted() -> None:
    told, [call] = run(
        erp(stock_places="1010, 1020/102A").read_stock(None, ["TEA", "O'Neil"]),
        page(
            shelf("TEA", "1"),
            shelf("TEA", "2", Plant="1020", StorageLocation="102A"),
            shelf("TEA", "4", Plant="1020", StorageLocation="102B"),
            shelf("TEA", "8", Plant="1030"),
        ),
    )

    assert asked(call).options["$filter"] == (
        "(Material eq 'O''NEIL' or Material eq 'TEA') and "
        "(Plant eq '1010' or (Plant eq '1020' and StorageLocation eq '102A'))"
    )
    assert told == (StockFigure("TEA", 3),)


def test_the_plant_of_the_items_is_the_one_whose_stock_counts_unless_others_are_named() -> None:
    _, [call] = run(erp(plant="1010").read_stock(None), NOTHING_FOUND)
    _, [everywhere] = run(erp().read_stock(None), NOTHING_FOUND)

    assert asked(call).options["$filter"] == "(Plant eq '1010')"
    assert "$filter" not in asked(everywhere).options


def test_a_sku_that_sap_is_silent_about_is_left_alone_unless_a_person_said_what_silence_means() -> None:
    assert figures(page(shelf("TEA", "1")), "TEA", "CUP") == {"TEA": 1}
    assert figures(page(shelf("TEA", "1")), "TEA", "CUP", missing_stock="zero") == {"TEA": 1, "CUP": 0}


def test_a_sku_that_no_material_can_have_is_not_asked_for() -> None:
    told, [call] = run(erp().read_stock(None, ["TEA", "X" * 41, " "]), page(shelf("TEA", "1")))

    assert asked(call).options["$filter"] == "(Material eq 'TEA')"
    assert told == (StockFigure("TEA", 1),)
    with pytest.raises(StopIteration):
        next(erp().read_stock(None, ["X" * 41]))


def test_sap_s_own_link_leads_on_but_never_to_the_host_that_it_names() -> None:
    told, [first, second] = run(
        erp().read_stock(None),
        page(shelf("A", "1"), link="http://s4hana.internal:44300/x/A_MatlStkInAcctMod?$skiptoken=100&x=1"),
        page(shelf("B", "2")),
    )

    assert told == (StockFigure("A", 1), StockFigure("B", 2))
    assert second.url.startswith(f"{HOST}/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod?")
    assert asked(second).options == {**asked(first).options, "$skiptoken": "100"}


def test_a_full_page_without_a_link_is_not_taken_for_the_last() -> None:
    whole = page(*(shelf(f"M{number}", "1") for number in range(1000)))
    told, [first, second] = run(erp().read_stock(None), whole, page(shelf("LAST", "1")))

    assert (asked(first).options["$top"], asked(second).options["$skip"]) == ("1000", "1000")
    assert asked(first).options["$orderby"].startswith("Material,")
    assert len(told) == 1001


def test_a_link_to_nowhere_ends() -> None:
    told, calls = run(erp().read_stock(None), page(link="https://x/?$skiptoken=1"))

    assert (told, len(calls)) == ((), 1)


def test_what_changed_since_is_not_asked_because_sap_does_not_say() -> None:
    _, [call] = run(erp().read_stock(datetime(2026, 11, 21, tzinfo=UTC), ["TEA"]), NOTHING_FOUND)

    assert "2026" not in call.url


@pytest.mark.parametrize("quantity", [None, "", "many", True, "NaN", "1e12", {}, "Infinity"])
def test_a_quantity_that_is_none_stops_the_run_and_names_the_material(quantity: Any) -> None:
    error = failure(erp().read_stock(None), page(shelf("TEA", quantity)))

    assert (type(error), error.code) == (PermanentError, "sap_odata.stock.figure_unreadable")
    assert "TEA" in error.message


def test_without_a_path_sap_is_not_asked() -> None:
    with pytest.raises(PermanentError) as caught:
        next(erp(stock_path="").read_stock(None))

    assert caught.value.code == "sap_odata.stock.not_offered"


def test_the_figures_are_physical_and_asked_for_some_skus_at_a_time() -> None:
    assert erp().spec.stock_is_physical
    assert 0 < erp().spec.skus_at_once <= 50
