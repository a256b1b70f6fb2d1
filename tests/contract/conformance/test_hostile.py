"""Every rule of the suite notices the connector that breaks it, and is content with the one that does not."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from unittest import SkipTest

import pytest
from ecsync_parcelhub import ParcelhubCarrier
from test_parcelhub import CASE

from mappings.conformance import CarrierCase, CarrierConformance
from mappings.conformance.watch import Watch
from tests.contract.conformance.asking import ask
from tests.contract.conformance.hostile import BREAKS, KeyInAnotherSpelling, SecretNotMarked, case_of

RULES = [name for name in dir(CarrierConformance) if name.startswith("test_")]


def check(rule: str, of: CarrierCase) -> None:
    ask(CarrierConformance, rule, of)


def test_somebody_breaks_every_rule() -> None:
    assert sorted(BREAKS) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_the_example_keeps_the_rule(rule: str) -> None:
    check(rule, CASE)


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_notices_who_breaks_it(rule: str) -> None:
    with pytest.raises(AssertionError, match=r"\w+ \w+"):
        check(rule, case_of(BREAKS[rule]))


@pytest.mark.parametrize("kept", ["test_a_changed_push_is_refused", "test_a_second_cancel_is_a_success"])
@pytest.mark.parametrize(
    "broken", ["test_every_item_of_a_push_is_read", "test_what_is_unclear_after_sending_is_uncertain"]
)
def test_who_breaks_one_rule_is_not_blamed_for_another(broken: str, kept: str) -> None:
    check(kept, case_of(BREAKS[broken]))


def test_a_secret_in_another_spelling_is_noticed() -> None:
    with pytest.raises(AssertionError, match="does not name its spelling"):
        check("test_secrets_in_a_request_are_marked", case_of(KeyInAnotherSpelling))


def test_a_secret_that_sounds_like_one_is_named() -> None:
    with pytest.raises(AssertionError, match="token sounds secret"):
        check("test_secret_settings_are_marked", case_of(SecretNotMarked))


def test_an_unsigned_platform_is_skipped_because_its_spec_says_so() -> None:
    class Unsigned(ParcelhubCarrier):
        spec = replace(ParcelhubCarrier.spec, signs_pushes=False)

    with pytest.raises(SkipTest):
        check("test_a_changed_push_is_refused", case_of(Unsigned))


@pytest.mark.parametrize(
    ("reach", "named"),
    [
        (lambda: time.time(), "time"),
        (lambda: os.urandom(4), "urandom"),
        (lambda: open(__file__).close(), "open"),
        (lambda: os.environ.get("HOME"), "os.environ"),
        (lambda: subprocess.run([sys.executable, "-c", ""], check=True), "fork_exec"),
    ],
    ids=["clock", "chance", "file", "environment", "program"],
)
def test_the_watch_sees_whoever_reaches_out(reach: Callable[[], object], named: str) -> None:
    with Watch() as watch:
        reach()

    assert any(named in seen for seen in watch.seen), watch.seen


def test_the_watch_is_over_when_it_ends() -> None:
    before = sys.getprofile()
    with Watch() as watch:
        str(1)
    time.time()

    assert sys.getprofile() is before
    assert watch.seen == set()


def test_the_watch_names_nothing_that_others_hung_on_the_collection_of_garbage() -> None:
    """Hypothesis takes the time of every collection; seldom enough that only a whole run met it."""

    def take_the_time(phase: str, info: dict[str, int]) -> None:
        time.perf_counter()

    gc.callbacks.append(take_the_time)
    try:
        with Watch() as watch:
            litter = [[index] for index in range(10 * gc.get_threshold()[0])]
    finally:
        gc.callbacks.remove(take_the_time)

    assert litter
    assert gc.isenabled()
    assert watch.seen == set()
