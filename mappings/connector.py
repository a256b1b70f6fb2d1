"""What a connector is: a `Spec` that declares it, and a Protocol for each kind of peer. Connectors do no I/O.

A connector is one folder under `mappings/` and one entry-point line (`ecsync.carriers`, `ecsync.erps`,
`ecsync.shops`). It says what to send and how to read what came back; `sync.gateway` is the only way out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from mappings.model import (
    Callback,
    ErpDocument,
    ErpOrder,
    ErpShipment,
    PickupBooking,
    PickupRequest,
    Printable,
    StockFigure,
    TrackingEvent,
    Waybill,
    WaybillRequest,
)
from mappings.wire import Exchange, HttpReply


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connector: environment name, `_FILE` variant, docs and redaction all follow from this.

    `parse` turns the text into a value and raises ValueError with a sentence for people.
    """

    name: str
    label_en: str
    label_zh: str
    default: Any = None
    required: bool = False
    secret: bool = False
    parse: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class Spec:
    """A connector's declaration. `rate_per_s` and `rate_per_minute` are the peer's published limits per credential
    (0: none known); both hold where both are given.

    `repeat_is_safe`: the peer promises that the same order call with the same key returns the first result.
    `over_http`: a shop that is handed the way out (`sync.shops.port.Line`); carriers and ERPs always are.
    """

    name: str
    kind: str
    title_en: str
    title_zh: str
    settings: tuple[Setting, ...]
    rate_per_s: float = 0
    rate_per_minute: int = 0
    keeps_secrets: bool = False
    """Whether its replies bring what later calls need, such as a renewed token (`HttpCall.keeps`)."""
    connect_timeout_s: float = 5
    read_timeout_s: float = 15
    repeat_is_safe: bool = False
    repeat_window_s: Callable[[Mapping[str, Any]], float] = field(default=lambda config: 0)
    """How long after the first order the peer keeps that promise, by the connector's settings (0: for ever, `NEVER`:
    not at all). Later a person must look."""
    query_spacing_s: float = 0
    """The least time between two queries of one waybill; who asks more often is locked out (0: none known)."""
    queries_a_day: Callable[[Mapping[str, Any]], int] = field(default=lambda config: 0)
    """How many queries the account has a day, by the connector's settings (0: none known)."""
    resubscribe_after_s: float = 0
    """How long to wait before a subscription that the platform ended is asked for again (0: it is not)."""
    subscriptions_a_month: int = 0
    """How often one number can be subscribed within a month (0: no limit known)."""
    tracks_own_waybills: bool = True
    """Whether the platform pushes about the waybills that it issued without being asked (carriers)."""
    over_http: bool = False
    books_pickups: bool = False
    """Whether it is a `PickupConnector` (carriers)."""
    finds_couriers: bool = False
    """Whether it is a `CourierFinder` (carriers)."""
    fetches_labels: Callable[[Mapping[str, Any]], bool] = field(default=lambda config: False)
    """Whether labels are fetched apart from the waybills, by the connector's settings: it is a `LabelConnector` then
    (carriers)."""
    pushes_where_told: bool = False
    """Whether it pushes to the address that comes with a subscription; else to the one registered there (carriers)."""
    by_hand: bool = False
    """Whether staff write the waybills and nobody is called; `track_by` names who follows them (carriers)."""
    numbers_later: bool = False
    """Whether it may only accept an order first and number it later (ERPs); `find` then brings the number."""
    tells_numbers: Callable[[Mapping[str, Any]], bool] = field(default=lambda config: True)
    """Whether `find` can bring a number that comes later, by the connector's settings (ERPs)."""
    finds_first: bool = False
    """Whether it would take a second order under the same reference, so that each create wants a look before (ERPs)."""
    pushes_numbers: Callable[[Mapping[str, Any]], bool] = field(default=lambda config: False)
    """Whether it tells its orders' numbers by itself, by the connector's settings: it is a `NumberingErp` then (ERPs).
    Nothing in such a push proves who sent it, so the secret path of the receiver must be set."""
    settle_s: Callable[[Mapping[str, Any]], float] = field(default=lambda config: 0)
    """How long after a create a look-up may miss what it took, by the connector's settings (ERPs)."""
    needs_confirm: bool = False
    """Whether a created order must be confirmed by a call of its own (ERPs)."""
    polls_shipments: bool = False
    """Whether its warehouse ships and says so when asked: it is a `ShippingErp` (ERPs)."""
    reads_stock: bool = True
    """Whether it can be asked for stock at all (ERPs)."""
    skus_at_once: int = 0
    """How many SKUs one stock question names; 0 where it answers for all of them (ERPs)."""
    tells_changes: bool = False
    """Whether one that is told SKUs can be asked for all that changed since instead, reservations included (ERPs)."""
    stock_is_physical: bool = False
    """Whether its figures are what lies there, with open orders still in them: ours are then subtracted here (ERPs)."""
    signs_pushes: bool = True
    """Whether a push proves who sent it (carriers). Where it does not, the secret path of the receiver must be set."""


NEVER = -1.0
"""A `Spec.repeat_window_s`: an order that may have arrived is not sent again, whoever asks for it."""

Config = Mapping[str, Any]
"""Setting name -> parsed value, for one configured peer."""


