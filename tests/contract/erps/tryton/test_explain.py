"""Where each field of a sale comes from: all of them, as they are sent, with names where the ids would stand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from mappings.errors import PermanentError
from mappings.explaining import ExplainingErp
from mappings.tables import read_table
from tests.contract.erps.hands import erp_order, run, said
from tests.contract.erps.leaves import leaves
from tests.contract.erps.tryton.talk import KEY, PARTY, PRODUCT, SHOP, sale, tryton

FEES = {"freight_sku": "FREIGHT", "discount_sku": "DISCOUNT"}
EVERYTHING = {**FEES, "warehouse": "Warehouse", "consignee_in_comment": "1"}
LEFT_OUT = {"freight_sku": "-", "discount_sku": "-"}
ORDER = erp_order(shipping_fee_fen=1205, discount_fen=500, total_fen=278305)
MASTERS = (PRODUCT, {**PRODUCT, "id": 8, "code": "FREIGHT"}, {**PRODUCT, "id": 9, "code": "DISCOUNT"})
OF_HEADER = {"party", "company", "currency", "invoice_address", "shipment_address", "warehouse", "web_shop"}


def sent(**settings: str) -> dict[str, str]:
    """The fields of the sale that goes out, without what Tryton's JSON wraps around them."""
    products = [row for row in MASTERS if row["code"] in ("ECS000000", *settings.values())]
    replies = (said([SHOP]), said([PARTY]), said(products), said(sale("draft", number=None)))
    _, calls = run(tryton(**settings).create(ORDER), *replies)
    values = json.loads(calls[-1].body)
    [[verb, lines]] = values["lines"]
    assert verb == "create"
    return leaves(plain({**values, "lines": lines}))


def plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(child) for child in value]
    if not isinstance(value, dict):
        return value
    if value.get("__class__") == "date":
        return f"{value['year']}-{value['month']:02}-{value['day']:02}"
    return value["decimal"] if "__class__" in value else {name: plain(child) for name, child in value.items()}


@pytest.mark.parametrize("settings", [LEFT_OUT, EVERYTHING], ids=["least", "all"])
def test_every_field_of_the_sale_is_explained_with_what_is_sent(settings: dict[str, str]) -> None:
    connector, wanted = tryton(**settings), sent(**settings)
    found = {field.target: field.value for field in connector.explain(ORDER)}
    lines = {
        f"lines[{number}].{name}"
        for number in range(3 if settings is EVERYTHING else 1)
        for name in ("product", "unit")
    }

    assert isinstance(connector, ExplainingErp)
    assert list(found) == list(wanted)
    assert {target for target in wanted if found[target] != wanted[target]} == OF_HEADER | lines


def test_what_tryton_alone_knows_is_named_by_what_it_is_looked_up_with() -> None:
    found = {field.target: field.value for field in tryton(**EVERYTHING).explain(ORDER)}

    assert found["party"] == "party 3"
    assert found["company"] == "company of web shop ECShop"
    assert found["shipment_address"] == "delivery address of party 3"
    assert found["warehouse"] == "warehouse Warehouse"
    assert found["lines[0].product"] == "product ECS000000"
    assert found["lines[1].unit"] == "unit of product FREIGHT"
    [only] = [field.value for field in tryton(**LEFT_OUT).explain(ORDER) if field.target == "warehouse"]
    assert only == "the only warehouse of web shop ECShop"


def test_the_table_has_no_row_for_a_field_that_is_never_sent() -> None:
    names = {"lines[0]": "lines[]", "lines[1]": "lines[freight_sku]", "lines[2]": "lines[discount_sku]"}
    targets = [field.target for field in tryton(**EVERYTHING).explain(ORDER)]
    rows = {re.sub(r"lines\[\d\]", lambda line: names[line[0]], target) for target in targets}

    assert rows == set(read_table("mappings.erps.tryton", "fields.toml")["field"])


def test_fees_name_their_own_settings_and_sums_also_where_there_is_but_one() -> None:
    of = {field.target: (field.source, field.value) for field in tryton(**FEES).explain(ORDER)}
    cheaper = erp_order(discount_fen=500, total_fen=277100)
    only = {field.target: field.source for field in tryton(**FEES).explain(cheaper)}

    assert of["lines[0].unit_price"] == ("line.price_fen", "1388.00")
    assert of["lines[1].unit_price"] == ("order.shipping_fee_fen", "12.05")
    assert of["lines[2].unit_price"] == ("order.discount_fen", "-5.00")
    assert only["lines[1].product"] == "the setting discount_sku"


def test_an_order_that_would_be_parked_without_asking_is_refused_as_it_would_be() -> None:
    [line] = ORDER.order.lines
    with pytest.raises(PermanentError) as caught:
        tryton().explain(erp_order(replace(line, sku=" ")))

    assert caught.value.code == "tryton.order.sku_missing"


def test_no_secret_is_in_it() -> None:
    assert KEY not in str(tryton(**EVERYTHING).explain(ORDER))
