"""Materials that are asked for before an order goes to PI, which would take them all and fail later in SAP."""

from __future__ import annotations

import pytest

from mappings.errors import AuthError, PeerError, PermanentError, TransientError
from mappings.wire import HttpReply
from tests.contract.erps.sap_pi.cases import (
    HTTP,
    PROXY_200,
    PROXY_502,
    TAKEN,
    erp,
    erp_order,
    failure,
    fault,
    line,
    run,
)

ASKING = {**HTTP, "sku_url": "https://pi.example.com:50001/RESTAdapter/material/{sku}"}
KNOWN = HttpReply(200, body=b'{"material": "ECS000000"}')


def test_each_material_is_asked_for_once_before_the_order_is_sent() -> None:
    order = erp_order(line(), line(shop_line_id="8"), line(shop_line_id="9", sku="A/1"), total_fen=3 * 277600)
    replies = KNOWN, HttpReply(200, body=b"<MATERIAL><MATNR>A/1</MATNR></MATERIAL>"), TAKEN
    _, calls = run(erp(ASKING).create(order), *replies)

    assert [call.operation for call in calls] == ["check_skus", "check_skus", "create_order"]
    assert [call.url.rpartition("/material/")[2] for call in calls[:2]] == ["ECS000000", "A%2F1"]
    assert (calls[0].method, calls[0].changes_peer) == ("GET", False)
    assert "s3cret-word" in calls[0].secrets


@pytest.mark.parametrize(
    "reply",
    [HttpReply(404), HttpReply(204), HttpReply(410), HttpReply(200)]
    + [HttpReply(200, body=body) for body in (b"[]", b"{}", b"null", b"<MATERIAL/>")],
)
def test_an_unknown_material_stops_the_order_before_it_leaves(reply: HttpReply) -> None:
    problem = failure(erp(ASKING).create(erp_order()), reply)

    assert (type(problem), problem.code) == (PermanentError, "sap_pi.order.sku_unknown")
    assert "ECS000000" in problem.message


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (PROXY_200, TransientError, "garbled"),
        (HttpReply(200, body=b"<html><body>login</body></html>"), TransientError, "garbled"),
        (HttpReply(200, body=b"<MATERIAL>"), TransientError, "garbled"),
        (PROXY_502, TransientError, "server_error"),
        (HttpReply(404, body=b"<html>no such channel</html>"), PermanentError, "refused"),
        (HttpReply(401), AuthError, "auth"),
        (fault("ADAPTER.JAVA_EXCEPTION", "busy"), TransientError, "system_error"),
    ],
)
def test_a_question_that_is_not_answered_is_never_uncertain(
    reply: HttpReply, error: type[PeerError], code: str
) -> None:
    problem = failure(erp(ASKING).create(erp_order()), reply)

    assert (type(problem), problem.code) == (error, f"sap_pi.sku.{code}")


def test_an_order_that_would_be_refused_here_costs_no_question() -> None:
    assert failure(erp(ASKING).create(erp_order(line(sku=" ")))).code == "sap_pi.order.sku_missing"


def test_an_address_without_a_place_for_the_sku_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="sku"):
        erp(HTTP, sku_url="https://pi.example.com/material")
