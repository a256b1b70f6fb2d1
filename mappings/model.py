"""The words of the house as values: orders, parcels, waybills, tracking events. All frozen, all without I/O.

Times are aware UTC datetimes, money is an integer number of fen, weight an integer number of grams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address with region names as the shop spells them (`广东`, not `广东省`)."""

    province: str
    city: str
    district: str
    street: str
    postcode: str = ""


@dataclass(frozen=True, slots=True)
class Consignee:
    """Who receives the parcel. `phone` is the mobile number, else the landline. Personal data: never log."""

    name: str
    phone: str
    address: Address
    email: str = ""


@dataclass(frozen=True, slots=True)
class Consignor:
    """Who sends the parcel: the warehouse, from settings."""

    name: str
    phone: str
    address: Address
    company: str = ""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One thing still to ship. `shop_line_id` is the shop's row (ECShop rec_id); package components share it."""

    shop_line_id: str
    sku: str
    name: str
    quantity: int
    price_fen: int
    weight_g: int
    attributes: str = ""
    goods_id: int = 0
    product_id: int = 0
    package_id: int = 0
    is_gift: bool = False


class Queue(StrEnum):
    """Which of the shop's three open queues an order stands in (docs: ECShop reads)."""

    AWAIT_SHIP = "await_ship"
    STAFF_NOTE = "staff_note"
    REMAINDER = "remainder"


@dataclass(frozen=True, slots=True)
class Order:
    """A paid (or COD) order as read from a shop, narrowed to what is still to ship.

    `lines` are what the next parcel holds, `later_lines` what is owed beyond it (staff split the order).
    `total_fen` is what the order is worth, `cod_fen` what the courier must collect (0 when paid).
    `content_hash` changes when address, lines, amounts or shipping method change.
    `note_id` is the shop's own unshipped delivery note when staff made one (queue STAFF_NOTE).
    `shipper_code` is KDNiao's code of the courier that the shop's shipping method means.
    """

    shop: str
    shop_order_id: str
    order_sn: str
    queue: Queue
    consignee: Consignee
    lines: tuple[OrderLine, ...]
    total_fen: int
    cod_fen: int
    shipping_code: str
    shipping_name: str
    placed_at: datetime
    paid_at: datetime | None
    content_hash: str
    buyer_note: str = ""
    seller_note: str = ""
    note_id: str = ""
    shipping_fee_fen: int = 0
    discount_fen: int = 0
    user_id: int = 0
    shipper_code: str = ""
    later_lines: tuple[OrderLine, ...] = ()

    @property
    def weight_g(self) -> int:
        return sum(line.weight_g * line.quantity for line in self.lines)

    def line_quantities(self) -> dict[str, int]:
        """Quantity by the shop's line id; the components of a package share their line's."""
        quantities: dict[str, int] = {}
        for line in self.lines:
            quantities[line.shop_line_id] = quantities.get(line.shop_line_id, 0) + line.quantity
        return quantities


@dataclass(frozen=True, slots=True)
class WaybillRequest:
    """What a carrier needs to issue one waybill. `order_code` is our idempotency key, stored before the call.

    `account` is the account at the carrier that a routing rule named; empty: the one of the carrier's settings.
    """

    order_code: str
    reference: str
    shipper_code: str
    order: Order
    consignor: Consignor
    pickup_from: datetime | None = None
    pickup_until: datetime | None = None
    account: str = ""


LABEL_PAGE_BREAK = '<div style="page-break-after: always"></div>'
"""Stands between the pages of an `html` label of several packages."""


@dataclass(frozen=True, slots=True)
class Printable:
    """A label as a carrier gives it. `kind`: `html`, `pdf` or `png` (base64), `url` (for a person's browser)."""

    content: str
    kind: str


@dataclass(frozen=True, slots=True)
class Waybill:
    """What the carrier issued. `adopted` says it existed before this call.

    `label` is the printable that came with it, as `label_kind` says (`Printable`).
    `carrier_order_no` is what the platform calls the order; several names have blanks between, pushes may say any.
    """

    waybill_no: str
    shipper_code: str
    order_code: str
    adopted: bool = False
    label: str = ""
    label_kind: str = "html"
    carrier_order_no: str = ""
    estimated_pickup_at: datetime | None = None
    estimated_delivery_at: datetime | None = None
    sub_waybill_nos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PickupRequest:
    """A courier to be booked for a parcel that has its waybill. `may_exist`: an earlier call under the same order code
    may have been taken, so it is looked up first where the platform can."""

    order_code: str
    waybill_no: str
    shipper_code: str
    order: Order
    consignor: Consignor
    pickup_from: datetime
    pickup_until: datetime
    account: str = ""
    may_exist: bool = False


