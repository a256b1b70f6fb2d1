"""At each carrier platform: 2,000 orders, three answers in ten lost after the order was taken, one waybill each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mappings.errors import PeerError
from sync.db.models import ShipmentRow, StepRow
from sync.exceptions import list_open
from sync.services.poll_shop import poll_shop
from sync.services.run_steps import StepParked, run_steps
from tests.service.house import ANSWERS_LOST, SHOP, House, open_house
from tests.service.kuaidi100_house import open_kuaidi100_house
from tests.service.sf_house import open_sf_house

ORDERS = 2000
SHARE = 0.05
"""Of each way to lose an answer; one that hangs has a test of its own, since it takes longer."""

Opener = Callable[..., AbstractContextManager[House]]

at_each_platform = pytest.mark.parametrize(
    ("carrier", "sandbox", "opener"),
    [("kdniao", "carrier", open_house), ("kuaidi100", "kuaidi100", open_kuaidi100_house), ("sf", "sf", open_sf_house)],
    ids=["kdniao", "kuaidi100", "sf"],
)


@at_each_platform
def test_2000_orders_whose_answers_get_lost_have_one_waybill_each(
    tmp_path: Path, carrier: str, sandbox: str, opener: Opener
) -> None:
    faults = {sandbox: {**dict.fromkeys(ANSWERS_LOST, SHARE), "only": "book_waybill", "max_per_order": 2}}
    with opener(tmp_path, sandbox={"faults": faults}, ECSYNC_BREAKER_FAILURES="1000000") as house:
        house.seed(ORDERS)
        poll_shop(house.rt, SHOP)
        for _ in range(3):
            book_what_is_owed(house, f"carrier.{carrier}")

        demand_one_waybill_each(house, ORDERS)
    assert count_faults(house) > 0.3 * ORDERS


@at_each_platform
def test_answers_that_never_come_leave_one_waybill_each(
    tmp_path: Path, carrier: str, sandbox: str, opener: Opener
) -> None:
    silent = {sandbox: {"hang_after": 1.0, "hang_s": 4.0, "only": "book_waybill", "max_per_order": 1}}
    impatient = {f"ECSYNC_CARRIER_{carrier.upper()}_READ_TIMEOUT_S": "1"}
    with opener(tmp_path, sandbox={"faults": silent}, **impatient) as house:
        house.seed(2)
        poll_shop(house.rt, SHOP)
        for _ in range(4):
            book_what_is_owed(house, f"carrier.{carrier}")

        demand_one_waybill_each(house, 2)
    assert count_faults(house) == 2


def demand_one_waybill_each(house: House, orders: int) -> None:
    """What the carrier issued is what we hold, one for each order, and nobody need look."""
    issued = {code: order["waybills"] for code, order in ledger(house).items() if order["waybills"]}
    with house.rt.database.reading() as session:
        ours = {row.order_code: [row.waybill_no] for row in session.execute(select(ShipmentRow)).scalars()}
        problems = [found.message for found in list_open(session)]
    assert problems == []
    assert len(ours) == orders
    assert issued == ours


def count_faults(house: House) -> int:
    return sum(len(order["faults"]) for order in ledger(house).values())


def book_what_is_owed(house: House, peer: str) -> None:
    """As if every waiting time were over: what failed is tried once more."""
    house.forget_messages()
    owed = select(StepRow.order_id).where(StepRow.peer == peer, StepRow.name == "book_waybill", StepRow.state == "owed")
    with house.rt.database.reading() as session:
        order_ids = list(session.execute(owed).scalars())
    for order_id in order_ids:
        try:
            run_steps(house.rt, order_id, peer)
        except (PeerError, StepParked):
            continue


def ledger(house: House) -> dict[str, Any]:
    orders: dict[str, Any] = house.peers.ledger()["carrier"]["orders"]
    return orders