class CallbackRefused(Exception):
    """An inbound push that must not be believed. `reason` is short and free of personal data.

    `signature_ok` is True when the push was signed but is malformed: such bytes are kept as evidence.
    """

    def __init__(self, reason: str, *, status: int = 400, signature_ok: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.signature_ok = signature_ok


class CarrierConnector(Protocol):
    """A carrier platform. Constructed with its parsed settings: `Connector(config)`."""

    spec: ClassVar[Spec]

    def __init__(self, config: Config) -> None: ...

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Order one waybill under `request.order_code`; a repeat adopts the first. Raises any PeerError."""
        ...

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Ask for all events of one waybill; empty when the carrier knows none yet."""
        ...

    def cancel_waybill(
        self, *, shipper_code: str, waybill_no: str, order_code: str, carrier_order_no: str = "", account: str = ""
    ) -> Exchange[None]:
        """Void a waybill that was not picked up; one that is void already is a success.

        `carrier_order_no` is what the platform called the order when it issued the waybill (`Waybill`), `account` the
        one that it was booked under, as the request named it.

        Raises PermanentError where the carrier refuses, because the parcel is on its way or the number is unknown.
        """
        ...

    def subscribe(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, callback_url: str
    ) -> Exchange[None]:
        """Ask for pushes about a number that may be anybody's; one that is subscribed already is a success.

        `callback_url` is our receiver's public address, for platforms that take it with the call.
        """
        ...

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check signature and shape of a push on the bytes as received. Raises CallbackRefused."""
        ...

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read a verified push; every item of it."""
        ...

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """The documented answer to a push. `status` of the reply is the platform's usual one."""
        ...


class PickupConnector(CarrierConnector, Protocol):
    """A carrier whose couriers come when they are booked (`Spec.books_pickups`)."""

    def is_booked(self) -> bool:
        """Whether its settings ask for a booked pickup of every parcel."""
        ...

    def pickup_window(self, now: datetime) -> tuple[datetime, datetime]:
        """From when until when a courier can be asked to come next."""
        ...

    def book_pickup(self, request: PickupRequest) -> Exchange[PickupBooking]:
        """Book a courier under the parcel's order code; a repeat adopts the first booking. Raises any PeerError."""
        ...

    def cancel_pickup(self, *, shipper_code: str, waybill_no: str, order_code: str) -> Exchange[None]:
        """Cancel the booking of a parcel; one that is cancelled or does not exist is a success.

        Raises PermanentError where the courier has the parcel already.
        """
        ...


class CourierFinder(CarrierConnector, Protocol):
    """A carrier that can say whose a waybill number is (`Spec.finds_couriers`)."""

    def doubts_courier(self, *, shipper_code: str, waybill_no: str) -> bool:
        """Whether nobody knows this courier company, or the number looks like another one's."""
        ...

    def find_courier(self, *, waybill_no: str) -> Exchange[str]:
        """The one courier company that the number can be of; several or none raise PermanentError."""
        ...


class LabelConnector(CarrierConnector, Protocol):
    """A carrier whose labels do not come with the waybill (`Spec.fetches_labels`)."""

    def fetch_label(self, *, waybill_no: str, order_code: str) -> Exchange[Printable]:
        """The label of a waybill that was booked before; never raises UncertainError, for nothing changes."""
        ...


class ErpConnector(Protocol):
    """An ERP. `find` is the look-up that makes an uncertain `create` safe."""

    spec: ClassVar[Spec]

    def __init__(self, config: Config) -> None: ...

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        """The order's document under our own reference, or None; never raises UncertainError."""
        ...

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        """Create the order's document; one that exists is adopted. Raises any PeerError."""
        ...

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Release a created document for delivery (`Spec.needs_confirm`); one that is released is a success."""
        ...

    def cancel(self, document: ErpDocument) -> Exchange[None]:
        """Cancel the order's document; one that is cancelled already is a success.

        Raises PermanentError where the ERP refuses, because it has been shipped or invoiced.
        """
        ...

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        """What the ERP can still sell (`Spec.reads_stock`), of every SKU, of those that changed since, or of `skus`
        where it must be told which (`Spec.skus_at_once`); all pages of the answer. What it does not know is left out.
        """
        ...


class NumberingErp(ErpConnector, Protocol):
    """An ERP that tells its orders' numbers by itself (`Spec.pushes_numbers`)."""

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check the shape of a push on the bytes as received. Raises CallbackRefused."""
        ...

    def read_numbers(self, body: bytes, content_type: str) -> tuple[ErpDocument, ...]:
        """Every document that a push tells of with our reference and the ERP's number. Raises CallbackRefused."""
        ...

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """The answer to a push, as that of a carrier's."""
        ...


class ShippingErp(ErpConnector, Protocol):
    """An ERP whose warehouse ships (`Spec.polls_shipments`)."""

    def poll_shipments(self, since: datetime) -> Exchange[tuple[ErpShipment, ...]]:
        """What was shipped since then, oldest first; all pages of the answer. Never raises UncertainError."""
        ...

    def settle_shipments(self, taken: Mapping[str, str]) -> Exchange[None]:
        """Tell what became of them: `ErpShipment.key` -> empty when it was taken, else why not; may call nobody."""
        ...


@dataclass(frozen=True, slots=True)
class ParcelToWrite:
    """What the shop must show of one parcel. `shipped_at` is set once the parcel counts as shipped.

    `line_quantities` maps the shop's line id to the quantity in this parcel (package components by package line).
    """

    shop_order_id: str
    order_sn: str
    parcel_no: int
    carrier_name: str
    shipper_code: str
    waybill_no: str
    environment: str
    line_quantities: Mapping[str, int] = field(default_factory=dict)
    note_id: str = ""
    shipped_at: datetime | None = None
