"""The worst moment to die: the peer has taken the order, and nobody has written that down."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.conftest import OpenHouse
from tests.chaos.processes import Running, kill_group, kill_pool_child, wait_for, worker
from tests.chaos.rig import Rig

ALL_QUEUES = "shop.main,carrier.kdniao,erp.generic_rest,sweeps"

SILENT = {"hang_after": 1.0, "hang_s": 60.0, "max_per_order": 1}
"""The peer does what it is asked and then says nothing: the worker waits for an answer when it is killed."""

PATIENT = {"ECSYNC_CARRIER_KDNIAO_READ_TIMEOUT_S": "60", "ECSYNC_ERP_GENERIC_REST_READ_TIMEOUT_S": "60"}


@pytest.mark.parametrize("kill", [kill_group, kill_pool_child])
def test_a_worker_killed_after_the_carrier_took_the_order_ends_with_the_same_waybill(
    kill: Callable[[Running], None], open_house: OpenHouse
) -> None:
    with open_house(sandbox={"faults": {"carrier": SILENT}}, **PATIENT) as rig:
        order_sn = die_between(rig, kill, lambda ledger: ledger["carrier"]["waybills_issued"])

        entry = rig.peers.ledger()["carrier"]["orders"][f"{order_sn}-1"]
        (step,) = rig.steps(name="book_waybill")
        assert (len(entry["waybills"]), entry["calls"], entry["adopted"]) == (1, 2, 1)
        assert (step.losses, step.attempts) == (1, 0), "a worker that died is no failure of the carrier"
        assert rig.desk() == []


@pytest.mark.parametrize("kill", [kill_group, kill_pool_child])
def test_a_worker_killed_after_the_erp_took_the_order_looks_it_up_and_pushes_no_second(
    kill: Callable[[Running], None], open_house: OpenHouse
) -> None:
    with open_house(sandbox={"faults": {"erp": {**SILENT, "only": ["create_order"]}}}, **PATIENT) as rig:
        order_sn = die_between(rig, kill, lambda ledger: ledger["erp"]["documents"])

        ledger = rig.peers.ledger()
        assert len(ledger["erp"]["orders"][order_sn]["documents"]) == 1
        assert (ledger["counts"]["erp.create_order"], ledger["counts"]["erp.find_order.found"]) == (1, 1)
        assert rig.desk() == []


def die_between(
    rig: Rig, kill: Callable[[Running], None], has_taken: Callable[[dict[str, dict[str, int]]], int]
) -> str:
    """Kill the only worker once the peer has the order, and wait for the order's end; returns its number."""
    (order_sn,) = rig.seed(1)
    rig.start_broker()
    rig.start_workers({"all": (ALL_QUEUES, 1)})
    rig.start_beat()
    assert rig.peers.wait_until(has_taken, 60)

    kill(worker("all"))

    wait_for("the order's fulfilment", lambda: rig.count_fulfilled() == 1, 60)
    return order_sn
