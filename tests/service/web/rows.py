"""Rows for the console and the gauges: what a test says, and something sensible for the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from sync.clock import utc_now
from sync.db.models import (
    AttemptRow,
    Base,
    ExceptionGroupRow,
    ExceptionRow,
    InboxRow,
    OrderRow,
    PeerRow,
    ShipmentRow,
    StepRow,
)
from sync.db.session import Database

KDNIAO, ERP, SHOP = "carrier.kdniao", "erp.generic_rest", "shop.main"

Row = TypeVar("Row", bound=Base)


def ago(seconds: float) -> datetime:
    return utc_now() - timedelta(seconds=seconds)


class Rows:
    """Puts rows into a database, one transaction each."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = count(1)

    def add(self, row: Row) -> Row:
        with self.database.writing() as session:
            session.add(row)
        return row

    def order(self, *, name: str = "王小明", phone: str = "13912345678", **given: Any) -> OrderRow:
        number = next(self._numbers)
        header = {"consignee": {"name": name, "phone": phone, "email": "", "address": {"street": "文三路 100 号"}}}
        row: dict[str, Any] = {
            "shop": "main",
            "shop_order_id": str(number),
            "order_sn": f"20261121{number:05}",
            "queue": "await_ship",
            "content_hash": "",
            "header": header,
            "total_fen": 19900,
            "placed_at": ago(600),
            "received_at": ago(1),
            "updated_at": ago(1),
        }
        return self.add(OrderRow(**(row | given)))

    def parcel(self, order: OrderRow, **given: Any) -> ShipmentRow:
        row: dict[str, Any] = {
            "order_id": order.id,
            "peer": KDNIAO,
            "shipper_code": "STO",
            "order_code": f"{order.order_sn}-1",
            "environment": "sandbox",
        }
        return self.add(ShipmentRow(**(row | given)))

    def step(self, order: OrderRow, name: str, peer: str, **given: Any) -> StepRow:
        row: dict[str, Any] = {"order_id": order.id, "name": name, "peer": peer, "state": "owed"}
        row |= {"not_before": ago(1), "created_at": ago(1)}
        return self.add(StepRow(**(row | given)))

    def attempt(self, peer: str, operation: str, outcome: str = "ok", **given: Any) -> AttemptRow:
        row: dict[str, Any] = {"peer": peer, "operation": operation, "outcome": outcome, "try_no": 1}
        row |= {"started_at": ago(60), "duration_ms": 100}
        return self.add(AttemptRow(**(row | given)))

    def push(self, verdict: str = "waiting", **given: Any) -> InboxRow:
        number = next(self._numbers)
        row: dict[str, Any] = {"source": KDNIAO, "digest": f"{number:064}", "received_at": ago(1), "content_type": ""}
        row |= {"body": b"", "verdict": verdict, "not_before": ago(1)}
        return self.add(InboxRow(**(row | given)))

    def group(self, code: str, peer: str, **given: Any) -> ExceptionGroupRow:
        row: dict[str, Any] = {"code": code, "peer": peer, "first_seen_at": ago(3600), "last_seen_at": ago(60)}
        return self.add(ExceptionGroupRow(**(row | given)))

    def exception(self, group: ExceptionGroupRow, **given: Any) -> ExceptionRow:
        number = next(self._numbers)
        row: dict[str, Any] = {"group_id": group.id, "subject": f"step:{number}", "message": "Something is wrong."}
        row |= {"opened_at": ago(3600), "last_seen_at": ago(60)}
        return self.add(ExceptionRow(**(row | given)))

    def peer(self, peer: str, state: str) -> PeerRow:
        return self.add(PeerRow(peer=peer, state=state, failures=5, failing_since=ago(300)))


BUSINESS_NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
"""Noon in Beijing."""
