"""The server drops a connection before any one of its statements: a named error, and the repeat ends the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from mappings.errors import TransientError
from tests.service.shop.yard import CUP, GIFT_TEA, NOW, TEA, Yard, parcel_of, staff_note, the_order


@contextmanager
def cut_before(yard: Yard, statement_no: int) -> Iterator[list[str]]:
    """Kill the connection that is about to run the shop's nth statement; gives those that were begun."""
    begun: list[str] = []

    def kill(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("KILL"):
            return
        begun.append(statement)
        if len(begun) == statement_no:
            victim = connection.connection.dbapi_connection.thread_id()
            with yard.engine.connect() as other:
                other.exec_driver_sql(f"KILL {victim}")

    event.listen(Engine, "before_cursor_execute", kill)
    try:
        yield begun
    finally:
        event.remove(Engine, "before_cursor_execute", kill)


@pytest.fixture(params=["myisam", "innodb"])
def served(request: pytest.FixtureRequest) -> Yard:
    """A shop on a server, which SQLite has none of."""
    emptied: Yard = request.getfixturevalue(f"{request.param}_shop").emptied()
    return emptied


def _own(yard: Yard) -> str:
    return yard.order(1, TEA, CUP, GIFT_TEA, user_id=1)


def _of_staff(yard: Yard) -> str:
    order_id = yard.order(1, TEA, CUP, user_id=1, order_status=5, shipping_status=5)
    staff_note(yard, order_id, TEA, CUP)
    return order_id


@pytest.mark.parametrize(
    ("served", "place"),
    [("myisam", _own), ("innodb", _of_staff)],
    ids=["our note on MyISAM", "staff's note on InnoDB"],
    indirect=["served"],
)
def test_a_connection_cut_before_any_write_is_made_good_by_the_repeat(
    served: Yard, place: Callable[[Yard], str]
) -> None:
    """Before the first statement and the last, too; a read in between finds what the write before it left."""
    order_id, shop = place(served), served.shop()
    parcel = parcel_of(the_order(shop, order_id))

    def act() -> None:
        shop.claim(order_id, NOW)
        shop.write_note(parcel, NOW)
        shop.mark_shipped(parcel, NOW)
        shop.mark_received(order_id, NOW)
        shop.add_remark(order_id, "已签收。", NOW)

    fresh = served.keep()
    with cut_before(served, 0) as statements:
        act()
    undisturbed = served.dump()
    writes = [no for no, statement in enumerate(statements, start=1) if statement.startswith(("INSERT", "UPDATE"))]
    assert len(writes) >= 9
    for statement_no in (1, *writes, len(statements)):
        served.restore(fresh)
        with cut_before(served, statement_no), pytest.raises(TransientError) as caught:
            act()
        assert caught.value.code == "ecshop.db.unreachable"
        act()
        assert served.dump() == undisturbed, f"cut before {statements[statement_no - 1]}"


def test_a_sweep_that_is_cut_off_is_a_named_error_and_the_next_reads_all(served: Yard) -> None:
    for order_id in (1, 2, 3):
        served.order(order_id)
    shop = served.shop(page_size=1)
    with cut_before(served, 0) as statements:
        whole = list(shop.read_open(NOW))
    for statement_no in (1, len(statements) // 2, len(statements)):
        served.shops.clear()
        shop = served.shop(page_size=1)
        with cut_before(served, statement_no), pytest.raises(TransientError) as caught:
            list(shop.read_open(NOW))
        assert caught.value.code == "ecshop.db.unreachable"
        assert list(shop.read_open(NOW)) == whole
