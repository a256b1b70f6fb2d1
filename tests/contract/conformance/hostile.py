"""Connectors that break the rules, one rule each: the example's, with what a person in a hurry would have written."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from ecsync_parcelhub import SPEC, ParcelhubCarrier
from test_parcelhub import CASE

from mappings.conformance import CarrierCase
from mappings.connector import Config, Spec
from mappings.errors import PeerError, PermanentError, TransientError, UncertainError
from mappings.model import Callback, Waybill, WaybillRequest
from mappings.wire import Exchange, HttpCall, HttpReply


def _with_setting(**changes: Any) -> Spec:
    """The example's Spec with its token declared otherwise."""
    return replace(
        SPEC, settings=tuple(replace(one, **changes) if one.name == "token" else one for one in SPEC.settings)
    )


class WithoutChineseLabel(ParcelhubCarrier):
    spec: ClassVar[Spec] = _with_setting(label_zh="")


class SecretNotMarked(ParcelhubCarrier):
    spec: ClassVar[Spec] = _with_setting(secret=False)


class BooksUnderItsOwnCode(ParcelhubCarrier):
    """Makes a fresh order code at every booking: a repeat brings a second waybill."""

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        waybill = yield from super().book_waybill(replace(request, order_code=f"order-{id(object())}-{time.time_ns()}"))
        return replace(waybill, order_code=request.order_code)


class NewCodeForARepeat(ParcelhubCarrier):
    """Numbers its orders."""

    booked = 0

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        NewCodeForARepeat.booked += 1
        waybill = yield from super().book_waybill(replace(request, order_code=f"{request.order_code}{self.booked}"))
        return replace(waybill, order_code=request.order_code)


class RepeatsByItself(ParcelhubCarrier):
    """Tries three times."""

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        for _ in range(2):
            try:
                return (yield from super().book_waybill(request))
            except PeerError:
                continue
        return (yield from super().book_waybill(request))


class ServerErrorIsNothing(ParcelhubCarrier):
    """Takes every failure for "nothing happened"."""

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        try:
            return (yield from super().book_waybill(request))
        except UncertainError as error:
            raise TransientError("parcelhub.waybill.failed", "Parcelhub failed") from error


class QueryIsUncertain(ParcelhubCarrier):
    def query_tracking(self, **asked: Any) -> Exchange[Any]:
        try:
            return (yield from super().query_tracking(**asked))
        except TransientError as error:
            raise UncertainError(error.code, "It may have happened") from error


class BusyIsForEver(ParcelhubCarrier):
    """Takes "too many requests" for a no."""

    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        try:
            return (yield from super().book_waybill(request))
        except TransientError as error:
            raise PermanentError("parcelhub.waybill.failed", "Parcelhub will not") from error


class BareCodes(ParcelhubCarrier):
    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        try:
            return (yield from super().book_waybill(request))
        except PeerError as error:
            error.code = "FAILED"
            raise


class CancelIsARead(ParcelhubCarrier):
    """So that a cancel whose answer was lost is taken for one that never arrived."""

    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        call = super()._call(operation, method, path, fields)
        return replace(call, changes_peer=operation == "book_waybill")


@dataclass
class Key:
    token: str


class PrintsItsKey(ParcelhubCarrier):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.key = Key(str(config["token"]))


class TellsWhoseOrderItWas(ParcelhubCarrier):
    def book_waybill(self, request: WaybillRequest) -> Exchange[Waybill]:
        try:
            return (yield from super().book_waybill(request))
        except PeerError as error:
            error.message = error.args[0] + f" for {request.order.consignee.name}"
            raise


class KeyInTheAddress(ParcelhubCarrier):
    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        call = super()._call(operation, method, path, fields)
        return replace(call, url=f"{call.url}?token={self.config['token']}", secrets=())


class KeyInAnotherSpelling(ParcelhubCarrier):
    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        call = super()._call(operation, method, path, fields)
        spelled = base64.b64encode(str(self.config["token"]).encode()).decode()
        return replace(call, headers={**call.headers, "x-token": spelled})


class Guesses(ParcelhubCarrier):
    """Takes what it does not know for a parcel on its way."""

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        found = super().read_callback(body, content_type, received_at)
        return replace(
            found,
            events=tuple(replace(event, canonical=event.canonical or "in_transit") for event in found.events),
        )


class WordsOfItsOwn(ParcelhubCarrier):
    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        found = super().read_callback(body, content_type, received_at)
        return replace(
            found, events=tuple(replace(e, canonical="on_the_road") if e.is_mapped else e for e in found.events)
        )


