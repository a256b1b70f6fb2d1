"""A switch thrown at the shell is followed by every worker within five seconds, in the middle of the work."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from sync.db.models import AttemptRow, AuditRow
from tests.chaos.conftest import OpenHouse, Tell
from tests.chaos.processes import wait_for
from tests.chaos.rig import ROOT, Rig
from tests.service.kuaidi100_house import kuaidi100_settings

ORDERS = 100
SLOW_MS = 1000.0
"""With two workers of two processes the old platform would be busy for five times as long as the promise allows."""
FOLLOWS_WITHIN_S = 5.0

RULES = """
[[rule]]
name = "first"
carrier = "kdniao"

[[rule]]
name = "when the first is closed"
carrier = "kuaidi100"
"""
BOTH = "carrier.kdniao,carrier.kuaidi100"
WORKERS = {
    "carriers-one": (BOTH, 2),
    "carriers-two": (BOTH, 2),
    "rest": ("shop.main,erp.generic_rest,sweeps,callbacks,notices", 3),
}


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("words", "rules"), [("drain kdniao", RULES), ("default kuaidi100", "")], ids=["drain", "default"]
)
def test_all_workers_follow_a_switch_within_five_seconds(
    open_house: OpenHouse, tell: Tell, words: str, rules: str
) -> None:
    slow = {"carrier": {"latency_ms": SLOW_MS}}
    with open_house(sandbox={"faults": slow}) as rig:
        both = {"ECSYNC_CARRIERS": "kdniao,kuaidi100", "ECSYNC_ROUTING": rules}
        rig.env = {**rig.env, **kuaidi100_settings(rig.peers), **both}
        rig.start_broker()
        rig.seed(ORDERS)
        rig.start_workers(WORKERS)
        rig.start_beat()
        wait_for("a booking by each worker", lambda: len(bookings(rig, "carrier.kdniao")) >= 8, 60)

        ecsync(rig, "carriers", *words.split(), "--reason", "a test wants it")
        switched_at = when_switched(rig)

        wait_for("the end of all orders", lambda: rig.count_fulfilled() == ORDERS, 90)
        last = max(bookings(rig, "carrier.kdniao"))
        elsewhere = len(bookings(rig, "carrier.kuaidi100"))
        tell({"last old booking after s": round((last - switched_at).total_seconds(), 1), "elsewhere": elsewhere})
        assert (last - switched_at).total_seconds() <= FOLLOWS_WITHIN_S
        assert elsewhere > 4 * FOLLOWS_WITHIN_S, "so few would have been booked in time without a switch"
        assert sorted(map(len, rig.waybills().values())) == [1] * ORDERS
        assert rig.desk() == []


def bookings(rig: Rig, peer: str) -> list[datetime]:
    """When this platform was asked for a waybill."""
    asked = select(AttemptRow.started_at).where(AttemptRow.peer == peer, AttemptRow.operation == "book_waybill")
    with rig.database.reading() as session:
        return list(session.execute(asked).scalars())


def when_switched(rig: Rig) -> datetime:
    with rig.database.reading() as session:
        return session.execute(select(AuditRow.at)).scalar_one()


def ecsync(rig: Rig, *words: str) -> None:
    program = str(Path(sys.executable).with_name("ecsync"))
    subprocess.run([program, *words], env=dict(rig.env), cwd=ROOT, check=True, capture_output=True, timeout=60)
