"""The broker may lose everything: what the relay finds, and what it leaves alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from sqlalchemy import Update, event, select, update

from sync.clock import utc_now
from sync.db.models import InboxRow, OrderLineRow, OrderRow, StepRow
from sync.db.orders import read_whole
from sync.db.steps import Wake, claim_next, hold
from sync.services.apply_callback import MAX_TELLINGS
from sync.services.poll_shop import poll_shop
from sync.services.relay import relay
from sync.services.run_steps import MAX_LOSSES, run_steps
from tests.service.house import SHOP, House

CARRIER, ERP = "carrier.kdniao", "erp.generic_rest"


def age_messages(house: House, seconds: float) -> None:
    """The messages were sent this long ago."""
    with house.rt.database.writing() as session:
        past = utc_now() - timedelta(seconds=seconds)
        session.execute(update(StepRow).values(enqueued_at=past, not_before=past))


def taken_in(house: House) -> Wake:
    """A fresh order whose messages were sent a moment ago; the wake of its waybill."""
    house.seed()
    (wake,) = [wake for wake in poll_shop(house.rt, SHOP).wakes if wake.peer == CARRIER]
    return wake


def test_a_message_sent_a_moment_ago_is_not_sent_again(house: House) -> None:
    taken_in(house)
    assert relay(house.rt, {}).wakes == []


def test_a_due_step_whose_queue_is_empty_has_lost_its_message(house: House) -> None:
    wake = taken_in(house)
    age_messages(house, 15)
    assert wake in relay(house.rt, {}).wakes
    assert relay(house.rt, {}).wakes == [], "told again, so it waits again"


def test_a_message_that_still_waits_in_its_queue_is_not_doubled(house: House) -> None:
    wake = taken_in(house)
    age_messages(house, 15)
    peers = {found.peer for found in relay(house.rt, {CARRIER: 12}).wakes}
    assert wake.peer not in peers
    assert ERP in peers


def test_steps_at_a_closed_door_are_left_alone_until_its_probe(house: House) -> None:
    wake = taken_in(house)
    age_messages(house, 15)
    for _ in range(5):
        house.rt.door.failed(CARRIER, "away")
    assert wake not in relay(house.rt, {}).wakes
    house.open_doors()
    assert wake in relay(house.rt, {}).wakes


def test_a_step_whose_worker_died_is_taken_up_when_its_lease_ends(house: House) -> None:
    wake = taken_in(house)
    with house.rt.database.writing() as session:
        assert claim_next(session, wake.order_id, CARRIER, 60)
    age_messages(house, 15)
    assert wake not in relay(house.rt, {}).wakes
    end_leases(house)
    assert wake in relay(house.rt, {}).wakes

    run_steps(house.rt, wake.order_id, CARRIER)
    with house.rt.database.reading() as session:
        step = session.scalars(select(StepRow).where(StepRow.peer == CARRIER)).one()
    assert (step.state, step.losses) == ("done", 1)


def test_two_workers_with_the_same_message_do_the_step_once(house: House) -> None:
    wake = taken_in(house)
    with house.rt.database.writing() as session:
        assert claim_next(session, wake.order_id, CARRIER, 60)
    assert run_steps(house.rt, wake.order_id, CARRIER) == []
    assert house.peers.ledger()["carrier"]["waybills_issued"] == 0


def test_of_workers_who_reach_for_a_step_at_once_one_gets_it(house: House) -> None:
    house.seed(10)
    orders = [wake.order_id for wake in poll_shop(house.rt, SHOP).wakes if wake.peer == CARRIER]
    start = Barrier(4)

    def claim_all(_: int) -> list[int]:
        start.wait(timeout=30)
        return [order_id for order_id in orders if claims(house, order_id)]

    with ThreadPoolExecutor(4) as workers:
        claimed = [order_id for some in workers.map(claim_all, range(4)) for order_id in some]
    assert sorted(claimed) == sorted(orders)


def claims(house: House, order_id: int) -> bool:
    with house.rt.database.claiming() as session:
        return claim_next(session, order_id, CARRIER, 60) is not None


def test_who_has_claimed_a_step_keeps_nobody_from_writing(house: House) -> None:
    """Four workers on SQLite would wait for each other's Python at every step."""
    wake = taken_in(house)
    with house.rt.database.claiming() as session:
        assert claim_next(session, wake.order_id, CARRIER, 60)
        written_meanwhile = update(OrderRow).where(OrderRow.id == wake.order_id).values(status="shipped")
        with ThreadPoolExecutor(1) as other:
            other.submit(write, house, written_meanwhile).result(timeout=10)
        assert session.execute(select(OrderRow.status).where(OrderRow.id == wake.order_id)).scalar_one() == "shipped"


