"""KDNiao 快递鸟: one platform in front of most Chinese courier companies."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mappings.booking import text_refused
from mappings.carriers.kdniao import callback, cancel, pickup, recognise, subscribe, tracking, waybill
from mappings.carriers.kdniao.settings import SPEC, KdniaoSettings
from mappings.connector import Config, Spec
from mappings.errors import DuplicateError, PeerError, PermanentError
from mappings.events import Parcel
from mappings.model import Callback, PickupBooking, PickupRequest, TrackingEvent, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpReply


class KdniaoCarrier:
    """The KDNiao connector. Raises ValueError when its settings contradict each other."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.settings = KdniaoSettings.of(config)

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Order one waybill (1007); KDNiao answers a repeat of the order code with the first waybill."""
        reply = yield waybill.order_call(request, self.settings)
        try:
            return waybill.read_waybill(reply, request)
        except PermanentError as refusal:
            if refusal.code != waybill.SIGNATURE_REFUSED:
                raise
            raise (yield from self._clear_key(request.order_code, refusal)) from refusal

    def _clear_key(self, order_code: str, refusal: PermanentError) -> Exchange[PeerError]:
        """Ask a question in plain ASCII (2002). Where KDNiao refuses that signature too, the key is wrong for every
        order; else it is this order's text, and the others must not wait for it."""
        own_text = text_refused(
            waybill.AREA, carrier="KDNiao", peer_code=refusal.peer_code, peer_text=refusal.peer_text
        )
        reply = yield replace(recognise.recognise_call(self.settings, waybill_no=order_code), after=own_text)
        return waybill.refused_key(refusal) if recognise.refuses_signature(reply) else own_text

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Ask for all events of one waybill (8001); `phone` is a party's, some companies want its last digits."""
        reply = yield tracking.query_call(self.settings, shipper_code=shipper_code, waybill_no=waybill_no, phone=phone)
        asked = Parcel(tracking.PLATFORM, shipper_code, waybill_no, order_code, asked_at)
        return tracking.read_query(reply, asked, is_free=self.settings.query_request_type == tracking.FREE)

    def cancel_waybill(
        self, *, shipper_code: str, waybill_no: str, order_code: str, carrier_order_no: str = "", account: str = ""
    ) -> Exchange[None]:
        """Void one waybill (1147); KDNiao's refusal of a second cancel is a success."""
        reply = yield cancel.cancel_call(
            self.settings, shipper_code=shipper_code, waybill_no=waybill_no, order_code=order_code, account=account
        )
        cancel.read_cancel(reply)

    def subscribe(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, callback_url: str
    ) -> Exchange[None]:
        """Ask for pushes about a number that KDNiao did not issue (8008, 1008); they go to the address registered in
        its console. With the setting `off` nothing is asked."""
        if self.settings.subscribe_request_type == "off":
            return
        reply = yield subscribe.subscribe_call(
            self.settings, shipper_code=shipper_code, waybill_no=waybill_no, order_code=order_code, phone=phone
        )
        subscribe.read_subscription(reply, self.settings)

    def doubts_courier(self, *, shipper_code: str, waybill_no: str) -> bool:
        """Whether our table does not hold the company, or the number begins as another one's."""
        return recognise.doubts(shipper_code, waybill_no)

    def find_courier(self, *, waybill_no: str) -> Exchange[str]:
        """Ask whose a number is (2002)."""
        reply = yield recognise.recognise_call(self.settings, waybill_no=waybill_no)
        return recognise.read_recognised(reply, waybill_no)

    def is_booked(self) -> bool:
        """Whether a courier is booked for every parcel (PICKUP=booked)."""
        return self.settings.pickup == "booked"

    def pickup_window(self, now: datetime) -> tuple[datetime, datetime]:
        """The next window within the hours of the settings."""
        return pickup.window(self.settings, now)

    def book_pickup(self, request: PickupRequest) -> Exchange[PickupBooking]:
        """Book a courier (1801, 1001); what an earlier call may have booked is looked up first (1804)."""
        if request.may_exist and (found := (yield from self._find_pickup(request))):
            return found
        reply = yield pickup.booking_call(request, self.settings)
        try:
            return pickup.read_booking(reply, request)
        except DuplicateError:
            found = yield from self._find_pickup(request)
            return found or PickupBooking(pickup_from=request.pickup_from, adopted=True)

    def _find_pickup(self, request: PickupRequest) -> Exchange[PickupBooking | None]:
        call = pickup.look_up_call(self.settings, request.order_code)
        if call is None:
            return None
        reply = yield call
        return pickup.read_look_up(reply, request)

    def cancel_pickup(self, *, shipper_code: str, waybill_no: str, order_code: str) -> Exchange[None]:
        """Cancel a parcel's booking (1802, 1004)."""
        reply = yield pickup.cancel_call(
            self.settings, shipper_code=shipper_code, waybill_no=waybill_no, order_code=order_code
        )
        pickup.read_cancel(reply)

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Check a push on the bytes as received; raises CallbackRefused."""
        callback.verify(body, self.settings)

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Read every item of a verified push (101, 102, 103)."""
        return callback.read(body, self.settings, received_at)

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """KDNiao's documented answer to a push."""
        return callback.answer(self.settings, ok=ok, reason=reason, now=now)
