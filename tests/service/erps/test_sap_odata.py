"""The pipeline with SAP as its only ERP: its sandbox enforces SAP's shapes, and takes an order twice in silence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mappings.errors import AuthError, PermanentError
from mappings.model import ErpDocument, ErpOrder
from sync.clock import utc_now
from sync.db.orders import read_order
from sync.db.stock import read_levels
from sync.sandbox.erp_tokens import TokenOffice
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.ledger import Ledger
from sync.sandbox.sap import PRODUCTS, SandboxSap
from sync.services.explain_order import explain_order
from sync.services.poll_shop import poll_shop
from sync.services.run_steps import run_steps
from sync.services.sync_stock import sync_stock
from tests.service.erps.erp_house import LOST_ANSWERS, ErpHouse, open_erp_house
from tests.service.house import SHOP
from tests.service.stock.hands import configure_shop, less, plain_order, serve_only, take_at_order

PASSWORD = "sandbox-sap-password"
SECRET = "sandbox-client-secret"
OAUTH: dict[str, str | None] = {
    "AUTH": "oauth",
    "TOKEN_URL": "{url}/oauth/token",
    "CLIENT_ID": "ecsync",
    "CLIENT_SECRET": SECRET,
    "USERNAME": None,
    "PASSWORD": None,
}
SETTINGS: dict[str, str | None] = {
    "BASE_URL": "{url}",
    "SAP_CLIENT": "100",
    "USERNAME": "ecsync",
    "PASSWORD": PASSWORD,
    "SALES_ORGANIZATION": "1010",
    "DISTRIBUTION_CHANNEL": "10",
    "DIVISION": "00",
    "SOLD_TO": "10100001",
    "SHIP_TO": "10100001",
    "PLANT": "1010",
    "DISCOUNT_CONDITION": "HB00",
    "FEE_CONDITION": "HZ00",
    "NOTE_TEXT_ID": "TX01",
    "ADDRESS_TEXT_ID": "TX02",
    "READ_TIMEOUT_S": "2",
}

Sap = ErpHouse[SandboxSap]
OpenSap = Callable[..., AbstractContextManager[Sap]]


@pytest.fixture
def open_sap(tmp_path: Path) -> OpenSap:
    """Opens a house with SAP in it; what it is given are other settings of the connector."""

    def open_it(**settings: str | None) -> AbstractContextManager[Sap]:
        office = TokenOffice("ecsync", SECRET)
        peer = SandboxSap(Ledger(), FaultInjector(5), password=PASSWORD, tokens=office)
        return open_erp_house(tmp_path, "sap_odata", peer, {**SETTINGS, **settings})

    return open_it


@pytest.fixture
def sap(open_sap: OpenSap) -> Iterator[Sap]:
    with open_sap() as opened:
        yield opened


@pytest.fixture
def rejecting_sap(open_sap: OpenSap) -> Iterator[Sap]:
    """One whose orders are cancelled without a person."""
    with open_sap(REJECTION_REASON="50") as opened:
        yield opened


# --- orders


def test_each_paid_order_is_one_sales_order_under_the_shop_s_number(sap: Sap) -> None:
    placed = sap.push(12)

    assert {order_sn: numbers for order_sn, numbers in sap.documents().items() if len(numbers) != 1} == {}
    for order_sn in placed:
        document = sap.peer.document(order_sn)
        assert document.number == sap.house.order(order_sn).erp_no
        assert document.header["SoldToParty"] == "10100001"
    assert sap.desk() == []


def test_prices_freight_discount_and_fees_make_the_order_s_total(sap: Sap) -> None:
    sap.push(12)
    for body in sent_orders(sap):
        goods = sum(
            fen(item["to_PricingElement"][0]["ConditionRateValue"]) * int(item["RequestedQuantity"])
            for item in body["to_Item"]
        )
        beside = sum(fen(row["ConditionRateValue"]) for row in body.get("to_PricingElement", ()))
        assert goods + beside == sap.house.order(body["PurchaseOrderByCustomer"]).total_fen


def fen(text: str) -> int:
    return round(float(text) * 100)


def sent_orders(sap: Sap) -> list[Any]:
    """What SAP was told of each order; records are cut and masked, so the connector is asked once more."""
    found = []
    for row in sap.house.orders():
        with sap.house.rt.database.reading() as session:
            order = read_order(session, row)
        exchange = sap.connector.create(ErpOrder(order, row.external_ref, "key", "20261121"))
        found.append(json.loads(next(exchange).body))
        exchange.close()
    return found


def test_one_session_serves_all_orders_and_each_costs_two_calls(sap: Sap) -> None:
    sap.push(4)

    assert len(sap.peer._sessions) == 1
    assert sorted(sap.asked()) == ["create_order"] * 4 + ["find_order"] * 4


def test_when_sap_has_forgotten_the_session_no_order_is_lost_or_doubled(sap: Sap) -> None:
    sap.push(1)
    placed = sap.house.seed(2, seed=8)
    sap.peer.forget_sessions()
    sap.house.poll()
    sap.house.settle()

    assert [len(sap.documents()[order_sn]) for order_sn in placed] == [1, 1]
    assert sap.desk() == []


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_lost_answer_ends_with_exactly_one_sales_order(sap: Sap, fault: str) -> None:
    sap.peer.injector.configure(Faults.read({fault: 1.0, "only": ["create_order"], "hang_s": 4.0}))
    placed = sap.push(2)

    assert {order_sn: len(numbers) for order_sn, numbers in sap.documents().items()} == dict.fromkeys(placed, 1)
    for order_sn in placed:
        assert sap.house.order(order_sn).erp_no == sap.documents()[order_sn][0]
    assert sap.desk() == []


@pytest.mark.parametrize("fault", ["reset_before", "server_error", "too_many", "reset_after", "html_502", "half_json"])
def test_whatever_goes_wrong_with_any_call_each_order_is_there_once(sap: Sap, fault: str) -> None:
    sap.peer.injector.configure(Faults.read({fault: 0.5}))
    placed = sap.push(6)

    assert {order_sn: len(numbers) for order_sn, numbers in sap.documents().items()} == dict.fromkeys(placed, 1)


def test_after_a_lost_answer_the_next_look_waits_until_sap_is_done(sap: Sap) -> None:
    """A create that timed out may be committed after our look: SAP goes on although nobody waits for it any more."""
    sap.peer.injector.configure(Faults(html_502=1.0, only=("create_order",)))
    [order_sn] = sap.house.seed()
    sap.house.poll()

    not_before = sap.house.step("push_order", order_sn).not_before
    assert not_before - utc_now() > timedelta(seconds=50)


def test_workers_that_meet_at_one_order_look_and_create_once(sap: Sap) -> None:
    """SAP would take the second one, too: the order's lease is what keeps them apart."""
    sap.peer.injector.configure(Faults(latency_ms=150))
    [order_sn] = sap.house.seed()
    poll_shop(sap.house.rt, SHOP)
    order_id = sap.house.order(order_sn).id
    with ThreadPoolExecutor(4) as workers:
        for told in [workers.submit(run_steps, sap.house.rt, order_id, sap.key) for _ in range(4)]:
            told.result()

    assert sap.asked() == ["find_order", "create_order"]
    assert len(sap.documents()[order_sn]) == 1


