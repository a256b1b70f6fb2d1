"""ERP connectors that break one rule each: the example's, with what a person in a hurry would have written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from ecsync_ledgerline import SPEC, LedgerlineErp
from test_ledgerline import CASE

from mappings.conformance import ErpCase
from mappings.connector import Spec
from mappings.errors import PermanentError, TransientError
from mappings.explaining import Explained
from mappings.model import ErpDocument, ErpOrder, StockFigure
from mappings.wire import Exchange


class PromisesShipments(LedgerlineErp):
    spec: ClassVar[Spec] = replace(SPEC, polls_shipments=True)


class SavesTwice(LedgerlineErp):
    """The header first, the lines after it."""

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        yield self._call("create_order", "POST", "/v1/orders", self._document(order))
        return (yield from super().create(order))


class FindsWhateverComes(LedgerlineErp):
    """Takes "nothing found" for its own order."""

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        return (yield from super().find(external_ref)) or ErpDocument("L-1", external_ref)


class NumbersItsRepeats(LedgerlineErp):
    """Comes in under another reference where the first is taken."""

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        reply = yield self._call("create_order", "POST", "/v1/orders", self._document(order))
        if reply.status == 409:
            made = yield from super().create(replace(order, external_ref=f"{order.external_ref}-2"))
            return replace(made, external_ref=order.external_ref)
        return (yield from super().create(order)) if reply.status != 201 else ErpDocument("L-1", order.external_ref)


class LooksElsewhere(LedgerlineErp):
    """Finds what it made itself, and nothing of which the answer was lost."""

    made: ClassVar[set[str]] = set()

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        document = yield from super().create(order)
        self.made.add(document.external_ref)
        return document

    def find(self, external_ref: str) -> Exchange[ErpDocument | None]:
        found = yield from super().find(external_ref)
        return found if external_ref in self.made else None


class LeavesTheSkuOut(LedgerlineErp):
    """Sends what it has, and lets the ERP say what is missing."""

    def _document(self, order: ErpOrder) -> dict[str, Any]:
        lines = tuple(replace(line, sku=line.sku.strip() or "TS-1") for line in order.order.lines)
        return super()._document(replace(order, order=replace(order.order, lines=lines)))


class TriesUnknownSkusAgain(LedgerlineErp):
    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        try:
            return (yield from super().create(order))
        except PermanentError as error:
            raise TransientError(error.code, error.message) from error


class SecondConfirmFails(LedgerlineErp):
    spec: ClassVar[Spec] = replace(SPEC, needs_confirm=True)

    def confirm(self, document: ErpDocument) -> Exchange[ErpDocument]:
        """Confirms what it holds in its hands, not what the record says."""
        if not document.remarks:
            raise PermanentError("ledgerline.confirm.gone", "Ledgerline has confirmed this order already")
        yield from ()
        return document

    def create(self, order: ErpOrder) -> Exchange[ErpDocument]:
        return replace((yield from super().create(order)), remarks=("new",))


class SecondCancelFails(LedgerlineErp):
    def cancel(self, document: ErpDocument) -> Exchange[None]:
        reply = yield self._call("cancel_order", "POST", f"/v1/orders/{document.external_ref}/cancel", {})
        if reply.status != 200:
            raise PermanentError("ledgerline.cancel.refused", "Ledgerline refuses the cancel")


class SaysZeroForWhatItWasNotTold(LedgerlineErp):
    spec: ClassVar[Spec] = replace(SPEC, skus_at_once=50)

    def read_stock(self, since: datetime | None, skus: Collection[str] = ()) -> Exchange[tuple[StockFigure, ...]]:
        told = {figure.sku: figure for figure in (yield from super().read_stock(since, skus))}
        return tuple(told.get(sku, StockFigure(sku, 0)) for sku in skus)


class ExplainsItsToken(LedgerlineErp):
    def explain(self, order: ErpOrder) -> tuple[Explained, ...]:
        return (Explained("authorization", "the setting token", "as it is", str(self.config["token"])),)


BREAKS: dict[str, type[LedgerlineErp]] = {
    "test_it_has_the_methods_that_its_spec_promises": PromisesShipments,
    "test_an_order_is_created_by_one_call_under_our_reference": SavesTwice,
    "test_what_was_created_is_found_and_what_was_not_is_not": FindsWhateverComes,
    "test_a_repeated_create_adopts_the_first_document": NumbersItsRepeats,
    "test_an_order_whose_answer_was_lost_is_there_once": LooksElsewhere,
    "test_what_cannot_be_told_is_refused_before_anything_is_changed": LeavesTheSkuOut,
    "test_an_unknown_sku_is_for_a_person_and_makes_no_document": TriesUnknownSkusAgain,
    "test_a_second_confirm_is_a_success": SecondConfirmFails,
    "test_a_second_cancel_is_a_success": SecondCancelFails,
    "test_stock_is_told_once_for_a_sku_and_never_invented": SaysZeroForWhatItWasNotTold,
    "test_an_explanation_names_source_and_rule_and_shows_no_secret": ExplainsItsToken,
}
"""The rule, and who breaks it; the rules that carriers share are broken by carriers."""


def case_of(erp: type[LedgerlineErp]) -> ErpCase:
    return replace(CASE, connector_class=erp)
