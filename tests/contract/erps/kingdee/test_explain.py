"""Where each field of a saved order comes from: all of them, as they are sent, and nothing secret."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mappings.errors import PermanentError
from mappings.explaining import ExplainingErp
from mappings.tables import read_table
from tests.contract.erps.hands import SN, erp_order, run
from tests.contract.erps.kingdee.talk import UNCHECKED, VECTOR, body, done, kingdee
from tests.contract.erps.leaves import leaves

EVERYTHING = {
    **UNCHECKED,
    "tax_rate": "13",
    "freight_sku": "FREIGHT",
    "consignee_in_note": "1",
    "number_field": "F_ECS_NO",
}
ORDER = erp_order(total_fen=278305, shipping_fee_fen=1205, discount_fen=500)
ENTRIES = "data.Model.FSaleOrderEntry"


LEAST = {**UNCHECKED, "freight_sku": "-"}


@pytest.mark.parametrize(
    "settings", [LEAST, EVERYTHING, {**LEAST, "number_field": "FNumber"}], ids=["least", "all", "own field"]
)
def test_every_field_that_is_saved_is_explained_with_what_is_sent(settings: dict[str, str]) -> None:
    connector = kingdee(**settings)
    _, [save] = run(connector.create(ORDER), done())

    assert isinstance(connector, ExplainingErp)
    assert [(field.target, field.value) for field in connector.explain(ORDER)] == list(leaves(body(save)).items())


def test_the_table_has_no_row_for_a_field_that_is_never_sent() -> None:
    explained = (field.target for field in kingdee(**EVERYTHING).explain(ORDER))
    paths = {target.replace(f"{ENTRIES}[1]", f"{ENTRIES}[freight_sku]") for target in explained}
    rows = {re.sub(r"\[\d+\]", "[]", path).replace("F_ECS_NO", "{number_field}") for path in paths}

    assert rows == set(read_table("mappings.erps.kingdee", "fields.toml")["field"])


def test_goods_name_the_order_s_line_and_the_shipping_fee_its_setting() -> None:
    of = {field.target: (field.source, field.value) for field in kingdee(**EVERYTHING).explain(ORDER)}

    assert of["data.Model.FCustId.FNumber"] == ("the setting customer", "ECSHOP")
    assert of["data.Model.F_ECS_NO"][1] == SN
    assert of[f"{ENTRIES}[0].FMaterialId.FNumber"] == ("line.sku", "ECS000000")
    assert of[f"{ENTRIES}[0].FTaxPrice"] == ("line.price_fen", "1388")
    assert of[f"{ENTRIES}[1].FMaterialId.FNumber"] == ("the setting freight_sku", "FREIGHT")
    assert of[f"{ENTRIES}[1].FTaxPrice"] == ("order.shipping_fee_fen", "12.05")


def test_a_later_parcel_s_goods_are_goods_and_the_last_line_is_the_fee() -> None:
    [line] = ORDER.order.lines
    lines = [replace(line, shop_line_id=str(n), sku=f"SKU-{n}", price_fen=0) for n in range(11)]
    order = erp_order(*lines[:9], later_lines=(*lines[9:], lines[0]), shipping_fee_fen=100, total_fen=100)
    of = {field.target: field.source for field in kingdee(freight_sku="FREIGHT").explain(order)}

    assert {of[f"{ENTRIES}[{number}].FQty"] for number in range(11)} == {"line.quantity"}
    assert of[f"{ENTRIES}[11].FQty"] == "a constant"


def test_an_order_that_would_be_parked_is_refused_as_it_would_be() -> None:
    [line] = ORDER.order.lines
    with pytest.raises(PermanentError) as caught:
        kingdee().explain(erp_order(replace(line, sku=" ")))

    assert caught.value.code == "kingdee.order.sku_missing"


def test_no_secret_is_in_it() -> None:
    given, shown = VECTOR["input"], str(kingdee(**EVERYTHING).explain(ORDER))

    assert not any(given[secret] in shown for secret in ("app_id", "app_secret", "acct_id"))