def test_what_sap_warns_of_is_kept_with_the_step_and_needs_nobody(sap: Sap) -> None:
    sap.peer.remark = "Delivery date moved to the next working day"
    [order_sn] = sap.push()
    step = sap.house.step("push_order", order_sn)

    assert (step.state, step.last_message) == ("done", "V4/115 Delivery date moved to the next working day")
    assert sap.desk() == []


def test_a_push_that_is_repeated_by_hand_finds_what_is_there(sap: Sap) -> None:
    [order_sn] = sap.push()
    step = sap.house.step("push_order", order_sn)
    with sap.house.rt.database.writing() as session:
        again = session.get_one(type(step), step.id)
        again.state, again.finished_at = "owed", None
    sap.house.settle()

    assert len(sap.documents()[order_sn]) == 1


def test_a_material_that_sap_does_not_know_waits_for_a_person_in_sap_s_words(sap: Sap) -> None:
    sap.peer.unknown_skus = frozenset(line.sku for line in sap.house.rt.shops[SHOP].read_stock())
    [order_sn] = sap.push()

    assert sap.desk() == ["sap_odata.order.material_unknown"]
    assert "is not defined for sales org" in sap.house.step("push_order", order_sn).last_message


def test_a_wrong_password_holds_the_orders_and_parks_none(open_sap: OpenSap) -> None:
    with open_sap(PASSWORD="another") as sap:
        [order_sn] = sap.push()

        assert sap.house.step("push_order", order_sn).state == "owed"
        assert sap.desk() == ["erp.sap_odata.refused"]


