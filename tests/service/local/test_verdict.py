from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mappings.shops.ecshop.status import ShippingStatus
from sync.clock import utc_now
from sync.exceptions import OpenException
from sync.local.verdict import Evidence, Range, StockEvidence, judge
from sync.sandbox.shop import LedgerNote, LedgerOrder, LedgerStock

DELIVERED, OVERDUE, RETURNED = "2026112200001", "2026112200002", "2026112200003"
JOURNEYS = {DELIVERED: "normal", OVERDUE: "never_picked_up", RETURNED: "returned"}


def shop_order(order_sn: str, number: str, shipping: ShippingStatus) -> LedgerOrder:
    note = LedgerNote(1, "note", (number,), 2, "ecsync", ())
    shipped = (number,) if shipping is ShippingStatus.SHIPPED else ()
    return LedgerOrder(order_sn, order_sn, 5, int(shipping), 2, 0, shipped, (note,), (), {})


def open_exception(code: str, order_sn: str) -> OpenException:
    now = utc_now()
    return OpenException(1, code, "carrier.kdniao", order_sn, 1, "subject", "Somebody must look.", now, now, 1)


def evidence() -> Evidence:
    """Three orders that all came to their expected ends."""
    carrier = {f"{sn}-1": {"waybills": [f"SF{sn}"], "journey": kind} for sn, kind in JOURNEYS.items()}
    notices = [
        {"channel": "review", "title": f"订单 {DELIVERED} 已签收"},
        {"channel": "service", "title": f"物流异常：订单 {OVERDUE}"},
    ]
    return Evidence(
        orders=tuple(JOURNEYS),
        peers={
            "carrier": {"orders": carrier},
            "erp": {"orders": {sn: {"documents": [f"SO{sn}"]} for sn in JOURNEYS}},
            "notices": notices,
        },
        shop={
            sn: shop_order(sn, f"SF{sn}", ShippingStatus.SHIPPED_ING if sn == OVERDUE else ShippingStatus.SHIPPED)
            for sn in JOURNEYS
        },
        statuses={DELIVERED: "delivered", OVERDUE: "stale_pickup", RETURNED: "returned"},
        open_exceptions=[open_exception("stale_pickup", OVERDUE), open_exception("tracking.returned", RETURNED)],
        conservation=0,
        stale_count=1,
    )


def test_orders_at_their_expected_ends_raise_no_problem() -> None:
    verdict = judge(evidence())
    assert verdict.problems == ()
    assert verdict.numbers() == {
        "orders": 3,
        "by_status": {"delivered": 1, "returned": 1, "stale_pickup": 1},
        "lost": 0,
        "duplicates": 0,
        "waybills_per_order": {"min": 1, "max": 1},
        "erp_documents_per_order": {"min": 1, "max": 1},
        "notices": {"review": 1, "service": 1},
        "stale": 1,
        "unexpected_exceptions": 0,
        "conservation": 0,
        "stock": None,
    }


def test_a_second_waybill_is_a_duplicate_even_under_another_order_code() -> None:
    given = evidence()
    given.peers["carrier"]["orders"][f"{DELIVERED}-2"] = {"waybills": ["SF9"], "journey": "normal"}
    verdict = judge(given)
    assert (verdict.duplicates, verdict.waybills_per_order) == (1, Range(1, 2))
    assert any("SF9" in problem for problem in verdict.problems)


def test_a_second_erp_document_is_a_duplicate() -> None:
    given = evidence()
    given.peers["erp"]["orders"][DELIVERED]["documents"].append("SO9")
    verdict = judge(given)
    assert (verdict.duplicates, verdict.erp_documents_per_order) == (1, Range(1, 2))
    assert verdict.problems


def test_a_second_reminder_is_a_duplicate() -> None:
    given = evidence()
    given.peers["notices"].append(given.peers["notices"][0])
    verdict = judge(given)
    assert verdict.duplicates == 1
    assert verdict.problems


