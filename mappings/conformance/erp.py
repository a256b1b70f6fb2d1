"""The conformance suite for ERPs: one method a rule, each failing with a sentence that says what is wrong.

A rule that does not fit an ERP (one that numbers orders later) is skipped by what its Spec declares, never by hand.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar
from unittest import SkipTest

from mappings.conformance.case import NOW, Answer, Talk, play
from mappings.conformance.erp_case import EARLIER, EXTERNAL_REF, ErpCase
from mappings.conformance.rules import Conformance, demand, sent_text
from mappings.errors import DuplicateError, PeerError, PermanentError, UncertainError
from mappings.explaining import ExplainingErp
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import HttpCall, HttpReply

LATER = NOW + timedelta(minutes=1)


class ErpConformance(Conformance):
    """The rules; a subclass names its `case`."""

    kind = "erp"
    case: ClassVar[ErpCase]

    def test_it_has_the_methods_that_its_spec_promises(self) -> None:
        erp, spec = self.case.connector(), self.case.spec
        for name in ("poll_shipments", "settle_shipments"):
            is_there = callable(getattr(erp, name, None))
            demand(is_there or not spec.polls_shipments, f"its Spec polls_shipments, and it has no {name}")

    # --- one order, one document

    def test_an_order_is_created_by_one_call_under_our_reference(self) -> None:
        talk = self._play("create", self.case.peer())
        changing = [call for call in talk.calls if call.changes_peer]
        demand(len(changing) == 1, f"one create changed the ERP by these calls: {[c.operation for c in changing]}")
        demand(EXTERNAL_REF in sent_text(changing[0]), f"the order does not carry our reference {EXTERNAL_REF}")
        made = _document(talk)
        demand(made.external_ref == EXTERNAL_REF, f"the document is for {made.external_ref!r}, not for {EXTERNAL_REF}")
        demand(
            made.erp_no or self.case.spec.numbers_later or self.case.spec.needs_confirm,
            "a created document has no number (Spec.numbers_later)",
        )

    def test_what_was_created_is_found_and_what_was_not_is_not(self) -> None:
        empty = self._find(self.case.peer())
        demand(empty is None, f"an ERP without orders was said to hold {empty}")
        peer = self.case.peer()
        made = self.case.made(self.case.connector(), peer)
        found = self._find_in_time(peer)
        if found is None:
            raise AssertionError("an order that was created is not found")
        demand(found.external_ref == EXTERNAL_REF, f"the look-up found the order {found.external_ref!r}")
        demand(found.erp_no or self.case.spec.needs_confirm, "the look-up found the order and no number")
        demand(made.erp_no in ("", found.erp_no), f"it was created as {made.erp_no} and found as {found.erp_no}")

    def test_a_repeated_create_adopts_the_first_document(self) -> None:
        if self.case.spec.finds_first:
            raise SkipTest("the ERP would take a second order; its Spec says so, and each create is preceded by a look")
        peer = self.case.peer()
        first = self.case.made(self.case.connector(), peer)
        talk = self._create(self.case.order(), peer)
        if not isinstance(talk.error, DuplicateError):
            demand(_document(talk).erp_no == first.erp_no, "the same order, created again, brought a second document")

    def test_an_order_whose_answer_was_lost_is_there_once(self) -> None:
        peer = self.case.peer()
        lost = self._create(self.case.order(), _losing_the_answer(peer), EARLIER)
        demand(
            isinstance(lost.error, UncertainError), f"the answer to a create was lost, and it ended as {lost.ending}"
        )
        found = self._find_in_time(peer)
        if found is None:
            raise AssertionError("an order whose answer was lost was taken, and is not found")
        if not self.case.spec.finds_first:
            again = self._create(self.case.order(), peer, LATER)
            is_one = isinstance(again.error, DuplicateError) or _document(again).erp_no in ("", found.erp_no)
            demand(is_one, "an order whose answer was lost was created a second time")

    def test_what_cannot_be_told_is_refused_before_anything_is_changed(self) -> None:
        for what, order in {"no goods": self.case.order(lines=()), "no SKU": self.case.of_sku(" ")}.items():
            talk = self._create(order, self.case.peer())
            demand(isinstance(talk.error, PermanentError), f"an order with {what} is for a person: not {talk.ending}")
            sent = [call.operation for call in talk.calls if call.changes_peer]
            demand(not sent, f"an order with {what} was refused only after {sent}")

    def test_an_unknown_sku_is_for_a_person_and_makes_no_document(self) -> None:
        if self.case.spec.numbers_later:
            raise SkipTest("what only accepts orders does not know SKUs; its Spec says so")
        peer = self.case.peer()
        talk = self._create(self.case.of_sku(self.case.unknown_sku), peer)
        demand(isinstance(talk.error, PermanentError), f"an unknown SKU is for a person to enter: not {talk.ending}")
        demand(self._find(peer) is None, "an order with an unknown SKU stands at the ERP")

    # --- what is done already

    def test_a_second_confirm_is_a_success(self) -> None:
        if not self.case.spec.needs_confirm:
            raise SkipTest("a created order waits for nothing; its Spec says so")
        peer = self.case.peer()
        made = self.case.made(self.case.connector(), peer)
        for which, document, at in _twice(made):
            talk = play(partial(self.case.connector().confirm, document), peer, at=at)
            demand(talk.error is None, f"the {which} confirm of a document ended as {talk.ending}")
            demand(_document(talk).external_ref == EXTERNAL_REF, "a confirm returned another order's document")
            demand(_document(talk).erp_no, "a confirmed document has no number")

    def test_a_second_cancel_is_a_success(self) -> None:
        peer = self.case.peer()
        made = self.case.made(self.case.connector(), peer)
        for which, document, at in _twice(made):
            talk = play(partial(self.case.connector().cancel, document), peer, at=at)
            demand(talk.error is None, f"the {which} cancel of a document ended as {talk.ending}")

    # --- stock

    def test_stock_is_told_once_for_a_sku_and_never_invented(self) -> None:
        spec, peer = self.case.spec, self.case.peer()
        if not spec.reads_stock:
            raise SkipTest("it is not asked for stock; its Spec says so")
        known = _figures(play(lambda: self.case.stock(self.case.connector()), peer))
        places = [(figure.sku, figure.warehouse) for figure in known]
        demand(len(set(places)) == len(places), f"a SKU has two figures at one warehouse: {sorted(places)}")
        if spec.skus_at_once:
            demand({figure.sku for figure in known} == {"TS-1"}, f"it was asked for TS-1, and told {sorted(places)}")
            asked = ("TS-1", self.case.unknown_sku)
            told = _figures(play(lambda: self.case.connector().read_stock(None, asked), peer, at=LATER))
            invented = [figure for figure in told if figure.sku == self.case.unknown_sku]
            demand(not invented, "a SKU that the ERP does not name has a figure: leave it out")

    # --- what it says of itself

    def test_an_explanation_names_source_and_rule_and_shows_no_secret(self) -> None:
        erp = self.case.connector()
        if not isinstance(erp, ExplainingErp):
            raise SkipTest("it explains nothing; its request is shown instead")
        fields = list(erp.explain(self.case.order()))
        demand(fields, "it explains no field")
        for field in fields:
            demand(
                field.target and field.source and field.rule, f"{field.target!r} is explained without source or rule"
            )
            shown = any(secret in f"{field.source} {field.rule} {field.value}" for secret in self.case.secrets())
            demand(not shown, f"the explanation of {field.target} shows a secret")

    # --- the means

    def _create(self, order: ErpOrder, peer: Answer, at: datetime = NOW) -> Talk:
        return play(lambda: self.case.connector().create(order), peer, at=at)

    def _find(self, peer: Answer, at: datetime = NOW) -> ErpDocument | None:
        talk = play(lambda: self.case.connector().find(EXTERNAL_REF), peer, at=at)
        if talk.error:
            raise AssertionError(f"the look-up ended as {talk.ending}")
        found: ErpDocument | None = talk.result
        return found

    def _find_in_time(self, peer: Answer) -> ErpDocument | None:
        """An ERP that numbers orders later may show one at the second look only."""
        found = self._find(peer)
        return self._find(peer, LATER) if found is None and self.case.spec.numbers_later else found


def _twice(made: ErpDocument) -> tuple[tuple[str, ErpDocument, datetime], ...]:
    """At once with what a create returned, and later with what our record holds of it."""
    return ("first", made, NOW), ("second", ErpDocument(made.erp_no, made.external_ref), LATER)


def _losing_the_answer(peer: Answer) -> Answer:
    """The ERP takes what changes it, and its answer does not come."""

    def answer(call: HttpCall) -> HttpReply | PeerError:
        came = peer(call)
        return UncertainError("played.timeout", "The ERP did not answer in time") if call.changes_peer else came

    return answer


def _document(talk: Talk) -> ErpDocument:
    if not isinstance(talk.result, ErpDocument):
        raise AssertionError(f"what the ERP took ended as {talk.ending}")
    return talk.result


def _figures(talk: Talk) -> tuple[StockFigure, ...]:
    if talk.error:
        raise AssertionError(f"reading stock ended as {talk.ending}")
    figures: tuple[StockFigure, ...] = talk.result
    return figures
