"""Where each field of a sales order comes from: all of them, as they are sent, by what the settings say."""

from __future__ import annotations

import re

import pytest

from mappings.errors import PermanentError
from mappings.explaining import ExplainingErp
from mappings.tables import read_table
from tests.contract.erps.hands import SN, erp_order, run
from tests.contract.erps.leaves import leaves
from tests.contract.erps.sap_odata.hands import body_of, erp, fresh_token, replied
from tests.contract.erps.sealed import goods

SUMS = {"freight_condition": "HD00", "discount_condition": "HB00", "fee_condition": "HZ00"}
EVERYTHING = {
    **SUMS,
    "plant": "1010",
    "storage_location": "101A",
    "ship_to": "10100001",
    "note_text_id": "TX01",
    "address_text_id": "TX02",
    "delivery_days": "2",
    "header_fields": "ShippingCondition=01,CompleteDeliveryIsDefined=true",
    "item_fields": "SalesOrderItemCategory=TAN",
}
TEA = goods("7", "tea-01", 10000)
ORDER = erp_order(TEA, goods("8", "CUP", 0), total_fen=9850, shipping_fee_fen=800, discount_fen=1000, buyer_note="快")


@pytest.mark.parametrize("settings", [SUMS, EVERYTHING], ids=["least", "all"])
def test_every_field_that_is_sent_is_explained_and_no_other(settings: dict[str, str]) -> None:
    connector = erp(**settings)
    explained = [(field.target, field.value) for field in connector.explain(ORDER)]
    _, [_, create] = run(connector.create(ORDER), fresh_token(), replied("create"))

    assert isinstance(connector, ExplainingErp)
    assert explained == list(leaves(body_of(create)).items())


def test_no_row_of_the_table_is_left_over() -> None:
    """Prices and texts stand there in the order of their settings."""
    constants = {"ShippingCondition", "CompleteDeliveryIsDefined", "to_Item[].SalesOrderItemCategory"}
    named = {
        **{f"to_PricingElement[{place}]": f"to_PricingElement[{setting}]" for place, setting in enumerate(SUMS)},
        **{f"to_Text[{place}]": f"to_Text[{name}]" for place, name in enumerate(("note_text_id", "address_text_id"))},
    }
    used = set()
    for field in erp(**EVERYTHING).explain(ORDER):
        part, dot, name = field.target.partition(".")
        used.add(f"{named[part]}.{name}" if part in named else re.sub(r"\[\d+\]", "[]", part + dot + name))

    assert used - constants == set(read_table("mappings.erps.sap_odata", "fields.toml")["field"])
    assert constants <= used


def test_a_field_names_its_fact_its_setting_or_that_it_is_always_so() -> None:
    of = {field.target: (field.source, field.value) for field in erp(**EVERYTHING).explain(ORDER)}

    assert of["PurchaseOrderByCustomer"][1] == SN
    assert of["to_Item[0].Material"] == ("line.sku", "TEA-01")
    assert of["to_Item[1].SalesOrderItemCategory"] == ("the setting item_fields", "TAN")
    assert of["CompleteDeliveryIsDefined"] == ("the setting header_fields", "true")
    assert of["to_PricingElement[2].ConditionType"] == ("the setting fee_condition", "HZ00")
    assert of["to_Text[1].LongTextID"] == ("the setting address_text_id", "TX02")


def test_one_condition_type_for_several_sums_is_told_apart() -> None:
    """SAP may want freight and fees under one: what each row says is what stands in it."""
    explained = erp(freight_condition="ZZ00", discount_condition="ZZ00", fee_condition="ZZ00").explain(ORDER)
    rates = {field.value: field.source for field in explained if field.target.startswith("to_PricingElement")}

    assert rates["8.00"] == "order.shipping_fee_fen"
    assert rates["-10.00"] == "order.discount_fen"
    assert rates["0.50"] == "what is left of order.total_fen"


def test_what_would_be_parked_unsent_is_not_explained_either() -> None:
    for order, code in ((erp_order(goods("7", " ", 1)), "sku_missing"), (ORDER, "condition_unset")):
        with pytest.raises(PermanentError) as caught:
            erp().explain(order)
        assert caught.value.code == f"sap_odata.order.{code}"


def test_nothing_secret_is_explained() -> None:
    assert "s3cret" not in str(erp(**EVERYTHING).explain(ORDER))
