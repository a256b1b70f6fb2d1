"""What a connector brings to its conformance tests, and the means to play its exchanges by hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from mappings.connector import Spec
from mappings.errors import PeerError
from mappings.model import Address, Consignee, Order, OrderLine, Queue
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
MOST_CALLS = 20
"""An exchange that asks more often than this will not end."""

CONSIGNEE = Consignee("欧阳测试", "13912345678", Address("北京", "北京", "海淀区", "学院路甲五号", postcode="100080"))

Answer = Callable[[HttpCall], HttpReply | PeerError]
"""What plays the platform: a reply to every call, as it leaves; an error stands for a call that brought none."""


@dataclass(frozen=True)
class Operation:
    """One thing to ask a connector for: `ask` is given the connector and what `stage` put at the peer before.

    `must_change`: a call of it must say that it changes the peer. `is_read`: none may.
    """

    ask: Callable[[Any, Any], Exchange[Any]]
    must_change: bool = False
    is_read: bool = False
    stage: Callable[[Any, Answer], Any] = lambda connector, peer: None


@dataclass(frozen=True)
class ConnectorCase(ABC):
    """A connector and the peer that is played for it.

    `config` holds made-up values of its settings, secrets of at least 8 characters. `peer` makes a peer without memory
    of earlier ones, which answers as its documents say. `silent` names the operations
    whose documented yes, or "nothing is there", is a 200 without a body.
    """

    connector_class: Callable[[Mapping[str, Any]], Any]
    config: Mapping[str, Any]
    peer: Callable[[], Answer]
    silent: frozenset[str] = field(default=frozenset(), kw_only=True)

    @property
    def spec(self) -> Spec:
        return cast(Spec, self.connector().spec)

    def connector(self) -> Any:
        """A new one, as each worker process makes its own."""
        return self.connector_class(self.config)

    def secrets(self) -> tuple[str, ...]:
        """The values in `config` that the Spec marks as secret."""
        values = (self.config.get(setting.name) for setting in self.spec.settings if setting.secret)
        return tuple(value for value in values if isinstance(value, str) and value)

    def private(self) -> tuple[str, ...]:
        """What no error may show."""
        return (*self.secrets(), CONSIGNEE.name, CONSIGNEE.phone, CONSIGNEE.address.street)

    @abstractmethod
    def operations(self) -> dict[str, Operation]:
        """All that can be asked of the peer, by the name of the connector's method."""

    @abstractmethod
    def impossible(self) -> dict[str, Callable[[Any], Exchange[Any]]]:
        """What no peer can be asked for, in words: to see how it is refused."""


def an_order() -> Order:
    """An order as every shop has it."""
    line = OrderLine("1", "TS-1", "棉T恤", quantity=2, price_fen=5990, weight_g=500)
    return Order(
        shop="main",
        shop_order_id="1001",
        order_sn="2026112100001",
        queue=Queue.AWAIT_SHIP,
        consignee=CONSIGNEE,
        lines=(line,),
        total_fen=11980,
        cod_fen=0,
        shipping_code="zto",
        shipping_name="快递",
        placed_at=NOW,
        paid_at=NOW,
        content_hash="0",
    )


@dataclass
class Talk:
    """An exchange played to its end: what left, and the result or the error that came of it."""

    calls: list[HttpCall] = field(default_factory=list)
    result: Any = None
    error: PeerError | None = None

    def count(self, operation: str, since: int = 0) -> int:
        """How many calls of this name were made, from a place on."""
        return sum(call.operation == operation for call in self.calls[since:])

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return f"{type(self.error).__name__} {self.error}" if self.error else f"the result {type(self.result).__name__}"


def play(
    ask: Callable[[], Exchange[Any]],
    answer: Answer,
    *,
    at: datetime = NOW,
    watch: AbstractContextManager[object] | None = None,
) -> Talk:
    """Do with an exchange what the gateway does; its first call leaves at a frozen moment, each later one a second on.

    `watch` is entered while the connector works.

    What is raised and is no PeerError passes through.
    """
    talk, watch = Talk(), watch or nullcontext()
    try:
        with watch:
            exchange = ask()
            call = _sealed(next(exchange), talk, at)
        while len(talk.calls) < MOST_CALLS:
            came = answer(call)
            with watch:
                next_call = exchange.throw(came) if isinstance(came, PeerError) else exchange.send(came)
                call = _sealed(next_call, talk, at)
        raise AssertionError(f"the exchange made {MOST_CALLS} calls and did not end: {talk.calls[-1].operation}")
    except StopIteration as end:
        talk.result = end.value
    except PeerError as error:
        talk.error = error
    return talk


def _sealed(call: HttpCall, talk: Talk, at: datetime) -> HttpCall:
    number = len(talk.calls)
    moment = at + timedelta(seconds=number)
    talk.calls.append(call.sealed(Stamp(moment, f"6f0a9f0e-1111-4222-8333-{moment:%y%m%d%H%M%S}")))
    return talk.calls[-1]
