"""A real Tryton 8.0 on PostgreSQL: what it refuses, keeps, confirms and reserves is its own doing, not a sandbox's."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select

from mappings.china_time import SHANGHAI
from mappings.erps.tryton.protocol import RestDoor, Row, read_record, read_rows
from mappings.errors import AuthError, PermanentError
from mappings.model import ErpDocument, ErpOrder, OrderLine
from mappings.wire import Exchange
from sync.clock import utc_now
from sync.db.models import AttemptRow, ExceptionRow
from sync.gateway import CallContext
from sync.services.poll_shop import poll_shop
from sync.services.push_order import SHOP_ZONE
from sync.services.run_steps import run_steps
from tests.contract.erps.hands import erp_order
from tests.service.house import SHOP, House
from tests.service.tryton.conftest import SKUS, OpenHouse
from tests.service.tryton.server import WAREHOUSE, WEB_SHOP, Tryton

T = TypeVar("T")
ERP = "erp.tryton"
TEA, BOOK = "SBX-TEA-100", "SBX-BOOK"
ORDERS = 200
_numbers = itertools.count(1)

pytestmark = pytest.mark.timeout(1800)
"""Whoever comes first on a machine waits for packages and tables: half a minute and a whole one on idle cores."""


def ask(house: House, exchange: Exchange[T]) -> T:
    """Have the gateway drive an exchange with Tryton."""
    return house.rt.gateway.run(ERP, exchange, CallContext())


def an_order(*skus: str, pieces: int = 2, **changes: Any) -> ErpOrder:
    """An order of its own number, of these goods at 128 yuan a piece."""
    number = f"T{next(_numbers):06d}"
    lines = [OrderLine(sku, sku=sku, name=sku, quantity=pieces, price_fen=12800, weight_g=1) for sku in skus or (TEA,)]
    usual = {"order_sn": number, "total_fen": len(lines) * pieces * 12800}
    today = utc_now().astimezone(SHOP_ZONE).strftime("%Y%m%d")
    return replace(erp_order(*lines, order_date=today, **{**usual, **changes}), external_ref=number)


def look(house: House, tryton: Tryton, model: str, domain: list[Any], *fields: str, **more: Any) -> list[Row]:
    """Ask Tryton about itself, past the connector."""
    door = RestDoor(f"{tryton.url}/{tryton.database}/rest/model", tryton.keys["ecsync"])

    def exchange() -> Exchange[list[Row]]:
        return read_rows((yield door.search("look", model, domain, fields, **more)), "test")

    return ask(house, exchange())


def sales(house: House, tryton: Tryton, *refs: str) -> list[Row]:
    fields, found = ("number", "state", "web_id", "total_amount", "sale_date"), list[Row]()
    for start in range(0, len(refs), 50):  # as many as an address holds
        domain = [["web_shop.name", "=", WEB_SHOP], ["web_id", "in", list(refs[start : start + 50])]]
        found += look(house, tryton, "sale.sale", domain, *fields)
    return found


def change(house: House, tryton: Tryton, user: str, method: str, path: str, values: dict[str, Any]) -> None:
    """What people do in Tryton."""
    door = RestDoor(f"{tryton.url}/{tryton.database}/rest/model", tryton.keys[user])

    def exchange() -> Exchange[Row | None]:
        call = door.post("change", path, values, ("rec_name",))
        return read_record((yield replace(call, method=method)), "test")

    ask(house, exchange())


def work_on(house: House, tryton: Tryton, order: ErpOrder) -> None:
    """Tryton's worker comes to the sale: its shipment and its invoice are made."""
    [sale] = sales(house, tryton, order.external_ref)
    change(house, tryton, "boss", "POST", f"sale.sale/{sale['id']}/process", {})


def available(house: House) -> dict[str, int]:
    return {figure.sku: figure.available for figure in ask(house, house.rt.erps[ERP].read_stock(None))}


@pytest.fixture
def erp(house: House) -> Any:
    return house.rt.erps[ERP]


@pytest.fixture
def confirmed(house: House, erp: Any) -> ErpOrder:
    order = an_order()
    ask(house, erp.confirm(ask(house, erp.create(order))))
    return order


# --- one order


def test_an_order_becomes_one_confirmed_sale_however_often_it_is_pushed(house: House, erp: Any, tryton: Tryton) -> None:
    order = an_order(TEA, BOOK)

    draft = ask(house, erp.create(order))
    assert (draft.erp_no, draft.adopted) == ("", False)
    document = ask(house, erp.confirm(draft))
    again = ask(house, erp.create(order))

    assert document.erp_no
    assert (again.erp_no, again.adopted) == (document.erp_no, True)
    assert ask(house, erp.confirm(again)).erp_no == document.erp_no
    assert ask(house, erp.confirm(ErpDocument("", order.external_ref))).erp_no == document.erp_no
    assert ask(house, erp.find(order.external_ref)) == again
    [sale] = sales(house, tryton, order.external_ref)
    assert sale["state"] == "confirmed"
    assert sale["total_amount"] == {"__class__": "Decimal", "decimal": "512.00"}


