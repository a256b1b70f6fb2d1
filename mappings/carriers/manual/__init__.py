"""Couriers without an interface: staff write the waybill, and type its number here or in the shop."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import ClassVar

from mappings.connector import CallbackRefused, Config, Setting, Spec
from mappings.errors import PermanentError
from mappings.model import Callback, TrackingEvent, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpCall, HttpReply

SPEC = Spec(
    name="manual",
    kind="carrier",
    title_en="Hand entry",
    title_zh="手工录入",
    settings=(
        Setting("track_by", "Carrier that follows the numbers; empty: none", "由哪家平台跟踪单号;留空不跟踪", "",
                parse=str.strip),
    ),
    by_hand=True,
)  # fmt: skip


class ManualCarrier:
    """Calls nobody: what a platform would be asked for is asked of a person, with a sentence on the desk."""

    spec: ClassVar[Spec] = SPEC

    def __init__(self, config: Config) -> None:
        self.config = config

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        """Refused with `manual.waybill.number_needed`: the number comes from whoever writes the waybill."""
        courier = request.shipper_code or "the courier"
        raise PermanentError(
            "manual.waybill.number_needed",
            f"{courier} has no interface here. Write the waybill by hand, then enter its number: ecsync order number "
            f"{request.order.order_sn} WAYBILL_NO. Or put it on the delivery note in the shop and ship it there",
        )

    def query_tracking(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, asked_at: datetime
    ) -> Exchange[tuple[TrackingEvent, ...]]:
        """Nobody to ask: no events, without a call."""
        return _nothing()

    def cancel_waybill(
        self, *, shipper_code: str, waybill_no: str, order_code: str, carrier_order_no: str = "", account: str = ""
    ) -> Exchange[None]:
        """Refused with `manual.cancel.by_hand`."""
        raise PermanentError(
            "manual.cancel.by_hand",
            f"Waybill {waybill_no} was written by hand, so nobody but you can void it: tell the courier, or tear the "
            "waybill up if the parcel is still here; then resolve this line",
        )

    def subscribe(
        self, *, shipper_code: str, waybill_no: str, order_code: str, phone: str, callback_url: str
    ) -> Exchange[None]:
        """Refused with `manual.subscribe.nobody_follows`: TRACK_BY names the platform that is asked instead."""
        raise PermanentError("manual.subscribe.nobody_follows", f"Nobody follows {waybill_no}: set TRACK_BY")

    def verify_callback(self, body: bytes, content_type: str) -> None:
        """Refuse every push: there is nobody who could send one."""
        raise CallbackRefused("numbers are entered by hand here, and nobody pushes about them", status=404)

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        """Nothing is ever verified, so nothing is read."""
        return Callback(())

    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        """The refusal."""
        return HttpReply(404, {"content-type": "text/plain; charset=utf-8"}, reason.encode())


def _nothing() -> Generator[HttpCall, HttpReply, tuple[TrackingEvent, ...]]:
    yield from ()
    return ()
