"""Materials that are asked for before an order is sent: a SKU that SAP does not know never leaves."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError
from mappings.wire import HttpReply
from tests.contract.erps.hands import PROXY_200, PROXY_502, erp_order, failure, run, said
from tests.contract.erps.sap_odata.hands import NOTHING_FOUND, asked, opened, refusal, replied
from tests.contract.erps.sealed import goods

SERVICE = "/sap/opu/odata/sap/API_PRODUCT_SRV"


def told(*products: str) -> HttpReply:
    return said({"d": {"results": [{"Product": product} for product in products]}})


def checking(**settings: str) -> Any:
    return opened(product_path=SERVICE, **settings)


def two_materials() -> Any:
    return erp_order(goods("1", "tea", 100), goods("2", "O'Neil", 100), goods("3", "TEA", 100), total_fen=300)


def test_every_material_is_asked_for_once_in_our_sales_area_and_then_the_order_is_sent() -> None:
    document, [check, create] = run(checking().create(two_materials()), told("TEA", "o'neil"), replied("create"))

    assert (check.operation, check.method, check.changes_peer) == ("check_skus", "GET", False)
    assert asked(check).path == f"{SERVICE}/A_ProductSalesDelivery"
    assert asked(check).options == {
        "sap-client": "100",
        "$filter": "(Product eq 'O''NEIL' or Product eq 'TEA') and ProductSalesOrg eq '1010' and "
        "ProductDistributionChnl eq '10'",
        "$select": "Product",
    }
    assert (create.operation, document.erp_no) == ("create_order", "100001")


@pytest.mark.parametrize("reply", [told("TEA"), NOTHING_FOUND])
def test_a_material_that_is_not_there_stops_the_order_before_it_leaves(reply: HttpReply) -> None:
    error = failure(checking().create(two_materials()), reply)

    assert (type(error), error.code) == (PermanentError, "sap_odata.order.sku_unknown")
    assert "O'NEIL" in error.message


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (PROXY_200, TransientError),
        (PROXY_502, TransientError),
        (HttpReply(503), TransientError),
        (HttpReply(401), AuthError),
        (said({"d": {}}), TransientError),
        (refusal("/IWFND/MED/170", "No service found", status=404), PermanentError),
    ],
)
def test_a_question_that_is_not_answered_is_never_uncertain_for_nothing_was_sent(
    reply: HttpReply, kind: type[PeerError]
) -> None:
    assert type(failure(checking().create(two_materials()), reply)) is kind


def test_many_materials_are_asked_for_in_several_questions() -> None:
    lines = [goods(str(number), f"M{number:02}", 100) for number in range(45)]
    products = [line.sku for line in lines]
    _, calls = run(
        checking().create(erp_order(*lines, total_fen=4500)),
        told(*products[:40]),
        told(*products[40:]),
        replied("create"),
    )

    assert [call.operation for call in calls] == ["check_skus", "check_skus", "create_order"]


def test_without_a_path_nobody_is_asked() -> None:
    _, [create] = run(opened().create(two_materials()), replied("create"))

    assert create.operation == "create_order"
