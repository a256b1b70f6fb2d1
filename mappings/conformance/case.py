"""What a connector brings to its conformance tests, and the means to play its exchanges by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from mappings.connector import CarrierConnector, CourierFinder, PickupConnector, Spec
from mappings.errors import PeerError
from mappings.model import Address, Consignee, Consignor, Order, OrderLine, PickupRequest, Queue, WaybillRequest
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
ORDER_CODE = "2026112100001-1"
MOST_CALLS = 20
"""An exchange that asks more often than this will not end."""

CONSIGNEE = Consignee("欧阳测试", "13912345678", Address("北京", "北京", "海淀区", "学院路甲五号", postcode="100080"))
CONSIGNOR = Consignor("发货仓", "13800000001", Address("广东", "深圳", "南山区", "科技园路1号", postcode="518000"))

Answer = Callable[[HttpCall], HttpReply | PeerError]
"""What plays the platform: a reply to every call, as it leaves; an error stands for a call that brought none."""


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
class Case:
    """A connector and the platform that is played for it.

    `config` holds made-up values of its settings, secrets of at least 8 characters. `peer` makes a platform without
    memory of earlier ones: it issues waybills, answers a repeated order code as documented, and so for a second cancel
    and a second subscription. `push` writes one push of all these scans, signed under `config`; a platform whose pushes
    are about one parcel takes the number of the first. `carrier_order_no` is what the platform calls the order of the
    waybill that is cancelled (`Waybill`).
    """

    carrier: Callable[[Mapping[str, Any]], CarrierConnector]
    config: Mapping[str, Any]
    peer: Callable[[], Callable[[HttpCall], HttpReply]]
    push: Callable[[Sequence[Scan]], bytes]
    known_code: str
    unknown_code: str = "ZZ99"
    content_type: str = "application/json"
    shipper_code: str = "ZTO"
    waybill_no: str = "73100000000001"
    second_waybill_no: str = "73100000000002"
    carrier_order_no: str = "C1"

    @property
    def spec(self) -> Spec:
        return self.connector().spec

    def connector(self) -> CarrierConnector:
        """A new one, as each worker process makes its own."""
        return self.carrier(self.config)

    def secrets(self) -> tuple[str, ...]:
        """The values in `config` that the Spec marks as secret."""
        values = (self.config.get(setting.name) for setting in self.spec.settings if setting.secret)
        return tuple(value for value in values if isinstance(value, str) and value)

    def order(self) -> Order:
        line = OrderLine("1", "TS-1", "棉T恤", quantity=2, price_fen=5990, weight_g=500)
        return Order(
            shop="main",
            shop_order_id="1001",
            order_sn="2026112100001",
            queue=Queue.AWAIT_SHIP,
            consignee=CONSIGNEE,
            lines=(line,),
            total_fen=11980,
            cod_fen=0,
            shipping_code="zto",
            shipping_name="快递",
            placed_at=NOW,
            paid_at=NOW,
            content_hash="0",
        )

    def request(self) -> WaybillRequest:
        return WaybillRequest(ORDER_CODE, "shipment:1", self.shipper_code, self.order(), CONSIGNOR)

    def unbookable(self) -> tuple[WaybillRequest, ...]:
        """Orders that no platform takes: nothing to ship, a consignee without a phone, a courier nobody knows."""
        asked = self.request()
        nobody = replace(asked.order, consignee=replace(CONSIGNEE, phone=""))
        return (
            replace(asked, order=replace(asked.order, lines=())),
            replace(asked, order=nobody),
            replace(asked, shipper_code="NOSUCHONE"),
        )

    def operations(self) -> dict[str, Operation]:
        """All that can be asked of the platform, by the operation's name."""
        found = {
            "book_waybill": Operation(lambda carrier: carrier.book_waybill(self.request())),
            "cancel_waybill": Operation(self._cancel),
            "subscribe": Operation(self._subscribe),
            "query_tracking": Operation(self._query, changes_peer=False),
        }
        if self.spec.books_pickups:
            found |= {"book_pickup": Operation(self._book_pickup), "cancel_pickup": Operation(self._cancel_pickup)}
        if self.spec.finds_couriers:
            found["find_courier"] = Operation(self._find_courier, changes_peer=False)
        return found

    def _cancel(self, carrier: CarrierConnector) -> Exchange[None]:
        return carrier.cancel_waybill(
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=ORDER_CODE,
            carrier_order_no=self.carrier_order_no,
        )

    def _subscribe(self, carrier: CarrierConnector) -> Exchange[None]:
        return carrier.subscribe(
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=ORDER_CODE,
            phone=CONSIGNEE.phone,
            callback_url="https://hooks.example.com/callbacks",
        )

    def _query(self, carrier: CarrierConnector) -> Exchange[Any]:
        return carrier.query_tracking(
            shipper_code=self.shipper_code,
            waybill_no=self.waybill_no,
            order_code=ORDER_CODE,
            phone=CONSIGNEE.phone,
            asked_at=NOW,
        )

    def _book_pickup(self, carrier: CarrierConnector) -> Exchange[Any]:
        booking = cast(PickupConnector, carrier)
        begins, ends = booking.pickup_window(NOW)
        return booking.book_pickup(
            PickupRequest(ORDER_CODE, self.waybill_no, self.shipper_code, self.order(), CONSIGNOR, begins, ends)
        )

    def _cancel_pickup(self, carrier: CarrierConnector) -> Exchange[None]:
        return cast(PickupConnector, carrier).cancel_pickup(
            shipper_code=self.shipper_code, waybill_no=self.waybill_no, order_code=ORDER_CODE
        )

    def _find_courier(self, carrier: CarrierConnector) -> Exchange[str]:
        return cast(CourierFinder, carrier).find_courier(waybill_no=self.waybill_no)


@dataclass(frozen=True)
class Operation:
    """One thing to ask a connector for; `changes_peer` False for pure reads."""

    ask: Callable[[CarrierConnector], Exchange[Any]]
    changes_peer: bool = True


@dataclass
class Talk:
    """An exchange played to its end: what left, and the result or the error that came of it."""

    calls: list[HttpCall] = field(default_factory=list)
    result: Any = None
    error: PeerError | None = None

    def count(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.calls)


def play(
    ask: Callable[[], Exchange[Any]], answer: Answer, *, watch: AbstractContextManager[object] | None = None
) -> Talk:
    """Do with an exchange what the gateway does, at a frozen moment. `watch` is entered while the connector works.

    What is raised and is no PeerError passes through.
    """
    talk, watch = Talk(), watch or nullcontext()
    try:
        with watch:
            exchange = ask()
            call = _sealed(next(exchange), talk)
        while len(talk.calls) < MOST_CALLS:
            came = answer(call)
            with watch:
                next_call = exchange.throw(came) if isinstance(came, PeerError) else exchange.send(came)
                call = _sealed(next_call, talk)
        raise AssertionError(f"the exchange made {MOST_CALLS} calls and did not end: {talk.calls[-1].operation}")
    except StopIteration as end:
        talk.result = end.value
    except PeerError as error:
        talk.error = error
    return talk


def _sealed(call: HttpCall, talk: Talk) -> HttpCall:
    nonce = f"6f0a9f0e-1111-4222-8333-{len(talk.calls):012d}"
    talk.calls.append(call.sealed(Stamp(NOW, nonce)))
    return talk.calls[-1]
