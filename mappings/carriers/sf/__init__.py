"""SF Express 顺丰, by its open platform 丰桥 (Fengqiao): our own SF contract, without a platform in between."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mappings.carriers.sf import callback, cancel, label, tracking, waybill
from mappings.carriers.sf.settings import SPEC, SfSettings
from mappings.connector import Config, Spec
from mappings.errors import PermanentError
from mappings.model import Callback, Printable, TrackingEvent, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpReply


class SfCarrier:
    """The SF connector. Raises ValueError when its settings contradict each other."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.settings = SfSettings.of(config)

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Order one waybill. SF refuses a second order of the same orderId (8016): the first is looked up then."""
        return waybill.book(request, self.settings)

    def fetch_label(self, *, waybill_no: str, order_code: str) -> Exchange[Printable]:
        """Have SF's cloud printer make the label of a waybill, and fetch its file."""
        return label.fetch(waybill_no, self.settings)

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Ask for all events of one waybill; SF compares the last four digits of a party's phone."""
        reply = yield tracking.query_call(self.settings, waybill_no=waybill_no, phone=phone)
        return tracking.read_query(reply, waybill_no=waybill_no, order_code=order_code, asked_at=asked_at)

    def cancel_waybill(
        self, *, shipper_code: str, waybill_no: str, order_code: str, carrier_order_no: str = "", account: str = ""
    ) -> Exchange[None]:
        """Cancel the order of a waybill; SF's answer that it is cancelled already is a success."""
        reply = yield cancel.cancel_call(self.settings, waybill_no=waybill_no, order_code=order_code)
        cancel.read_cancel(reply)

    def subscribe(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, callback_url: str
    ) -> Exchange[None]:
        """Refused: SF pushes about the waybills of our own contract, and about those unasked."""
        raise PermanentError(
            "sf.subscribe.foreign_number",
            f"SF pushes only about waybills that were ordered under our own partner ID, and {waybill_no} was not. "
            "Give such a number to a platform that takes any (KDNiao)",
        )

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check the shape of a push; it has no signature, so the receiver's secret path is what proves it."""
        callback.verify(body, self.settings)

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read every route of a push, JSON or legacy XML."""
        return callback.read(body, self.settings, received_at)

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """SF's documented answer to a push, in the form that the settings name."""
        return callback.answer(self.settings, ok=ok)
