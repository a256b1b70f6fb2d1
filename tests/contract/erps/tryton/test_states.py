"""Confirming and cancelling by the state that Tryton shows: where it does not fit, a 200 changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.model import ErpDocument
from tests.contract.erps.hands import SN, failure, run, said
from tests.contract.erps.tryton.talk import domain, refusal, sale, tryton

DOCUMENT = ErpDocument("1", SN)


def found(state: str) -> Any:
    return said([sale(state)])


def pressed(state: str) -> Any:
    return said(sale(state))


@pytest.mark.parametrize(
    ("state", "answers", "buttons"),
    [
        ("draft", ["quotation", "confirmed"], ["quote", "confirm"]),
        ("draft", ["quotation", "processing"], ["quote", "confirm"]),
        ("draft", ["processing"], ["quote"]),
        ("quotation", ["processing"], ["confirm"]),
        ("confirmed", [], []),
        ("processing", [], []),
        ("done", [], []),
    ],
)
def test_a_sale_is_confirmed_from_wherever_it_stands(state: str, answers: list[str], buttons: list[str]) -> None:
    document, calls = run(tryton().confirm(DOCUMENT), found(state), *map(pressed, answers))

    assert document.erp_no == "1"
    assert [call.operation for call in calls] == ["find_order", *(f"{button}_order" for button in buttons)]
    assert domain(calls[0]) == [["web_shop.name", "=", "ECShop"], ["web_id", "=", SN]]


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([said([])], "not_found"),
        ([found("cancelled")], "cancelled_there"),
        ([found("quotation"), pressed("cancelled")], "cancelled_there"),
        ([found("quotation"), pressed("quotation")], "not_confirmed"),
        ([found("draft"), pressed("draft")], "not_confirmed"),
        ([found("on hold")], "not_confirmed"),
        ([found("draft"), refusal("To get a quote you must enter a shipment address.")], "rejected"),
        ([refusal('You are not allowed to access "Sale".')], "rejected"),
        ([said([sale("draft"), sale("draft")])], "found_twice"),
    ],
)
def test_a_sale_that_cannot_be_confirmed_goes_to_a_person(replies: list[Any], code: str) -> None:
    error = failure(tryton().confirm(DOCUMENT), *replies)

    assert (type(error), error.code) == (PermanentError, f"tryton.confirm.{code}")


@pytest.mark.parametrize(
    ("state", "answers", "buttons"),
    [
        ("cancelled", [], []),
        ("draft", ["cancelled"], ["cancel"]),
        ("quotation", ["cancelled"], ["cancel"]),
        ("confirmed", ["draft", "cancelled"], ["draft", "cancel"]),
    ],
)
def test_a_sale_is_cancelled_while_nothing_was_made_of_it(state: str, answers: list[str], buttons: list[str]) -> None:
    result, calls = run(tryton().cancel(ErpDocument("", SN)), found(state), *map(pressed, answers))

    assert result is None
    assert [call.operation for call in calls] == ["find_order", *(f"{button}_order" for button in buttons)]


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([said([])], "not_found"),
        ([found("processing")], "too_late"),
        ([found("done")], "too_late"),
        ([found("confirmed"), pressed("processing")], "too_late"),
        ([found("quotation"), pressed("confirmed")], "too_late"),
        ([found("draft"), refusal('Calling button "cancel" on "Sale" is not allowed.')], "rejected"),
    ],
)
def test_a_sale_that_cannot_be_cancelled_goes_to_a_person(replies: list[Any], code: str) -> None:
    error = failure(tryton().cancel(DOCUMENT), *replies)

    assert (type(error), error.code) == (PermanentError, f"tryton.cancel.{code}")
