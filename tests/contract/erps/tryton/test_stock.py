"""Figures: on hand less what is open, by warehouse, all pages, and none that had to be guessed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.model import StockFigure
from tests.contract.erps.hands import failure, run, said
from tests.contract.erps.tryton.talk import SHOP, asked, domain, refusal, tryton


def move(product: int, pieces: object, id_: int = 1) -> dict[str, Any]:
    return {"id": id_, "product": product, "internal_quantity": pieces}


def product(id_: int, pieces: object, code: str = "") -> dict[str, Any]:
    return {"id": id_, "code": code or f"ECS{id_:06d}", "quantity": pieces}


def test_each_warehouse_of_the_web_shop_has_its_own_figures() -> None:
    shop = {**SHOP, "warehouses": [{"id": 5, "name": "北京"}, {"id": 6, "name": "广州"}]}

    figures, calls = run(
        tryton().read_stock(None),
        said([shop]),
        *(said([move(1, 2.0), move(1, 1.0, 2)]), said([product(1, 50.0), product(2, 4.0)])),
        *(said([]), said([product(1, 7.0), product(2, 0.0)])),
    )

    assert figures == (
        StockFigure("ECS000001", 47, "北京"),
        StockFigure("ECS000002", 4, "北京"),
        StockFigure("ECS000001", 7, "广州"),
        StockFigure("ECS000002", 0, "广州"),
    )
    contexts = [call.headers.get("X-Tryton-Context") for call in calls]
    assert [json.loads(urlsafe_b64decode(context)) for context in contexts if context] == [
        {"locations": [5], "with_childs": True},
        {"locations": [6], "with_childs": True},
    ]
    assert [call.operation for call in calls[1:]] == ["read_stock"] * 4


def test_only_moves_that_leave_the_warehouse_are_subtracted() -> None:
    _, calls = run(tryton().read_stock(None), said([SHOP]), said([]), said([]))

    assert ["from_location", "child_of", [5], "parent"] in domain(calls[1])
    assert ["to_location", "not child_of", [5], "parent"] in domain(calls[1])


@pytest.mark.parametrize(
    ("on_hand", "open_", "available"), [(17.9, 0.0, 17), (2.5, 1.0, 1), (1.0, 3.0, -2), (-1.5, 0.0, -2), (5, 2, 3)]
)
def test_half_a_piece_cannot_be_sold(on_hand: float, open_: float, available: int) -> None:
    [figure], _ = run(tryton().read_stock(None), said([SHOP]), said([move(1, open_)]), said([product(1, on_hand)]))

    assert figure.available == available


def test_all_pages_are_read_in_the_order_of_the_ids() -> None:
    first = [product(id_, 1.0) for id_ in range(1, 501)]

    figures, calls = run(tryton().read_stock(None), said([SHOP]), said([]), said(first), said([product(501, 9.0)]))

    assert (len(figures), figures[-1]) == (501, StockFigure("ECS000501", 9, "Warehouse"))
    assert [(asked(call, "p"), asked(call, "s")) for call in calls[2:]] == [(["0"], ["500"]), (["500"], ["500"])]
    assert {json.dumps(json.loads(urlsafe_b64decode(asked(call, "o")[0]))) for call in calls[2:]} == {'[["id", "ASC"]]'}


@pytest.mark.parametrize("pieces", [None, "12", True, float("inf"), 1e12, {"__class__": "Decimal", "decimal": "1"}])
def test_a_figure_that_is_no_number_is_not_guessed(pieces: object) -> None:
    error = failure(tryton().read_stock(None), said([SHOP]), said([]), said([product(1, pieces)]))

    assert (type(error), error.code) == (PermanentError, "tryton.stock.figure_unreadable")
    assert "ECS000001" in error.message


def test_a_field_that_our_user_may_not_read_is_missing_and_not_zero() -> None:
    error = failure(tryton().read_stock(None), said([SHOP]), said([{"id": 1, "product": 1}]))

    assert error.code == "tryton.stock.figure_unreadable"


def test_a_user_without_the_right_is_named_as_the_cause() -> None:
    error = failure(tryton().read_stock(None), said([SHOP]), refusal('You are not allowed to access "Stock Move".'))

    assert (type(error), error.code) == (PermanentError, "tryton.stock.rejected")
    assert "Stock Move" in error.peer_text
