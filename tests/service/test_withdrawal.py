"""Orders that the shop withdraws: what had gone out is taken back there, and the right people hear of it.

Every case ends with the peers' own ledgers: no live waybill and no live document is left that should not be.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, text

from sync import exceptions as desk
from sync.db.models import OrderRow
from sync.db.orders import find_shipments
from sync.db.steps import StepBook
from sync.sandbox.server import SandboxPeers
from sync.services.poll_shop import poll_shop
from sync.services.show_order import show_order
from sync.services.withdraw import CODE, withdraw_order
from sync.shops.ecshop_tables import ecshop_tables
from sync.shops.port import Standing
from tests.service.house import SHOP, House, open_house
from tests.service.shop_people import CUP, TEA, People
from tests.service.test_fulfilment import CARRIER, ERP, break_peer
from tests.service.withdrawals import (
    codes,
    is_balanced,
    issued,
    live_documents,
    live_waybills,
    made,
    message,
    notices,
    states,
    while_calling,
    withdraw,
)

# --- nothing had gone out


def test_an_order_withdrawn_before_anything_went_out_needs_nobody(house: House) -> None:
    (order_sn,) = house.seed()
    poll_shop(house.rt, SHOP)

    withdraw(house, order_sn)
    house.settle()

    assert (issued(house), made(house), codes(house), notices(house)) == (0, 0, [], [])
    assert set(states(house, order_sn).values()) == {"dropped"}
    assert is_balanced(house)


# --- after the waybill and the push


def test_waybill_and_document_are_taken_back_and_only_the_parcel_is_left_to_a_person(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    number, document = house.shipment(order_sn).waybill_no, house.order(order_sn).erp_no

    withdraw(house, order_sn)

    assert (live_waybills(house), live_documents(house)) == ([], [])
    assert codes(house) == [CODE]
    for word in (order_sn, f"{number} at {CARRIER}: voided", f"{document} cancelled", "Only the physical parcel"):
        assert word in message(house)
    assert house.shipment(order_sn).status == "cancelled"
    assert (house.order(order_sn).state, house.order(order_sn).status) == ("withdrawn", "withdrawn")
    assert is_balanced(house)


def test_until_they_are_taken_back_the_desk_says_what_is_under_way(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()

    withdraw(house, order_sn, serve=False)

    assert "is being voided" in message(house)
    assert "is being cancelled" in message(house)
    assert "Take the parcel off the pickup pile" in message(house)
    house.settle()
    assert (live_waybills(house), live_documents(house)) == ([], [])


def test_customer_service_hears_of_it_once(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()

    withdraw(house, order_sn)
    house.poll()
    house.settle()

    (title,) = notices(house)
    assert order_sn in title


def test_polls_and_lost_messages_take_nothing_back_twice(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    withdraw(house, order_sn)

    for _ in range(2):
        house.poll()
        house.settle()

    counts = house.peers.ledger()["counts"]
    assert (counts["carrier.cancel_waybill"], counts["erp.cancel_order"]) == (1, 1)


def test_the_orders_story_shows_what_was_taken_back(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    withdraw(house, order_sn)

    shown = show_order(house.rt, house.order(order_sn))
    told = [line["text"] for line in shown["timeline"]]

    number = house.shipment(order_sn).waybill_no
    assert f"cancel_waybill at {CARRIER}: done: waybill {number} voided" in told
    assert any(text.startswith(f"cancel_order at {ERP}: done: document") for text in told)
    assert shown["next"] == []


@pytest.mark.parametrize("how", [Standing.WITHDRAWN, Standing.GONE])
def test_a_person_who_has_resolved_the_line_is_not_asked_again_when_the_cancels_end(
    house: House, how: Standing
) -> None:
    (order_sn,) = house.seed()
    house.poll()
    with house.rt.database.writing() as session:
        assert withdraw_order(StepBook(session), session.get_one(OrderRow, house.order(order_sn).id), how)
    with house.rt.database.writing() as session:
        (line,) = desk.list_open(session)
        assert desk.resolve_exception(session, line.id, "warehouse", "the parcel is off the pile")

    house.settle()

    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [])


def test_an_order_merged_or_deleted_in_the_shop_is_taken_back_too(house: House) -> None:
    (order_sn,) = house.seed()
    house.poll()
    table = ecshop_tables("ecs_").order_info
    with house.shop.begin() as connection:
        connection.execute(delete(table).where(table.c.order_sn == order_sn))

    house.poll()

    assert house.order(order_sn).status == "gone"
    assert "was merged or deleted in the shop" in message(house)
    assert (live_waybills(house), live_documents(house)) == ([], [])
    assert is_balanced(house)


def test_every_parcel_of_an_order_is_voided(house: House) -> None:
    people = People(house.shop, house.rt.clock.now() - timedelta(minutes=30))
    order_sn = people.place(1, TEA, CUP)
    people.pay(1)
    people.split(1, TEA["goods_id"])
    for _ in range(3):
        house.poll()
    with house.rt.database.reading() as session:
        parcels = find_shipments(session, house.order(order_sn).id)
    assert len(parcels) == len(live_waybills(house)) == 2

    withdraw(house, order_sn)

    assert (live_waybills(house), live_documents(house)) == ([], [])
    assert all(f"{parcel.waybill_no} at {CARRIER}: voided" in message(house) for parcel in parcels)
    assert len(notices(house)) == 1


def test_the_document_is_cancelled_in_every_erp_that_has_one(tmp_path: Path, database_url: str) -> None:
    with (
        SandboxPeers() as others,
        open_house(
            tmp_path,
            ECSYNC_DATABASE_URL=database_url,
            ECSYNC_ERPS="generic_rest,second",
            ECSYNC_ERP_SECOND_CONNECTOR="generic_rest",
            ECSYNC_ERP_SECOND_BASE_URL=others.erp_url,
            ECSYNC_ERP_SECOND_TOKEN=others.settings.erp_token,
        ) as house,
    ):
        (order_sn,) = house.seed()
        house.poll()
        assert others.ledger()["erp"]["documents"] == made(house) == 1

        withdraw(house, order_sn)

        assert live_documents(house) == []
        assert others.ledger()["erp"]["orders"][order_sn]["cancelled"]
        assert all(f"{erp}: document" in message(house) for erp in (ERP, "erp.second"))


def test_an_order_that_only_the_erp_had_leaves_nothing_for_a_person(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "carrier", outage=True)
    house.poll()
    assert len(live_documents(house)) == 1

    withdraw(house, order_sn, serve=False)
    assert "this line closes when it is done" in message(house)
    house.settle()

    assert (issued(house), live_documents(house), codes(house)) == (0, [], [])


# --- while a call is under way


def test_a_waybill_that_comes_after_the_withdrawal_is_voided_at_once(house: House) -> None:
    (order_sn,) = house.seed()
    while_calling(house, "carrier", "book_waybill", lambda: withdraw(house, order_sn, serve=False))

    house.poll()
    house.settle()

    assert issued(house) == 1
    assert (live_waybills(house), live_documents(house), codes(house)) == ([], [], [CODE])
    assert (house.order(order_sn).state, house.order(order_sn).status) == ("withdrawn", "withdrawn")
    assert "write_note" not in states(house, order_sn)
    assert house.shipment(order_sn).pickup_due_from is None
    assert is_balanced(house)


def test_a_document_that_comes_after_the_withdrawal_is_cancelled_at_once(house: House) -> None:
    (order_sn,) = house.seed()
    while_calling(house, "erp", "create", lambda: withdraw(house, order_sn, serve=False))

    house.poll()
    house.settle()

    assert made(house) == 1
    assert (live_waybills(house), live_documents(house)) == ([], [])
    assert states(house, order_sn)["cancel_order"] == "done"


def test_a_push_that_never_arrived_is_not_repeated_for_a_withdrawn_order(house: House) -> None:
    (order_sn,) = house.seed()
    break_peer(house, "erp", reset_before=1.0)
    while_calling(house, "erp", "create", lambda: withdraw(house, order_sn, serve=False))
    house.poll()
    house.peers.configure_faults({"erp": {}})

    house.settle()

    assert (made(house), live_waybills(house)) == (0, [])
    assert states(house, order_sn)["push_order"] == "done"
    assert "cancel_order" not in states(house, order_sn)


@pytest.mark.parametrize(("kind", "name"), [("carrier", "book_waybill"), ("erp", "create")])
def test_an_answer_recorded_at_the_same_moment_as_the_withdrawal_is_not_overlooked(
    house: House, kind: str, name: str
) -> None:
    """Both have read the order as it was before either of them commits."""
    if house.rt.database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite lets one writer in at a time")
    (order_sn,) = house.seed()
    begun = threading.Event()

    def withdraw_slowly() -> None:
        with house.rt.database.writing() as session:
            row = session.get_one(OrderRow, house.order(order_sn).id)
            assert withdraw_order(StepBook(session), row, Standing.WITHDRAWN)
            session.flush()
            begun.set()
            wait_for_a_blocked_writer(house)

    thread = threading.Thread(target=withdraw_slowly)

    def meanwhile() -> None:
        thread.start()
        assert begun.wait(10)

    found = poll_shop(house.rt, SHOP)
    while_calling(house, kind, name, meanwhile)
    house.serve([wake for wake in found.wakes if wake.peer.startswith(kind)], follow=False)
    thread.join(10)
    house.settle()

    assert (issued(house), made(house)) == ((1, 0) if kind == "carrier" else (0, 1))
    assert (live_waybills(house), live_documents(house)) == ([], [])


def wait_for_a_blocked_writer(house: House) -> None:
    deadline = time.monotonic() + 10
    with house.rt.database.reading() as session:
        while not session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            assert time.monotonic() < deadline
            time.sleep(0.01)