class ReadsTheFirstOnly(ParcelhubCarrier):
    """`Data[0]`."""

    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        found = super().read_callback(body, content_type, received_at)
        return replace(found, events=found.events[:1])


class SilentAboutProblems(ParcelhubCarrier):
    def read_callback(self, body: bytes, content_type: str, received_at: datetime) -> Callback:
        return replace(super().read_callback(body, content_type, received_at), problems=())


class BelievesAnySignature(ParcelhubCarrier):
    def verify_callback(self, body: bytes, content_type: str) -> None:
        json.loads(body)


class FallsOverGarbage(ParcelhubCarrier):
    """Reads before it looks: what is no JSON raises whatever json raises."""

    def verify_callback(self, body: bytes, content_type: str) -> None:
        if json.loads(body)["payload"]:
            super().verify_callback(body, content_type)


class AlwaysSaysYes(ParcelhubCarrier):
    def callback_reply(self, *, ok: bool, reason: str, now: datetime) -> HttpReply:
        return super().callback_reply(ok=True, reason="", now=now)


class SecondCancelFails(ParcelhubCarrier):
    def cancel_waybill(self, **asked: Any) -> Exchange[None]:
        reply = yield self._call("cancel_waybill", "POST", "/v1/cancellations", {"number": asked["waybill_no"]})
        if reply.status != 200:
            raise PermanentError("parcelhub.cancel.refused", "Parcelhub refuses the cancel")


class SecondSubscriptionFails(ParcelhubCarrier):
    def subscribe(self, **asked: Any) -> Exchange[None]:
        reply = yield self._call("subscribe", "POST", "/v1/subscriptions", {"number": asked["waybill_no"]})
        if reply.status != 200:
            raise PermanentError("parcelhub.subscribe.refused", "Parcelhub refuses the subscription")


class CountsItsCalls(ParcelhubCarrier):
    """No clock, and never the same bytes twice."""

    made = 0

    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        CountsItsCalls.made += 1
        call = super()._call(operation, method, path, fields)
        return replace(call, headers={**call.headers, "x-request": str(self.made)})


class ReadsTheClock(ParcelhubCarrier):
    """To the day, so that two calls are the same but for those around midnight."""

    def _call(self, operation: str, method: str, path: str, fields: Mapping[str, Any] | None = None) -> HttpCall:
        call = super()._call(operation, method, path, fields)
        return replace(call, headers={**call.headers, "x-day": f"{datetime.now(UTC):%Y%m%d}"})


BREAKS: dict[str, type[ParcelhubCarrier]] = {
    "test_the_spec_is_complete_in_both_languages": WithoutChineseLabel,
    "test_secret_settings_are_marked": SecretNotMarked,
    "test_a_booking_asks_once_under_the_given_order_code": BooksUnderItsOwnCode,
    "test_a_repeated_booking_adopts_the_first_waybill": NewCodeForARepeat,
    "test_every_call_says_whether_it_changes_the_peer": CancelIsARead,
    "test_nothing_is_repeated_within_an_exchange": RepeatsByItself,
    "test_what_is_unclear_after_sending_is_uncertain": ServerErrorIsNothing,
    "test_a_failed_read_is_never_uncertain": QueryIsUncertain,
    "test_a_peer_that_is_away_or_refuses_our_key_is_called_so": BusyIsForEver,
    "test_every_error_has_a_code_that_begins_with_the_connectors_name": BareCodes,
    "test_no_error_shows_a_secret_or_a_consignee": TellsWhoseOrderItWas,
    "test_secrets_in_a_request_are_marked": KeyInTheAddress,
    "test_no_part_of_it_shows_a_secret_when_it_is_printed": PrintsItsKey,
    "test_an_unknown_status_code_is_never_guessed": Guesses,
    "test_a_known_status_code_has_its_meaning": WordsOfItsOwn,
    "test_every_item_of_a_push_is_read": ReadsTheFirstOnly,
    "test_an_unreadable_item_is_said_and_costs_the_others_nothing": SilentAboutProblems,
    "test_a_changed_push_is_refused": BelievesAnySignature,
    "test_garbage_is_refused_and_nothing_else_is_raised": FallsOverGarbage,
    "test_both_answers_to_a_push_are_given_and_differ": AlwaysSaysYes,
    "test_a_second_cancel_is_a_success": SecondCancelFails,
    "test_a_second_subscription_is_a_success": SecondSubscriptionFails,
    "test_the_same_inputs_give_the_same_bytes": CountsItsCalls,
    "test_no_clock_is_read_and_nothing_is_reached_for": ReadsTheClock,
}
"""The rule, and who breaks it."""


def case_of(carrier: type[ParcelhubCarrier]) -> CarrierCase:
    return replace(CASE, connector_class=carrier)