def test_no_record_shows_password_token_session_name_or_phone(sap: Sap) -> None:
    [order_sn] = sap.push()
    kept = "\n".join(row.request + row.reply for row in sap.attempts())
    (session_id,), (token,) = sap.peer._sessions.keys(), sap.peer._sessions.values()
    who = sap.house.order(order_sn).header["consignee"]

    assert "PurchaseOrderByCustomer" in kept
    for word in (PASSWORD, token, session_id, who["name"], who["phone"], who["address"]["street"]):
        assert word not in kept


def test_materials_are_asked_for_first_where_the_product_service_is_open(open_sap: OpenSap) -> None:
    with open_sap(PRODUCT_PATH=PRODUCTS) as sap:
        [first] = sap.push()
        sap.peer.unknown_skus = frozenset(line.sku for line in sap.house.rt.shops[SHOP].read_stock())
        [second] = sap.push(seed=8)

        assert list(sap.documents()) == [first]
        assert sap.desk() == ["sap_odata.order.sku_unknown"]
        assert sap.asked().count("create_order") == 1, "the second was never sent"
        assert sap.house.step("push_order", second).state == "parked"


def test_by_oauth_one_bearer_serves_all_orders_and_another_follows_when_it_is_taken_away(open_sap: OpenSap) -> None:
    with open_sap(**OAUTH) as sap:
        first = sap.push(2)
        sap.peer.tokens.revoke_all()
        second = sap.push(2, seed=8)
        kept = "".join(row.request + row.reply for row in sap.attempts())

        assert {order_sn: len(numbers) for order_sn, numbers in sap.documents().items()} == dict.fromkeys(
            (*first, *second), 1
        )
        assert sap.asked().count("fetch_bearer") == 2
        assert "sandbox-access-" not in kept
        assert SECRET not in kept


def test_a_client_that_sap_does_not_know_holds_the_orders_and_parks_none(open_sap: OpenSap) -> None:
    with open_sap(**OAUTH) as sap:
        sap.peer.tokens.client_secret = "another"
        [order_sn] = sap.push()

        assert sap.house.step("push_order", order_sn).state == "owed"
        assert sap.desk() == ["erp.sap_odata.refused"]


def test_what_would_be_sent_can_be_seen_without_the_consignee(sap: Sap) -> None:
    [order_sn] = sap.push()
    row = sap.house.order(order_sn)
    who = row.header["consignee"]
    fields = {field.target: field for field in explain_order(sap.house.rt, row, sap.key).fields}
    shown = "\n".join(f"{field.source} {field.rule} {field.value}" for field in fields.values())
    [address] = [field for field in fields.values() if field.source == "name, phone and address of the consignee"]

    assert fields["PurchaseOrderByCustomer"].value == order_sn
    assert "*" in address.value
    for private in (who["name"], who["phone"], who["address"]["street"], PASSWORD):
        assert private not in shown


# --- cancels


def test_a_withdrawn_order_is_cancelled_by_a_person_unless_a_reason_is_set(sap: Sap) -> None:
    [order_sn] = sap.push()
    sap.house.cancel(order_sn)
    sap.house.poll()
    sap.house.settle()

    assert "sap_odata.cancel.by_hand" in sap.desk()
    assert not sap.is_cancelled(order_sn)


@pytest.mark.parametrize("fault", ["", *LOST_ANSWERS])
def test_with_a_reason_all_items_are_rejected_whatever_gets_lost(rejecting_sap: Sap, fault: str) -> None:
    sap = rejecting_sap
    [order_sn] = sap.push()
    if fault:
        sap.peer.injector.configure(Faults.read({fault: 1.0, "only": ["cancel_order"], "hang_s": 4.0}))
    sap.house.cancel(order_sn)
    sap.house.poll()
    sap.house.settle()

    assert sap.is_cancelled(order_sn)
    assert {item["SalesDocumentRjcnReason"] for item in sap.peer.document(order_sn).items} == {"50"}
    assert not any(code.startswith("sap_odata") for code in sap.desk())


