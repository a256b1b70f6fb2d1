"""A worker died while it pushed an order to an ERP that shows orders late: too early a look must not bring a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from mappings.erps.generic_rest import GenericRestErp
from mappings.errors import UndecidedError
from sync.clock import utc_now
from sync.db.models import StepRow
from sync.services.poll_shop import poll_shop
from sync.services.run_steps import run_steps
from tests.service.house import SHOP, House, open_house
from tests.service.test_fulfilment import documents

ERP = "erp.generic_rest"
SETTLE_S = 300.0


@pytest.fixture
def house(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(GenericRestErp, "spec", replace(GenericRestErp.spec, settle_s=lambda config: SETTLE_S))
    with open_house(tmp_path, ECSYNC_DATABASE_URL=database_url) as opened:
        yield opened


def lose_a_worker(house: House, order_sn: str) -> None:
    """Whoever held the push is gone, and its lease is over."""
    dead = {"state": "running", "lease_token": "gone", "lease_until": utc_now() - timedelta(seconds=1)}
    step = house.step("push_order", order_sn)
    with house.rt.database.writing() as session:
        session.execute(update(StepRow).where(StepRow.id == step.id).values(**dead, is_uncertain=True))


def test_what_a_lost_worker_may_have_sent_is_looked_for_again_before_it_is_sent(house: House) -> None:
    (order_sn,) = house.seed()
    poll_shop(house.rt, SHOP)
    lose_a_worker(house, order_sn)
    order_id = house.order(order_sn).id

    with pytest.raises(UndecidedError):
        run_steps(house.rt, order_id, ERP)

    step = house.step("push_order", order_sn)
    assert documents(house).get(order_sn, []) == []
    assert (step.state, step.last_code) == ("owed", "order.unsettled")
    assert step.not_before > utc_now() + timedelta(seconds=SETTLE_S - 30)

    house.forget_messages()  # as if that time were over
    run_steps(house.rt, order_id, ERP)

    assert len(documents(house)[order_sn]) == 1


def test_what_is_found_at_once_is_not_waited_for(house: House) -> None:
    (order_sn,) = house.seed()
    poll_shop(house.rt, SHOP)
    order_id = house.order(order_sn).id
    run_steps(house.rt, order_id, ERP)
    lose_a_worker(house, order_sn)

    run_steps(house.rt, order_id, ERP)

    assert house.step("push_order", order_sn).state == "done"
    assert len(documents(house)[order_sn]) == 1
