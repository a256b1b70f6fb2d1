"""Orders and parcels between rows and values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from mappings.model import Address, Consignee, Order, OrderLine, Queue
from sync.clock import utc_now
from sync.db.models import OrderLineRow, OrderRow, ShipmentRow, StepRow, UtcDateTime
from sync.db.steps import is_unfinished

_HEADER_TEXTS = ("shipping_code", "shipping_name", "shipper_code", "buyer_note", "seller_note", "note_id")
_HEADER_NUMBERS = ("cod_fen", "shipping_fee_fen", "discount_fen", "user_id")
_LINE_DETAILS = ("shop_line_id", "attributes", "goods_id", "product_id", "package_id", "is_gift")


LATER = 0
"""The parcel number of lines that are owed and in no parcel yet."""


def write_order(
    session: Session, order: Order, row: OrderRow | None = None, *, parcel_no: int = 1, external_ref: str = ""
) -> OrderRow:
    """Store an order as read from the shop, new or over the row it had: its lines are those of this parcel and of
    later ones; what earlier parcels hold stays. `external_ref` is a new order's name in the ERPs."""
    now = utc_now()
    if row is None:
        row = OrderRow(shop=order.shop, shop_order_id=order.shop_order_id, external_ref=external_ref, received_at=now)
        session.add(row)
    row.order_sn, row.queue, row.content_hash = order.order_sn, str(order.queue), order.content_hash
    row.header, row.total_fen, row.forgotten_at = _header(order), order.total_fen, None
    row.placed_at, row.paid_at, row.updated_at = order.placed_at, order.paid_at, now
    first_no = 1 if row.id is None else _clear_lines(session, row.id, parcel_no)
    session.flush()
    owed = [(parcel_no, line) for line in order.lines] + [(LATER, line) for line in order.later_lines]
    session.add_all(_line_row(row.id, number, *line) for number, line in enumerate(owed, first_no))
    return row


def _clear_lines(session: Session, order_id: int, parcel_no: int) -> int:
    """Forget this parcel's lines and those of no parcel yet; returns the next free line number."""
    mine = (OrderLineRow.order_id == order_id, OrderLineRow.parcel_no.in_((parcel_no, LATER)))
    session.execute(delete(OrderLineRow).where(*mine))
    kept = select(func.coalesce(func.max(OrderLineRow.line_no), 0)).where(OrderLineRow.order_id == order_id)
    return session.execute(kept).scalar_one() + 1


_WITH_LINES = (
    select(OrderRow, OrderLineRow)
    .outerjoin(OrderLineRow, OrderLineRow.order_id == OrderRow.id)
    .where(OrderRow.id == bindparam("wanted_order"))
    .order_by(OrderLineRow.line_no)
)


def read_whole(session: Session, order_id: int, parcel_no: int = 0) -> tuple[OrderRow, Order]:
    """An order's row, and the order as it was read from the shop: with the lines of one parcel, or all of them for 0.

    In one statement, because an edit may come between two: nothing is locked here.
    """
    rows = session.execute(_WITH_LINES, {"wanted_order": order_id}).all()
    row = rows[0].OrderRow
    lines = [line for _, line in rows if line is not None and parcel_no in (0, line.parcel_no)]
    return row, _order(row, lines)


def read_order(session: Session, row: OrderRow, parcel_no: int = 0) -> Order:
    """The same of a row that is held already."""
    return read_whole(session, row.id, parcel_no)[1]


def _order(row: OrderRow, lines: Sequence[OrderLineRow]) -> Order:
    header = row.header
    who = header["consignee"]
    return Order(
        shop=row.shop,
        shop_order_id=row.shop_order_id,
        order_sn=row.order_sn,
        queue=Queue(row.queue),
        consignee=Consignee(who["name"], who["phone"], Address(**who["address"]), who["email"]),
        lines=tuple(_line(line) for line in lines),
        total_fen=row.total_fen,
        placed_at=row.placed_at,
        paid_at=row.paid_at,
        content_hash=row.content_hash,
        **{name: header[name] for name in (*_HEADER_TEXTS, *_HEADER_NUMBERS)},
    )


def private_texts(order: Order) -> tuple[str, ...]:
    """The personal data of an order: what every record and log must mask."""
    who = order.consignee
    return tuple(text for text in (who.name, who.phone, who.address.street, who.email) if text)


def find_shipments(session: Session, order_id: int) -> list[ShipmentRow]:
    """The order's parcels, by number."""
    wanted = select(ShipmentRow).where(ShipmentRow.order_id == order_id).order_by(ShipmentRow.parcel_no)
    return list(session.execute(wanted).scalars())


def find_shipment(session: Session, order_id: int) -> ShipmentRow | None:
    """The order's first parcel."""
    return next(iter(find_shipments(session, order_id)), None)


def find_by_sn(session: Session, order_sn: str, shop: str | None = None) -> list[OrderRow]:
    """Our orders with this number; more than one only when several shops use the same."""
    wanted = select(OrderRow).where(OrderRow.order_sn == order_sn).order_by(OrderRow.id)
    if shop:
        wanted = wanted.where(OrderRow.shop == shop)
    return list(session.execute(wanted).scalars())


def _header(order: Order) -> dict[str, Any]:
    who, where = order.consignee, order.consignee.address
    address = {name: getattr(where, name) for name in ("province", "city", "district", "street", "postcode")}
    return {
        "consignee": {"name": who.name, "phone": who.phone, "email": who.email, "address": address},
        **{name: getattr(order, name) for name in (*_HEADER_TEXTS, *_HEADER_NUMBERS)},
    }


def _line_row(order_id: int, number: int, parcel_no: int, line: OrderLine) -> OrderLineRow:
    return OrderLineRow(
        order_id=order_id,
        line_no=number,
        parcel_no=parcel_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        price_fen=line.price_fen,
        weight_g=line.weight_g,
        details={name: getattr(line, name) for name in _LINE_DETAILS},
    )


def _line(row: OrderLineRow) -> OrderLine:
    return OrderLine(
        sku=row.sku,
        name=row.name,
        quantity=row.quantity,
        price_fen=row.price_fen,
        weight_g=row.weight_g,
        **row.details,
    )


ENDED = frozenset({"delivered", "returned", "lost"})
"""A parcel's real ends; a cancelled parcel still owes the buyer another one."""

_ORDERS, _STEPS = OrderRow.table(), StepRow.table()
_CLOSE_IF_DONE = (
    update(_ORDERS)
    .where(
        _ORDERS.c.id == bindparam("wanted_order"),
        _ORDERS.c.state == "open",
        or_(*(_ORDERS.c.status == end for end in (*ENDED, "shipped"))),  # shipped: nobody will tell of its end
        ~select(_STEPS.c.id).where(_STEPS.c.order_id == _ORDERS.c.id, is_unfinished(_STEPS.c.state)).exists(),
    )
    .values(state="done", done_at=bindparam("at", type_=UtcDateTime()))
)


def close_if_done(session: Session, order_id: int) -> None:
    """An order whose parcel has reached its end is done when nothing is owed for it."""
    session.flush()
    session.execute(_CLOSE_IF_DONE, {"wanted_order": order_id, "at": utc_now()})


def set_status(row: OrderRow, status: str, at: datetime | None = None) -> None:
    """What people are shown of the order."""
    if row.status != status:
        row.status, row.updated_at = status, at or utc_now()
