"""Kingdee in a whole house: signed calls over HTTP, answers lost, always one order saved, submitted and audited."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sync import exceptions as desk
from sync.clock import utc_now
from sync.db.models import AttemptRow, OrderRow
from sync.gateway import CallContext
from sync.sandbox.faults import FaultInjector, Faults
from sync.sandbox.http import HttpServer
from sync.sandbox.kingdee import SandboxKingdee
from sync.sandbox.ledger import Ledger
from tests.service.house import House, open_house
from tests.service.withdrawals import codes, lines

ERP = "erp.kingdee"
APP_ID = f"123456_{b64encode(b'invented-secret-bytes-24').decode()}"
SECRET = "an-invented-app-secret"


@dataclass
class KingdeeHouse:
    """A house whose only ERP is Kingdee's sandbox."""

    house: House
    peer: SandboxKingdee

    def faults(self, **shares: Any) -> None:
        self.peer.injector.configure(Faults.read(shares))

    def documents(self) -> dict[str, list[str]]:
        """What Kingdee made, by our number."""
        orders = self.peer.ledger.snapshot()["erp"]["orders"]
        return {number: order["documents"] for number, order in orders.items() if order["documents"]}

    def asked(self) -> list[str]:
        return [call["operation"] for call in self.peer.ledger.snapshot()["calls"]]


OpenKingdee = Callable[..., AbstractContextManager[KingdeeHouse]]


@pytest.fixture
def open_kingdee(tmp_path: Path) -> OpenKingdee:
    @contextmanager
    def open_it(unknown_skus: frozenset[str] = frozenset(), **changes: str) -> Iterator[KingdeeHouse]:
        peer = SandboxKingdee(
            Ledger(), FaultInjector(1), app_id=APP_ID, app_secret=SECRET, acct_id="acct", unknown_skus=unknown_skus
        )
        server = HttpServer(peer, 0)
        server.start()
        usual = {
            "BASE_URL": f"{server.url}/k3cloud",
            "APP_ID": APP_ID,
            "APP_SECRET": SECRET,
            "ACCT_ID": "acct",
            "USER": "ecsync",
            "CUSTOMER": "C-ECSHOP",
            "FREIGHT_SKU": "FREIGHT",
        }
        ours = {f"ECSYNC_ERP_KINGDEE_{name}": value for name, value in {**usual, **changes}.items()}
        others = dict.fromkeys(("ECSYNC_ERP_GENERIC_REST_BASE_URL", "ECSYNC_ERP_GENERIC_REST_TOKEN"))
        try:
            with open_house(tmp_path, sandbox=None, ECSYNC_ERPS="kingdee", **others, **ours) as house:
                yield KingdeeHouse(house, peer)
        finally:
            server.stop()

    return open_it


@pytest.fixture
def kingdee(open_kingdee: OpenKingdee) -> Iterator[KingdeeHouse]:
    with open_kingdee() as opened:
        yield opened


def test_every_order_is_saved_submitted_and_audited_once(kingdee: KingdeeHouse) -> None:
    numbers = kingdee.house.seed(5)
    kingdee.house.poll()

    assert kingdee.documents() == {number: [number] for number in numbers}
    assert {kingdee.peer.state_of(number) for number in numbers} == {"C"}
    asked = ["find_order", "check_skus", "check_customer", "create_order", "submit_order", "audit_order"]
    assert kingdee.asked()[: len(asked)] == asked
    assert {order.erp_no for order in kingdee.house.orders()} == set(numbers)
    assert codes(kingdee.house) == []


@pytest.mark.parametrize("only", ["create_order", "submit_order", "audit_order"])
@pytest.mark.parametrize("fault", ["reset_before", "too_many", "reset_after", "html_200", "html_502", "half_json"])
def test_an_answer_that_is_lost_on_the_way_ends_with_one_audited_order(
    kingdee: KingdeeHouse, fault: str, only: str
) -> None:
    kingdee.faults(**{fault: 1.0, "only": only, "max_per_order": 1, "retry_after_s": 0})
    [number] = kingdee.house.seed()
    kingdee.house.poll()
    kingdee.house.settle()

    assert kingdee.documents() == {number: [number]}
    assert kingdee.peer.state_of(number) == "C"
    assert codes(kingdee.house) == []


def test_many_orders_with_answers_lost_at_random_are_one_each(kingdee: KingdeeHouse) -> None:
    kingdee.faults(reset_after=0.1, html_502=0.1, half_json=0.05, server_error=0.05)
    numbers = kingdee.house.seed(30)
    kingdee.house.poll()
    kingdee.house.settle()
    kingdee.faults()
    retry(kingdee.house)

    assert kingdee.documents() == {number: [number] for number in numbers}
    assert {kingdee.peer.state_of(number) for number in numbers} == {"C"}
    assert codes(kingdee.house) == []


def retry(house: House) -> None:
    """A person retries what needed more attempts than there are."""
    with house.rt.database.writing() as session:
        for line in desk.list_open(session):
            desk.retry_exception(session, line.id, "a person")
    house.settle()


def test_what_kingdee_saved_is_worth_what_the_shop_says(kingdee: KingdeeHouse) -> None:
    kingdee.house.seed(40)
    kingdee.house.poll()

    worth = {order.order_sn: order.total_fen for order in kingdee.house.orders()}
    assert {number: kingdee.peer.total_fen_of(number) for number in worth} == worth


