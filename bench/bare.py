"""What a script without queue, leases, retries or framework does for the same orders: the other arm.

The same reads and writes in the shop, the same signed booking, the same ERP call, the same rows in the same tables,
one commit for each thing that happened. If anything goes wrong in it, an order is lost or shipped twice.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

import requests
from sqlalchemy import Connection, bindparam, insert, select, update

from bench.rows import attempt_row, document_row, line_rows, order_row, parcel_row, step_row
from mappings.connector import ParcelToWrite
from mappings.model import ErpOrder, Order, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpCall, HttpReply
from sync.clock import utc_now
from sync.db.models import AttemptRow, Base, ErpDocumentRow, LabelRow, OrderLineRow, OrderRow, ShipmentRow, StepRow
from sync.db.orders import private_texts
from sync.db.session import make_engine
from sync.redaction import readable, redact
from sync.registry import load_connector
from sync.services.push_order import SHOP_ZONE
from sync.settings import PeerSettings, Settings, load_settings
from sync.shops.port import Shop, Unreadable

T = TypeVar("T")
Rows = list[dict[str, Any]]
PAGE = 100
SHOP, CARRIER, ERP = "shop.main", "carrier.kdniao", "erp.generic_rest"


@dataclass(frozen=True, slots=True)
class Item:
    """An order that was taken in: what is known of it and the ids of its rows."""

    order: Order
    order_id: int
    shipment_id: int


class Tools:
    """What a process makes once: connectors, the shop, an engine, and an HTTP session for each thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine = make_engine(settings.database_url, pool_size=32)
        self.carrier = _connect(settings.carriers[0])
        self.erp = _connect(settings.erps[0])
        shop = settings.shops[0]
        self.shop: Shop = load_connector("shop", shop.connector)(shop.name, shop.config)
        self._local = threading.local()

    def run(self, exchange: Exchange[T], peer: str, private: tuple[str, ...]) -> tuple[T, Rows]:
        """Drive an exchange; returns its result and the rows to keep of its calls."""
        rows = []
        call = next(exchange)
        while True:
            reply, row = self._send(call, peer, private)
            rows.append(row)
            try:
                call = exchange.send(reply)
            except StopIteration as end:
                return end.value, rows

    def _send(self, call: HttpCall, peer: str, private: tuple[str, ...]) -> tuple[HttpReply, dict[str, Any]]:
        started, clock = utc_now(), time.monotonic()
        response = self._session().request(
            call.method, call.url, data=call.body, headers=dict(call.headers), timeout=15
        )
        reply = HttpReply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)
        asked = f"{call.method} {call.url}\n{readable(call.body, call.headers.get('Content-Type', ''))}"
        told = f"{reply.status}\n{readable(reply.body, '')}"
        return reply, attempt_row(peer, call.operation, started, clock) | {
            "http_status": reply.status,
            "request": redact(asked, private=private, secrets=call.secrets),
            "reply": redact(told, private=private, secrets=call.secrets),
        }

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session


def _connect(peer: PeerSettings) -> Any:
    return load_connector(peer.kind, peer.connector)(peer.config)


@cache
def _tools(_pid: int) -> Tools:
    return Tools(load_settings())


def tools() -> Tools:
    """This process's tools; a forked child makes its own."""
    return _tools(os.getpid())


def fetch(now: datetime) -> Iterator[list[Item]]:
    """Read the shop's open orders and store those that are new, a page in a transaction."""
    kit = tools()
    with kit.engine.connect() as connection:
        known = set(connection.scalars(select(OrderRow.shop_order_id)))
    found = (order for order in kit.shop.read_open(now) if not isinstance(order, Unreadable))
    fresh = (order for order in found if order.shop_order_id not in known)
    while page := list(islice(fresh, PAGE)):
        with kit.engine.begin() as connection:
            items = _store(connection, page)
        yield items


def _store(connection: Connection, page: list[Order]) -> list[Item]:
    now = utc_now()
    order_ids = _insert_all(connection, OrderRow, [order_row(order, now) for order in page])
    pairs = list(zip(page, order_ids, strict=True))
    connection.execute(_insert(OrderLineRow), [row for order, row_id in pairs for row in line_rows(order, row_id)])
    shipment_ids = _insert_all(connection, ShipmentRow, [parcel_row(order, row_id) for order, row_id in pairs])
    return [Item(*found) for found in zip(page, order_ids, shipment_ids, strict=True)]


