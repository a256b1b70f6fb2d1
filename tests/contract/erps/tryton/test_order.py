"""What a sale says, and which orders never leave: unknown names are refused before anything is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from mappings.china_time import SHANGHAI
from mappings.connector import ErpConnector
from mappings.erps.tryton import TrytonErp
from mappings.errors import PermanentError
from mappings.model import OrderLine, Queue
from mappings.wire import HttpReply
from sync.services.push_order import SHOP_ZONE
from tests.contract.erps.hands import NAME, PHONE, SN, erp_order, failure, run, said
from tests.contract.erps.tryton.talk import KEY, MASTERS, PARTY, PRODUCT, SHOP, domain, recorded, sale, tryton

GOODS = OrderLine("7", sku="ECS000000", name="KD876", quantity=1, price_fen=0, weight_g=110)


def sent(order: Any = None, *masters: HttpReply, **settings: str) -> Any:
    """The values of the sale that goes out."""
    _, calls = run(
        tryton(**settings).create(order or erp_order()), *(masters or MASTERS), said(sale("draft", number=None))
    )
    return json.loads(calls[-1].body)


def lines(values: Any) -> list[Any]:
    [[verb, rows]] = values["lines"]
    assert verb == "create"
    return list(rows)


@pytest.mark.parametrize(
    ("hour", "minute", "day"), [(23, 30, 21), (0, 30, 21)], ids=["half-past-eleven", "half-past-midnight"]
)
def test_the_sale_has_the_order_s_calendar_date_in_china(hour: int, minute: int, day: int) -> None:
    placed_at = datetime(2026, 11, 21, hour, minute, tzinfo=SHANGHAI)
    order = erp_order(order_date=placed_at.astimezone(SHOP_ZONE).strftime("%Y%m%d"), placed_at=placed_at)

    assert sent(order)["sale_date"] == {"__class__": "date", "year": 2026, "month": 11, "day": day}


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (5, "0.05"), (10**11 + 1, "1000000000.01")])
def test_a_price_is_written_exactly(fen: int, text: str) -> None:
    [line] = lines(sent(erp_order(replace(GOODS, price_fen=fen), total_fen=fen)))

    assert line["unit_price"] == {"__class__": "Decimal", "decimal": text}


FEES = {"freight_sku": "FREIGHT", "discount_sku": "DISCOUNT"}


def known(*codes: str) -> HttpReply:
    """Tryton knows these products; the ids count from 1."""
    return said([{**PRODUCT, "id": id_, "code": code} for id_, code in enumerate(codes, 1)])


def sold(order: Any, **settings: str) -> list[tuple[int, int, str]]:
    """Product, pieces and price of each line."""
    products = known("ECS000000", "TEA", "CUP", "FREIGHT", "DISCOUNT")
    rows = lines(sent(order, said([SHOP]), said([PARTY]), products, **settings))
    return [(row["product"], row["quantity"], row["unit_price"]["decimal"]) for row in rows]


def test_what_is_in_several_parcels_is_one_line_and_the_lines_add_up_to_the_total() -> None:
    lines = (replace(GOODS, price_fen=138800, quantity=2), replace(GOODS, shop_line_id="8", sku="TEA", price_fen=333))
    later = (replace(GOODS, price_fen=138800), replace(GOODS, shop_line_id="9", sku="CUP", price_fen=1999, quantity=4))
    sums: dict[str, Any] = {
        "shipping_fee_fen": 1200,
        "discount_fen": 555,
        "total_fen": 416400 + 333 + 7996 + 1200 + 150 - 555,
    }

    rows = sold(erp_order(*lines, later_lines=later, **sums), **FEES)

    assert rows == [(1, 3, "1388.00"), (2, 1, "3.33"), (3, 4, "19.99"), (4, 1, "13.50"), (5, 1, "-5.55")]
    assert sum(pieces * round(100 * float(price)) for _, pieces, price in rows) == sums["total_fen"]


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"shipping_fee_fen": 1200, "total_fen": 278800}, "product_unset", "FREIGHT_SKU"),
        ({"total_fen": 277750}, "product_unset", "1.50"),  # insurance, packing, tax
        ({"discount_fen": 500, "total_fen": 277100}, "product_unset", "DISCOUNT_SKU"),
        ({"total_fen": 138800}, "sums_differ", "138800"),
        ({"queue": Queue.REMAINDER, "total_fen": 416400}, "sums_differ", "416400"),
    ],
    ids=["freight", "other fees", "discount", "less than its goods", "the rest of what was sent without us"],
)
def test_an_order_whose_sums_tryton_could_not_show_asks_it_nothing(
    changes: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        next(tryton().create(erp_order(**changes)))

    assert caught.value.code == f"tryton.order.{code}"
    assert named in caught.value.message


def test_without_such_sums_or_where_they_are_left_out_by_will_only_the_goods_are_lines() -> None:
    order = erp_order(shipping_fee_fen=1200, discount_fen=500, total_fen=278300)

    assert sold(order, freight_sku="-", discount_sku="-") == sold(erp_order(), **FEES) == [(1, 2, "1388.00")]


def test_the_goods_of_a_later_parcel_must_be_known_too() -> None:
    order = erp_order(later_lines=(replace(GOODS, shop_line_id="8", sku="LATER"),))

    error = failure(tryton().create(order), said([SHOP]), said([PARTY]), known("ECS000000"))

    assert error.code == "tryton.order.sku_unknown"
    assert "LATER" in error.message


def test_who_the_parcel_is_for_is_told_only_where_the_erp_asks() -> None:
    assert NAME not in json.dumps(sent(), ensure_ascii=False)
    assert PHONE not in json.dumps(sent())

    comment = sent(consignee_in_comment="1")["comment"]

    assert comment == f"ECShop {SN}\n{NAME} {PHONE}\n北京北京海淀区海淀路1号"


def test_the_addresses_are_those_that_tryton_would_take_itself() -> None:
    addresses = [
        {"id": 3, "invoice": False, "delivery": False},
        {"id": 4, "invoice": True, "delivery": None},
        {"id": 5, "invoice": True, "delivery": True},
    ]
    values = sent(None, said([SHOP]), said([{"id": 3, "addresses": addresses}]), said([PRODUCT]))

    assert (values["invoice_address"], values["shipment_address"]) == (4, 5)


@pytest.mark.parametrize(
    ("masters", "code", "named"),
    [
        ([[]], "shop_unknown", "ECShop"),
        ([[{**SHOP, "company": None}]], "shop_incomplete", "company"),
        ([[{"id": 1, "__name__": "web.shop"}]], "shop_incomplete", "company"),
        ([[{**SHOP, "currency": {"id": 2, "code": "EUR"}}]], "currency_differs", "EUR"),
        ([[{**SHOP, "warehouses": []}]], "warehouse_unclear", "none"),
        ([[{**SHOP, "warehouses": [{"id": 5, "name": "A"}, {"id": 6, "name": "B"}]}]], "warehouse_unclear", "A, B"),
        ([[SHOP], []], "party_unknown", "3"),
        ([[SHOP], [{"id": 3, "addresses": []}]], "address_missing", "3"),
        ([[{**SHOP, "guest_party": 3}], [PARTY]], "party_is_guest", "PARTY"),
        ([[SHOP], [PARTY], []], "sku_unknown", "ECS000000"),
        ([[SHOP], [PARTY], [{**PRODUCT, "code": "ecs000000"}]], "sku_unknown", "ECS000000"),
        ([[SHOP], [PARTY], [{**PRODUCT, "salable": False}]], "sku_not_salable", "ECS000000"),
    ],
)
def test_what_tryton_does_not_know_is_refused_before_anything_is_sent(
    masters: list[Any], code: str, named: str
) -> None:
    error = failure(tryton().create(erp_order()), *map(said, masters))

    assert (type(error), error.code) == (PermanentError, f"tryton.order.{code}")
    assert named in error.message


def test_several_unknown_goods_are_named_together_and_not_without_end() -> None:
    many = [replace(GOODS, sku=f"X{number:02d}") for number in range(25)]

    error = failure(tryton().create(erp_order(*many, total_fen=0)), said([SHOP]), said([PARTY]), said([]), said([]))

    assert "X00, X01" in error.message
    assert "and 5 more" in error.message


def test_a_question_for_many_goods_is_no_longer_than_servers_take() -> None:
    skus = [f"{'LONG-NUMBER-OF-GOODS-' * 2}{number:03d}" for number in range(45)]
    order = erp_order(*(replace(GOODS, sku=sku) for sku in skus), total_fen=0)
    products = (known(*skus[start : start + 20]) for start in (0, 20, 40))

    _, calls = run(tryton().create(order), said([SHOP]), said([PARTY]), *products, said(sale("draft")))

    assert [sku for call in calls[2:5] for sku in domain(call)[0][2]] == skus
    assert max(len(call.url) for call in calls) < 2000
    assert len(lines(json.loads(calls[-1].body))) == 45


@pytest.mark.parametrize("sku", ["", "  "])
def test_a_line_without_goods_number_asks_tryton_nothing(sku: str) -> None:
    exchange = tryton().create(erp_order(replace(GOODS, sku=sku)))

    with pytest.raises(PermanentError) as caught:
        next(exchange)

    assert caught.value.code == "tryton.order.sku_missing"


def test_one_of_several_warehouses_can_be_named() -> None:
    shop = {**SHOP, "warehouses": [{"id": 5, "name": "A"}, {"id": 6, "name": "B"}]}

    assert sent(None, said([shop]), said([PARTY]), said([PRODUCT]), warehouse="B")["warehouse"] == 6


def test_tryton_s_own_refusal_reaches_a_person_in_its_words() -> None:
    refused = said({"status": 400, "message": "字段“单位”无效。", "description": "行 1"}, 400)

    error = failure(tryton().create(erp_order()), *MASTERS, refused, said([]))

    assert (type(error), error.code) == (PermanentError, "tryton.order.rejected")
    assert error.peer_text == "字段“单位”无效。 行 1"


def test_a_sale_that_our_user_may_make_and_not_read_is_looked_up() -> None:
    document, _ = run(tryton().create(erp_order()), *MASTERS, HttpReply(204), said([sale("draft", number=None)]))

    assert (document.external_ref, document.adopted) == (SN, True)


def test_the_key_is_named_as_a_secret_in_every_call() -> None:
    _, calls = run(tryton().create(erp_order()), *MASTERS, recorded("a sale is made"))

    assert all(call.secrets == (KEY,) and call.headers["Authorization"] == f"Bearer {KEY}" for call in calls)
    assert not any(KEY in call.url for call in calls)


def test_it_is_an_erp_that_wants_to_be_confirmed() -> None:
    connector: ErpConnector = tryton()

    assert isinstance(connector, TrytonErp)
    assert (connector.spec.needs_confirm, connector.spec.repeat_is_safe, connector.spec.finds_first) == (
        True,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("base_url", "http://tryton.example.com"),
        ("base_url", "https://user:secret@tryton.example.com"),
        ("database", "erp/rest"),
        ("database", ""),
        ("key", ""),
        ("key", "zwei Worte"),
        ("web_shop", " "),
        ("party", ""),
        ("currency", "RMB¥"),
        ("consignee_in_comment", "perhaps"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_at_the_start(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        tryton(**{name: text})


def test_fee_and_discount_cannot_be_one_product() -> None:
    with pytest.raises(ValueError, match="two products"):
        tryton(freight_sku="FEE", discount_sku="FEE")
