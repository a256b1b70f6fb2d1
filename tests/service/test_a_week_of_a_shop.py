"""A week of a shop on MariaDB, lived twice: reached by its database and reached by the plug-in, with equal tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import OrderRow, ShipmentRow, StepRow
from sync.services.reconcile import reconcile_shop
from sync.services.sweep_pickups import sweep_pickups
from tests.service.house import SHOP, House, open_house
from tests.service.plugin.php import KEY, php_server
from tests.service.shop.conftest import fresh_mariadb
from tests.service.shop.yard import Yard, open_yard
from tests.service.shop_people import CUP, TEA, TEA_ID, People
from tests.service.test_tracking import DELIVERED, PICKED_UP, TRANSIT, push, snapshot

GIFT = {"goods_id": 8, "goods_name": "示例贴纸（赠品）", "goods_sn": "SBX-STICKER", "goods_price": 0, "is_gift": 3}
PACKAGE = {
    "goods_id": 5,
    "goods_name": "示例下午茶礼包",
    "goods_sn": "",
    "goods_price": 158,
    "extension_code": "package_buy",
}
DISCOUNT = {"goods_id": 0, "goods_name": "满减", "goods_sn": "", "goods_price": -10, "is_real": 0, "is_gift": 1}
LAMP = {"goods_id": 5, "goods_name": "示例台灯", "goods_sn": "SBX-LAMP", "goods_price": 159}

PLAIN, SPLIT, COD, LATE, MIXED, CANCELLED, VOIDED, UNPAID, BY_HAND, STALE, MERGED, GROWN = range(1, 13)

ENDS: Mapping[int, tuple[int, int, int]] = {
    # order, shipping and pay status as the shop shows them on Sunday evening
    PLAIN: (4, 0, 0),
    SPLIT: (5, 2, 2),
    COD: (5, 1, 0),
    LATE: (5, 1, 2),
    MIXED: (5, 2, 2),
    CANCELLED: (2, 0, 0),
    VOIDED: (2, 5, 0),
    UNPAID: (5, 5, 0),
    BY_HAND: (5, 1, 2),
    STALE: (5, 5, 2),
    GROWN: (5, 1, 2),
}


class Week:
    """Seven days of buyers, staff, couriers and ecsync."""

    def __init__(self, house: House, people: People) -> None:
        self.house, self.people = house, people
        self.monday = (house.rt.clock.now() - timedelta(days=8)).replace(hour=2, minute=0, second=0, microsecond=0)

    def live(self) -> None:
        for number, day in enumerate(
            (self.on_monday, self.on_tuesday, self.on_wednesday, self.on_thursday, self.on_friday, self.on_sunday)
        ):
            self.people.now = self.monday + timedelta(days=number)
            day()
            self.house.poll()
            self.house.settle()

    def on_monday(self) -> None:
        people = self.people
        self.paid(PLAIN)
        self.paid(SPLIT, TEA | {"goods_number": 2}, CUP)
        people.split(SPLIT, TEA_ID)
        people.place(COD, LAMP, cod=True)
        people.place(LATE, CUP)
        self.paid(MIXED, TEA, GIFT, PACKAGE, DISCOUNT, user_id=2)
        self.house.poll()
        people.confirm(COD)

    def on_tuesday(self) -> None:
        """The rest of the split order; an edit and a cancellation before anything is booked; a cancelled one after."""
        people = self.people
        self.courier(PLAIN, PICKED_UP, TRANSIT)
        self.courier(SPLIT, PICKED_UP)
        self.paid(VOIDED)
        self.house.poll()
        people.cancel(VOIDED)
        self.paid(CANCELLED)
        self.paid(UNPAID)
        self.paid(GROWN)
        people.edit_address(GROWN, "新地址路 99 号")
        people.cancel(CANCELLED)

    def on_wednesday(self) -> None:
        people = self.people
        people.unpay(UNPAID)
        self.paid(BY_HAND, TEA, CUP)
        people.ship_note(BY_HAND, people.split(BY_HAND), "SF1234567890")
        self.paid(STALE)
        self.courier(SPLIT, PICKED_UP, parcel_no=2)
        self.courier(MIXED, PICKED_UP)

    def on_thursday(self) -> None:
        people = self.people
        people.pay(LATE)
        self.courier(PLAIN, PICKED_UP, TRANSIT, DELIVERED)
        people.add_line(GROWN, CUP)
        self.paid(MERGED)
        self.house.poll()
        people.remove(MERGED)

    def on_friday(self) -> None:
        self.courier(LATE, PICKED_UP)
        self.courier(COD, PICKED_UP)
        self.courier(GROWN, PICKED_UP)
        self.courier(GROWN, PICKED_UP, parcel_no=2)
        with self.house.rt.database.writing() as session:
            waiting = update(ShipmentRow).where(ShipmentRow.id == self.parcel(STALE).id)
            session.execute(waiting.values(pickup_due_from=self.house.rt.clock.now() - timedelta(hours=49)))
        sweep_pickups(self.house.rt)

    def on_sunday(self) -> None:
        self.people.return_order(PLAIN)
        for parcel_no in (1, 2):
            self.courier(SPLIT, PICKED_UP, DELIVERED, parcel_no=parcel_no)
        self.courier(MIXED, PICKED_UP, DELIVERED)
        with self.house.rt.database.writing() as session:
            later = update(StepRow).where(StepRow.name == "mark_received", StepRow.state == "owed")
            session.execute(later.values(not_before=utc_now()))

    def paid(self, order_id: int, *lines: Mapping[str, Any], **changes: Any) -> None:
        self.people.place(order_id, *lines, **changes)
        self.people.pay(order_id)

    def courier(self, order_id: int, *scans: tuple[str, str], parcel_no: int = 1) -> None:
        """The carrier pushes what its courier scanned."""
        assert push(self.house, snapshot(self.house, self.parcel(order_id, parcel_no), *scans))

    def parcel(self, order_id: int, parcel_no: int = 1) -> ShipmentRow:
        with self.house.rt.database.reading() as session:
            wanted = select(ShipmentRow).join(OrderRow, OrderRow.id == ShipmentRow.order_id)
            return session.execute(
                wanted.where(OrderRow.shop_order_id == str(order_id), ShipmentRow.parcel_no == parcel_no)
            ).scalar_one()


def told_apart(yard: Yard, house: House, week: Week) -> dict[str, list[dict[str, Any]]]:
    """The shop's tables, with what two runs cannot share replaced: waybill numbers, moments, notes' own numbers."""
    with house.rt.database.reading() as session:
        rows = session.execute(
            select(OrderRow.order_sn, ShipmentRow.parcel_no, ShipmentRow.waybill_no).join(
                ShipmentRow, ShipmentRow.order_id == OrderRow.id
            )
        )
        names = {row.waybill_no: f"<{row.order_sn}/{row.parcel_no}>" for row in rows if row.waybill_no}
    first = int(week.monday.timestamp()) - 28800
    last = int(week.people.now.timestamp()) - 28800

    def plain(name: str, value: Any) -> Any:
        if isinstance(value, str):
            for number, word in names.items():
                value = value.replace(number, word)
            return re.sub(r"^\d{17}$", "<note>", value)
        if isinstance(value, int) and name.endswith("_time") and value:
            return "week" if first <= value <= last else "now"
        return value

    dump = yard.dump()
    return {
        table: sorted(({name: plain(name, value) for name, value in row.items()} for row in rows), key=repr)
        for table, rows in dump.items()
    }


def live_a_week(tmp_path: Path, engine: str, way: str) -> dict[str, list[dict[str, Any]]]:
    tmp_path.mkdir()
    with fresh_mariadb() as url:
        yard = open_yard(url, engine)
        try:
            with reached(tmp_path, url, way) as house:
                people = People(yard.engine, datetime.now(UTC))
                week = Week(house, people)
                week.live()
                assert_the_week_went_well(house, people)
                return told_apart(yard, house, week)
        finally:
            yard.engine.dispose()


@contextmanager
def reached(tmp_path: Path, url: str, way: str) -> Iterator[House]:
    """The house with its shop on MariaDB, by its database or by the plug-in under PHP."""
    day = "86400"
    if way == "database":
        with open_house(tmp_path, ECSYNC_SHOP_MAIN_DSN=url, ECSYNC_RECEIVE_AFTER_S=day) as house:
            yield house
        return
    with php_server(tmp_path / "php") as php:
        php.is_set()
        php.serves(url)
        with open_house(
            tmp_path,
            ECSYNC_SHOP_MAIN_DSN=None,
            ECSYNC_SHOP_MAIN_CONNECTOR="ecshop_api",
            ECSYNC_SHOP_MAIN_URL=php.caller.url,
            ECSYNC_SHOP_MAIN_KEY=KEY,
            ECSYNC_RECEIVE_AFTER_S=day,
        ) as house:
            yield house
        assert php.complaints() == []


def assert_the_week_went_well(house: House, people: People) -> None:
    shown = {order_id: people.row(order_id) for order_id in ENDS}
    states = {
        order_id: (row["order_status"], row["shipping_status"], row["pay_status"]) for order_id, row in shown.items()
    }
    assert states == ENDS
    assert reconcile_shop(house.rt, SHOP).difference == 0
    waybills = [number for entry in carrier(house).values() for number in entry["waybills"]]
    assert len(waybills) == len(set(waybills)) == len(carrier(house)), "one waybill for each parcel"
    voided = {code.split("-")[0][-5:] for code, entry in carrier(house).items() if entry["cancelled"]}
    assert voided == {f"{order_id:05d}" for order_id in (VOIDED, UNPAID, MERGED)}
    assert "SF1234567890" not in waybills
    with house.rt.database.reading() as session:
        codes = sorted({one.code for one in desk.list_open(session)})
    assert codes == ["order.edited_after_booking", "order.withdrawn_after_booking", "stale_pickup"]


def carrier(house: House) -> dict[str, Any]:
    orders: dict[str, Any] = house.peers.ledger()["carrier"]["orders"]
    return {code: entry for code, entry in orders.items() if entry["waybills"]}


@pytest.mark.parametrize("engine", ["MyISAM", "InnoDB"])
def test_a_week_by_the_database_and_by_the_plug_in_leaves_equal_tables(tmp_path: Path, engine: str) -> None:
    by_database = live_a_week(tmp_path / "database", engine, "database")
    by_plug_in = live_a_week(tmp_path / "plugin", engine, "plugin")

    for table, rows in by_database.items():
        assert by_plug_in[table] == rows, table
