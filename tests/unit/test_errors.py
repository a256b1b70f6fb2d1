"""The error classes as values: what a worker process hands to another arrives as it was."""

from __future__ import annotations

import pickle

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

ERRORS: list[PeerError] = [
    *(kind("a.b", "It failed", peer_code="7", peer_text="忙") for kind in (UncertainError, PermanentError, AuthError)),
    DuplicateError("a.b", "It is there", peer_code="7"),
    TransientError("a.b", "It is away", retry_after_s=3.5),
    UndecidedError("a.b", "People decide", retry_after_s=60, carrier_order_no="C1"),
    UnmappedError("a.b", "Nobody knows it", hint="Add a line", peer_code="7"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_in_another_process_as_it_was(error: PeerError) -> None:
    error.peer_is_well = True
    arrived = pickle.loads(pickle.dumps(error))

    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)
    assert (str(arrived), arrived.args) == (str(error), error.args)
