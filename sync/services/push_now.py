"""Does everything that an order owes, here and now: the engineer's single-order trigger.

The same leases hold as in a worker, so it is safe beside running workers.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from mappings.errors import PeerError
from mappings.model import Order
from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, StepRow
from sync.db.orders import find_by_sn
from sync.db.steps import Wake
from sync.runtime import Runtime
from sync.services.run_steps import StepParked, run_steps
from sync.services.take_in import take_in_one
from sync.shops.port import Unreadable


class NoSuchOrder(Exception):
    """Neither we nor a shop knows an order with this number, or the shop does not owe it."""


@dataclass(frozen=True, slots=True)
class Did:
    """What came of the order at one peer."""

    peer: str
    result: str


def push_now(rt: Runtime, order_sn: str, *, retry_parked: bool = False, actor: str = "shell") -> list[Did]:
    """Take the order in if need be and do all that is due for it; raises NoSuchOrder with what to look at."""
    row = _find(rt, order_sn) or _take_in(rt, order_sn)
    wanted = _due_peers(rt, row, retry_parked=retry_parked, actor=actor)
    done: list[Did] = []
    while wanted:
        wake = wanted.pop(0)
        try:
            wanted += [new for new in run_steps(rt, wake.order_id, wake.peer) if new not in wanted]
            done.append(Did(wake.peer, "ok"))
        except (PeerError, StepParked) as problem:
            done.append(Did(wake.peer, str(problem)))
    return done


def _find(rt: Runtime, order_sn: str) -> OrderRow | None:
    with rt.database.reading() as session:
        rows = find_by_sn(session, order_sn)
    if len(rows) > 1:
        raise NoSuchOrder(f"Several shops have an order {order_sn}; use a worker for the one you mean")
    return rows[0] if rows else None


def _take_in(rt: Runtime, order_sn: str) -> OrderRow:
    read_at = utc_now()
    shop_key, order = read_from_shop(rt, order_sn)
    return take_in_one(rt, shop_key, order, read_at)


def read_from_shop(rt: Runtime, order_sn: str) -> tuple[str, Order]:
    """The shop that has the order (`shop.main`), and the order as it owes it; raises NoSuchOrder."""
    for shop_key, shop in rt.shops.items():
        shop_order_id = shop.find_id(order_sn)
        if shop_order_id is None:
            continue
        item = shop.read_one(shop_order_id, rt.clock.now())
        if item is None:
            raise NoSuchOrder(
                f"Order {order_sn} exists in {shop_key}, but the shop does not owe it (unpaid, or shipped)"
            )
        if isinstance(item, Unreadable):
            raise NoSuchOrder(f"Order {order_sn} cannot be fulfilled as it stands: {item.reason}")
        return shop_key, item
    raise NoSuchOrder(f"No shop has an order {order_sn}; check the number")


def _due_peers(rt: Runtime, row: OrderRow, *, retry_parked: bool, actor: str) -> list[Wake]:
    with rt.database.writing() as session:
        if retry_parked:
            for problem in desk.list_open(session, order_id=row.id):
                desk.retry_exception(session, problem.id, actor, "order push --retry")
            session.flush()
        now = utc_now()
        waiting = (StepRow.order_id == row.id, StepRow.state == "owed", StepRow.name != "remind_review")
        session.execute(update(StepRow).where(*waiting).values(not_before=now, enqueued_at=now))
        peers = session.execute(select(StepRow.peer).where(*waiting).order_by(StepRow.id)).scalars()
        return [Wake(row.id, peer) for peer in dict.fromkeys(peers)]
