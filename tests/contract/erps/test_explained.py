"""What three ERPs are told, field by field out of a table: nothing is left out, nothing stale, nothing untrue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.explaining import Explained, ExplainingErp
from mappings.field_sources import explain_fields, read_rows
from mappings.model import Address, Consignee, ErpOrder, Order, OrderLine
from tests.contract.erps import hands
from tests.contract.erps.jushuitan import cases as jushuitan
from tests.contract.erps.leaves import leaves
from tests.contract.erps.sealed import goods, talk
from tests.contract.erps.shopex_oms import cases as shopex_oms
from tests.contract.erps.wangdiantong import cases as wangdiantong

KINDS: dict[str, type[Any]] = {
    "order": Order,
    "line": OrderLine,
    "consignee": Consignee,
    "consignee.address": Address,
}
"""What an order consists of, as the tables call it."""
FRAME = {"app_id", "method", "date", "format", "certi_id", "v", "node_id", "task", "lastmodify", "modified", "sign"}
"""What every call of the OMS has around what it says."""


def sent_to_shopex_oms(connector: Any, order: ErpOrder) -> dict[str, Any]:
    _, [call] = talk(connector.create(order), shopex_oms.CREATED)
    form = {name: text for name, text in shopex_oms.form_of(call).items() if name not in FRAME}
    return {name: json.loads(text) if text[:1] in ("[", "{") else text for name, text in form.items()}


def sent_to_jushuitan(connector: Any, order: ErpOrder) -> dict[str, Any]:
    _, [call] = talk(connector.create(order), jushuitan.TAKEN)
    [row] = jushuitan.biz(call)
    return dict(row)


def sent_to_wangdiantong(connector: Any, order: ErpOrder) -> dict[str, Any]:
    _, [call] = talk(connector.create(order), wangdiantong.MADE)
    shop_no, trades, lines = wangdiantong.args(call)
    return {"shop_no": shop_no, "trades": trades, "lines": lines}


@dataclass(frozen=True)
class Case:
    """One connector: how it is made, what it sent, and other values of each setting that an order shows."""

    name: str
    make: Callable[..., Any]
    settings: Mapping[str, str]
    sent: Callable[[Any, ErpOrder], dict[str, Any]]
    others: Mapping[str, str]

    def connector(self, **more: str) -> Any:
        return self.make(**{**self.settings, **more})

    def explain(self, order: ErpOrder, **more: str) -> tuple[Explained, ...]:
        return tuple(self.connector(**more).explain(order))

    @property
    def rows(self) -> Mapping[str, tuple[str, str]]:
        return read_rows(f"mappings.erps.{self.name}")


CASES = [
    Case(
        "shopex_oms",
        shopex_oms.erp,
        {"check_skus": "0", "read_back": "0"},
        sent_to_shopex_oms,
        {"pay_bn": "alipay", "pay_name": "支付宝"},
    ),
    Case(
        "jushuitan",
        jushuitan.erp,
        {"cod": "send"},
        sent_to_jushuitan,
        {"shop_id": "2", "payment": "支付宝", "seller_account": "another"},
    ),
    Case(
        "wangdiantong",
        wangdiantong.erp,
        {"cod": "send"},
        sent_to_wangdiantong,
        {"shop_no": "another", "pay_method": "7"},
    ),
]
every_erp = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

HOME = Address("广东", "深圳", "南山区", "科苑路8号", "518000")
WHO = Consignee(hands.NAME, hands.PHONE, HOME, "wang@example.com")
LINE = goods("7", "A", 138800, 2, goods_id=24, product_id=25, attributes="颜色:黑")
TOTAL_FEN = 2 * 138800 + 1000
PAID_AT = datetime(2026, 11, 21, 2, 35, tzinfo=UTC)


def order(**changes: Any) -> ErpOrder:
    """A paid order with something in every field, or with other facts."""
    usual: dict[str, Any] = {
        "lines": (LINE,),
        "consignee": WHO,
        "total_fen": TOTAL_FEN,
        "shipping_fee_fen": 1000,
        "paid_at": PAID_AT,
        "user_id": 12,
        "buyer_note": "放门口",
        "seller_note": "易碎",
    }
    return hands.erp_order(**{**usual, **changes})


def moved(**changes: Any) -> ErpOrder:
    return order(consignee=replace(WHO, address=replace(HOME, **changes)))


def known(**changes: Any) -> ErpOrder:
    return order(consignee=replace(WHO, **changes))


def bought(total_fen: int = TOTAL_FEN, **changes: Any) -> ErpOrder:
    return order(lines=(replace(LINE, **changes),), total_fen=total_fen)


PLAIN = order()
VARIANTS = {
    "paid": PLAIN,
    "left to the courier": order(cod_fen=TOTAL_FEN, paid_at=None),
    "left to the courier in part": order(cod_fen=100000),
    "of a guest with a landline": order(user_id=0, consignee=replace(WHO, phone="0755-12345678")),
    "of many lines": order(
        lines=(replace(LINE, quantity=1), goods("8", "B", 333, 3)),
        later_lines=(replace(LINE, quantity=1), goods("9", "C", 0, is_gift=True)),
        total_fen=TOTAL_FEN + 999 - 500 + 30,
        discount_fen=500,
    ),
}
every_order = pytest.mark.parametrize("told", VARIANTS.values(), ids=VARIANTS.keys())

CHANGES = [
    (replace(PLAIN, external_ref="B-2"), ["the order's number"]),
    (order(total_fen=TOTAL_FEN + 500), ["order.total_fen"]),
    (order(total_fen=TOTAL_FEN + 500, shipping_fee_fen=1500), ["order.total_fen", "order.shipping_fee_fen"]),
    (order(total_fen=TOTAL_FEN - 500, discount_fen=500), ["order.total_fen", "order.discount_fen"]),
    (order(cod_fen=100000), ["order.cod_fen"]),
    (order(cod_fen=TOTAL_FEN), ["order.cod_fen"]),
    (order(placed_at=datetime(2026, 11, 20, 2, 0, tzinfo=UTC)), ["order.placed_at"]),
    (order(paid_at=None), ["order.paid_at"]),
    (order(user_id=13), ["order.user_id"]),
    (order(buyer_note="急"), ["order.buyer_note"]),
    (order(seller_note="急"), ["order.seller_note"]),
    (order(shipping_name="中通"), ["order.shipping_name"]),
    (order(shop_order_id="43"), ["order.shop_order_id"]),
    (known(name="李四"), ["consignee.name"]),
    (known(phone="0755-12345678"), ["consignee.phone"]),
    (known(email="li@example.com"), ["consignee.email"]),
    (moved(province="北京", city="北京"), ["consignee.address.province", "consignee.address.city"]),
    (moved(district="福田区"), ["consignee.address.district"]),
    (moved(street="深南路1号"), ["consignee.address.street"]),
    (moved(postcode="518001"), ["consignee.address.postcode"]),
    (bought(sku="B"), ["line.sku"]),
    (bought(name="茶"), ["line.name"]),
    (bought(TOTAL_FEN + 138800, quantity=3), ["order.total_fen", "line.quantity"]),
    (bought(TOTAL_FEN + 2, price_fen=138801), ["order.total_fen", "line.price_fen"]),
    (bought(weight_g=9), ["line.weight_g"]),
    (bought(attributes="颜色:白"), ["line.attributes"]),
    (bought(goods_id=26), ["line.goods_id"]),
    (bought(product_id=27), ["line.product_id"]),
    (bought(shop_line_id="10"), ["line.shop_line_id"]),
    (order(lines=(LINE, goods("8", "B", 0))), ["order.lines", "line."]),
]
"""One fact of the order changed (with what must change beside it), and what a source must name then."""


def row_of(target: str) -> str:
    return re.sub(r"\[\d+\]", "[]", target)


@every_erp
@every_order
def test_every_field_that_is_sent_is_explained_and_no_other(case: Case, told: ErpOrder) -> None:
    connector = case.connector()
    assert isinstance(connector, ExplainingErp)

    explained = [(field.target, field.value) for field in connector.explain(told)]

    assert explained == list(leaves(case.sent(connector, told)).items()), "each as it is sent, in the order of sending"


@every_erp
def test_no_row_of_the_table_is_left_over(case: Case) -> None:
    used = {row_of(field.target) for told in VARIANTS.values() for field in case.explain(told)}

    assert used == set(case.rows)


def test_a_field_without_a_row_is_not_passed_over() -> None:
    rows = {"no": ("the order's number", "as it is"), "lines[].sku": ("line.sku", "as it is")}

    assert [field.value for field in explain_fields({"no": "1", "lines": [{"sku": "A"}]}, rows)] == ["1", "A"]
    with pytest.raises(KeyError, match=r"lines\[\]\.unit"):
        list(explain_fields({"no": "1", "lines": [{"sku": "A", "unit": "PCS"}]}, rows))


@every_erp
@pytest.mark.parametrize(("other", "names"), CHANGES, ids=[names[-1] for _, names in CHANGES])
def test_a_field_that_follows_a_fact_names_it(case: Case, other: ErpOrder, names: list[str]) -> None:
    before = {field.target: field for field in case.explain(PLAIN)}

    for field in case.explain(other):
        if field.target in before and field.value != before[field.target].value:
            assert any(name in f"{field.source}, {field.rule}" for name in names), field


@every_erp
def test_a_field_that_names_a_fact_follows_one_and_a_constant_none(case: Case) -> None:
    values: dict[str, set[str]] = {row: set() for row in case.rows}
    for told in (*VARIANTS.values(), *(other for other, _ in CHANGES)):
        for field in case.explain(told):
            values[row_of(field.target)].add(field.value)

    for row, found in values.items():
        source, _ = case.rows[row]
        if source == "a constant":
            assert len(found) == 1, row
        elif not source.startswith("the setting "):
            assert len(found) > 1, row


@every_erp
def test_a_field_that_names_a_setting_follows_it(case: Case) -> None:
    before = {field.target: field.value for field in case.explain(PLAIN)}
    changed = [field for field in case.explain(PLAIN, **case.others) if field.value != before[field.target]]

    by_setting = {row for row, (source, _) in case.rows.items() if source.startswith("the setting ")}
    assert {row_of(field.target) for field in changed} == by_setting
    assert {field.source.removeprefix("the setting ") for field in changed} == set(case.others)
    for field in changed:
        assert field.value == case.others[field.source.removeprefix("the setting ")]


@every_erp
def test_every_fact_that_is_named_is_one_of_an_order(case: Case) -> None:
    facts = {f"{word}.{field.name}" for word, kind in KINDS.items() for field in fields(kind)}
    said = " ".join(f"{source}, {rule}" for source, rule in case.rows.values())
    named = set(re.findall(r"\b[a-z]+\.[a-z_.]*[a-z]", said))

    assert named <= facts
    assert "line.sku" in named


@every_erp
@every_order
def test_nothing_secret_is_explained(case: Case, told: ErpOrder) -> None:
    connector = case.connector()
    secrets = next(connector.create(told)).secrets
    assert len(secrets) > 1

    for field in connector.explain(told):
        assert not any(secret in f"{field.source} {field.rule} {field.value}" for secret in secrets), field.target


@every_erp
def test_what_would_be_parked_unsent_is_not_explained_either(case: Case) -> None:
    connector, told = case.connector(), bought(sku=" ")
    parked = hands.failure(connector.create(told))

    with pytest.raises(PermanentError) as caught:
        connector.explain(told)
    assert caught.value.code == parked.code == f"{case.name}.order.sku_missing"
