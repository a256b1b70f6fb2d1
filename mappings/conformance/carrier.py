"""The conformance suite for carriers: one method a rule, each failing with a sentence that says what is wrong.

A rule that does not fit a platform (one that signs nothing) is skipped by what its Spec declares, never by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar
from unittest import SkipTest

from mappings.conformance.carrier_case import ORDER_CODE, CarrierCase, Scan
from mappings.conformance.case import NOW, Talk
from mappings.conformance.rules import Conformance, demand, sent_text
from mappings.conformance.watch import Watch
from mappings.connector import CallbackRefused, CarrierConnector
from mappings.errors import PermanentError
from mappings.model import Callback, Waybill
from mappings.status import STATUSES


class CarrierConformance(Conformance):
    """The rules; a subclass names its `case`."""

    kind = "carrier"
    case: ClassVar[CarrierCase]

    # --- booking

    def test_a_booking_asks_once_under_the_given_order_code(self) -> None:
        talk = self._play("book_waybill", self.case.peer())
        waybill = _waybill(talk)
        demand(talk.count("book_waybill") == 1, f"one booking made these calls: {[c.operation for c in talk.calls]}")
        ordering = next(call for call in talk.calls if call.operation == "book_waybill")
        demand(ORDER_CODE in sent_text(ordering), f"the order does not carry the order code {ORDER_CODE}")
        demand(waybill.waybill_no, "the booking returned a waybill without a number")
        demand(waybill.order_code == ORDER_CODE, f"the waybill is for {waybill.order_code!r}, not for {ORDER_CODE}")

    def test_a_repeated_booking_adopts_the_first_waybill(self) -> None:
        if self.case.spec.repeat_window_s(self.case.config) < 0:
            raise SkipTest("the platform knows no repeat; its Spec says so, and such an order is never sent again")
        peer = self.case.peer()
        first, second = (_waybill(self._play("book_waybill", peer)) for _ in range(2))
        demand(first.waybill_no == second.waybill_no, "the same order code, asked for again, brought a second waybill")

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
            demand(talk.error is None, f"the {which} cancel of a waybill ended as {talk.ending}")

    def test_a_second_subscription_is_a_success(self) -> None:
        peer = self.case.peer()
        for which in ("first", "second"):
            talk = self._play("subscribe", peer)
            is_refused = isinstance(talk.error, PermanentError) and not talk.calls
            is_well = talk.error is None or (is_refused and self.case.spec.tracks_own_waybills)
            demand(is_well, f"the {which} subscription of a number ended as {talk.ending}")

    # --- values in, values out

    def test_the_same_inputs_give_the_same_bytes(self) -> None:
        super().test_the_same_inputs_give_the_same_bytes()
        body = self.case.push([self._scan(1)])
        demand(self._take(body) == self._take(body), "the same push was read differently the second time")

    def test_no_clock_is_read_and_nothing_is_reached_for(self) -> None:
        super().test_no_clock_is_read_and_nothing_is_reached_for()
        body = self.case.push([self._scan(1)])
        self._take(body)
        with Watch() as watch:
            self._take(body)
            self.case.connector().callback_reply(ok=True, reason="", now=NOW)
        demand(not watch.seen, f"a push is read from its bytes alone; this connector called {sorted(watch.seen)}")

    # --- the means

    def _scan(self, number: int, code: str = "") -> Scan:
        waybill_no = self.case.waybill_no if number % 2 else self.case.second_waybill_no
        return Scan(waybill_no, code or self.case.known_code, NOW - timedelta(hours=12 - number))

    def _read(self, *scans: Scan) -> Callback:
        return self._take(self.case.push(scans))

    def _take(self, body: bytes) -> Callback:
        carrier: CarrierConnector = self.case.connector()
        carrier.verify_callback(body, self.case.content_type)
        return carrier.read_callback(body, self.case.content_type, NOW)

    def _verify(self, body: bytes) -> None:
        self.case.connector().verify_callback(body, self.case.content_type)

    def _refuses(self, body: bytes) -> bool:
        try:
            self._verify(body)
        except CallbackRefused:
            return True
        except Exception as raised:
            said = f"the push {body[:20]!r} raised {type(raised).__name__}; what cannot be read is a CallbackRefused"
            raise AssertionError(said) from raised
        return False


def _waybill(talk: Talk) -> Waybill:
    if not isinstance(talk.result, Waybill):
        raise AssertionError(f"a booking that the platform took ended as {talk.ending}")
    return talk.result


def _places(body: bytes, word: bytes) -> Sequence[int]:
    """Every byte of a word wherever it stands, else bytes here and there."""
    starts = [found.start() for found in re.finditer(re.escape(word), body)]
    return [start + n for start in starts for n in range(len(word))] or range(0, len(body), max(1, len(body) // 16))
