"""PostgreSQL ends our connections in the middle of the work: a restart, a fail-over, an administrator."""

from __future__ import annotations

import time
from functools import partial

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.chaos.conftest import OpenHouse, Tell
from tests.chaos.processes import wait_for
from tests.chaos.rig import Rig
from tests.chaos.test_wiped_and_killed import assert_each_order_has_one_of_each, has_issued
from tests.services import POSTGRES

ORDERS = 60
CUTS = 3
LIMIT_S = 120

CUT = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = :database AND application_name = 'ecsync'"
)


def cut_connections(rig: Rig) -> int:
    """End every connection of ours; returns how many there were."""
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    database = make_url(rig.env["ECSYNC_DATABASE_URL"]).database
    try:
        with admin.connect() as connection:
            return int(connection.execute(CUT, {"database": database}).scalar_one())
    finally:
        admin.dispose()


@pytest.mark.chaos
def test_all_orders_come_through_when_the_database_ends_every_connection_three_times(
    open_house: OpenHouse, tell: Tell
) -> None:
    latency = {"latency_ms": 60, "latency_jitter_ms": 60}
    with open_house("postgresql", sandbox={"faults": {"carrier": latency, "erp": latency}}) as rig:
        numbers = rig.seed(ORDERS)
        rig.start_broker()
        rig.start_workers()
        rig.start_beat()
        deadline, cut = time.monotonic() + LIMIT_S, []
        for number in range(1, CUTS + 1):
            due = number * ORDERS // (CUTS + 1)
            assert rig.peers.wait_until(partial(has_issued, due), deadline - time.monotonic())
            cut.append(cut_connections(rig))

        wait_for("the end of all orders", lambda: rig.count_fulfilled() == ORDERS, deadline - time.monotonic())

        assert min(cut) > 0
        tell(f"connections cut: {cut}")
        assert_each_order_has_one_of_each(rig, numbers)
