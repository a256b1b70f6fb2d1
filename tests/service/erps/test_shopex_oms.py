"""The pipeline with an OMS as its only ERP: its sandbox heeds signatures, knows repeats and says yes too easily."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mappings.errors import AuthError, PermanentError, TransientError
from mappings.model import ErpShipment, Order, StockFigure
from mappings.wire import Exchange, HttpCall, HttpReply, Stamp
from sync.clock import utc_now
from sync.db.steps import Wake
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.ledger import Ledger
from sync.sandbox.shopex_oms import SandboxShopexOms
from tests.service.erps.erp_house import LOST_ANSWERS, ErpHouse, open_erp_house

SETTINGS: dict[str, str | None] = {
    "BASE_URL": "{url}",
    "NODE_ID": "2000000001",
    "TOKEN": "sandbox-oms-token",
    "SHOP_BN": "ecshop01",
    "FLAG": "ecsync",
    "KEY": "sandbox-oms-key",
    "READ_TIMEOUT_S": "2",
}

Oms = ErpHouse[SandboxShopexOms]
OpenOms = Callable[..., AbstractContextManager[Oms]]


@pytest.fixture
def open_oms(tmp_path: Path) -> OpenOms:
    """Opens a house with an OMS in it; what it is given are other settings of the connector."""

    def open_it(**settings: str | None) -> AbstractContextManager[Oms]:
        peer = SandboxShopexOms(Ledger(), FaultInjector(5), token="sandbox-oms-token", key="sandbox-oms-key")
        return open_erp_house(tmp_path, "shopex_oms", peer, {**SETTINGS, **settings})

    return open_it


@pytest.fixture
def oms(open_oms: OpenOms) -> Iterator[Oms]:
    with open_oms() as opened:
        yield opened


def test_each_paid_order_is_one_document_with_the_omss_own_number(oms: Oms) -> None:
    placed = oms.house.seed(3)
    oms.house.poll()
    oms.house.settle()

    documents = oms.documents()
    assert set(documents) == set(placed)
    for order_sn in placed:
        assert documents[order_sn] == [oms.house.order(order_sn).erp_no]
    assert oms.desk() == []


def test_what_is_pushed_again_is_no_second_document(oms: Oms) -> None:
    [order_sn] = oms.house.seed()
    oms.house.poll()
    step = oms.house.step("push_order", order_sn)
    with oms.house.rt.database.writing() as session:
        again = session.get_one(type(step), step.id)
        again.state, again.finished_at = "owed", None
    oms.house.settle()

    assert len(oms.documents()[order_sn]) == 1
    assert oms.peer.ledger.snapshot()["erp"]["orders"][order_sn]["adopted"] == 1


@pytest.mark.parametrize("kind", LOST_ANSWERS)
def test_a_lost_answer_ends_with_one_document(oms: Oms, kind: str) -> None:
    oms.peer.injector.configure(Faults.read({kind: 1.0, "only": ["create_order"], "hang_s": 3.0}))
    placed = oms.house.seed(2)
    oms.house.poll()
    oms.house.settle()

    documents = oms.documents()
    assert {order_sn: len(held) for order_sn, held in documents.items()} == dict.fromkeys(placed, 1)
    assert [oms.house.order(order_sn).erp_no for order_sn in placed] == [documents[sn][0] for sn in placed]
    assert oms.desk() == []


def test_answers_of_every_call_lost_at_random_end_with_one_document_each(oms: Oms) -> None:
    shares = dict.fromkeys(("reset_before", "server_error", "too_many", "reset_after", "html_502", "half_json"), 0.08)
    oms.peer.injector.configure(Faults.read({**shares, "retry_after_s": 0}))
    placed = oms.house.seed(12)
    oms.house.poll()
    for _ in range(3):
        oms.house.open_doors()
        oms.house.settle()

    assert {order_sn: len(held) for order_sn, held in oms.documents().items()} == dict.fromkeys(placed, 1)
    assert oms.desk() == []


def test_an_unknown_sku_parks_the_order_before_anything_is_sent(oms: Oms) -> None:
    [order_sn] = oms.house.seed()
    sku = _first_sku(oms, order_sn)
    oms.peer.unknown_skus = frozenset({sku})
    oms.house.poll()
    oms.house.settle()

    assert oms.desk() == ["shopex_oms.order.sku_unknown"]
    assert oms.documents() == {}
    assert sku in (oms.house.step("push_order", order_sn).last_message or "")


def test_an_order_that_the_oms_takes_in_silence_is_found_among_its_failed_ones(open_oms: OpenOms) -> None:
    with open_oms(CHECK_SKUS="0") as oms:
        [order_sn] = oms.house.seed()
        oms.peer.unknown_skus = frozenset({_first_sku(oms, order_sn)})
        oms.house.poll()
        oms.house.settle()

        assert oms.documents()[order_sn] == ["1"]
        assert oms.desk() == ["shopex_oms.order.failed"]


def test_a_crash_there_is_waited_out_longer_than_its_lock(oms: Oms) -> None:
    oms.peer.lock_s = 3600
    [order_sn] = oms.house.seed()
    oms.peer.crash_on(order_sn)
    oms.house.poll()
    assert oms.house.step("push_order", order_sn).last_code == "shopex_oms.order.crashed"

    oms.house.forget_messages()
    oms.house.serve([_wake(oms, order_sn)])
    step = oms.house.step("push_order", order_sn)
    assert step.last_code == "shopex_oms.order.busy"
    assert step.not_before is not None
    assert step.not_before - utc_now() > timedelta(seconds=55)

    oms.peer.unlock(order_sn)
    oms.house.settle()
    assert len(oms.documents()[order_sn]) == 1
    assert oms.desk() == []


def test_an_order_that_only_went_into_its_queue_is_numbered_later(oms: Oms) -> None:
    oms.peer.queues = True
    [order_sn] = oms.house.seed()
    oms.house.poll()
    assert oms.documents() == {}
    assert oms.house.order(order_sn).erp_no == "accepted"

    oms.peer.work_off()
    oms.house.settle()
    assert oms.documents()[order_sn] == [oms.house.order(order_sn).erp_no]
    assert oms.desk() == []


def test_an_order_that_the_shop_withdraws_is_cancelled_and_frees_its_stock(oms: Oms) -> None:
    [order_sn] = oms.house.seed()
    sku = _first_sku(oms, order_sn)
    oms.house.poll()
    oms.house.settle()
    held = oms.ask(oms.connector.read_stock(None, [sku]))[0].available
    oms.house.cancel(order_sn)
    oms.house.poll()
    oms.house.settle()

    assert oms.peer.ledger.snapshot()["erp"]["orders"][order_sn]["cancelled"]
    assert oms.ask(oms.connector.read_stock(None, [sku])) == (StockFigure(sku, oms.peer.on_hand),)
    assert held < oms.peer.on_hand


def test_what_an_order_holds_is_out_of_the_next_figure_although_nothing_has_moved(oms: Oms) -> None:
    """Whoever trusts that a pushed order is in the figures already would sell its goods twice."""
    [order_sn] = oms.house.seed()
    sku = _first_sku(oms, order_sn)
    oms.peer.put(sku, 50)
    before = utc_now()
    oms.house.poll()

    [figure] = oms.ask(oms.connector.read_stock(before))
    assert figure.sku == sku
    assert figure.available < 50


@pytest.mark.parametrize("kind", ["reset_after", "html_502", "half_json"])
def test_a_cancel_whose_answer_is_lost_is_looked_up(oms: Oms, kind: str) -> None:
    [order_sn] = oms.house.seed()
    oms.house.poll()
    oms.peer.injector.configure(Faults.read({kind: 1.0, "only": ["cancel_order"]}))
    oms.house.cancel(order_sn)
    oms.house.poll()
    oms.house.settle()

    calls = [call["operation"] for call in oms.peer.ledger.snapshot()["calls"]]
    assert calls.count("cancel_order") == 1
    assert oms.peer.ledger.snapshot()["erp"]["orders"][order_sn]["cancelled"]


def test_an_order_that_is_shipped_there_is_not_cancelled_and_a_person_hears_of_it(oms: Oms) -> None:
    [order_sn] = oms.house.seed()
    oms.house.poll()
    oms.peer.ship(order_sn, "SF1000000000001")
    oms.house.cancel(order_sn)
    oms.house.poll()
    oms.house.settle()

    assert "shopex_oms.cancel.too_late" in oms.desk()
    assert not oms.peer.ledger.snapshot()["erp"]["orders"][order_sn]["cancelled"]


def test_stock_is_read_whole_and_by_sku(oms: Oms) -> None:
    for number in range(230):
        oms.peer.put(f"TEA-{number}", number)

    assert len(oms.ask(oms.connector.read_stock(None))) == 230
    assert len(oms.ask(oms.connector.read_stock(utc_now()))) == 230
    assert oms.ask(oms.connector.read_stock(None, ["TEA-7", "TEA-7"])) == (StockFigure("TEA-7", 7),)


def test_a_parcel_that_the_warehouse_sent_is_told_of_the_order(oms: Oms) -> None:
    [order_sn] = oms.house.seed()
    oms.house.poll()
    before = utc_now() - timedelta(minutes=1)
    oms.peer.ship(order_sn, "SF1000000000001")

    [shipment] = oms.ask(oms.connector.poll_shipments(before))
    assert isinstance(shipment, ErpShipment)
    assert (shipment.external_ref, shipment.waybill_no, shipment.shipper) == (order_sn, "SF1000000000001", "顺丰速运")
    assert sum(shipment.quantities.values()) > 0
    told_late = oms.ask(oms.connector.poll_shipments(utc_now() + timedelta(hours=23)))
    assert [one.key for one in told_late] == [shipment.key], "the OMS may hear of it a day after it was sent"
    assert oms.ask(oms.connector.poll_shipments(utc_now() + timedelta(hours=25))) == ()


def test_no_name_phone_street_or_secret_stands_in_any_record(oms: Oms) -> None:
    placed = oms.house.seed(3)
    oms.house.poll()
    for order_sn in placed:
        oms.house.cancel(order_sn)
    oms.house.poll()
    oms.house.settle()

    texts = "\n".join(f"{row.request}\n{row.reply}" for row in oms.attempts())
    for row in oms.house.orders():
        who = row.header["consignee"]
        for private in (who["name"], who["phone"], who["address"]["street"]):
            assert private not in texts
    assert "sandbox-oms-token" not in texts
    assert "sandbox-oms-key" not in texts
    assert "ome.order.add" in texts, "what was asked is kept"


# --- what the sandbox itself enforces


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"token": "other"}, AuthError, "shopex_oms.order.signature_refused"),
        ({"node_id": "9"}, PermanentError, "shopex_oms.order.node_unknown"),
        ({"key": "other"}, AuthError, "shopex_oms.stock.signature_refused"),
        ({"flag": "other"}, AuthError, "shopex_oms.stock.signature_refused"),
        ({"on_hand": 1000}, None, ""),
    ],
)
def test_the_sandbox_heeds_credentials(oms: Oms, changes: dict[str, Any], error: type | None, code: str) -> None:
    for name, value in changes.items():
        setattr(oms.peer, name, value)
    [order_sn] = oms.house.seed()
    oms.house.poll()
    step = oms.house.step("push_order", order_sn)

    assert (step.last_code or "") == code
    assert (oms.documents() == {}) is (error is not None)


def test_the_sandbox_answers_a_repeat_as_the_oms_does(oms: Oms) -> None:
    """A call that leaves twice with the same moment and nonce."""
    question = next(oms.connector.read_stock(None))
    frozen = replace(question.sealed(Stamp(utc_now(), "the-same")), stamped=None)

    def once() -> Exchange[HttpReply]:
        reply = yield frozen
        return reply

    assert b'"response"' in oms.ask(once()).body
    assert b"e000009" in oms.ask(once()).body
    with pytest.raises(TransientError):
        oms.ask(_replaying(oms.connector.read_stock(None), frozen))


def _replaying(exchange: Exchange[Any], frozen: HttpCall) -> Exchange[Any]:
    next(exchange)
    reply = yield frozen
    try:
        exchange.send(reply)
    except StopIteration as end:
        return end.value


def _first_sku(oms: Oms, order_sn: str) -> str:
    [shop] = oms.house.rt.shops.values()
    order = shop.read_one(shop.find_id(order_sn) or "", oms.house.rt.clock.now())
    assert isinstance(order, Order)
    return order.lines[0].sku


def _wake(oms: Oms, order_sn: str) -> Wake:
    return Wake(oms.house.order(order_sn).id, oms.key)
