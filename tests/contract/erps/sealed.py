"""Calls as they leave: a protocol that signs the moment of sending is looked at under a moment that the test names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import OrderLine
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp
from tests.contract.erps.hands import T

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
CLASSES: dict[str, type[PeerError]] = {
    "auth": AuthError,
    "permanent": PermanentError,
    "transient": TransientError,
    "uncertain": UncertainError,
}


def recorded(erp: str, name: str) -> Any:
    """A file of `tests/contract/data/erps/<erp>/`."""
    path = Path(__file__).parents[1] / "data/erps" / erp / f"{name}.json"
    return json.loads(path.read_text("utf-8"))


def sealed(call: HttpCall, at: datetime = NOW, kept: Mapping[str, str] | None = None) -> HttpCall:
    return call.sealed(Stamp(at, "00000000-0000-4000-8000-000000000000", kept or {}))


def talk(
    exchange: Exchange[T], *replies: HttpReply, at: datetime = NOW, kept: dict[str, str] | None = None
) -> tuple[T, list[HttpCall]]:
    """Feed the replies; the result and the calls as they left. Every reply must be used.

    `kept` is what the gateway keeps of replies for all workers.
    """
    kept = {} if kept is None else kept
    calls, waiting = [sealed(next(exchange), at, kept)], list(replies)
    while True:
        reply = waiting.pop(0)
        kept.update(calls[-1].keeps(reply) if calls[-1].keeps else {})
        try:
            calls.append(sealed(exchange.send(reply), at, kept))
        except StopIteration as end:
            assert not waiting, "the exchange ended before it read every reply"
            return end.value, calls


def goods(line_id: str, sku: str, price_fen: int, quantity: int = 1, **more: Any) -> OrderLine:
    """A line of an order."""
    return OrderLine(line_id, sku=sku, name=f"goods {sku}", quantity=quantity, price_fen=price_fen, weight_g=1, **more)
