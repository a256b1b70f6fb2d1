"""Labels as rows: which wait, what stands on them, who printed them. Lists never read the contents: they are large."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_, select, true
from sqlalchemy.orm import Session

from sync.db.models import LabelRow, OrderLineRow, OrderRow, ShipmentRow, WaybillAliasRow
from sync.redaction import mask

STATES = ("waiting", "printed", "changed", "link", "all")
"""What a list can be narrowed to."""


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Which labels; what is empty narrows nothing. `courier` is a shipper_code."""

    state: str = "waiting"
    shop: str = ""
    courier: str = ""
    order_sns: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One label without its content. `waybill_no` stands on it, `current_no` is the parcel's number today.

    `state`: emptied, withdrawn, changed, link, again (replaced since it was printed), waiting, printed.
    """

    shipment_id: int
    order_sn: str
    shop: str
    parcel_no: int
    waybill_no: str
    current_no: str
    shipper_code: str
    kind: str
    state: str
    prints: int
    printed_at: datetime | None
    printed_by: str
    stored_at: datetime
    booked_at: datetime | None
    consignee: str
    """Masked."""
    province: str
    city: str
    goods: tuple[tuple[str, int], ...]
    """SKU and quantity, in the order of the SKUs."""


_REPLACED = exists().where(
    WaybillAliasRow.shipment_id == LabelRow.shipment_id,
    WaybillAliasRow.kind == "replaced",
    WaybillAliasRow.waybill_no == LabelRow.waybill_no,
)
_IS_CHANGED = or_(LabelRow.waybill_no != ShipmentRow.waybill_no, _REPLACED)
_IS_CALLED_OFF = or_(OrderRow.state == "withdrawn", ShipmentRow.status == "cancelled")
_IS_THERE = and_(LabelRow.emptied_at.is_(None), not_(_IS_CALLED_OFF))

_STATES: dict[str, ColumnElement[bool]] = {
    # A parcel that the courier has was labelled, whoever printed that.
    "waiting": and_(
        LabelRow.printed_at.is_(None),
        _IS_THERE,
        ShipmentRow.pickup_at.is_(None),
        LabelRow.kind != "url",
        not_(_IS_CHANGED),
    ),
    "printed": LabelRow.printed_at.is_not(None),
    "changed": and_(_IS_THERE, _IS_CHANGED),
    "link": and_(_IS_THERE, LabelRow.kind == "url"),
    "all": true(),
}


def count_labels(session: Session, wanted: LabelFilter, limit: int) -> int:
    """How many there are, counted no further than `limit`."""
    found = _narrow(_joined(select(LabelRow.shipment_id)), wanted).limit(limit).subquery()
    return session.execute(select(func.count()).select_from(found)).scalar_one()


def list_labels(session: Session, wanted: LabelFilter, *, after: int = 0, limit: int = 100) -> list[LabelLine]:
    """Those after a parcel's id, the oldest first."""
    return _lines(session, _narrow(_select_lines(), wanted).where(LabelRow.shipment_id > after).limit(limit))


def read_lines(session: Session, shipment_ids: Collection[int]) -> list[LabelLine]:
    """These labels, the oldest first; those that do not exist are left out."""
    return _lines(session, _select_lines().where(LabelRow.shipment_id.in_(shipment_ids)).order_by(LabelRow.shipment_id))


def read_contents(session: Session, shipment_ids: Collection[int]) -> dict[int, str]:
    """The printables themselves, by parcel."""
    wanted = select(LabelRow.shipment_id, LabelRow.content).where(LabelRow.shipment_id.in_(shipment_ids))
    return {row.shipment_id: row.content for row in session.execute(wanted)}


def list_couriers(session: Session) -> list[str]:
    """The courier companies of all labels, for a choice."""
    wanted = select(ShipmentRow.shipper_code).join(LabelRow, LabelRow.shipment_id == ShipmentRow.id).distinct()
    return sorted(session.execute(wanted).scalars())


def _select_lines() -> Select[Any]:
    columns = (c for c in LabelRow.__table__.c if c.name != "content")
    return _joined(
        select(
            *columns,
            OrderRow.id.label("order_id"),
            OrderRow.order_sn,
            OrderRow.shop,
            OrderRow.header,
            ShipmentRow.parcel_no,
            ShipmentRow.waybill_no.label("current_no"),
            ShipmentRow.shipper_code,
            ShipmentRow.booked_at,
            _IS_CHANGED.label("is_changed"),
            _IS_CALLED_OFF.label("is_called_off"),
        )
    )


def _joined(wanted: Select[Any]) -> Select[Any]:
    return (
        wanted.select_from(LabelRow)
        .join(ShipmentRow, ShipmentRow.id == LabelRow.shipment_id)
        .join(OrderRow, OrderRow.id == ShipmentRow.order_id)
    )


def _narrow(wanted: Select[Any], by: LabelFilter) -> Select[Any]:
    wanted = wanted.where(_STATES[by.state]).order_by(LabelRow.shipment_id)
    if by.shop:
        wanted = wanted.where(OrderRow.shop == by.shop)
    if by.courier:
        wanted = wanted.where(ShipmentRow.shipper_code == by.courier)
    if by.order_sns:
        wanted = wanted.where(OrderRow.order_sn.in_(by.order_sns))
    if by.kinds:
        wanted = wanted.where(LabelRow.kind.in_(by.kinds))
    return wanted


def _lines(session: Session, wanted: Select[Any]) -> list[LabelLine]:
    rows = session.execute(wanted).all()
    goods = _read_goods(session, {row.order_id for row in rows})
    return [_line(row, goods.get((row.order_id, row.parcel_no), ())) for row in rows]


def _read_goods(session: Session, order_ids: Collection[int]) -> dict[tuple[int, int], tuple[tuple[str, int], ...]]:
    """SKU and quantity by order and parcel."""
    key = (OrderLineRow.order_id, OrderLineRow.parcel_no)
    wanted = (
        select(*key, OrderLineRow.sku, func.sum(OrderLineRow.quantity).label("quantity"))
        .where(OrderLineRow.order_id.in_(order_ids))
        .group_by(*key, OrderLineRow.sku)
        .order_by(*key, OrderLineRow.sku)
    )
    by_parcel = groupby(session.execute(wanted).all(), key=lambda row: (row.order_id, row.parcel_no))
    return {parcel: tuple((row.sku, int(row.quantity)) for row in rows) for parcel, rows in by_parcel}


def _line(row: Any, goods: Sequence[tuple[str, int]]) -> LabelLine:
    who = row.header["consignee"]
    return LabelLine(
        shipment_id=row.shipment_id,
        order_sn=row.order_sn,
        shop=row.shop,
        parcel_no=row.parcel_no,
        waybill_no=row.waybill_no,
        current_no=row.current_no,
        shipper_code=row.shipper_code,
        kind=row.kind,
        state=_state(row),
        prints=row.prints,
        printed_at=row.printed_at,
        printed_by=row.printed_by,
        stored_at=row.stored_at,
        booked_at=row.booked_at,
        consignee=mask(who["name"]),
        province=who["address"].get("province", ""),
        city=who["address"].get("city", ""),
        goods=tuple(goods),
    )


def _state(row: Any) -> str:
    """What is the matter with it, the worst first."""
    worst = (
        ("emptied", row.emptied_at is not None),
        ("withdrawn", row.is_called_off),
        ("changed", row.is_changed),
        ("link", row.kind == "url"),
        ("printed", row.printed_at is not None),
        ("again", row.prints > 0),
    )
    return next((state for state, is_so in worst if is_so), "waiting")
