"""Several shops from the start: the same order number in two of them is two orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sync import exceptions as desk
from sync.sandbox.shop import create_shop, read_ledger, seed_orders
from sync.services.poll_shop import poll_shop
from sync.services.reconcile import reconcile_shop
from tests.service.house import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    outlet = f"sqlite:///{tmp_path}/outlet.db"
    with open_house(
        tmp_path,
        ECSYNC_SHOPS="main,outlet",
        ECSYNC_SHOP_OUTLET_DSN=outlet,
        ECSYNC_SHOP_OUTLET_ENVIRONMENT="sandbox",
    ) as opened:
        yield opened


def test_one_number_in_two_shops_is_two_orders_with_two_waybills_and_two_documents(
    house: House, tmp_path: Path
) -> None:
    outlet = create_shop(f"sqlite:///{tmp_path}/outlet.db")
    now = house.rt.clock.now()
    (here,) = seed_orders(house.shop, 1, 7, now, cod_share=0)
    (there,) = seed_orders(outlet, 1, 7, now, cod_share=0)
    assert here.order_sn == there.order_sn

    for key in house.rt.shops:
        house.serve(poll_shop(house.rt, key).wakes)

    assert sorted(row.shop for row in house.orders()) == ["main", "outlet"]
    ledger = house.peers.ledger()
    assert ledger["carrier"]["waybills_issued"] == 2
    assert sorted(ledger["erp"]["orders"]) == [f"main-{here.order_sn}", f"outlet-{there.order_sn}"]
    for engine in (house.shop, outlet):
        (shown,) = read_ledger(engine).values()
        assert len(shown.notes) == 1
    assert [reconcile_shop(house.rt, key).difference for key in house.rt.shops] == [0, 0]
    outlet.dispose()


def test_a_shop_that_is_away_does_not_hold_up_the_other(house: House, tmp_path: Path) -> None:
    house.seed(2)  # the outlet's tables were never made

    house.serve(poll_shop(house.rt, "shop.main").wakes)

    assert house.peers.ledger()["carrier"]["waybills_issued"] == 2


def test_an_order_that_cannot_be_decoded_goes_to_a_person_and_all_others_to_the_carrier(house: House) -> None:
    spoiled, *others = house.seed(3)
    with house.shop.begin() as connection:
        changed = text("UPDATE ecs_order_info SET address = CAST(x'fffe' AS TEXT) WHERE order_sn = :sn")
        connection.execute(changed, {"sn": spoiled})

    house.poll()

    assert sorted(row.order_sn for row in house.orders()) == sorted(others)
    assert house.peers.ledger()["carrier"]["waybills_issued"] == 2
    with house.rt.database.reading() as session:
        (line,) = desk.list_open(session)
        assert line.code == "ecshop.order.row_unreadable"
        assert spoiled in f"{line.subject} {line.order_sn} {line.message}"


def test_a_shop_that_may_not_be_written_parks_its_own_orders_and_the_other_ships(house: House, tmp_path: Path) -> None:
    outlet = create_shop(f"sqlite:///{tmp_path}/outlet.db")
    (there,) = seed_orders(outlet, 1, 9, house.rt.clock.now(), cod_share=0)
    (here,) = house.seed(1)
    with outlet.begin() as connection:
        refuse = (
            "CREATE TRIGGER refuse BEFORE UPDATE ON ecs_order_info BEGIN SELECT RAISE(FAIL, 'readonly database'); END"
        )
        connection.execute(text(refuse))

    for key in house.rt.shops:
        house.serve(poll_shop(house.rt, key).wakes)

    assert len(house.shop_order(here).notes) == 1
    with house.rt.database.reading() as session:
        assert {line.code for line in desk.list_open(session)} == {"ecshop.db.read_only"}
    with outlet.begin() as connection:
        connection.execute(text("DROP TRIGGER refuse"))
    with house.rt.database.writing() as session:
        for line in desk.list_open(session):
            assert desk.retry_exception(session, line.id, "ops", "it may be written again")
    house.settle()
    (shown,) = read_ledger(outlet).values()
    assert (shown.order_sn, len(shown.notes)) == (there.order_sn, 1)
    outlet.dispose()
