"""An error is the same in whatever process it is looked at: workers hand theirs on."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest

from mappings.errors import (
    AuthError,
    DuplicateError,
    PeerError,
    PermanentError,
    TransientError,
    UncertainError,
    UndecidedError,
    UnmappedError,
)
from sync.gateway import PeerAway

SAID = {"peer_code": "17", "peer_text": "期间已关闭"}


@pytest.mark.parametrize(
    "error",
    [
        TransientError("x.busy", "Busy", **SAID, retry_after_s=7),
        UncertainError("x.lost", "Lost", **SAID),
        UndecidedError("x.open", "Open", **SAID, retry_after_s=9, carrier_order_no="4711"),
        PermanentError("x.no", "No", **SAID),
        UnmappedError("x.word", "A word", hint="Add it", **SAID),
        AuthError("x.auth", "Refused", **SAID),
        DuplicateError("x.twice", "Twice", **SAID),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_went_through_a_queue_says_all_that_it_said(error: PeerError) -> None:
    error.peer_is_well = True
    told = pickle.loads(pickle.dumps(error))

    assert type(told) is type(error)
    assert (str(told), vars(told)) == (str(error), vars(error))


def test_a_peer_that_was_away_is_so_after_the_queue_too() -> None:
    away = PeerAway("erp.generic_rest", "the breaker is open", datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    told = pickle.loads(pickle.dumps(away))

    assert type(told) is PeerAway
    assert (str(told), vars(told)) == (str(away), vars(away))
