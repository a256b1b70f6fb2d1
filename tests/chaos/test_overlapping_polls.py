"""A poll that takes longer than the interval meets the next one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from sync.services import take_in as service
from sync.services.poll_shop import poll_shop
from sync.services.take_in import Polled
from tests.service.house import SHOP, House, open_house
from tests.services import fresh_postgres


def poll_twice_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Polled]:
    """Both polls have seen the same news before either takes them in."""
    look, both_have_looked, seen = service._news, threading.Barrier(2, timeout=20), threading.local()

    def look_and_wait(*arguments: Any) -> Any:
        news = look(*arguments)
        if not getattr(seen, "once", False):
            seen.once = True
            both_have_looked.wait()
        return news

    monkeypatch.setattr(service, "_news", look_and_wait)
    with ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(poll_shop, house.rt, SHOP) for _ in range(2)]
        return [poll.result(timeout=30) for poll in polls]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_two_polls_of_one_shop_at_once_take_every_order_in_once_and_neither_fails(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as exits:
        url = f"sqlite:///{tmp_path}/ecsync.db" if engine == "sqlite" else exits.enter_context(fresh_postgres())
        house = exits.enter_context(open_house(tmp_path, ECSYNC_DATABASE_URL=url))
        numbers = house.seed(40)

        polls = poll_twice_at_once(house, monkeypatch)

        assert sum(poll.new for poll in polls) == 40
        assert sorted(order.order_sn for order in house.orders()) == sorted(numbers)
        assert {wake.order_id for poll in polls for wake in poll.wakes} == {order.id for order in house.orders()}


def test_a_contradiction_that_stays_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise IntegrityError("INSERT", None, Exception("two orders of one number"))

    with open_house(tmp_path) as house:
        house.seed(1)
        monkeypatch.setattr(service, "_accept", refuse)

        with pytest.raises(IntegrityError):
            poll_shop(house.rt, SHOP)
