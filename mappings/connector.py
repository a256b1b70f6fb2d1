"""What a connector is: a `Spec` that declares it, and a Protocol for each kind of peer. Connectors do no I/O.

A connector is one folder under `mappings/` and one entry-point line (`ecsync.carriers`, `ecsync.erps`,
`ecsync.shops`). It says what to send and how to read what came back; `sync.gateway` is the only way out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from mappings.model import Callback, ErpDocument, ErpOrder, TrackingEvent, Waybill, WaybillRequest
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
    """A connector's declaration. `rate_per_s` is the peer's published limit per credential (0: none known).

    `repeat_is_safe`: the peer promises that the same order call with the same key returns the first result.
    """

    name: str
    kind: str
    title_en: str
    title_zh: str
    settings: tuple[Setting, ...]
    rate_per_s: float = 0
    connect_timeout_s: float = 5
    read_timeout_s: float = 15
    repeat_is_safe: bool = False


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

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check signature and shape of a push on the bytes as received. Raises CallbackRefused."""
        ...

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read a verified push; every item of it."""
        ...

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """The documented answer to a push. `status` of the reply is the platform's usual one."""
        ...


class ErpConnector(Protocol):
    """An ERP. `find` is the look-up that makes an uncertain `create` safe."""

    spec: ClassVar[Spec]

    def __init__(self, config: Config) -> None: ...

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]: ...

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]: ...


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
