"""Calls recorded on a running Tryton 8.0.12: we spell as it understood, and understand what it said."""

from __future__ import annotations

import json

import pytest

from mappings.erps.tryton.protocol import RestDoor
from mappings.errors import AuthError, PermanentError
from mappings.model import ErpDocument
from tests.contract.erps.hands import SN, erp_order, failure, run, said
from tests.contract.erps.tryton.talk import KEY, MASTERS, RECORDED, SHOP, asked, recorded, tryton

DOOR = RestDoor("https://tryton.example.com/erp/rest/model", KEY)


@pytest.mark.parametrize(
    ("name", "model", "domain"),
    [
        ("a product", "product.product", [["code", "=", "ECS000000"]]),
        ("no sale yet", "sale.sale", [["web_shop", "=", 1], ["web_id", "=", "2026112100001"]]),
        ("stock", "product.product", [["code", "like", "ECS%"]]),
    ],
)
def test_a_domain_is_written_as_tryton_took_it(name: str, model: str, domain: list[object]) -> None:
    call = DOOR.search("find_order", model, domain, ("code",))

    assert call.url.partition("?")[0].endswith(RECORDED[name]["path"])
    assert asked(call, "d") == [RECORDED[name]["d"]]
    assert call.changes_peer is False


def test_a_context_is_written_as_tryton_took_it() -> None:
    day = {"__class__": "date", "year": 2026, "month": 11, "day": 21}
    call = DOOR.search("read_stock", "product.product", [], (), context={"locations": [3], "stock_date_end": day})

    assert call.headers["X-Tryton-Context"] == RECORDED["stock"]["x_tryton_context"]


def test_a_sale_is_sent_as_tryton_took_it_and_read_as_a_draft_without_number() -> None:
    document, calls = run(tryton().create(erp_order()), *MASTERS, recorded("a sale is made"))

    assert document == ErpDocument("", SN) or (document.erp_no, document.adopted) == ("", False)
    assert calls[-1].url.partition("?")[0].endswith(RECORDED["a sale is made"]["path"])
    assert json.loads(calls[-1].body) == RECORDED["a sale is made"]["body"]
    assert calls[-1].changes_peer is True


def test_a_second_sale_is_refused_by_tryton_and_the_first_one_adopted() -> None:
    document, calls = run(
        tryton().create(erp_order()), *MASTERS, recorded("the same web_id again"), recorded("the sale, found")
    )

    assert (document.erp_no, document.external_ref, document.adopted) == ("", SN, True)
    assert [call.operation for call in calls[-2:]] == ["create_order", "find_order"]


def test_no_sale_is_none() -> None:
    assert run(tryton().find(SN), recorded("no sale yet"))[0] is None


def test_a_sale_is_quoted_and_confirmed_and_gets_its_number() -> None:
    found, _ = run(tryton().find(SN), recorded("the sale, found"))
    assert found is not None

    document, calls = run(tryton().confirm(found), recorded("quoted"), recorded("confirmed"))

    assert document.erp_no == "1"
    paths = [call.url.partition("?")[0] for call in calls]
    assert [path.removeprefix("https://tryton.example.com") for path in paths] == [
        RECORDED["quoted"]["path"],
        RECORDED["confirmed"]["path"],
    ]
    assert [call.body for call in calls] == [b"{}", b"{}"]


def test_a_button_that_is_not_ours_is_refused_in_tryton_s_words() -> None:
    found, _ = run(tryton().find(SN), recorded("the sale, found"))
    assert found is not None

    error = failure(tryton().confirm(found), recorded("a button that is not ours"))

    assert isinstance(error, PermanentError)
    assert error.code == "tryton.confirm.rejected"
    assert "is not allowed" in error.peer_text


def test_a_wrong_key_is_refused_with_a_page_and_pauses_the_erp() -> None:
    error = failure(tryton().find(SN), recorded("a wrong key"))

    assert isinstance(error, AuthError)
    assert KEY not in str(error)


def test_what_is_open_is_subtracted_and_comes_to_tryton_s_own_forecast() -> None:
    moves = said([{"id": 9, "product": 1, "internal_quantity": 2.0}])
    figures, calls = run(tryton().read_stock(None), said([SHOP]), moves, recorded("stock"))

    forecast = {row["code"]: row["forecast_quantity"] for row in RECORDED["stock"]["reply"]["body"]}
    assert {figure.sku: figure.available for figure in figures} == forecast
    assert {figure.warehouse for figure in figures} == {"Warehouse"}
    assert not any(call.changes_peer for call in calls)
