"""Dates and amounts of the generic REST ERP: around midnight in Asia/Shanghai, and to the fen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.china_time import SHANGHAI
from mappings.model import ErpOrder
from mappings.wire import HttpReply
from tests.contract.erps.hands import run
from tests.contract.erps.test_generic_rest import erp, erp_order

LATE = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
"""23:30 on the 21st in Shanghai."""
EARLY = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)
"""00:30 on the 22nd in Shanghai; in UTC it is still the 21st."""


def placed(at: datetime, **changes: Any) -> ErpOrder:
    return replace(erp_order(placed_at=at, **changes), order_date=f"{at.astimezone(SHANGHAI):%Y%m%d}")


def sent(order: ErpOrder, **settings: str) -> Any:
    _, [call] = run(erp(**settings).create(order), HttpReply(201))
    return json.loads(call.body)


@pytest.mark.parametrize(
    ("date_format", "late", "early"),
    [
        ("YYYYMMDD", "20261121", "20261122"),
        ("YYYY-MM-DD", "2026-11-21", "2026-11-22"),
        ("iso", "2026-11-21T23:30:00+08:00", "2026-11-22T00:30:00+08:00"),
        ("epoch", 1795275000, 1795278600),
    ],
)
def test_the_date_is_that_of_shanghai_on_both_sides_of_midnight(date_format: str, late: object, early: object) -> None:
    assert sent(placed(LATE), date_format=date_format)["order_date"] == late
    assert sent(placed(EARLY), date_format=date_format)["order_date"] == early


def test_a_date_with_dashes_is_read_as_well() -> None:
    assert sent(replace(placed(EARLY), order_date="2026-11-22"))["order_date"] == "20261122"


@pytest.mark.parametrize(
    ("amount_format", "total", "price", "cod"),
    [("string", "27.76", "13.88", "0.05"), ("number", 27.76, 13.88, 0.05), ("fen", 2776, 1388, 5)],
)
def test_every_amount_is_written_the_same_way(amount_format: str, total: object, price: object, cod: object) -> None:
    body = sent(placed(EARLY, cod_fen=5), amount_format=amount_format, field_map="cod_amount=cod")

    assert (body["total_amount"], body["lines"][0]["price"], body["cod"]) == (total, price, cod)


@pytest.mark.parametrize("word", ["yyyymmdd", " YYYYMMDD "])
def test_a_format_may_be_written_small(word: str) -> None:
    assert sent(placed(EARLY), date_format=word)["order_date"] == "20261122"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of YYYYMMDD, YYYY-MM-DD, iso, epoch"):
        erp(date_format="DD.MM.YYYY")