def test_ten_pushes_at_the_same_moment_make_one_sale(house: House, erp: Any, tryton: Tryton) -> None:
    order = an_order()

    def push(_: int) -> ErpDocument:
        document: ErpDocument = ask(house, erp.create(order))
        house.rt.gateway.close()
        return document

    with ThreadPoolExecutor(10) as hands:
        documents = list(hands.map(push, range(10)))

    assert Counter(document.adopted for document in documents) == {False: 1, True: 9}
    assert len({document.id for document in documents}) == 1  # type: ignore[attr-defined]  # a Sale has one
    assert len(sales(house, tryton, order.external_ref)) == 1


@pytest.mark.parametrize(("hour", "minute"), [(23, 30), (0, 30)], ids=["half-past-eleven", "half-past-midnight"])
def test_a_sale_has_the_order_s_date_in_china(house: House, erp: Any, tryton: Tryton, hour: int, minute: int) -> None:
    placed_at = datetime(2026, 11, 21, hour, minute, tzinfo=SHANGHAI)
    order = replace(an_order(), order_date=placed_at.astimezone(SHOP_ZONE).strftime("%Y%m%d"))

    ask(house, erp.create(order))

    [sale] = sales(house, tryton, order.external_ref)
    assert sale["sale_date"] == {"__class__": "date", "year": 2026, "month": 11, "day": 21}


def test_the_goods_of_all_parcels_and_every_fee_are_part_of_the_total(house: House, erp: Any, tryton: Tryton) -> None:
    later = replace(an_order(BOOK).order.lines[0], quantity=1)
    sums = {"shipping_fee_fen": 1200, "discount_fen": 555, "total_fen": 3 * 12800 + 1200 + 100 - 555}  # 1.00 of packing
    order = an_order(TEA, later_lines=(later,), **sums)

    ask(house, erp.confirm(ask(house, erp.create(order))))

    [sale] = sales(house, tryton, order.external_ref)
    assert (sale["state"], sale["total_amount"]["decimal"]) == ("confirmed", "391.45")


# --- stock


def test_a_confirmed_sale_reserves_its_goods_once_tryton_works_on_it(house: House, erp: Any, tryton: Tryton) -> None:
    before = available(house)

    order = an_order(BOOK, pieces=7)
    ask(house, erp.confirm(ask(house, erp.create(order))))
    assert available(house) == before
    work_on(house, tryton, order)

    after = available(house)
    assert after[BOOK] == before[BOOK] - 7
    assert {sku: number for sku, number in after.items() if sku != BOOK} == {
        sku: number for sku, number in before.items() if sku != BOOK
    }
    assert set(after) == set(SKUS)


def test_goods_of_a_late_parcel_stay_reserved_although_tryton_s_forecast_forgets_them(
    house: House, erp: Any, tryton: Tryton
) -> None:
    before = available(house)[BOOK]
    order = an_order(BOOK, pieces=5)
    ask(house, erp.confirm(ask(house, erp.create(order))))
    work_on(house, tryton, order)
    mine = [["origin.sale.web_id", "=", order.external_ref, "sale.line"]]
    [move] = look(house, tryton, "stock.move", mine, "shipment")
    day = {"__class__": "date", "year": 2026, "month": 11, "day": 1}
    change(house, tryton, "ecsync", "PUT", str(move["shipment"]).replace(",", "/"), {"planned_date": day})

    [location] = look(house, tryton, "stock.location", [["name", "=", WAREHOUSE]], "name")
    context = {"locations": [location["id"]], "with_childs": True}
    [product] = look(house, tryton, "product.product", [["code", "=", BOOK]], "forecast_quantity", context=context)

    assert available(house)[BOOK] == before - 5
    assert product["forecast_quantity"] >= before


# --- taking back


def test_a_sale_that_is_not_confirmed_is_cancelled_and_stays_so(house: House, erp: Any, tryton: Tryton) -> None:
    order = an_order()
    document = ask(house, erp.create(order))

    for _ in range(2):
        ask(house, erp.cancel(ErpDocument("", order.external_ref)))

    assert [sale["state"] for sale in sales(house, tryton, order.external_ref)] == ["cancelled"]
    again = ask(house, erp.create(order))
    assert (again.id, again.adopted) == (document.id, True)
    with pytest.raises(PermanentError) as caught:
        ask(house, erp.confirm(again))
    assert caught.value.code == "tryton.confirm.cancelled_there"


