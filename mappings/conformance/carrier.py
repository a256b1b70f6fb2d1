"""The conformance suite for carriers: one method a rule, each failing with a sentence that says what is wrong.

A rule that does not fit a platform (one that signs nothing) is skipped by what its Spec declares, never by hand.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar
from unittest import SkipTest
from urllib.parse import quote, quote_plus, unquote_plus

from mappings.conformance.case import CONSIGNEE, NOW, ORDER_CODE, Answer, Case, Operation, Scan, Talk, play
from mappings.conformance.watch import Watch
from mappings.connector import CallbackRefused, CarrierConnector
from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError
from mappings.model import Callback, Waybill
from mappings.status import STATUSES
from mappings.wire import HttpCall, HttpReply

CUT_OFF = b'{"Success": true, "Order": {"LogisticCo'
UNCLEAR: dict[str, HttpReply | PeerError] = {
    "no answer in time": UncertainError("carrier.played.timeout", "The peer did not answer in time"),
    "500": HttpReply(500, {}, b"Internal Server Error"),
    "502": HttpReply(502, {}, b"<html>Bad Gateway</html>"),
    "504": HttpReply(504, {}, b""),
    "a page of HTML with 200": HttpReply(200, {"content-type": "text/html"}, b"<html><body>Welcome</body></html>"),
    "half of a JSON": HttpReply(200, {"content-type": "application/json"}, CUT_OFF),
    "an empty body": HttpReply(200, {}, b""),
    "bytes that are no text": HttpReply(200, {}, b"\xff\xfe\x00\x81" * 8),
}
"""What may come after the request was sent, and says nothing about whether it was done."""
SAID: dict[int, type[PeerError]] = {401: AuthError, 429: TransientError, 503: TransientError}
OTHER_STATUSES = (301, 400, 403, 404, 409, 422)

SECRET_WORDS = re.compile(r"(^|_)(key|secret|password|passwd|pwd|token|salt|checkword|credentials?)(_|$)")
CODE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
CJK = re.compile(r"[\u4e00-\u9fff]")


def demand(is_so: object, otherwise: str) -> None:
    """Raise AssertionError with the sentence; unlike `assert` it also works in optimised Python."""
    if not is_so:
        raise AssertionError(otherwise)


class CarrierConformance:
    """The rules; a subclass names its `case`."""

    case: ClassVar[Case]

    # --- what it declares

    def test_the_spec_is_complete_in_both_languages(self) -> None:
        spec = self.case.spec
        demand(re.fullmatch(r"[a-z][a-z0-9_]*", spec.name), f"Spec.name {spec.name!r} must be of a-z 0-9 _")
        demand(spec.kind == "carrier", f"Spec.kind is {spec.kind!r}, not 'carrier'")
        demand(spec.title_en.strip() and spec.title_zh.strip(), "Spec has no title in English, or none in Chinese")
        for setting in spec.settings:
            demand(
                re.fullmatch(r"[a-z][a-z0-9_]*", setting.name), f"a setting's name, {setting.name!r}, is not a-z 0-9 _"
            )
            demand(setting.label_zh.strip(), f"the setting {setting.name} has no Chinese label")
            demand(
                setting.label_en.strip() and not CJK.search(setting.label_en),
                f"the setting {setting.name} has no English label",
            )
        listed = [setting.name for setting in spec.settings]
        demand(len(set(listed)) == len(listed), f"a setting is declared twice: {listed}")
        demand(self.case.config.keys() <= set(listed), "the case sets what the Spec does not declare")

    def test_secret_settings_are_marked(self) -> None:
        for setting in self.case.spec.settings:
            if SECRET_WORDS.search(setting.name):
                demand(setting.secret, f"the setting {setting.name} sounds secret and is not marked secret=True")
            demand(not (setting.secret and setting.default), f"the secret {setting.name} has a default in the code")

    # --- booking

    def test_a_booking_asks_once_under_the_given_order_code(self) -> None:
        talk = self._play("book_waybill", self.case.peer())
        waybill = _result(talk, Waybill)
        demand(talk.count("book_waybill") == 1, f"one booking made these calls: {[c.operation for c in talk.calls]}")
        ordering = next(call for call in talk.calls if call.operation == "book_waybill")
        demand(ordering.changes_peer, "the call that orders a waybill says that it changes nothing (changes_peer)")
        demand(ORDER_CODE in _sent_text(ordering), f"the order does not carry the order code {ORDER_CODE}")
        demand(waybill.waybill_no, "the booking returned a waybill without a number")
        demand(waybill.order_code == ORDER_CODE, f"the waybill is for {waybill.order_code!r}, not for {ORDER_CODE}")

    def test_a_repeated_booking_adopts_the_first_waybill(self) -> None:
        if self.case.spec.repeat_window_s(self.case.config) < 0:
            raise SkipTest("the platform knows no repeat; its Spec says so, and such an order is never sent again")
        peer = self.case.peer()
        first, second = (_result(self._play("book_waybill", peer), Waybill) for _ in range(2))
        demand(first.waybill_no == second.waybill_no, "the same order code, asked for again, brought a second waybill")

    def test_nothing_is_repeated_within_an_exchange(self) -> None:
        """When to try again is decided where attempts are counted."""
        for name, operation in self._changing():
            for what, failure in {**UNCLEAR, "503": HttpReply(503), "429": HttpReply(429)}.items():
                talk = self._play_first(operation, failure)
                times = talk.count(talk.calls[0].operation)
                demand(times == 1, f"{name}: after {what} the connector sent the same call {times} times by itself")

    def test_what_is_unclear_after_sending_is_uncertain(self) -> None:
        for name, operation in self._changing():
            for what, failure in UNCLEAR.items():
                talk = self._play_first(operation, failure)
                demand(
                    isinstance(talk.error, UncertainError),
                    f"{name}: after {what} it may have been done, which is an UncertainError and not {_ending(talk)}",
                )

    def test_a_failed_query_is_never_uncertain(self) -> None:
        """A read that failed changed nothing, so nobody need look."""
        operation = self.case.operations()["query_tracking"]
        demand(not self._play("query_tracking", self.case.peer()).calls[0].changes_peer, "a query says that it changes")
        for what, failure in UNCLEAR.items():
            if isinstance(failure, HttpReply):
                talk = self._play_first(operation, failure)
                demand(isinstance(talk.error, TransientError), f"a query and {what}: Transient, not {_ending(talk)}")

    def test_a_peer_that_is_away_or_refuses_our_key_is_called_so(self) -> None:
        for name, operation in self.case.operations().items():
            for status, meaning in SAID.items():
                talk = self._play_first(operation, HttpReply(status))
                is_so = isinstance(talk.error, meaning) or not talk.calls
                demand(is_so, f"{name}: HTTP {status} is a {meaning.__name__} and not {_ending(talk)}")

    # --- errors and secrets

    def test_every_error_has_a_code_that_begins_with_the_connectors_name(self) -> None:
        ours = (f"{self.case.spec.name}.", "address.")  # the house's own words about addresses are shared
        for what, error in self._errors():
            demand(CODE.fullmatch(error.code), f"{what}: the code {error.code!r} is not of words with dots between")
            demand(error.code.startswith(ours), f"{what}: the code {error.code!r} does not begin with {ours[0]}")

    def test_no_error_shows_a_secret_or_a_consignee(self) -> None:
        private = (*self.case.secrets(), CONSIGNEE.name, CONSIGNEE.phone, CONSIGNEE.address.street)
        for what, error in self._errors():
            shown = [word for word in private if word in str(error)]
            demand(not shown, f"{what}: the error {error.code} shows {len(shown)} private texts")

    def test_secrets_in_a_request_are_marked(self) -> None:
        """Addresses stand in the logs of every proxy; bodies are recorded here, with marked secrets taken out."""
        for call in self._calls():
            for secret in self.case.secrets():
                others = _spellings(secret) - {secret}
                exposed = {word for word in {secret, *others} if word in call.url}
                exposed |= {word for word in others if word in _sent_text(call)}
                demand(
                    exposed <= set(call.secrets),
                    f"{call.operation}: a secret stands in the request and HttpCall.secrets does not name its spelling",
                )

    # --- pushes

    def test_an_unknown_status_code_is_never_guessed(self) -> None:
        found = self._read(self._scan(1, self.case.unknown_code))
        events = [event for event in found.events if event.raw_code == self.case.unknown_code]
        demand(events, f"a push with the unknown code {self.case.unknown_code} brought no event with that code")
        for event in events:
            demand(not event.is_mapped, "an event with a code that no table holds says that it is mapped")
            demand(event.canonical is None, f"an unknown code was taken for {event.canonical}")

    def test_a_known_status_code_has_its_meaning(self) -> None:
        events = [event for event in self._read(self._scan(1)).events if event.raw_code == self.case.known_code]
        demand(events and all(event.is_mapped for event in events), f"the code {self.case.known_code} is not mapped")
        strange = {event.canonical for event in events} - {*STATUSES, None}
        demand(not strange, f"these are no canonical statuses: {strange}")
        demand(all(event.waybill_no == self.case.waybill_no for event in events), "an event has lost its number")

    def test_every_item_of_a_push_is_read(self) -> None:
        scans = [self._scan(n) for n in range(1, 6)]
        found = self._read(*scans)
        missing = {scan.at for scan in scans} - {event.event_at for event in found.events}
        demand(not missing, f"a push of {len(scans)} items lost {len(missing)} of them")
        demand(not found.problems, f"good items are said to be unreadable: {found.problems}")

    def test_an_unreadable_item_is_said_and_costs_the_others_nothing(self) -> None:
        good = [self._scan(1), self._scan(3)]
        broken = Scan(self.case.waybill_no, self.case.known_code, good[0].at + timedelta(minutes=1), is_broken=True)
        found = self._read(good[0], broken, good[1])
        missing = {scan.at for scan in good} - {event.event_at for event in found.events}
        demand(not missing, "the good items beside an unreadable one were lost")
        demand(found.problems, "an item could not be read, and Callback.problems does not say so")

    def test_a_changed_push_is_refused(self) -> None:
        if not self.case.spec.signs_pushes:
            raise SkipTest("the platform signs nothing; its Spec says so, and a secret path is demanded instead")
        body = self.case.push([self._scan(1)])
        self._verify(body)
        for place in _places(body, self.case.waybill_no.encode()):
            other = b"8" if body[place : place + 1] != b"8" else b"9"
            is_refused = self._refuses(body[:place] + other + body[place + 1 :])
            demand(is_refused, f"a push was believed although its byte {place} had been changed")

    def test_garbage_is_refused_and_nothing_else_is_raised(self) -> None:
        body = self.case.push([self._scan(1)])
        deep = b"[" * 50_000
        for garbage in (
            b"",
            b"\xff\xfe",
            b"{",
            b"[]",
            b"null",
            b"<a>",
            b"a=b",
            b"a=%zz&&=",
            deep,
            body[: len(body) // 2],
        ):
            demand(self._refuses(garbage), f"the push {garbage[:20]!r} was believed")

    def test_both_answers_to_a_push_are_given_and_differ(self) -> None:
        carrier = self.case.connector()
        yes, no = (carrier.callback_reply(ok=ok, reason="" if ok else "refused", now=NOW) for ok in (True, False))
        demand(200 <= yes.status < 300, f"a push that was taken is answered with HTTP {yes.status}")
        demand((yes.status, yes.body) != (no.status, no.body), "a refused push gets the answer of one that was taken")
        named = {*yes.headers, *no.headers}
        demand(all(name == name.lower() for name in named), f"header names are lower-case: {sorted(named)}")

    # --- what is done already

    def test_a_second_cancel_is_a_success(self) -> None:
        peer = self.case.peer()
        self._play("book_waybill", peer)
        for which in ("first", "second"):
            talk = self._play("cancel_waybill", peer)
            demand(talk.error is None, f"the {which} cancel of a waybill ended as {_ending(talk)}")

    def test_a_second_subscription_is_a_success(self) -> None:
        peer = self.case.peer()
        for which in ("first", "second"):
            talk = self._play("subscribe", peer)
            is_refused = isinstance(talk.error, PermanentError) and not talk.calls
            is_well = talk.error is None or (is_refused and self.case.spec.tracks_own_waybills)
            demand(is_well, f"the {which} subscription of a number ended as {_ending(talk)}")

    # --- values in, values out

    def test_the_same_inputs_give_the_same_bytes(self) -> None:
        first, second = ([_wire(call) for call in self._calls()] for _ in range(2))
        demand(first == second, "the same request was written differently the second time; use HttpCall.stamped")
        body = self.case.push([self._scan(1)])
        demand(self._take(body) == self._take(body), "the same push was read differently the second time")

    def test_no_clock_is_read_and_nothing_is_reached_for(self) -> None:
        body = self.case.push([self._scan(1)])
        self._take(body)  # tables are read when they are first needed, which is no offence
        for _ in self._calls():
            pass
        watch, carrier = Watch(), self.case.connector()
        for operation in self.case.operations().values():
            self._play_watched(operation, carrier, watch)
        with watch:
            carrier.verify_callback(body, self.case.content_type)
            carrier.read_callback(body, self.case.content_type, NOW)
            carrier.callback_reply(ok=True, reason="", now=NOW)
        demand(not watch.seen, f"a connector works on its arguments alone; this one called {sorted(watch.seen)}")

    # --- the means

    def _play(self, name: str, peer: Answer) -> Talk:
        operation, carrier = self.case.operations()[name], self.case.connector()
        return play(lambda: operation.ask(carrier), peer)

    def _play_watched(self, operation: Operation, carrier: CarrierConnector, watch: Watch) -> None:
        play(lambda: operation.ask(carrier), self.case.peer(), watch=watch)

    def _play_first(self, operation: Operation, answer: HttpReply | PeerError) -> Talk:
        """Every call is answered so."""
        carrier = self.case.connector()
        return play(lambda: operation.ask(carrier), lambda call: answer)

    def _changing(self) -> Iterator[tuple[str, Operation]]:
        """What changes something at the platform, without what the connector refuses before it asks.

        A subscription or a pickup may say that it changes nothing, where a repeat does no harm; a booking may not.
        """
        for name, operation in self.case.operations().items():
            calls = self._play_first(operation, HttpReply(503)).calls
            if (
                operation.changes_peer
                and calls
                and (calls[0].changes_peer or name in ("book_waybill", "cancel_waybill"))
            ):
                yield name, operation

    def _calls(self) -> Iterator[HttpCall]:
        for name in self.case.operations():
            yield from self._play(name, self.case.peer()).calls

    def _errors(self) -> Iterator[tuple[str, PeerError]]:
        """Every error that can be provoked, but those the gateway threw in, whose codes are not ours."""
        answers = {what: reply for what, reply in UNCLEAR.items() if isinstance(reply, HttpReply)}
        answers |= {f"HTTP {status}": HttpReply(status) for status in (*SAID, *OTHER_STATUSES)}
        for name, operation in self.case.operations().items():
            for what, answer in answers.items():
                if error := self._play_first(operation, answer).error:
                    yield f"{name}, {what}", error
        for request in self.case.unbookable():
            carrier, peer = self.case.connector(), self.case.peer()
            talk = play(_booking(carrier, request), peer)
            if talk.error:
                yield "an order that cannot be booked", talk.error

    def _scan(self, number: int, code: str = "") -> Scan:
        waybill_no = self.case.waybill_no if number % 2 else self.case.second_waybill_no
        return Scan(waybill_no, code or self.case.known_code, NOW - timedelta(hours=12 - number))

    def _read(self, *scans: Scan) -> Callback:
        return self._take(self.case.push(scans))

    def _take(self, body: bytes) -> Callback:
        carrier = self.case.connector()
        carrier.verify_callback(body, self.case.content_type)
        return carrier.read_callback(body, self.case.content_type, NOW)

    def _verify(self, body: bytes) -> None:
        self.case.connector().verify_callback(body, self.case.content_type)

    def _refuses(self, body: bytes) -> bool:
        try:
            self._verify(body)
        except CallbackRefused:
            return True
        return False


def _booking(carrier: CarrierConnector, request: Any) -> Callable[[], Any]:
    return lambda: carrier.book_waybill(request)


def _result(talk: Talk, kind: type[Waybill]) -> Waybill:
    if not isinstance(talk.result, kind):
        raise AssertionError(f"a booking that the platform took ended as {_ending(talk)}")
    return talk.result


def _ending(talk: Talk) -> str:
    """How an exchange ended, in words."""
    return f"{type(talk.error).__name__} {talk.error}" if talk.error else f"the result {type(talk.result).__name__}"


def _sent_text(call: HttpCall) -> str:
    """A call as it is recorded: with the form's encoding undone."""
    kind = " ".join(value for name, value in call.headers.items() if name.lower() == "content-type")
    body = call.body.decode("utf-8", errors="replace")
    return "\n".join((call.url, *call.headers.values(), unquote_plus(body) if "form-urlencoded" in kind else body))


def _spellings(secret: str) -> set[str]:
    raw = secret.encode()
    return {secret, quote(secret), quote_plus(secret), base64.b64encode(raw).decode(), raw.hex()}


def _wire(call: HttpCall) -> tuple[Any, ...]:
    return call.operation, call.method, call.url, tuple(sorted(call.headers.items())), call.body


def _places(body: bytes, word: bytes) -> Sequence[int]:
    """Every byte of a word wherever it stands, else bytes here and there."""
    starts = [found.start() for found in re.finditer(re.escape(word), body)]
    return [start + n for start in starts for n in range(len(word))] or range(0, len(body), max(1, len(body) // 16))
