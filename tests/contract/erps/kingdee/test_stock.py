"""Stock: rows of lots and places added up by material and warehouse, in pages, and nothing guessed."""

from __future__ import annotations

import pytest

from mappings.errors import PermanentError
from mappings.model import StockFigure
from tests.contract.erps.hands import failure, run, said
from tests.contract.erps.kingdee.talk import SHAPES, body, kingdee


def test_stock_is_asked_for_in_the_shape_that_the_documents_show() -> None:
    _, [call] = run(kingdee().read_stock(None), said([]))

    shown, asked = SHAPES["stock_query"], body(call)["data"]
    assert (asked["FormId"], asked["StartRow"], asked["Limit"]) == (shown["FormId"], 0, shown["Limit"])
    assert set(asked["FieldKeys"].split(",")) - {"FID"} <= set(shown["FieldKeys"].split(","))
    assert asked["FilterString"] == "FStockStatusId.FNumber = 'KCZT01_SYS'"


def test_rows_of_one_material_are_added_up_by_warehouse() -> None:
    rows = [
        ["1", "TEA", "CK001", 7.5],
        ["2", "TEA", "CK001", 2.4],
        ["3", "TEA", "CK002", 1],
        ["4", "CUP", "CK001", "-1.5"],
        ["5", "", "CK001", 3],
    ]

    figures, _ = run(kingdee().read_stock(None), said(rows))

    assert figures == (
        StockFigure("TEA", 9, "CK001"),
        StockFigure("TEA", 1, "CK002"),
        StockFigure("CUP", -2, "CK001"),
    )


def test_every_page_is_asked_for_and_a_row_that_moved_to_the_next_counts_once() -> None:
    first = [[str(number), f"S{number}", "CK001", 1] for number in range(2000)]

    figures, calls = run(
        kingdee().read_stock(None), said(first), said([["1999", "S1999", "CK001", 1], ["2000", "S0", "CK001", 4]])
    )

    assert len(figures) == 2000
    assert figures[0] == StockFigure("S0", 5, "CK001")
    assert [(body(call)["data"]["StartRow"], body(call)["data"]["TopRowCount"]) for call in calls] == [
        (0, 2000),
        (2000, 4000),
    ]


@pytest.mark.parametrize("value", [None, "", "many", True, "1e12", [1]])
def test_a_figure_that_is_no_number_is_not_guessed(value: object) -> None:
    error = failure(kingdee().read_stock(None), said([["1", "TEA", "CK001", value]]))

    assert (type(error), error.code) == (PermanentError, "kingdee.stock.figure_unreadable")