def test_a_confirmed_sale_that_waits_is_cancelled_too(
    house: House, erp: Any, tryton: Tryton, confirmed: ErpOrder
) -> None:
    ask(house, erp.cancel(ErpDocument("", confirmed.external_ref)))

    assert [sale["state"] for sale in sales(house, tryton, confirmed.external_ref)] == ["cancelled"]


def test_a_sale_with_a_shipment_is_left_to_a_person(
    house: House, erp: Any, tryton: Tryton, confirmed: ErpOrder
) -> None:
    work_on(house, tryton, confirmed)

    with pytest.raises(PermanentError) as caught:
        ask(house, erp.cancel(ErpDocument("", confirmed.external_ref)))

    assert (caught.value.code, caught.value.peer_code) == ("tryton.cancel.too_late", "processing")


# --- what it refuses


@pytest.mark.parametrize(("sku", "code"), [("NO-SUCH", "sku_unknown"), ("UNSOLD", "sku_not_salable")])
def test_goods_that_tryton_does_not_sell_make_no_sale(
    house: House, erp: Any, tryton: Tryton, sku: str, code: str
) -> None:
    order = an_order(TEA, sku)

    with pytest.raises(PermanentError) as caught:
        ask(house, erp.create(order))

    assert caught.value.code == f"tryton.order.{code}"
    assert sku in caught.value.message
    assert sales(house, tryton, order.external_ref) == []


@pytest.mark.parametrize(
    ("setting", "value", "error", "code"),
    [
        ("WEB_SHOP", "Elsewhere", PermanentError, "tryton.order.shop_unknown"),
        ("PARTY", "no-such-party", PermanentError, "tryton.order.party_unknown"),
        ("WAREHOUSE", "Elsewhere", PermanentError, "tryton.order.warehouse_unclear"),
        ("CURRENCY", "USD", PermanentError, "tryton.order.currency_differs"),
        ("DATABASE", "no_such_database", AuthError, "tryton.order.address"),
        ("KEY", "0123456789abcdef", AuthError, "tryton.order.auth"),
    ],
)
def test_a_setting_that_does_not_fit_is_named(
    open_tryton_house: OpenHouse, setting: str, value: str, error: type[Exception], code: str
) -> None:
    with open_tryton_house(**{setting: value}) as house, pytest.raises(error) as caught:
        ask(house, house.rt.erps[ERP].create(an_order()))

    assert caught.value.code == code  # type: ignore[attr-defined]  # a PeerError


def test_the_guest_party_is_refused_before_a_sale_hangs_in_quotation(
    open_tryton_house: OpenHouse, tryton: Tryton
) -> None:
    with open_tryton_house(PARTY=tryton.guest) as house, pytest.raises(PermanentError) as caught:
        ask(house, house.rt.erps[ERP].create(an_order()))

    assert caught.value.code == "tryton.order.party_is_guest"


def test_a_user_without_rights_is_told_so_in_tryton_s_words(open_tryton_house: OpenHouse, tryton: Tryton) -> None:
    with open_tryton_house(KEY=tryton.keys["nobody"]) as house:
        erp = house.rt.erps[ERP]
        for exchange in (erp.create(an_order()), erp.find("T0"), erp.read_stock(None)):
            with pytest.raises(PermanentError) as caught:
                ask(house, exchange)
            assert caught.value.code.endswith(".rejected")
            assert "access" in caught.value.peer_text


# --- the product


def test_two_hundred_orders_of_a_shop_are_two_hundred_confirmed_sales(house: House, tryton: Tryton) -> None:
    numbers = house.seed(ORDERS)

    owed = [wake for wake in poll_shop(house.rt, SHOP).wakes if wake.peer == ERP]
    with ThreadPoolExecutor(4) as hands:
        list(hands.map(lambda wake: run_steps(house.rt, wake.order_id, ERP), owed))

    made = sales(house, tryton, *numbers)
    assert Counter(sale["state"] for sale in made) == {"confirmed": ORDERS}
    assert {sale["web_id"] for sale in made} == set(numbers)
    orders = house.orders()
    assert {order.erp_no for order in orders} == {sale["number"] for sale in made}
    assert len({order.erp_no for order in orders}) == ORDERS
    worth = {sale["web_id"]: Decimal(sale["total_amount"]["decimal"]) * 100 for sale in made}
    assert worth == {order.order_sn: order.total_fen for order in orders}
    with house.rt.database.reading() as session:
        assert session.execute(select(func.count()).select_from(ExceptionRow)).scalar_one() == 0
        recorded = session.execute(select(AttemptRow.request)).scalars().all()
    assert not any(tryton.keys["ecsync"] in request for request in recorded)