def fulfil(item: Item) -> None:
    """Claim, book, push, write back."""
    claim(item)
    waybill = book(item)
    push(item)
    write_note(item, waybill)


def claim(item: Item) -> None:
    started, clock = utc_now(), time.monotonic()
    tools().shop.claim(item.order.shop_order_id, utc_now())
    with _record(item, "claim_order", SHOP, [attempt_row(SHOP, "claim_order", started, clock)]):
        pass


def book(item: Item) -> Waybill:
    kit, order = tools(), item.order
    started, clock = utc_now(), time.monotonic()
    kit.shop.read_standings([order.shop_order_id])
    looked = attempt_row(SHOP, "read_standing", started, clock)
    request = WaybillRequest(
        order_code=f"{order.order_sn}-1",
        reference=f"shipment:{item.shipment_id}",
        shipper_code=order.shipper_code,
        order=order,
        consignor=kit.settings.consignor,
    )
    waybill: Waybill
    waybill, called = kit.run(kit.carrier.book_waybill(request), CARRIER, private_texts(order))
    now = utc_now()
    with _record(item, "book_waybill", CARRIER, [looked, *called]) as connection:
        connection.execute(_update(ShipmentRow), _parcel_values(waybill, now) | {"row_id": item.shipment_id})
        connection.execute(_update(OrderRow), {"row_id": item.order_id, "status": "info_received", "updated_at": now})
        connection.execute(_insert(LabelRow), {"shipment_id": item.shipment_id, "content": waybill.label})
    return waybill


def _parcel_values(waybill: Waybill, now: datetime) -> dict[str, Any]:
    return {
        "waybill_no": waybill.waybill_no,
        "shipper_code": waybill.shipper_code,
        "carrier_order_no": waybill.carrier_order_no,
        "booked_at": now,
        "estimated_pickup_at": waybill.estimated_pickup_at,
        "estimated_delivery_at": waybill.estimated_delivery_at,
        "status": "info_received",
        "status_at": now,
        "pickup_due_from": now,
    }


def push(item: Item) -> None:
    kit, order = tools(), item.order
    document = ErpOrder(
        order=order,
        external_ref=order.order_sn,
        idempotency_key=f"{order.shop}-{order.shop_order_id}-{order.order_sn}",
        order_date=order.placed_at.astimezone(SHOP_ZONE).strftime("%Y%m%d"),
    )
    created, called = kit.run(kit.erp.create(document), ERP, private_texts(order))
    with _record(item, "push_order", ERP, called) as connection:
        connection.execute(_update(OrderRow), {"row_id": item.order_id, "erp_no": created.erp_no})
        connection.execute(_insert(ErpDocumentRow), document_row(item.order_id, ERP, created.erp_no))


def write_note(item: Item, waybill: Waybill) -> None:
    order = item.order
    parcel = ParcelToWrite(
        shop_order_id=order.shop_order_id,
        order_sn=order.order_sn,
        parcel_no=1,
        carrier_name=order.shipping_name,
        shipper_code=waybill.shipper_code,
        waybill_no=waybill.waybill_no,
        environment="sandbox",
        line_quantities=order.line_quantities(),
        note_id=order.note_id,
        shipped_at=None,
    )
    started, clock = utc_now(), time.monotonic()
    note_id = tools().shop.write_note(parcel, utc_now())
    with _record(item, "write_note", SHOP, [attempt_row(SHOP, "write_note", started, clock)]) as connection:
        connection.execute(_update(ShipmentRow), {"row_id": item.shipment_id, "note_id": note_id})


@contextmanager
def _record(item: Item, name: str, peer: str, attempts: Rows) -> Iterator[Connection]:
    """One transaction: what the block writes, the step in its final state, and the calls that were made."""
    shipment_id = item.shipment_id if name in ("book_waybill", "write_note") else None
    with tools().engine.begin() as connection:
        yield connection
        made = connection.execute(_insert(StepRow), step_row(name, peer, item.order_id, shipment_id))
        step_id = (made.inserted_primary_key or (None,))[0]
        connection.execute(
            _insert(AttemptRow), [row | {"order_id": item.order_id, "step_id": step_id} for row in attempts]
        )


def _insert_all(connection: Connection, model: type[Base], rows: Rows) -> list[int]:
    table = model.table()
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list(connection.scalars(statement, rows))


@cache
def _insert(model: type[Base]) -> Any:
    return insert(model.table())


@cache
def _update(model: type[Base]) -> Any:
    table = model.table()
    return update(table).where(table.c.id == bindparam("row_id"))
