"""What a carrier's connector brings to its conformance tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, cast

from mappings.conformance.case import CONSIGNEE, NOW, ConnectorCase, Operation, an_order
from mappings.connector import CarrierConnector, CourierFinder, LabelConnector, PickupConnector
from mappings.model import Address, Consignor, PickupRequest, WaybillRequest
from mappings.wire import Exchange

ORDER_CODE = "2026112100001-1"
CONSIGNOR = Consignor("发货仓", "13800000001", Address("广东", "深圳", "南山区", "科技园路1号", postcode="518000"))


@dataclass(frozen=True, slots=True)
class Scan:
    """One fact of a push to be made: a status code of the platform about a parcel, at a time (whole seconds, UTC).

    `is_broken` asks for an item as the platform would never send it, in the place of a good one: without its time.
    """

    waybill_no: str
    code: str
    at: datetime
    is_broken: bool = False


@dataclass(frozen=True)
class CarrierCase(ConnectorCase):
    """A carrier and the platform that is played for it.

    The platform issues waybills, answers a repeated order code as documented, and so for a second cancel and a second
    subscription. `push` writes one push of all these scans, signed under `config`; a platform whose pushes are about
    one parcel takes the number of the first. `carrier_order_no` is what the platform calls the order of the waybill
    that is cancelled (`Waybill`).
    """

    push: Callable[[Sequence[Scan]], bytes]
    known_code: str
    unknown_code: str = "ZZ99"
    content_type: str = "application/json"
    shipper_code: str = "ZTO"
    waybill_no: str = "73100000000001"
    second_waybill_no: str = "73100000000002"
    carrier_order_no: str = "C1"

    def request(self) -> WaybillRequest:
        return WaybillRequest(ORDER_CODE, "shipment:1", self.shipper_code, an_order(), CONSIGNOR)

    def impossible(self) -> dict[str, Callable[[Any], Exchange[Any]]]:
        asked = self.request()
        nobody = replace(asked.order, consignee=replace(CONSIGNEE, phone=""))
        requests = {
            "an order without goods": replace(asked, order=replace(asked.order, lines=())),
            "a consignee without a phone": replace(asked, order=nobody),
            "a courier nobody knows": replace(asked, shipper_code="NOSUCHONE"),
        }
        return {what: partial(_book, request=request) for what, request in requests.items()}

    def operations(self) -> dict[str, Operation]:
        """A subscription or a pickup may say that it changes nothing, where a repeat does no harm."""
        found = {
            "book_waybill": Operation(lambda carrier, _: carrier.book_waybill(self.request()), must_change=True),
            "cancel_waybill": Operation(self._cancel, must_change=True),
            "subscribe": Operation(self._subscribe),
            "query_tracking": Operation(self._query, is_read=True),
        }
        if self.spec.books_pickups:
            found |= {"book_pickup": Operation(self._book_pickup), "cancel_pickup": Operation(self._cancel_pickup)}
        if self.spec.finds_couriers:
            found["find_courier"] = Operation(self._find_courier, is_read=True)
        if self.spec.fetches_labels(self.config):
            found["fetch_label"] = Operation(self._fetch_label, is_read=True)
        return found

    def _cancel(self, carrier: CarrierConnector, _: None) -> Exchange[None]:
        return carrier.cancel_waybill(
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=ORDER_CODE,
            carrier_order_no=self.carrier_order_no,
        )

    def _subscribe(self, carrier: CarrierConnector, _: None) -> Exchange[None]:
        return carrier.subscribe(
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=ORDER_CODE,
            phone=CONSIGNEE.phone,
            callback_url="https://hooks.example.com/callbacks",
        )

    def _query(self, carrier: CarrierConnector, _: None) -> Exchange[Any]:
        return carrier.query_tracking(
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=ORDER_CODE,
            phone=CONSIGNEE.phone,
            asked_at=NOW,
        )

    def _book_pickup(self, carrier: CarrierConnector, _: None) -> Exchange[Any]:
        booking = cast(PickupConnector, carrier)
        begins, ends = booking.pickup_window(NOW)
        return booking.book_pickup(
            PickupRequest(ORDER_CODE, self.waybill_no, self.shipper_code, an_order(), CONSIGNOR, begins, ends)
        )

    def _cancel_pickup(self, carrier: CarrierConnector, _: None) -> Exchange[None]:
        return cast(PickupConnector, carrier).cancel_pickup(
            shipper_code=self.shipper_code, waybill_no=self.waybill_no, order_code=ORDER_CODE
        )

    def _find_courier(self, carrier: CarrierConnector, _: None) -> Exchange[str]:
        return cast(CourierFinder, carrier).find_courier(waybill_no=self.waybill_no)

    def _fetch_label(self, carrier: CarrierConnector, _: None) -> Exchange[Any]:
        return cast(LabelConnector, carrier).fetch_label(waybill_no=self.waybill_no, order_code=ORDER_CODE)


def _book(carrier: CarrierConnector, request: WaybillRequest) -> Exchange[Any]:
    return carrier.book_waybill(request)
