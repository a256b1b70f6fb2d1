"""A claimed step, and what can be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from mappings.model import Order
from sync.db.models import OrderRow, ShipmentRow
from sync.db.steps import StepBook
from sync.gateway import CallContext
from sync.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed step with what it is about. Rows are detached: they are read, never written."""

    step_id: int
    name: str
    peer: str
    token: str
    order_id: int
    parcel_no: int
    order_sn: str
    order_row: OrderRow
    order: Order
    shipment: ShipmentRow | None
    may_have_happened: bool
    calls: CallContext
    was_lost: bool = False
    """A worker died with it just now: when it last called the peer is not known."""


class Performer(Protocol):
    """A kind of step: `perform` talks to the peer, `record` stores what came of it and owes what follows."""

    def perform(self, rt: Runtime, work: Work) -> Any: ...

    def record(self, rt: Runtime, book: StepBook, work: Work, result: Any) -> None: ...
