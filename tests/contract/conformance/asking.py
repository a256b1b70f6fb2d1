"""One rule of a suite, asked about one connector."""

from __future__ import annotations

from collections.abc import Callable

from mappings.conformance.case import ConnectorCase
from mappings.conformance.rules import Conformance


def ask(suite: type[Conformance], rule: str, of: ConnectorCase) -> None:
    """Raises what the rule raises: AssertionError where it is broken, SkipTest where it is not the connector's."""
    asked = type("Asked", (suite,), {"case": of})
    judge: Callable[[], None] = getattr(asked(), rule)
    judge()