def test_a_delivered_order_is_not_cancelled(rejecting_sap: Sap) -> None:
    sap = rejecting_sap
    [order_sn] = sap.push()
    sap.peer.deliver(order_sn)
    with pytest.raises(PermanentError) as caught:
        sap.ask(sap.connector.cancel(ErpDocument("", order_sn)))

    assert caught.value.code == "sap_odata.cancel.too_late"
    assert not sap.is_cancelled(order_sn)


# --- stock


def test_stock_is_read_page_by_page_and_only_what_is_free_counts(sap: Sap) -> None:
    sap.peer.shelves.page_size = 3
    for number in range(10):
        sap.peer.shelves.put(f"M-{number}", number)
    sap.peer.shelves.put("M-3", "0.5", location="101B")
    sap.peer.shelves.put("M-4", 100, kind="07")
    sap.peer.shelves.put("M-5", 100, special="E")
    sap.peer.shelves.put("M-6", 100, plant="1020")

    told = sap.ask(sap.connector.read_stock(None))
    some = sap.ask(sap.connector.read_stock(None, ["m-3", "M-6", "absent"]))

    assert {figure.sku: figure.available for figure in told} == {f"M-{number}": number for number in range(10)}
    assert {figure.sku: figure.available for figure in some} == {"m-3": 3, "M-6": 6}


def test_an_open_order_does_not_change_what_lies_there(sap: Sap) -> None:
    sap.peer.shelves.put("SBX-TEA-100", 50)
    sap.push(4)
    [figure] = sap.ask(sap.connector.read_stock(None))

    assert figure.available == 50


def stock_up(sap: Sap) -> dict[str, int]:
    """SAP has on its shelves what the shop shows."""
    shown = {line.sku: line.number for line in sap.house.rt.shops[SHOP].read_stock()}
    for sku, number in shown.items():
        sap.peer.shelves.put(sku, number)
    return shown


def test_what_is_ordered_and_still_lies_there_is_counted_once(sap: Sap) -> None:
    before = stock_up(sap)
    order_sn, wanted = plain_order(sap.house)
    poll_shop(sap.house.rt, SHOP)
    serve_only(sap.house, sap.key)

    run = sync_stock(sap.house.rt, SHOP)
    with sap.house.rt.database.reading() as session:
        kept = {sku: level.available for sku, level in read_levels(session, "main").items()}

    assert sap.documents()[order_sn]
    assert kept == less(before, wanted), "SAP still has it on its shelves, so ecsync subtracts it"
    assert run.plan.changes == (), "this shop takes stock at shipping: what is ordered is still in its figure"


def test_a_shop_that_takes_stock_at_order_shows_what_lies_there_less_what_is_ordered(sap: Sap) -> None:
    configure_shop(sap.house, stock_dec_time="1")
    before = stock_up(sap)
    _, wanted = plain_order(sap.house)
    take_at_order(sap.house, wanted)
    assert sync_stock(sap.house.rt, SHOP).plan.changes == (), "SAP does not know the order"

    poll_shop(sap.house.rt, SHOP)
    serve_only(sap.house, sap.key)
    assert sync_stock(sap.house.rt, SHOP).plan.changes == (), "SAP knows it, and its figure is the same as before"
    assert {line.sku: line.number for line in sap.house.rt.shops[SHOP].read_stock()} == less(before, wanted)


def test_after_courier_and_goods_issue_both_sides_show_the_same(tmp_path: Path) -> None:
    peer = SandboxSap(Ledger(), FaultInjector(5), password=PASSWORD)
    with open_erp_house(tmp_path, "sap_odata", peer, SETTINGS, ECSYNC_SHIP_ON="waybill") as sap:
        house = sap.house
        before = stock_up(sap)
        order_sn, wanted = plain_order(house)
        house.poll()
        house.settle()
        sap.peer.deliver(order_sn)

        assert sync_stock(house.rt, SHOP).plan.changes == ()
        assert {line.sku: line.number for line in house.rt.shops[SHOP].read_stock()} == less(before, wanted)


def test_a_session_without_its_credentials_opens_nothing(sap: Sap) -> None:
    sap.push()
    sap.peer.password = "changed-there"

    with pytest.raises(AuthError):
        sap.ask(sap.connector.find("1"))
