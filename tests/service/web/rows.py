"""Rows for the console and the gauges: what a test says, and something sensible for the rest."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from sync.clock import utc_now
from sync.db.cursors import set_cursor
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


def fill_a_busy_day(database: Database) -> None:
    """Every part of the page has something to show, good and bad."""
    rows = Rows(database)
    orders = [_order_of_the_day(rows, number) for number in range(1, 41)]
    _open_exceptions(rows, orders)
    served = rows.step(orders[0], "query_parcel", KDNIAO, state="done").id
    for number in range(200):
        rows.attempt(KDNIAO, "book_waybill", started_at=ago(number * 2), duration_ms=300 + number * 3, step_id=served)
    for number in range(60):
        rows.attempt(ERP, "create_order", "transient" if number % 7 == 0 else "ok", duration_ms=80 + number)
    rows.peer(ERP, "refused")
    for seconds in (5, 20, 90, 200, 400, 1000, 5000):
        rows.push(received_at=ago(seconds))
    said: dict[str, object] = {
        "paid": 240,
        "in_flight": 180,
        "done": 50,
        "with_person": 9,
        "withdrawn": 2,
        "difference": 0,
    }
    said |= {"unseen": ["991"], "unaccounted": []}
    with database.writing() as session:
        set_cursor(session, "poll.shop.main", "3 new")
        set_cursor(session, "heartbeat", "")
        set_cursor(session, "conservation.shop.main", json.dumps(said))


def _order_of_the_day(rows: Rows, number: int) -> OrderRow:
    statuses = ("received", "info_received", "awaiting_pickup", "stale_pickup", "picked_up", "in_transit")
    status = (*statuses, "out_for_delivery", "delivery_failed", "delivered", "returned")[number % 10]
    has_waybill, is_picked_up = number % 10 > 0, number % 10 > 3
    order = rows.order(
        name=("王小明", "欧阳娜娜", "John Smith", "李四")[number % 4],
        status=status,
        erp_no=f"SO-{90000 + number}" if number % 3 else "",
    )
    rows.parcel(
        order,
        waybill_no=f"7730{number:010}" if has_waybill else "",
        booked_at=ago(180_000) if has_waybill else None,
        pickup_due_from=ago(90_000) if status in ("info_received", "awaiting_pickup") else None,
        stale_since=ago(3600) if status == "stale_pickup" else None,
        status="info_received" if status in ("received", "stale_pickup") else status,
        pickup_at=ago(80_000 + number) if is_picked_up else None,
        pickup_is_inferred=number % 20 == 5,
        delivered_at=ago(500) if status == "delivered" else None,
    )
    rows.step(order, "book_waybill", KDNIAO, state="done" if has_waybill else "owed", created_at=ago(number * 30))
    rows.step(order, "push_order", ERP, state="done" if number % 3 else "owed", created_at=ago(number * 60))
    return order


def _open_exceptions(rows: Rows, orders: list[OrderRow]) -> None:
    told = "erp.generic_rest refuses our credentials; its orders wait and none is lost. Correct the settings."
    rows.exception(rows.group(f"{ERP}.refused", ERP), subject=f"peer:{ERP}", message=told)
    unmapped = rows.group(f"{KDNIAO}.status_unmapped", KDNIAO, first_seen_at=ago(9000))
    message = "carrier.kdniao sent the code '315' in kdniao_state_ex, which no table maps; no status was changed."
    rows.exception(unmapped, subject="code:kdniao_state_ex:315", message=message, opened_at=ago(9000))
    stale = rows.group("stale_pickup", KDNIAO)
    for order in orders[3::10]:
        message = f"Order {order.order_sn}: waiting for pickup since 2026-11-19 02:00 UTC. Call 13912345678."
        rows.exception(stale, order_id=order.id, message=message)
    intake = rows.group("ecshop.order.phone_blank", SHOP)
    message = "Order 2026112199999: the consignee has no phone. Correct it in the shop."
    rows.exception(intake, subject="shop.main:4711", message=message)
