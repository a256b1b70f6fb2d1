"""KDNiao 快递鸟: one platform in front of most Chinese courier companies."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mappings.carriers.kdniao import callback, tracking, waybill
from mappings.carriers.kdniao.settings import SPEC, KdniaoSettings
from mappings.connector import Config, Spec
from mappings.model import Callback, TrackingEvent, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpReply


class KdniaoCarrier:
    """The KDNiao connector. Raises ValueError when its settings contradict each other."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.settings = KdniaoSettings.of(config)

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Order one waybill (1007); KDNiao answers a repeat of the order code with the first waybill."""
        reply = yield waybill.order_call(request, self.settings)
        return waybill.read_waybill(reply, request)

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Ask for all events of one waybill (8001); `phone` is a party's, some companies want its last digits."""
        reply = yield tracking.query_call(self.settings, shipper_code=shipper_code, waybill_no=waybill_no, phone=phone)
        return tracking.read_query(reply, tracking.Parcel(shipper_code, waybill_no, order_code, asked_at))

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check a push on the bytes as received; raises CallbackRefused."""
        callback.verify(body, self.settings)

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read every item of a verified push (101, 102, 103)."""
        return callback.read(body, self.settings, received_at)

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """KDNiao's documented answer to a push."""
        return callback.answer(self.settings, ok=ok, reason=reason, now=now)
