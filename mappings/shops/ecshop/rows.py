"""An order as its rows: what the reader has gathered before the rules judge it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mappings.shops.ecshop.status import NoteStatus

Row = Mapping[str, Any]

PACKAGE = "package_buy"
"""order_goods.extension_code of a package: its goods_id is an activity id, its contents stand in package_goods."""


@dataclass(frozen=True, slots=True)
class Note:
    """A delivery note (delivery_order) with its delivery_goods."""

    row: Row
    goods: tuple[Row, ...]

    @property
    def id(self) -> int:
        return int(self.row["delivery_id"])

    @property
    def is_open(self) -> bool:
        return bool(self.row["status"] == NoteStatus.OPEN)

    @property
    def numbers(self) -> tuple[str, ...]:
        return split_numbers(self.row["invoice_no"])


@dataclass(frozen=True, slots=True)
class OrderRows:
    """One order_info row with all that belongs to it; `notes` are the live ones (open or shipped).

    `goods`, `products` and `regions` may hold more than this order needs: they are shared by a page.
    `cities_with_districts` are the city ids that have any district in the region table.
    """

    order: Row
    lines: Sequence[Row]
    notes: Sequence[Note] = ()
    goods: Mapping[int, Row] = field(default_factory=dict)
    products: Mapping[int, Row] = field(default_factory=dict)
    packages: Mapping[int, Sequence[Row]] = field(default_factory=dict)
    regions: Mapping[int, str] = field(default_factory=dict)
    cities_with_districts: Collection[int] = ()
    shipping_codes: Mapping[int, str] = field(default_factory=dict)
    cod_pay_ids: Collection[int] = ()
    settled_group_buys: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class ReadRules:
    """The shop's settings that decide what is read and how."""

    shop: str
    utc_offset_s: int = 28800
    settle: timedelta = timedelta(seconds=60)
    accept_paying: bool = False
    default_weight_g: int = 0
    shipper_map: Mapping[str, str] = field(default_factory=dict)
    default_shipper: str = ""


def split_numbers(invoice_no: str | None) -> tuple[str, ...]:
    """The waybill numbers of an invoice_no column; ECShop joins them with a literal `<br>`."""
    parts = (part.strip() for part in (invoice_no or "").replace(",", "<br>").split("<br>"))
    return tuple(part for part in parts if part)


def is_real(line: Row) -> bool:
    """A line that is packed: not virtual, and not the goods_id 0 line a discount campaign adds."""
    return bool(line["is_real"] == 1 and line["goods_id"] > 0)


def is_package(line: Row) -> bool:
    return bool(line["extension_code"] == PACKAGE)


def component_key(row: Row) -> tuple[int, int]:
    return row["goods_id"], row["product_id"] or 0


def noted_components(notes: Sequence[Note], package_id: int) -> dict[tuple[int, int], int]:
    """How many of each component of a package stand on these notes."""
    noted: dict[tuple[int, int], int] = {}
    for note in notes:
        for row in note.goods:
            if is_package(row) and row["parent_id"] == package_id:
                noted[component_key(row)] = noted.get(component_key(row), 0) + row["send_number"]
    return noted
