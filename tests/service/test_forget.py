"""Personal data goes when its time is over: from every table, for every ended order, and for no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from sync.clock import utc_now
from sync.db.models import (
    AttemptRow,
    Base,
    ExceptionGroupRow,
    ExceptionRow,
    InboxRow,
    LabelRow,
    OrderRow,
    StepRow,
    TrackingEventRow,
)
from sync.db.orders import private_texts, read_order, write_order
from sync.services.forget import Forgotten, forget_people
from sync.services.keep_labels import empty_old_labels
from sync.services.parcels import AFTER_DELIVERY
from sync.services.show_order import show_order
from tests.service.house import House
from tests.service.test_tracking import DELIVERED, PICKED_UP, push, snapshot

NOTHING = Forgotten(0, 0, 0, 0)
NOTE = "放到李四家"
CALLED = ("2", "【深圳】张三（13912340000）正在派件")


def delivered(house: House, count: int = 1) -> list[str]:
    """Orders that went all the way and are done."""
    order_sns = house.seed(count)
    house.poll()
    house.settle()
    for order_sn in order_sns:
        assert push(house, snapshot(house, order_sn, PICKED_UP, CALLED, DELIVERED))
    with house.rt.database.writing() as session:
        later = update(StepRow).where(StepRow.name.in_(AFTER_DELIVERY), StepRow.state == "owed")
        session.execute(later.values(enqueued_at=None, not_before=utc_now()))
    house.settle()
    assert {house.order(order_sn).state for order_sn in order_sns} == {"done"}
    return order_sns


def age(house: House, days: float, *order_sns: str) -> None:
    """As if all of it, but of these orders alone, had happened so many days ago."""
    then = utc_now() - timedelta(days=days)
    with house.rt.database.writing() as session:
        orders = update(OrderRow).where(OrderRow.order_sn.in_(order_sns))
        session.execute(orders.values(updated_at=then))
        session.execute(orders.where(OrderRow.done_at.is_not(None)).values(done_at=then))
        session.execute(update(InboxRow).values(received_at=then))
        session.execute(update(AttemptRow).values(started_at=then))
        session.execute(update(TrackingEventRow).values(received_at=then))
        session.execute(update(LabelRow).values(stored_at=then))


def everything(house: House) -> str:
    """All that our database holds, as text."""
    with house.rt.database.reading() as session:
        rows: list[Any] = [row for table in Base.metadata.sorted_tables for row in session.execute(select(table))]
    return "\n".join(
        " ".join(value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in row)
        for row in rows
    )


def people_of(house: House, order_sn: str) -> tuple[str, ...]:
    with house.rt.database.reading() as session:
        row = session.execute(select(OrderRow).where(OrderRow.order_sn == order_sn)).scalar_one()
        return private_texts(read_order(session, row))


def test_an_ended_order_loses_its_people_everywhere_and_keeps_its_numbers(house: House) -> None:
    (order_sn,) = delivered(house)
    people = people_of(house, order_sn)
    before, waybill_no = house.order(order_sn), house.shipment(order_sn).waybill_no
    assert len(people) >= 3
    with house.rt.database.writing() as session:
        row = session.get_one(OrderRow, before.id)
        row.header = {**row.header, "buyer_note": NOTE, "seller_note": NOTE}
    assert all(text in everything(house) for text in (*people, CALLED[1], NOTE))

    age(house, 181, order_sn)
    gone = forget_people(house.rt)
    empty_old_labels(house.rt)

    assert (gone.orders, gone.pushes) == (1, 1)
    assert gone.calls > 2
    kept = everything(house)
    assert not [text for text in (*people, "13912340000", "张三", NOTE) if text in kept]
    row = house.order(order_sn)
    assert (row.erp_no, row.total_fen, row.status) == (before.erp_no, before.total_fen, "delivered")
    assert row.header["consignee"]["address"]["city"] == before.header["consignee"]["address"]["city"]
    assert house.shipment(order_sn).waybill_no == waybill_no
    shown = show_order(house.rt, row)
    assert "deleted on" in shown["consignee"]
    assert any("delivered" in line["text"] for line in shown["timeline"])
    assert forget_people(house.rt) == NOTHING


def test_what_is_young_or_open_is_left_alone(house: House) -> None:
    young, old = delivered(house, 2)
    (waiting,) = house.seed(seed=8)
    house.poll()
    house.settle()

    age(house, 179, young)
    age(house, 365, waiting, old)
    assert forget_people(house.rt).orders == 1

    assert house.order(old).forgotten_at is not None
    assert len(people_of(house, young)) >= 3
    assert len(people_of(house, waiting)) >= 3
    assert house.order(waiting).state == "open"


def test_more_than_a_batch_goes_in_one_run(house: House) -> None:
    order_sns = delivered(house, 5)
    age(house, 181, *order_sns)

    assert forget_people(house.rt, batch=2).orders == 5


def test_a_push_that_a_person_has_still_to_look_at_stays(house: House) -> None:
    (order_sn,) = delivered(house)
    age(house, 181, order_sn)
    with house.rt.database.writing() as session:
        inbox_id = session.execute(select(InboxRow.id)).scalar_one()
        now = utc_now()
        group = ExceptionGroupRow(code="kdniao.callback.unmapped", peer="carrier.kdniao")
        group.first_seen_at = group.last_seen_at = now
        session.add(group)
        session.flush()
        line = ExceptionRow(group_id=group.id, subject=f"inbox:{inbox_id}", inbox_id=inbox_id, message="?")
        line.opened_at = line.last_seen_at = now
        session.add(line)

    assert forget_people(house.rt).pushes == 0

    with house.rt.database.writing() as session:
        session.execute(update(ExceptionRow).values(resolved_at=utc_now()))
    assert forget_people(house.rt).pushes == 1


def test_a_late_push_about_a_forgotten_order_is_taken_as_any(house: House) -> None:
    (order_sn,) = delivered(house)
    body = snapshot(house, order_sn, PICKED_UP, CALLED, DELIVERED, ("304", "已退回"))
    age(house, 181, order_sn)
    forget_people(house.rt)

    assert push(house, body)
    assert house.order(order_sn).status == house.shipment(order_sn).status


def test_an_order_that_is_read_from_the_shop_again_has_its_people_again(house: House) -> None:
    (order_sn,) = delivered(house)
    with house.rt.database.reading() as session:
        order = read_order(session, house.order(order_sn))
    age(house, 181, order_sn)
    forget_people(house.rt)

    with house.rt.database.writing() as session:
        write_order(session, order, session.get_one(OrderRow, house.order(order_sn).id))

    assert house.order(order_sn).forgotten_at is None
    assert people_of(house, order_sn) == private_texts(order)
