"""Every rule for ERPs notices the connector that breaks it, and is content with the one that does not."""

from __future__ import annotations

from contextlib import suppress
from unittest import SkipTest

import pytest
from test_ledgerline import CASE

from mappings.conformance import ErpCase, ErpConformance
from tests.contract.conformance.asking import ask
from tests.contract.conformance.hostile_erp import BREAKS, SecondCancelFails, case_of

RULES = [name for name in vars(ErpConformance) if name.startswith("test_")]


def check(rule: str, of: ErpCase) -> None:
    ask(ErpConformance, rule, of)


def test_somebody_breaks_every_rule() -> None:
    assert sorted(BREAKS) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_the_example_keeps_the_rule_or_says_why_it_is_not_its(rule: str) -> None:
    try:
        check(rule, CASE)
    except SkipTest:
        assert rule in (
            "test_a_second_confirm_is_a_success",
            "test_an_explanation_names_source_and_rule_and_shows_no_secret",
        )


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_notices_who_breaks_it(rule: str) -> None:
    with pytest.raises(AssertionError):
        check(rule, case_of(BREAKS[rule]))


@pytest.mark.parametrize("kept", sorted(set(RULES) - {"test_a_second_cancel_is_a_success"}))
def test_who_breaks_one_rule_is_not_blamed_for_another(kept: str) -> None:
    with suppress(SkipTest):
        check(kept, case_of(SecondCancelFails))
