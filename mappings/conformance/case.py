"""What a connector brings to its conformance tests, and the means to play its exchanges by hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from mappings.connector import CarrierConnector, CourierFinder, LabelConnector, PickupConnector, Spec
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
class Operation:
    """One thing to ask a connector for: `ask` is given the connector and what `stage` put at the peer before.

    `must_change`: a call of it must say that it changes the peer. `is_read`: none may.
    """

    ask: Callable[[Any, Any], Exchange[Any]]
    must_change: bool = False
    is_read: bool = False
    stage: Callable[[Any, Answer], Any] = lambda connector, peer: None


@dataclass(frozen=True)
class ConnectorCase(ABC):
    """A connector and the peer that is played for it.

    `config` holds made-up values of its settings, secrets of at least 8 characters. `peer` makes a peer without memory
    of earlier ones, which answers as its documents say. `silent` names the operations
    whose documented yes, or "nothing is there", is a 200 without a body.
    """

    connector_class: Callable[[Mapping[str, Any]], Any]
    config: Mapping[str, Any]
    peer: Callable[[], Answer]
    silent: frozenset[str] = field(default=frozenset(), kw_only=True)

    @property
    def spec(self) -> Spec:
        return cast(Spec, self.connector().spec)

    def connector(self) -> Any:
        """A new one, as each worker process makes its own."""
        return self.connector_class(self.config)

    def secrets(self) -> tuple[str, ...]:
        """The values in `config` that the Spec marks as secret."""
        values = (self.config.get(setting.name) for setting in self.spec.settings if setting.secret)
        return tuple(value for value in values if isinstance(value, str) and value)

    def private(self) -> tuple[str, ...]:
        """What no error may show."""
        return (*self.secrets(), CONSIGNEE.name, CONSIGNEE.phone, CONSIGNEE.address.street)

    @abstractmethod
    def operations(self) -> dict[str, Operation]:
        """All that can be asked of the peer, by the name of the connector's method."""

    @abstractmethod
    def impossible(self) -> dict[str, Callable[[Any], Exchange[Any]]]:
        """What no peer can be asked for, in words: to see how it is refused."""


def an_order() -> Order:
    """An order as every shop has it."""
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


@dataclass(frozen=True)
class Case(ConnectorCase):
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


@dataclass
class Talk:
    """An exchange played to its end: what left, and the result or the error that came of it."""

    calls: list[HttpCall] = field(default_factory=list)
    result: Any = None
    error: PeerError | None = None

    def count(self, operation: str, since: int = 0) -> int:
        """How many calls of this name were made, from a place on."""
        return sum(call.operation == operation for call in self.calls[since:])

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return f"{type(self.error).__name__} {self.error}" if self.error else f"the result {type(self.result).__name__}"


def play(
    ask: Callable[[], Exchange[Any]],
    answer: Answer,
    *,
    at: datetime = NOW,
    watch: AbstractContextManager[object] | None = None,
) -> Talk:
    """Do with an exchange what the gateway does; its first call leaves at a frozen moment, each later one a second on.

    `watch` is entered while the connector works.

    What is raised and is no PeerError passes through.
    """
    talk, watch = Talk(), watch or nullcontext()
    try:
        with watch:
            exchange = ask()
            call = _sealed(next(exchange), talk, at)
        while len(talk.calls) < MOST_CALLS:
            came = answer(call)
            with watch:
                next_call = exchange.throw(came) if isinstance(came, PeerError) else exchange.send(came)
                call = _sealed(next_call, talk, at)
        raise AssertionError(f"the exchange made {MOST_CALLS} calls and did not end: {talk.calls[-1].operation}")
    except StopIteration as end:
        talk.result = end.value
    except PeerError as error:
        talk.error = error
    return talk


def _sealed(call: HttpCall, talk: Talk, at: datetime) -> HttpCall:
    number = len(talk.calls)
    moment = at + timedelta(seconds=number)
    talk.calls.append(call.sealed(Stamp(moment, f"6f0a9f0e-1111-4222-8333-{moment:%y%m%d%H%M%S}")))
    return talk.calls[-1]