def test_goods_that_kingdee_does_not_know_park_the_order_before_it_is_sent(open_kingdee: OpenKingdee) -> None:
    with open_kingdee(unknown_skus=frozenset({"SBX-BOOK"})) as kingdee:
        numbers = kingdee.house.seed(12)
        kingdee.house.poll()

        assert 0 < len(kingdee.documents()) < len(numbers)
        assert set(codes(kingdee.house)) == {"kingdee.order.sku_unknown"}
        assert kingdee.asked().count("create_order") == len(kingdee.documents())

        kingdee.peer.unknown_skus = frozenset()
        retry(kingdee.house)
        assert set(kingdee.documents()) == set(numbers)


@pytest.mark.parametrize(("asks", "code"), [("1", "customer_unknown"), ("0", "rejected")])
def test_a_customer_that_kingdee_does_not_know_is_sold_nothing(open_kingdee: OpenKingdee, asks: str, code: str) -> None:
    with open_kingdee(CUSTOMER="C-OTHER", CHECK_NUMBERS=asks) as kingdee:
        kingdee.house.seed(3)
        kingdee.house.poll()

        assert set(codes(kingdee.house)) == {f"kingdee.order.{code}"}
        assert kingdee.documents() == {}
        assert ("create_order" in kingdee.asked()) is (asks == "0")


def test_fees_that_no_material_stands_for_park_their_orders_alone(open_kingdee: OpenKingdee) -> None:
    with open_kingdee(FREIGHT_SKU="") as kingdee:
        kingdee.house.seed(6)
        kingdee.house.poll()

        free = {order.order_sn for order in kingdee.house.orders() if not order.header["shipping_fee_fen"]}
        assert 0 < len(free) < 6
        assert set(kingdee.documents()) == free
        assert set(codes(kingdee.house)) == {"kingdee.order.product_unset"}


@pytest.mark.parametrize(("setting", "value"), [("APP_SECRET", "another"), ("USER", "nobody"), ("ACCT_ID", "other")])
def test_a_signature_that_kingdee_refuses_pauses_it_and_nothing_is_lost(
    open_kingdee: OpenKingdee, setting: str, value: str
) -> None:
    with open_kingdee(**{setting: value}) as kingdee:
        kingdee.house.seed(3)
        kingdee.house.poll()

        assert kingdee.documents() == {}
        assert codes(kingdee.house) == [f"{ERP}.refused"]


def test_a_clock_that_is_wrong_pauses_kingdee_and_is_named_and_the_orders_wait(
    kingdee: KingdeeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as off:
        off.setattr("sync.sandbox.kingdee.utc_now", lambda: utc_now() + timedelta(minutes=20))
        numbers = kingdee.house.seed(2)
        kingdee.house.poll()

        assert kingdee.documents() == {}
        [line] = lines(kingdee.house)
        assert (line.code, "clock" in line.message) == (f"{ERP}.refused", True)

    kingdee.house.open_doors()
    kingdee.house.settle()
    assert set(kingdee.documents()) == set(numbers)


@pytest.mark.parametrize(("way", "wanted"), [("void", []), ("by_hand", ["kingdee.cancel.cannot_cancel"])])
def test_a_withdrawn_order_is_voided_where_that_is_set(open_kingdee: OpenKingdee, way: str, wanted: list[str]) -> None:
    with open_kingdee(CANCEL=way) as kingdee:
        [number] = kingdee.house.seed()
        kingdee.house.poll()
        kingdee.house.cancel(number)
        kingdee.house.poll()
        kingdee.house.settle()

        orders = kingdee.peer.ledger.snapshot()["erp"]["orders"]
        assert bool(orders[number]["cancelled"]) is (way == "void")
        assert [code for code in codes(kingdee.house) if code.startswith("kingdee")] == wanted


def test_stock_is_read_by_material_and_warehouse(kingdee: KingdeeHouse) -> None:
    kingdee.peer.stock = {("TEA", "CK001"): 7.0, ("TEA", "CK002"): 2.0, ("CUP", "CK001"): 0.5}

    erp = kingdee.house.rt.erps[ERP]
    figures = kingdee.house.rt.gateway.run(ERP, erp.read_stock(None), CallContext())

    assert {(figure.sku, figure.warehouse): figure.available for figure in figures} == {
        ("TEA", "CK001"): 7,
        ("TEA", "CK002"): 2,
        ("CUP", "CK001"): 0,
    }


def test_no_secret_and_no_private_word_stands_in_what_is_recorded(open_kingdee: OpenKingdee) -> None:
    with open_kingdee(CONSIGNEE_IN_NOTE="1") as kingdee:
        [number] = kingdee.house.seed()
        kingdee.house.poll()
        with kingdee.house.rt.database.reading() as session:
            rows = session.execute(select(AttemptRow).where(AttemptRow.peer == ERP)).scalars()
            recorded = "\n".join(f"{row.request}\n{row.reply}" for row in rows)
            who = session.execute(select(OrderRow)).scalar_one().header["consignee"]

    assert number in recorded
    for word in (SECRET, APP_ID, who["name"], who["phone"], who["address"]["street"]):
        assert word not in recorded
