"""Cancelling in SAP: items are rejected one by one, or a person does it; what is being delivered is left alone."""

from __future__ import annotations

import pytest

from mappings.errors import PermanentError, TransientError, UncertainError
from mappings.model import ErpDocument
from mappings.wire import HttpReply
from tests.contract.erps.hands import PROXY_502, SN, failure, run, said
from tests.contract.erps.sap_odata.hands import (
    NOTHING_FOUND,
    STALE,
    an_item,
    an_order,
    asked,
    body_of,
    fresh_token,
    opened,
)

DOCUMENT = ErpDocument("100001", SN)
DONE = HttpReply(204)
OPEN = an_order([an_item("10"), an_item("20")])
HALF = an_order([an_item("10", "50"), an_item("20")])
REJECTED = an_order([an_item("10", "50"), an_item("20", "50")])


def test_without_a_reason_for_rejection_a_person_cancels_and_nothing_is_changed() -> None:
    error = failure(opened().cancel(DOCUMENT), OPEN)

    assert (type(error), error.code) == (PermanentError, "sap_odata.cancel.by_hand")
    assert "100001" in error.message
    assert "REJECTION_REASON" in error.message


def test_when_the_person_has_rejected_the_items_the_line_closes_at_its_retry() -> None:
    _, [read] = run(opened().cancel(DOCUMENT), REJECTED)

    assert (read.method, read.changes_peer) == ("GET", False)
    assert asked(read).path.endswith("/API_SALES_ORDER_SRV/A_SalesOrder('100001')")
    assert asked(read).options["$expand"] == "to_Item"


def test_with_a_reason_every_item_is_rejected_and_seen_to_be() -> None:
    _, calls = run(opened(rejection_reason="50").cancel(DOCUMENT), OPEN, DONE, HALF, DONE, REJECTED)
    changes = [call for call in calls if call.method == "PATCH"]

    assert [asked(call).path.rpartition("/")[2] for call in changes] == [
        "A_SalesOrderItem(SalesOrder='100001',SalesOrderItem='10')",
        "A_SalesOrderItem(SalesOrder='100001',SalesOrderItem='20')",
    ]
    assert [body_of(call) for call in changes] == [{"SalesDocumentRjcnReason": "50"}] * 2
    assert all(call.headers["x-csrf-token"] and call.changes_peer for call in changes)
    assert asked(changes[0]).options == {"sap-client": "100"}


def test_a_cancel_that_broke_off_goes_on_where_it_was() -> None:
    connector = opened(rejection_reason="50")
    lost = failure(connector.cancel(DOCUMENT), HALF, PROXY_502)
    _, calls = run(connector.cancel(DOCUMENT), HALF, DONE, REJECTED)

    assert isinstance(lost, UncertainError)
    assert [call.method for call in calls] == ["GET", "PATCH", "GET"]


@pytest.mark.parametrize(("meta", "match"), [({"etag": 'W/"7"'}, 'W/"7"'), ({}, "*"), (None, "*")])
def test_an_item_is_changed_as_it_was_read(meta: dict[str, str] | None, match: str) -> None:
    item = an_item("10", __metadata=meta)
    _, calls = run(
        opened(rejection_reason="50").cancel(DOCUMENT), an_order([item]), DONE, an_order([an_item("10", "50")])
    )

    assert calls[1].headers["If-Match"] == match


@pytest.mark.parametrize("status", [412, 428])
def test_an_item_that_somebody_changed_meanwhile_is_read_again_later(status: int) -> None:
    error = failure(opened(rejection_reason="50").cancel(DOCUMENT), OPEN, HttpReply(status))

    assert (type(error), error.code) == (TransientError, "sap_odata.cancel.changed_meanwhile")


def test_a_rejection_that_does_not_show_is_no_endless_loop() -> None:
    error = failure(opened(rejection_reason="50").cancel(DOCUMENT), OPEN, DONE, OPEN)

    assert (type(error), error.code) == (TransientError, "sap_odata.cancel.not_rejected")


@pytest.mark.parametrize(
    "reply",
    [
        an_order([an_item("10")], OverallDeliveryStatus="B"),
        an_order([an_item("10")], OverallDeliveryStatus="C"),
        an_order([an_item("10", DeliveryStatus="B")]),
        an_order([an_item("10", "50"), an_item("20", DeliveryStatus="C")]),
    ],
)
@pytest.mark.parametrize("reason", ["", "50"])
def test_what_is_being_delivered_is_not_cancelled(reply: HttpReply, reason: str) -> None:
    error = failure(opened(rejection_reason=reason).cancel(DOCUMENT), reply)

    assert (type(error), error.code) == (PermanentError, "sap_odata.cancel.too_late")


def test_an_order_without_items_is_never_taken_for_cancelled() -> None:
    assert failure(opened(rejection_reason="50").cancel(DOCUMENT), an_order([])).code == "sap_odata.cancel.by_hand"


def test_an_answer_that_shows_no_items_is_never_taken_for_a_cancelled_order() -> None:
    reply = said({"d": {"SalesOrder": "100001", "to_Item": {"__deferred": {"uri": "x"}}}})

    assert type(failure(opened(rejection_reason="50").cancel(DOCUMENT), reply)) is TransientError


def test_without_a_number_the_order_is_looked_up_first() -> None:
    found = said({"d": {"results": [{"SalesOrder": "100001", "PurchaseOrderByCustomer": SN}]}})
    _, calls = run(opened().cancel(ErpDocument("", SN)), found, REJECTED)

    assert [call.operation for call in calls] == ["find_order", "read_order"]


def test_an_order_that_is_not_there_cannot_be_cancelled() -> None:
    error = failure(opened().cancel(ErpDocument("", SN)), NOTHING_FOUND)

    assert (type(error), error.code) == (PermanentError, "sap_odata.cancel.not_found")


def test_a_stale_token_is_fetched_anew_for_a_cancel_too() -> None:
    _, calls = run(opened(rejection_reason="50").cancel(DOCUMENT), HALF, STALE, fresh_token(), DONE, REJECTED)

    assert [call.operation for call in calls] == [
        "read_order",
        "cancel_order",
        "fetch_token",
        "cancel_order",
        "read_order",
    ]
