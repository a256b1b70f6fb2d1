"""What every sandbox peer does with a call: meet the fault, do the work or not, damage the answer, keep record."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sync.sandbox.faults import Draw, FaultInjector, FaultKind, damage, refuse
from sync.sandbox.http import Request, Response
from sync.sandbox.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Ask:
    """A call understood: `key` is the order it is about (may be empty), `answer` does the work."""

    operation: str
    key: str
    answer: Callable[[Draw], Response]


@dataclass(slots=True)
class Peer(ABC):
    """A server's application. Subclasses say what a call asks and how they refuse for business reasons."""

    ledger: Ledger
    injector: FaultInjector
    name: ClassVar[str] = ""

    @abstractmethod
    def understand(self, request: Request) -> Ask: ...

    @abstractmethod
    def refuse_business(self, code: str, reason: str) -> Response: ...

    def reset(self) -> None:
        """Forget every order; the faults stay as they are, their counts start anew."""
        self.injector.configure(self.injector.faults)

    def __call__(self, request: Request) -> Response:
        ask = self.understand(request)
        draw = self.injector.draw(ask.operation, ask.key)
        response = self._answer(ask, draw)
        fault = draw.kind.value if draw.kind else ""
        self.ledger.record_call(
            self.name, ask.operation, ask.key, note=response.note, status=response.status, fault=fault
        )
        return replace(response, delay_s=draw.delay_s) if draw.delay_s else response

    def _answer(self, ask: Ask, draw: Draw) -> Response:
        faults = self.injector.faults
        if draw.kind is FaultKind.BUSINESS:
            return self.refuse_business(faults.business_code, faults.business_reason)
        if draw.kind is None:
            return ask.answer(draw)
        return refuse(draw.kind, faults) if draw.kind.takes_nothing else damage(ask.answer(draw), draw.kind, faults)


def json_response(value: Any, status: int = 200, *, note: str = "", **more: Any) -> Response:
    """A JSON answer in UTF-8, not escaped."""
    return Response(status, json.dumps(value, ensure_ascii=False).encode(), note=note, **more)
