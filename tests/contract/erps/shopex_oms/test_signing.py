"""The signature against recorded ones: every form that a running OMS accepted is signed alike here."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.erps.shopex_oms.signing import assemble, sign
from tests.contract.erps.shopex_oms.cases import (
    CREATED,
    KNOWN,
    ORDERS,
    QUESTIONS,
    RECORDED,
    SHOWN,
    TOKEN,
    erp,
    erp_order,
    form_of,
    load,
    recorded_form,
    run,
)

VECTOR = load("signature.json")
SIGNED = [exchange for exchange in RECORDED["orders"] if exchange["name"] != "wrong_token"]


def test_the_vector_is_signed() -> None:
    assert assemble(VECTOR["fields"]) == VECTOR["assembled"]
    assert sign(VECTOR["fields"], VECTOR["token"]) == VECTOR["sign"]


@pytest.mark.parametrize("exchange", SIGNED, ids=lambda exchange: str(exchange["name"]))
def test_a_form_that_the_oms_accepted_is_signed_alike(exchange: dict[str, Any]) -> None:
    assert sign(recorded_form(exchange), TOKEN) == exchange["sign"]


def test_a_form_that_the_oms_refused_was_signed_with_another_token() -> None:
    wrong = ORDERS["wrong_token"]

    assert sign(recorded_form(wrong), TOKEN) != wrong["sign"]


def test_a_question_is_one_text_as_the_oms_itself_writes_it() -> None:
    wrong = QUESTIONS["wrong_key"]

    assert f'"assemble_str":"{assemble(wrong["fields"])}"' in wrong["answer"]


def test_names_are_sorted_by_their_bytes() -> None:
    assert assemble({"b": "1", "B": "2", "a10": "3", "a9": "4", "中": "5"}) == "B2a103a94b1中5"


def test_nested_fields_are_sorted_too_and_lists_count_by_position() -> None:
    assert assemble({"z": {"y": "1", "x": ["p", "q"]}, "a": []}) == "azx0p1qy1"


def test_null_is_left_out_and_truth_is_a_number() -> None:
    assert assemble({"a": None, "b": True, "c": False, "d": 0, "e": ""}) == "b1c0d0e"


@pytest.mark.parametrize("secret", [TOKEN, "0penApiKey"])
def test_no_record_shows_a_secret(secret: str) -> None:
    assert secret in next(erp().find("1")).secrets


def test_both_interfaces_are_signed_with_their_own_secret() -> None:
    _, calls = run(erp().create(erp_order()), KNOWN, CREATED, SHOWN)
    asked, pushed, _ = [form_of(call) for call in calls]

    assert asked.pop("sign") == sign(asked, "0penApiKey")
    assert pushed.pop("sign") == sign(pushed, TOKEN)
