"""The yard of an ERP's warehouse: a house whose parcels the ERP sends, and what tests do there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from mappings.model import ErpShipment
from sync.db.cursors import read_cursors
from sync.db.models import OrderLineRow, ShipmentRow
from sync.db.orders import find_shipments
from sync.services.take_shipments import take_shipments
from tests.service.house import House
from tests.service.test_fulfilment import ERP

NUMBER = "YT7300000000001"


@dataclass
class Warehouse:
    """The ERP's warehouse: what it has sent, what it was asked and what it was answered."""

    sent: list[ErpShipment] = field(default_factory=list)
    asked_since: list[datetime] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def poll(self, since: datetime) -> Generator[Any, Any, tuple[ErpShipment, ...]]:
        self.asked_since.append(since)
        yield from ()
        return tuple(self.sent)

    def settle(self, taken: Mapping[str, str]) -> Generator[Any, Any, None]:
        self.answers |= taken
        yield from ()


@dataclass
class Yard:
    """A house whose parcels the ERP sends."""

    house: House
    warehouse: Warehouse

    def send(self, order_sn: str, number: str = NUMBER, shipper: str = "YTO", **more: Any) -> None:
        self.warehouse.sent.append(ErpShipment(order_sn, number, shipper, key=f"k-{number}", **more))

    def look(self) -> dict[str, int]:
        run = take_shipments(self.house.rt, ERP)
        self.house.serve(run.wakes)
        return dict(run.counts)

    def parcels(self, order_sn: str) -> list[ShipmentRow]:
        with self.house.rt.database.reading() as session:
            return find_shipments(session, self.house.order(order_sn).id)

    def cursor(self) -> datetime:
        with self.house.rt.database.reading() as session:
            return datetime.fromisoformat(read_cursors(session, f"shipments.{ERP}")[""][0])


Open = Callable[..., Any]


def taken_in(yard: Yard) -> str:
    (order_sn,) = yard.house.seed()
    yard.house.poll()
    return order_sn


def noted(yard: Yard, order_sn: str) -> list[tuple[str, ...]]:
    """The numbers on the shop's delivery notes."""
    return [note.numbers for note in yard.house.shop_order(order_sn).notes]


def order_of_several(yard: Yard) -> tuple[str, tuple[str, int]]:
    """An order of several SKUs without a package in it, and one of its lines."""
    for order_sn in yard.house.seed(12):
        yard.house.poll()
        with yard.house.rt.database.reading() as session:
            mine = OrderLineRow.order_id == yard.house.order(order_sn).id
            found = list(session.execute(select(OrderLineRow).where(mine)).scalars())
        if len({line.sku for line in found}) > 1 and not any(line.details["package_id"] for line in found):
            return order_sn, (found[0].sku, sum(line.quantity for line in found if line.sku == found[0].sku))
    raise AssertionError("no order has several lines")


def packed(yard: Yard, order_sn: str, parcel_no: int) -> dict[str, int]:
    with yard.house.rt.database.reading() as session:
        mine = (OrderLineRow.order_id == yard.house.order(order_sn).id, OrderLineRow.parcel_no == parcel_no)
        return {line.sku: line.quantity for line in session.execute(select(OrderLineRow).where(*mine)).scalars()}
