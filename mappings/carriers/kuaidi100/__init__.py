"""Kuaidi100 快递100: a platform in front of most Chinese courier companies."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mappings.carriers.kuaidi100 import callback, cancel, merchant_pickup, subscribe, tracking, waybill
from mappings.carriers.kuaidi100.settings import SPEC, Kuaidi100Settings
from mappings.connector import Config, Spec
from mappings.events import Parcel
from mappings.model import Callback, TrackingEvent, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpReply


class Kuaidi100Carrier:
    """The Kuaidi100 connector. Raises ValueError when its settings contradict each other."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.settings = Kuaidi100Settings.of(config)

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Order one waybill; for 48 hours Kuaidi100 answers a repeat of the order code with the first waybill.

        An ordered courier (merchant pickup) would come twice: such an order must not be repeated.
        """
        if self.settings.books_pickups:
            reply = yield merchant_pickup.order_call(request, self.settings)
            return merchant_pickup.read_waybill(reply, request)
        reply = yield waybill.order_call(request, self.settings)
        return waybill.read_waybill(reply, request)

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Ask for all events of one waybill; `phone` is a party's, SF and ZTO want its last digits."""
        reply = yield tracking.query_call(self.settings, shipper_code=shipper_code, waybill_no=waybill_no, phone=phone)
        return tracking.read_query(reply, Parcel(tracking.PLATFORM, shipper_code, waybill_no, order_code, asked_at))

    def cancel_waybill(
        self, *, shipper_code: str, waybill_no: str, order_code: str, carrier_order_no: str = "", account: str = ""
    ) -> Exchange[None]:
        """Void one waybill; Kuaidi100's refusal of a second cancel is a success."""
        reply = yield cancel.cancel_call(
            self.settings,
            shipper_code=shipper_code,
            waybill_no=waybill_no,
            carrier_order_no=carrier_order_no,
            account=account,
        )
        cancel.read_cancel(reply)

    def subscribe(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, callback_url: str
    ) -> Exchange[None]:
        """Ask for pushes about a number; Kuaidi100's refusal of a second subscription is a success."""
        reply = yield subscribe.subscribe_call(
            self.settings, shipper_code=shipper_code, waybill_no=waybill_no, phone=phone, callback_url=callback_url
        )
        subscribe.read_subscribe(reply)

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check a push on the bytes as received; raises CallbackRefused."""
        callback.verify(body, self.settings)

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read every fact of a verified push, about a parcel or about an order to pick up."""
        return callback.read(body, self.settings, received_at)

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """Kuaidi100's documented answer to a push."""
        return callback.answer(ok=ok, reason=reason)