def drop_waybill(given: dict[str, Any]) -> None:
    given["carrier"]["orders"][f"{DELIVERED}-1"]["waybills"].clear()


def drop_document(given: dict[str, Any]) -> None:
    given["erp"]["orders"].pop(DELIVERED)


def drop_notices(given: dict[str, Any]) -> None:
    given["notices"].clear()


@pytest.mark.parametrize(
    ("drop", "lost", "sentence"),
    [
        (drop_waybill, 1, "the carrier has no waybill"),
        (drop_document, 1, "the ERP has no document"),
        (drop_notices, 2, "customer service was told 0 times"),
    ],
)
def test_what_a_peer_does_not_have_is_lost(drop: Any, lost: int, sentence: str) -> None:
    given = evidence()
    drop(given.peers)
    verdict = judge(given)
    assert verdict.lost == lost
    assert sentence in "\n".join(verdict.problems)


@pytest.mark.parametrize("order_sn", JOURNEYS)
def test_an_order_that_stopped_on_its_way_is_lost(order_sn: str) -> None:
    given = evidence()
    verdict = judge(replace(given, statuses={**given.statuses, order_sn: "in_transit"}))
    assert verdict.lost == 1
    assert any(order_sn in problem and "in_transit" in problem for problem in verdict.problems)


@pytest.mark.parametrize(
    ("order_sn", "shipping"), [(DELIVERED, ShippingStatus.SHIPPED_ING), (OVERDUE, ShippingStatus.SHIPPED)]
)
def test_a_shop_that_shows_the_wrong_thing_counts_as_lost(order_sn: str, shipping: ShippingStatus) -> None:
    given = evidence()
    shop = {**given.shop, order_sn: shop_order(order_sn, f"SF{order_sn}", shipping)}
    assert judge(replace(given, shop=shop)).lost == 1


def test_a_shop_that_carries_another_number_counts_as_lost() -> None:
    given = evidence()
    shop = {**given.shop, DELIVERED: shop_order(DELIVERED, "SF0", ShippingStatus.SHIPPED)}
    assert judge(replace(given, shop=shop)).lost == 1


@pytest.mark.parametrize(
    ("code", "order_sn"),
    [("kdniao.waybill.rejected", DELIVERED), ("stale_pickup", DELIVERED), ("callback.unreadable", "")],
)
def test_an_open_exception_nobody_expects_is_a_problem(code: str, order_sn: str) -> None:
    given = evidence()
    verdict = judge(replace(given, open_exceptions=[*given.open_exceptions, open_exception(code, order_sn)]))
    assert verdict.unexpected_exceptions == 1
    assert verdict.problems


def test_a_parcel_that_should_have_been_overdue_and_was_not_is_a_problem() -> None:
    assert judge(replace(evidence(), stale_count=2)).problems


def test_a_paid_order_that_is_nowhere_is_a_problem() -> None:
    verdict = judge(replace(evidence(), conservation=1))
    assert verdict.conservation == 1
    assert verdict.problems


@pytest.mark.parametrize(("shown", "wrong"), [(585, 0), (590, 1), (575, 1)])
def test_a_shop_whose_figure_does_not_follow_the_erp_is_a_problem(shown: int, wrong: int) -> None:
    """Of 600 in the ERP 10 were sent and 5 are kept back; neither a reservation nor a parcel counts twice."""
    shop = {"A": LedgerStock(shown, sent=10), "B": LedgerStock(595, sent=0)}
    stock = StockEvidence(shop, {"A": 588, "B": 600}, 600, 5, figures_set=2)
    verdict = judge(replace(evidence(), stock=stock))

    assert verdict.numbers()["stock"] == {
        "skus": 2,
        "wrong": wrong,
        "figures_set": 2,
        "moved_most": {"sku": "A", "erp_had": 600, "erp_has": 588, "shop_shows": shown},
    }
    assert [f"stock of A: the shop shows {shown}, it should be 585"] * wrong == list(verdict.problems)