def write(house: House, statement: Update) -> None:
    with house.rt.database.writing() as session:
        session.execute(statement)


def test_a_worker_that_outlived_its_lease_records_nothing(house: House) -> None:
    wake = taken_in(house)
    with house.rt.database.writing() as session:
        first = claim_next(session, wake.order_id, CARRIER, 60)
        assert first
        token = first.token
    end_leases(house)
    with house.rt.database.writing() as session:
        assert claim_next(session, wake.order_id, CARRIER, 60)
        assert hold(session, first.step.id, token) is None


def test_a_step_that_kills_its_workers_is_set_aside(house: House) -> None:
    wake = taken_in(house)
    for _ in range(MAX_LOSSES + 1):
        with house.rt.database.writing() as session:
            claim_next(session, wake.order_id, CARRIER, 60)
        end_leases(house)
    run_steps(house.rt, wake.order_id, CARRIER)
    with house.rt.database.reading() as session:
        assert session.scalars(select(StepRow.state).where(StepRow.peer == CARRIER)).one() == "parked"
    assert house.peers.ledger()["carrier"]["waybills_issued"] == 0


def test_a_stored_push_is_told_once_and_set_aside_when_nobody_comes_back(house: House) -> None:
    with house.rt.database.writing() as session:
        now = utc_now()
        session.add(
            InboxRow(
                source=CARRIER,
                digest="d",
                received_at=now,
                content_type="",
                body=b"x",
                not_before=now,
                verdict="waiting",
            )
        )
    told = []
    for _ in range(MAX_TELLINGS + 2):
        told.append(len(relay(house.rt, {}).inbox_ids))
        with house.rt.database.writing() as session:
            session.execute(update(InboxRow).values(not_before=utc_now()))
    assert told == [1] * MAX_TELLINGS + [0, 0]
    with house.rt.database.reading() as session:
        assert session.scalars(select(InboxRow.verdict)).one() == "unreadable"


def end_leases(house: House) -> None:
    with house.rt.database.writing() as session:
        session.execute(
            update(StepRow)
            .where(StepRow.state == "running")
            .values(lease_until=utc_now() - timedelta(seconds=1), enqueued_at=utc_now() - timedelta(seconds=60))
        )


def test_an_edit_while_a_step_is_claimed_is_taken_whole_or_not_at_all(house: House) -> None:
    """Nothing is locked then: an old total with new lines would be an order that nobody ever placed."""
    wake = taken_in(house)
    edits = iter(range(1, 1000))
    is_editing = False

    def edit(*_: object) -> None:
        nonlocal is_editing
        if is_editing:
            return
        is_editing, fen = True, 100 * next(edits)
        with house.rt.database.writing() as session:
            session.execute(update(OrderRow).where(OrderRow.id == wake.order_id).values(total_fen=fen))
            session.execute(update(OrderLineRow).where(OrderLineRow.order_id == wake.order_id).values(price_fen=fen))
        is_editing = False

    with house.rt.database.claiming() as session:
        event.listen(session.connection(), "before_cursor_execute", edit)
        assert claim_next(session, wake.order_id, CARRIER, 60)
        _, order = read_whole(session, wake.order_id)
    assert next(edits) > 3, "an edit came before each statement"
    assert {line.price_fen for line in order.lines} == {order.total_fen}
