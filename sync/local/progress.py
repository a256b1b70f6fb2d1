"""How far the orders are, read from our database, and how that is shown while it runs."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from sqlalchemy import and_, exists, func, or_, select

from sync.clock import BusinessClock
from sync.db.models import ExceptionRow, OrderRow, ShipmentRow, StepRow, StockChangeRow
from sync.db.session import Database
from sync.services.track import STALE

BAR = 30
LINE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Orders that have come so far. `ended`: nothing more will happen to them unless a person acts.

    `figures_set`: stock figures of the shop's that were set to the ERP's.
    """

    taken_in: int = 0
    waybills: int = 0
    erp: int = 0
    picked_up: int = 0
    delivered: int = 0
    returned: int = 0
    stale: int = 0
    with_person: int = 0
    ended: int = 0
    figures_set: int = 0


def read_progress(database: Database, shop: str) -> Progress:
    """Count the shop's orders and figures."""
    owes = exists().where(StepRow.order_id == OrderRow.id, StepRow.state.in_(("owed", "running", "parked")))
    needs_person = exists().where(ExceptionRow.order_id == OrderRow.id, ExceptionRow.resolved_at.is_(None))
    is_stale = OrderRow.status == STALE
    facts = (
        OrderRow.id.is_not(None),
        ShipmentRow.waybill_no != "",
        OrderRow.erp_no != "",
        ShipmentRow.pickup_at.is_not(None),
        ShipmentRow.status == "delivered",
        ShipmentRow.status == "returned",
        is_stale,
        needs_person,
        or_(OrderRow.state == "done", and_(is_stale, ~owes)),
    )
    counts = [func.count().filter(fact) for fact in facts]
    wanted = (
        select(*counts)
        .select_from(OrderRow)
        .join(ShipmentRow, ShipmentRow.order_id == OrderRow.id)
        .where(OrderRow.shop == shop)
    )
    figures = select(func.count()).select_from(StockChangeRow).where(StockChangeRow.shop == shop)
    with database.reading() as session:
        counted = session.execute(wanted).one()
        return Progress(*(int(count) for count in (*counted, session.execute(figures).scalar_one())))


class Screen:
    """What a person sees: a block of lines that is drawn again in place, or, where there is no terminal, plain lines.

    Messages go above the block. Safe to use from several threads.
    """

    def __init__(self, out: TextIO, *, is_live: bool) -> None:
        self.is_live = is_live
        self._out = out
        self._lock = threading.Lock()
        self._block: list[str] = []
        self._last_line_at = 0.0

    def say(self, text: str = "") -> None:
        with self._lock:
            self._erase()
            self._out.write(text + "\n")
            self._draw()

    def show(self, progress: Progress, orders: int, seconds: float, clock: BusinessClock) -> None:
        """Show how far it is; without a terminal one line every two seconds."""
        with self._lock:
            if self.is_live:
                self._erase()
                self._block = draw_block(progress, orders, seconds, clock)
                self._draw()
            elif time.monotonic() - self._last_line_at >= LINE_EVERY_S:
                self._last_line_at = time.monotonic()
                self._out.write(draw_line(progress, orders, seconds) + "\n")
                self._out.flush()

    def settle(self) -> None:
        """Leave the block as it stands; what follows is written below it."""
        with self._lock:
            self._block = []

    def _erase(self) -> None:
        if self._block:
            self._out.write(f"\033[{len(self._block)}F\033[J")

    def _draw(self) -> None:
        if self._block:
            self._out.write("\n".join(self._block) + "\n")
        self._out.flush()


def draw_block(progress: Progress, orders: int, seconds: float, clock: BusinessClock) -> list[str]:
    """The block of a live display."""
    rows = [
        ("付款 paid, taken in", progress.taken_in),
        ("运单 waybill booked", progress.waybills),
        ("ERP  pushed", progress.erp),
        ("揽收 picked up", progress.picked_up),
        ("签收 delivered", progress.delivered),
        ("退回 returned", progress.returned),
        ("物流异常 pickup overdue", progress.stale),
        ("人工 with a person", progress.with_person),
    ]
    now = f"{clock.now():%Y-%m-%d %H:%M} UTC, {clock.speed:g} times as fast"
    room = shutil.get_terminal_size().columns - 42
    lines = [f"  {_pad(name, 24)}{count:>5}/{orders}  {_bar(count, orders, min(BAR, room))}" for name, count in rows]
    stock = f"  {_pad('库存 figures set', 24)}{progress.figures_set:>5}"
    return ["", *lines, stock, f"  {seconds:.0f} s; business time {now}"]


def draw_line(progress: Progress, orders: int, seconds: float) -> str:
    """The same as one line."""
    return (
        f"{seconds:5.0f} s  of {orders}: paid {progress.taken_in}, waybills {progress.waybills}, ERP {progress.erp}, "
        f"picked up {progress.picked_up}, delivered {progress.delivered}, returned {progress.returned}, "
        f"物流异常 {progress.stale}, with a person {progress.with_person}, ended {progress.ended}, "
        f"stock figures {progress.figures_set}"
    )


def _bar(count: int, orders: int, width: int) -> str:
    full = round(width * count / orders) if orders and width > 0 else 0
    return "█" * full + "░" * (max(0, width) - full)


def _pad(text: str, width: int) -> str:
    """Chinese characters take two columns."""
    return text + " " * (width - len(text) - sum(1 for mark in text if ord(mark) > 0x2E7F))


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, indented."""
    return "\n".join(f"  {_pad(name, 18)}{value}" for name, value in rows)
