"""The promise: one paid order, one waybill, one ERP document, whatever happens to the broker and the workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from sync.clock import utc_now
from tests.chaos.brokers import flush, forget_everything
from tests.chaos.conftest import OpenHouse, Tell
from tests.chaos.processes import kill_group, kill_pool_child, wait_for, worker
from tests.chaos.rig import WORKERS, Rig

ORDERS = 200
LIMIT_S = 180
"""On a quiet machine it is a third of this."""

CARRIER_FAULTS = {"latency_ms": 60, "latency_jitter_ms": 60, "reset_after": 0.2, "server_error": 0.05}
ERP_FAULTS = {"latency_ms": 40, "latency_jitter_ms": 40, "reset_after": 0.1, "server_error": 0.03}


def kill_workers(*names: str) -> None:
    for name in names:
        kill_group(worker(name))


FAULTS: tuple[tuple[str, Callable[[Rig], None]], ...] = (
    ("the carriers' worker is killed", lambda rig: kill_workers("carriers")),
    ("the broker is flushed", lambda rig: flush(rig.broker)),
    ("a child of the ERP pool is killed", lambda rig: kill_pool_child(worker("erps"))),
    ("the broker forgets everything", lambda rig: forget_everything(rig.broker)),
    ("all workers are killed", lambda rig: kill_workers(*WORKERS)),
    ("a child of the carriers' pool is killed", lambda rig: kill_pool_child(worker("carriers"))),
    ("the broker is flushed again", lambda rig: flush(rig.broker)),
    ("the workers of shop and sweeps are killed", lambda rig: kill_workers("shops", "sweeps")),
    ("the broker forgets everything again", lambda rig: forget_everything(rig.broker)),
)
"""Each strikes when its share of the waybills is issued, so that the work is under way wherever it runs."""


def has_issued(count: int, ledger: dict[str, Any]) -> bool:
    return bool(ledger["carrier"]["waybills_issued"] >= count)


@dataclass
class Chaos:
    """What was done to the house, and when."""

    rig: Rig
    struck: list[tuple[str, datetime, int]] = field(default_factory=list)

    def run(self, deadline: float) -> None:
        for number, (what, strike) in enumerate(FAULTS, 1):
            due = number * ORDERS // (len(FAULTS) + 1)
            has_come = self.rig.peers.wait_until(partial(has_issued, due), deadline - time.monotonic())
            assert has_come, f"{due} waybills were not issued in time; {self.tell()}"
            strike(self.rig)
            self.struck.append((what, utc_now(), self.rig.count_fulfilled()))

    def tell(self) -> str:
        open_steps = [(step.name, step.state, step.losses) for step in self.rig.steps() if step.state != "done"]
        return f"struck: {[what for what, _, _ in self.struck]}; open: {open_steps[:20]}; {self.rig.said[-10:]}"

    def figures(self, began: datetime) -> dict[str, object]:
        """Worst times of an order that was under way when something struck: in all, and from the last blow on."""
        spans = self.rig.spans().values()
        hit = [
            (ended - taken_in, ended - max(at for _, at, _ in self.struck if at < ended))
            for taken_in, ended in spans
            if any(taken_in < at < ended for _, at, _ in self.struck)
        ]
        return {
            "orders": len(spans),
            "under way at a fault": len(hit),
            "worst latency s": round(max(whole for whole, _ in hit).total_seconds(), 1),
            "worst after its last fault s": round(max(rest for _, rest in hit).total_seconds(), 1),
            "seconds": round((max(ended for _, ended in spans) - began).total_seconds(), 1),
            "losses": sum(step.losses for step in self.rig.steps()),
        }


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("database", "broker"), [("sqlite", "embedded"), ("postgresql", "embedded"), ("postgresql", "rabbitmq")]
)
def test_200_orders_come_through_a_wiped_broker_and_killed_workers_with_one_waybill_each(
    database: str, broker: str, open_house: OpenHouse, tell: Tell
) -> None:
    faults = {"carrier": CARRIER_FAULTS, "erp": ERP_FAULTS}
    with open_house(database, broker, sandbox={"faults": faults}) as rig:
        numbers = rig.seed(ORDERS)
        rig.start_broker()
        rig.start_workers()
        rig.start_beat()
        began, deadline = utc_now(), time.monotonic() + LIMIT_S
        chaos = Chaos(rig)
        chaos.run(deadline)
        try:
            wait_for("the end of all orders", lambda: rig.count_fulfilled() == ORDERS, deadline - time.monotonic())
        except AssertionError as late:
            raise AssertionError(f"{late}; {chaos.tell()}") from None
        tell(chaos.figures(began))
        assert [fulfilled < ORDERS for _, _, fulfilled in chaos.struck] == [True] * len(FAULTS)
        assert_each_order_has_one_of_each(rig, numbers)


def assert_each_order_has_one_of_each(rig: Rig, numbers: list[str]) -> None:
    waybills, documents = rig.waybills(), rig.documents()
    assert {order_sn: len(issued) for order_sn, issued in waybills.items()} == dict.fromkeys(numbers, 1)
    assert {order_sn: len(made) for order_sn, made in documents.items()} == dict.fromkeys(numbers, 1)
    assert set(rig.order_ids()) == set(numbers)
    assert rig.desk() == []
