"""Whether an explanation is true: a fact of the order changes, and the fields that follow are those that name it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mappings.erps.generic_rest.order import HEADER_OPTIONAL
from mappings.explaining import Explained
from mappings.model import ErpOrder
from tests.contract.erps.hands import erp_order
from tests.contract.erps.kingdee.talk import kingdee
from tests.contract.erps.sap_odata.hands import erp as sap_odata
from tests.contract.erps.sap_pi import cases as sap_pi
from tests.contract.erps.test_generic_rest import erp as generic_rest
from tests.contract.erps.tryton.talk import tryton

SAP = {**sap_pi.REST, "freight_condition": "Z", "discount_condition": "Z", "fee_condition": "Z"}
SAP_ODATA = {
    **dict.fromkeys(("freight_condition", "discount_condition", "fee_condition"), "Z"),
    "delivery_days": "2",
    "plant": "1010",
    "ship_to": "1",
    "note_text_id": "TX01",
    "address_text_id": "TX02",
}
REST_NAMES = {"lines.sku": "material", **{fact: f"more.{fact}" for fact in HEADER_OPTIONAL}}
EXPLAIN: dict[str, Callable[[ErpOrder], Iterable[Explained]]] = {
    "kingdee": kingdee(freight_sku="FREIGHT", tax_rate="13", consignee_in_note="1").explain,
    "tryton": tryton(freight_sku="FREIGHT", discount_sku="DISCOUNT", consignee_in_comment="1").explain,
    "generic_rest": generic_rest(field_map=",".join(f"{ours}={theirs}" for ours, theirs in REST_NAMES.items())).explain,
    "sap_odata": sap_odata(**SAP_ODATA).explain,
    "sap_pi": sap_pi.erp(SAP).explain,
    "sap_pi with regions": sap_pi.erp(SAP, region_codes="广东=190,北京=010").explain,
    "sap_pi json": sap_pi.erp(SAP, payload="json").explain,
}
every_erp = pytest.mark.parametrize("erp", EXPLAIN)

FIXED = ("a constant", "idoc.toml", "the setting ", "the line's place")
"""How a source begins that no fact of an order moves."""

USUAL = erp_order().order
HOME = replace(USUAL.consignee.address, street="路" * 40, postcode="100000")
WHO = replace(USUAL.consignee, name="名" * 40, address=HOME)


SUMS = {"total_fen": 900000, "shipping_fee_fen": 1205, "discount_fen": 500}
"""With other fees in the total, so that it is still right when the goods or one of the sums change."""


def order(**changes: Any) -> ErpOrder:
    return erp_order(**{"consignee": WHO, "buyer_note": "快", "cod_fen": 7, **SUMS, **changes})


def known(**changes: Any) -> ErpOrder:
    return order(consignee=replace(WHO, **changes))


def at(**changes: Any) -> ErpOrder:
    return known(address=replace(HOME, **changes))


def bought(**changes: Any) -> ErpOrder:
    return replace(order(), order=replace(order().order, lines=(replace(USUAL.lines[0], **changes),)))


CHANGES = {
    "the order's number": replace(order(), external_ref="B-2"),
    "order.order_sn": order(order_sn="2026112100002"),
    "order.placed_at": order(placed_at=USUAL.placed_at - timedelta(days=1, seconds=90), order_date="20261120"),
    "order.total_fen": order(total_fen=900001),
    "order.shipping_fee_fen": order(shipping_fee_fen=1206),
    "order.discount_fen": order(discount_fen=501),
    "order.cod_fen": order(cod_fen=8),
    "order.buyer_note": order(buyer_note="慢"),
    "consignee.name": known(name="姓" * 41),
    "consignee.phone": known(phone="13900139000"),
    "consignee.address.province": at(province="广东"),
    "consignee.address.city": at(city="北京市"),
    "consignee.address.district": at(district="朝阳区"),
    "consignee.address.street": at(street="街" * 41),
    "consignee.address.postcode": at(postcode="100001"),
    "line.sku": bought(sku="ECS000001"),
    "line.name": bought(name="茶"),
    "line.quantity": bought(quantity=3),
    "line.price_fen": bought(price_fen=138801),
}


def moved(erp: str, other: ErpOrder) -> list[Explained]:
    """The fields that say something else of the other order."""
    before = {field.target: field.value for field in EXPLAIN[erp](order())}
    return [field for field in EXPLAIN[erp](other) if field.value != before[field.target]]


@every_erp
@pytest.mark.parametrize("fact", CHANGES)
def test_a_field_that_follows_a_fact_names_it(erp: str, fact: str) -> None:
    names = (fact, "of the consignee") if fact.startswith("consignee.") else (fact,)

    for field in moved(erp, CHANGES[fact]):
        assert any(name in f"{field.source}, {field.rule}" for name in names), field


@every_erp
def test_a_field_that_names_a_fact_follows_it_and_a_constant_none(erp: str) -> None:
    follows = {field.target for other in CHANGES.values() for field in moved(erp, other)}
    fixed = {field.target for field in EXPLAIN[erp](order()) if field.source.startswith(FIXED)}

    assert follows == {field.target for field in EXPLAIN[erp](order())} - fixed
