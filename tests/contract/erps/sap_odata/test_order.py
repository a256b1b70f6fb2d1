"""What SAP is told of an order: amounts, dates, texts, lengths, and nothing that it would refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.china_time import SHANGHAI
from mappings.erps.sap_odata.shapes import problem_of
from mappings.errors import PermanentError
from mappings.model import ErpOrder, OrderLine, Queue
from mappings.tables import read_table
from tests.contract.erps.hands import NAME, PHONE, SN, erp_order, run
from tests.contract.erps.sap_odata.hands import body_of, erp, opened, replied

LINE = OrderLine("7", sku="TEA-01", name="龙井茶", quantity=1, price_fen=10000, weight_g=250)
ENTITIES = read_table("mappings.erps.sap_odata", "entities.toml")


def sent(order: ErpOrder, **settings: str) -> Any:
    _, [create] = run(opened(**settings).create(order), replied("create"))
    return body_of(create)


def refused(order: ErpOrder, **settings: str) -> PermanentError:
    """Why the order never leaves."""
    with pytest.raises(PermanentError) as caught:
        next(opened(**settings).create(order))
    return caught.value


@pytest.mark.parametrize(
    ("placed_at", "day"),
    [
        (datetime(2026, 11, 21, 23, 30, tzinfo=SHANGHAI), datetime(2026, 11, 21, tzinfo=UTC)),
        (datetime(2026, 11, 22, 0, 30, tzinfo=SHANGHAI), datetime(2026, 11, 22, tzinfo=UTC)),
    ],
)
def test_an_order_has_the_date_that_the_calendar_shows_in_china(placed_at: datetime, day: datetime) -> None:
    order = erp_order(placed_at=placed_at, order_date=placed_at.strftime("%Y%m%d"))

    assert sent(order)["CustomerPurchaseOrderDate"] == f"/Date({int(day.timestamp()) * 1000})/"


def test_only_what_the_settings_name_is_sent_beside_the_order() -> None:
    body = sent(erp_order())

    assert set(body) == {
        "SalesOrderType",
        "SalesOrganization",
        "DistributionChannel",
        "OrganizationDivision",
        "SoldToParty",
        "PurchaseOrderByCustomer",
        "CustomerPurchaseOrderDate",
        "TransactionCurrency",
        "to_Item",
    }
    assert NAME not in str(body)
    assert PHONE not in str(body)


def test_plant_unit_constants_and_requested_date_are_settings() -> None:
    body = sent(
        erp_order(),
        plant="1010",
        storage_location="101a",
        unit="EA",
        delivery_days="0",
        header_fields="ShippingCondition=01, CompleteDeliveryIsDefined=true",
        item_fields="SalesOrderItemCategory=TAN",
    )
    [item] = body["to_Item"]

    assert (body["ShippingCondition"], body["CompleteDeliveryIsDefined"]) == ("01", True)
    assert body["RequestedDeliveryDate"] == body["CustomerPurchaseOrderDate"]
    assert (item["ProductionPlant"], item["StorageLocation"]) == ("1010", "101A")
    assert (item["SalesOrderItemCategory"], item["RequestedQuantityUnit"]) == ("TAN", "EA")
    assert item["to_PricingElement"][0]["ConditionQuantityUnit"] == "EA"


def test_the_consignee_leaves_only_under_a_text_id_because_sap_lets_nobody_write_a_one_off_address() -> None:
    body = sent(erp_order(), address_text_id="TX02", text_language="ZH")

    [text] = body["to_Text"]
    assert (text["Language"], text["LongTextID"]) == ("ZH", "TX02")
    assert text["LongText"] == f"{NAME} {PHONE}\n北京北京海淀区海淀路1号"
    assert "to_Partner" not in body


def test_a_note_that_nobody_wrote_is_no_text() -> None:
    assert "to_Text" not in sent(erp_order(), note_text_id="TX01")


# --- amounts


def test_freight_discount_and_other_fees_stand_on_the_order_and_add_up() -> None:
    order = erp_order(LINE, total_fen=9850, shipping_fee_fen=800, discount_fen=1000)
    body = sent(order, discount_condition="HB00", fee_condition="HZ00")

    values = [(row["ConditionType"], row["ConditionRateValue"]) for row in body["to_PricingElement"]]
    assert values == [("HD00", "8.00"), ("HB00", "-10.00"), ("HZ00", "0.50")]
    assert {row["ConditionCurrency"] for row in body["to_PricingElement"]} == {"CNY"}


@pytest.mark.parametrize(
    ("order", "setting"),
    [
        (erp_order(LINE, total_fen=9000, discount_fen=1000), "DISCOUNT_CONDITION"),
        (erp_order(LINE, total_fen=10050), "FEE_CONDITION"),
    ],
)
def test_an_amount_that_nobody_named_a_condition_for_waits_for_a_person(order: ErpOrder, setting: str) -> None:
    error = refused(order)

    assert error.code == "sap_odata.order.condition_unset"
    assert setting in error.message


def test_an_amount_can_be_left_out_knowingly() -> None:
    order = erp_order(LINE, total_fen=9850, shipping_fee_fen=800, discount_fen=1000)
    left_out = {"freight_condition": "-", "discount_condition": "-", "fee_condition": "-", "price_condition": "-"}
    body = sent(order, **left_out)

    assert "to_PricingElement" not in body
    assert "to_PricingElement" not in body["to_Item"][0]


def test_a_gift_has_its_price_of_nothing_or_sap_would_charge_its_own() -> None:
    gift = replace(LINE, shop_line_id="8", sku="GIFT", price_fen=0, is_gift=True)
    _, item = sent(erp_order(LINE, gift, total_fen=10000))["to_Item"]

    assert item["to_PricingElement"][0]["ConditionRateValue"] == "0.00"


def test_an_order_whose_sums_differ_never_leaves() -> None:
    order = erp_order(LINE, total_fen=25000, queue=Queue.REMAINDER)

    assert refused(order, fee_condition="HZ00").code == "sap_odata.order.sums_differ"


@given(st.integers(min_value=0, max_value=10**11), st.integers(min_value=1, max_value=9999))
def test_prices_and_quantities_are_texts_that_lose_nothing(price_fen: int, quantity: int) -> None:
    line = replace(LINE, price_fen=price_fen, quantity=quantity)
    [item] = sent(erp_order(line, total_fen=price_fen * quantity))["to_Item"]

    assert item["RequestedQuantity"] == str(quantity)
    assert item["to_PricingElement"][0]["ConditionRateValue"] == f"{price_fen // 100}.{price_fen % 100:02d}"


# --- lengths and names


def test_a_goods_name_is_cut_to_the_forty_characters_of_an_item_text() -> None:
    [item] = sent(erp_order(replace(LINE, name="茶" * 41), total_fen=10000))["to_Item"]

    assert item["SalesOrderItemText"] == "茶" * 40


def test_sap_counts_a_rare_character_twice_and_it_is_never_cut_in_two() -> None:
    [item] = sent(erp_order(replace(LINE, name="a" * 39 + "𠮷b"), total_fen=10000))["to_Item"]
    too_long = replace(erp_order(), external_ref="𠮷" * 18)

    assert item["SalesOrderItemText"] == "a" * 39
    assert refused(erp_order(replace(LINE, sku="𠮷" * 21), total_fen=10000)).code == "sap_odata.order.not_writable"
    assert refused(too_long).code == "sap_odata.order.reference_too_long"


def test_a_number_that_does_not_fit_is_never_cut_because_it_could_not_be_looked_up() -> None:
    fits, too_long = (replace(erp_order(), external_ref="9" * length) for length in (35, 36))

    assert sent(fits)["PurchaseOrderByCustomer"] == "9" * 35
    assert refused(too_long).code == "sap_odata.order.reference_too_long"
    with pytest.raises(PermanentError, match="36 characters"):
        next(erp().find("9" * 36))


def test_a_sku_that_no_material_can_have_never_leaves() -> None:
    error = refused(erp_order(replace(LINE, sku="X" * 41), total_fen=10000))

    assert (error.code, "40 characters" in error.message) == ("sap_odata.order.not_writable", True)


@pytest.mark.parametrize("lines", [(replace(LINE, sku=" "),), (LINE, replace(LINE, shop_line_id="8", sku=""))])
def test_a_line_without_sku_never_leaves(lines: tuple[OrderLine, ...]) -> None:
    assert refused(erp_order(*lines)).code == "sap_odata.order.sku_missing"


def test_a_material_is_spelled_in_capital_letters_as_sap_keeps_it() -> None:
    [item] = sent(erp_order(replace(LINE, sku=" tea-01"), total_fen=10000))["to_Item"]

    assert item["Material"] == "TEA-01"


@pytest.mark.parametrize(
    ("entity", "name", "words"),
    [
        ("A_SalesOrder", "PurchaseOrderByCustomer", "text 35"),
        ("A_SalesOrder", "ExternalDocumentID", "code 40 read_only"),
        ("A_SalesOrder", "SenderBusinessSystemName", "text 60 read_only"),
        ("A_SalesOrder", "TotalNetAmount", "decimal 16.3 read_only"),
        ("A_SalesOrder", "CreationDate", "date read_only"),
        ("A_SalesOrder", "SoldToParty", "code 10"),
        ("A_SalesOrderItem", "Material", "code 40"),
        ("A_SalesOrderItem", "SalesOrderItemText", "text 40"),
        ("A_SalesOrderItem", "RequestedQuantity", "decimal 15.3"),
        ("A_SalesOrderItem", "ExternalItemID", "code 40 read_only"),
        ("A_SalesOrderItem", "SalesDocumentRjcnReason", "code 2"),
        ("A_SalesOrderHeaderPrElement", "ConditionRateValue", "decimal 24.9"),
        ("A_SalesOrderHeaderPrElement", "ConditionAmount", "decimal 16.3 read_only"),
    ],
)
def test_the_table_says_what_sap_s_metadata_says(entity: str, name: str, words: str) -> None:
    assert ENTITIES[entity][name] == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ExternalDocumentID": "1"}, "ExternalDocumentID of A_SalesOrder is set by SAP alone"),
        ({"OrderSn": "1"}, "A_SalesOrder has no property OrderSn"),
        ({"SoldToParty": "12345678901"}, "SoldToParty of A_SalesOrder may have 10 characters"),
        ({"CustomerPurchaseOrderDate": "2026-11-21"}, "CustomerPurchaseOrderDate of A_SalesOrder is no /Date(…)/"),
        ({"to_Item": [{"RequestedQuantity": 2}]}, "RequestedQuantity of A_SalesOrderItem is no decimal of 12 digits"),
        ({"to_Item": [{"RequestedQuantity": "1.0001"}]}, "RequestedQuantity of A_SalesOrderItem is no decimal"),
        ({"to_Item": [{"to_PricingElement": [{"ConditionAmount": "1.00"}]}]}, "is set by SAP alone"),
        ({"CompleteDeliveryIsDefined": "X"}, "is neither true nor false"),
    ],
)
def test_what_sap_would_refuse_is_found_before_it_leaves(values: dict[str, Any], words: str) -> None:
    assert words in problem_of("A_SalesOrder", values)


def test_the_idempotency_of_sap_is_none_so_every_create_is_looked_up_first() -> None:
    assert (erp().spec.finds_first, erp().spec.repeat_is_safe) == (True, False)
    assert sent(erp_order())["PurchaseOrderByCustomer"] == SN