@dataclass(frozen=True, slots=True)
class PickupBooking:
    """What the platform booked. `waybill_no` is its own number for the pickup, mostly empty: pushes bring it later."""

    carrier_order_no: str = ""
    waybill_no: str = ""
    pickup_from: datetime | None = None
    adopted: bool = False


class EventKind(StrEnum):
    TRACE = "trace"
    """A scan in the carrier's trace list."""
    SNAPSHOT = "snapshot"
    """The state of the whole parcel as pushed; placed right after its own newest trace."""
    PICKUP = "pickup"
    """A pickup-booking state (KDNiao push 103)."""


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """One fact about a parcel with the time it happened.

    `channel` and `raw_code` key the status table (`kdniao_state_ex`, `202`): the same number means different
    things in different channels. `canonical` is None for a code that changes no status or that nobody mapped
    (`is_mapped` tells which). `observed_at` is the push time; it orders snapshots only, never traces.
    `sequence` is the position in the ascending trace list.
    """

    platform: str
    shipper_code: str
    waybill_no: str
    order_code: str
    kind: EventKind
    event_at: datetime
    observed_at: datetime
    channel: str
    raw_code: str
    canonical: str | None
    text: str = ""
    location: str = ""
    sequence: int = 0
    is_mapped: bool = True
    incident: str = ""
    attention: str = "none"


@dataclass(frozen=True, slots=True)
class NumberChange:
    """The carrier replaced a waybill number (KDNiao 302), the courier company (Kuaidi100 comNew) or both (109).

    `new_waybill_no` is empty while the new number is not known. `is_assignment`: a number was given to the order
    (KDNiao 120), which takes the place of none unless the parcel waits for a new one.
    """

    order_code: str
    old_waybill_no: str
    new_waybill_no: str
    new_shipper_code: str
    is_assignment: bool = False


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified push, read. `events` may belong to several parcels.

    `ignored` counts items that mean nothing for the status (billing, tickets); `problems` are sentences about
    items that could not be read, without personal data: the readable items count all the same.
    """

    events: tuple[TrackingEvent, ...]
    changes: tuple[NumberChange, ...] = ()
    ignored: int = 0
    problems: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class ErpDocument:
    """The ERP's own document for an order. `erp_no` may be empty while the ERP has only accepted it.

    `remarks` are warnings that it gave although it took the order.
    """

    erp_no: str
    external_ref: str
    adopted: bool = False
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErpOrder:
    """What an ERP is told of an order; `order_date` is the calendar date in the shop's zone."""

    order: Order
    external_ref: str
    idempotency_key: str
    order_date: str


@dataclass(frozen=True, slots=True)
class ErpShipment:
    """A parcel that the ERP's warehouse has sent. `key` is the ERP's own name of this message, for its answer.

    `shipper` is the courier as the ERP calls it. `quantities` maps SKU to pieces; empty: all that the order has left.
    """

    external_ref: str
    waybill_no: str
    shipper: str
    key: str = ""
    shipped_at: datetime | None = None
    quantities: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StockFigure:
    """What an ERP says of one SKU: `available` is on hand less what it has reserved for orders it knows, or simply on
    hand where its `Spec.stock_is_physical`.

    `warehouse` is empty where the ERP gives one figure for all; `changed_at` is None where it does not say.
    """

    sku: str
    available: int
    warehouse: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StockLine:
    """What a shop shows of one thing it sells. `product_id` is 0 where the goods have no products.

    `number` is the shop's own figure. `unshipped` is what open orders have ordered of it and no parcel has taken away:
    paid orders where the shop takes stock at shipping, unpaid ones too where it takes stock at order.
    `limit` is the largest number that the shop's columns hold, also for the sum over a goods' products; None where
    nobody knows.
    """

    sku: str
    goods_id: int
    product_id: int
    number: int
    unshipped: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class StockChange:
    """One figure to be set, if the shop still shows `before`."""

    sku: str
    goods_id: int
    product_id: int
    before: int
    after: int


class StockMode(StrEnum):
    """When the shop itself takes stock: what its figure means follows from this."""

    OFF = "off"
    """It keeps none; nothing is to be written."""
    AT_SHIPPING = "at_shipping"
    """Its figure still holds what is ordered and not sent."""
    AT_ORDER = "at_order"
    """Its figure is net of all open orders, unpaid ones too."""
