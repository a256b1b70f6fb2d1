"""The ORDERS05 IDoc: what an order becomes, and what is never sent because SAP would refuse or misread it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mappings.erps.sap_pi.idoc import Segment, find_flaw, split_text
from mappings.errors import PermanentError
from mappings.sap_text import cut_text, sap_length
from tests.contract.erps.sap_pi.cases import (
    REST,
    SN,
    as_rows,
    erp,
    erp_order,
    failure,
    fields_of,
    idoc,
    line,
    with_consignee,
)

EXAMPLE = json.loads((Path(__file__).parents[2] / "data/erps/sap_pi/orders05.json").read_text("utf-8"))

CONTROL = Segment(
    "EDI_DC40",
    {
        "TABNAM": "EDI_DC40",
        "DIRECT": "2",
        "IDOCTYP": "ORDERS05",
        "MESTYP": "ORDERS",
        "SNDPOR": "A",
        "SNDPRT": "LS",
        "SNDPRN": "A",
        "RCVPOR": "B",
        "RCVPRT": "LS",
        "RCVPRN": "B",
    },
)
HEAD = Segment("E1EDK01", {"BELNR": SN})


def test_the_example_order_becomes_the_example_idoc_segment_by_segment() -> None:
    assert as_rows(list(idoc())) == EXAMPLE["segments"]


def test_the_same_order_is_the_same_bytes_whenever_it_is_sent() -> None:
    assert ElementTree.tostring(idoc()) == ElementTree.tostring(idoc())


@pytest.mark.parametrize(
    ("placed_at", "day", "time"),
    [
        (datetime(2026, 11, 21, 15, 30, tzinfo=UTC), "20261121", "233000"),
        (datetime(2026, 11, 21, 16, 30, tzinfo=UTC), "20261122", "003000"),
    ],
)
def test_days_are_those_of_shanghai_on_both_sides_of_midnight(placed_at: datetime, day: str, time: str) -> None:
    order = erp_order(placed_at=placed_at, order_date=day)
    found = idoc(erp(REST, delivery_days="2"), order)

    assert fields_of(found, "EDI_DC40")["CREDAT"] == day
    assert fields_of(found, "EDI_DC40")["CRETIM"] == time
    assert fields_of(found, "E1EDK03", IDDAT="012")["DATUM"] == day
    assert fields_of(found, "E1EDK03", IDDAT="002")["DATUM"] == str(int(day) + 2)
    assert fields_of(found, "E1EDK02", QUALF="001")["DATUM"] == day


def test_a_delivery_date_goes_over_the_end_of_the_year() -> None:
    found = idoc(erp(REST, delivery_days="3"), erp_order(order_date="20261230"))

    assert fields_of(found, "E1EDK03", IDDAT="002")["DATUM"] == "20270102"


def test_every_line_is_an_item_in_tens_those_of_later_parcels_too() -> None:
    lines = [line(sku=f"SKU-{number}", quantity=number, price_fen=5) for number in (1, 2)]
    later = (line(sku="LATER", price_fen=1), line(sku="SKU-2", quantity=3, price_fen=5))
    found = idoc(order=erp_order(*lines, later_lines=later, total_fen=32))
    items = list(found.iter("E1EDP01"))

    assert [item.findtext("POSEX") for item in items] == ["000010", "000020", "000030"]
    assert [item.findtext("MENGE") for item in items] == ["1.000", "5.000", "2.000"], "what was split is one item"
    assert [item.findtext("VPREI") for item in items] == ["0.05", "0.05", "0.01"]
    assert [item.findtext("E1EDP19/IDTNR") for item in items] == ["SKU-1", "SKU-2", "LATER"]


def test_amounts_are_exact_with_a_point_and_no_separator() -> None:
    found = idoc(order=erp_order(line(price_fen=123456789), total_fen=246913578))

    assert found.findtext("E1EDP01/VPREI") == "1234567.89"
    assert found.findtext("E1EDS01/SUMME") == "2469135.78"


SUMS: dict[str, Any] = {"total_fen": 278080, "shipping_fee_fen": 1000, "discount_fen": 550}
"""With 30 fen of other fees."""


def test_freight_discount_and_fees_are_conditions_that_make_the_total() -> None:
    conditions = {"freight_condition": "HD01", "discount_condition": "RB00", "fee_condition": "HZ00"}
    told = idoc(erp(REST, **conditions), erp_order(**SUMS))

    assert fields_of(told, "E1EDK05", KSCHL="HD01") == {"ALCKZ": "+", "KSCHL": "HD01", "BETRG": "10.00"}
    assert fields_of(told, "E1EDK05", KSCHL="RB00") == {"ALCKZ": "-", "KSCHL": "RB00", "BETRG": "5.50"}
    assert fields_of(told, "E1EDK05", KSCHL="HZ00") == {"ALCKZ": "+", "KSCHL": "HZ00", "BETRG": "0.30"}
    assert told.findtext("E1EDS01/SUMME") == "2780.80"


def test_freight_has_the_usual_condition_type_and_no_fee_is_no_condition() -> None:
    [freight] = idoc(order=erp_order(total_fen=278600, shipping_fee_fen=1000)).findall("E1EDK05")

    assert freight.findtext("KSCHL") == "HD00"


@pytest.mark.parametrize("setting", ["freight_condition", "discount_condition", "fee_condition"])
def test_an_amount_that_nobody_named_a_condition_for_waits_for_a_person(setting: str) -> None:
    named = {"discount_condition": "RB00", "fee_condition": "HZ00", setting: ""}
    problem = failure(erp(REST, **named).create(erp_order(**SUMS)))

    assert (type(problem), problem.code) == (PermanentError, "sap_pi.order.condition_unset")
    assert setting.upper() in problem.message


def test_an_amount_can_be_left_out_knowingly() -> None:
    left_out = {"freight_condition": "-", "discount_condition": "-", "fee_condition": "-"}
    found = idoc(erp(REST, **left_out), erp_order(**SUMS))

    assert found.find("E1EDK05") is None
    assert found.findtext("E1EDS01/SUMME") == "2780.80"


def test_an_order_whose_sums_differ_never_leaves() -> None:
    assert failure(erp(REST).create(erp_order(total_fen=277599))).code == "sap_pi.order.sums_differ"


def test_optional_settings_become_fields() -> None:
    settings = {"sales_office": "1001", "payment_terms": "0001", "plant": "1010", "ship_to": "10100002"}
    found = idoc(erp(REST, **settings, material_qualifier="003", unit="ST", sender_type="KU"))

    assert fields_of(found, "E1EDK14", QUALF="016")["ORGID"] == "1001"
    assert fields_of(found, "E1EDK01")["ZTERM"] == "0001"
    assert found.findtext("E1EDP01/WERKS") == "1010"
    assert found.findtext("E1EDP01/MENEE") == "ST"
    assert found.findtext("E1EDP01/E1EDP19/QUALF") == "003"
    assert fields_of(found, "E1EDKA1", PARVW="WE")["PARTN"] == "10100002"
    assert fields_of(found, "EDI_DC40")["SNDPRT"] == "KU"


def test_a_province_stands_before_the_city_unless_sap_knows_its_code() -> None:
    order = erp_order(**with_consignee(province="广东", city="深圳", district="南山区"))
    plain, coded = idoc(order=order), idoc(erp(REST, region_codes="广东=190"), order)

    assert fields_of(plain, "E1EDKA1", PARVW="WE")["ORT01"] == "广东深圳"
    assert "REGIO" not in fields_of(plain, "E1EDKA1", PARVW="WE")
    assert fields_of(coded, "E1EDKA1", PARVW="WE")["ORT01"] == "深圳"
    assert fields_of(coded, "E1EDKA1", PARVW="WE")["REGIO"] == "190"
    assert fields_of(coded, "E1EDKA1", PARVW="WE")["ORT02"] == "南山区"


# --- text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ('A&B <路> "1" 号', 'A&B <路> "1" 号'),
        ("]]></STRAS><STRAS>x", "]]></STRAS><STRAS>x"),
        ("海淀路\r\n1号\x00\x0b\x1f", "海淀路 1号"),
        ("１２号\ufffe", "12号"),
        ("𠮷野家 😀 1 号", "𠮷野家 😀 1 号"),
    ],
)
def test_whatever_a_buyer_typed_arrives_as_text(typed: str, kept: str) -> None:
    found = idoc(order=erp_order(**with_consignee(street=typed)))

    assert fields_of(found, "E1EDKA1", PARVW="WE")["STRAS"] == kept


def test_a_long_street_and_name_go_on_in_the_second_field() -> None:
    found = idoc(order=erp_order(**with_consignee(street="路" * 50, name="名" * 36)))
    ship_to = fields_of(found, "E1EDKA1", PARVW="WE")

    assert (ship_to["STRAS"], ship_to["STRS2"]) == ("路" * 35, "路" * 15)
    assert (ship_to["NAME1"], ship_to["NAME2"]) == ("名" * 35, "名")


def test_sap_counts_a_rare_character_twice_and_it_is_never_cut_in_two() -> None:
    assert sap_length("𠮷a") == 3
    assert cut_text("𠮷𠮷𠮷", 3) == "𠮷"
    assert split_text("a" * 34 + "𠮷b", 35, 2) == ("a" * 34, "𠮷b")


def test_goods_texts_lose_their_end_and_nothing_else_does() -> None:
    found = idoc(order=erp_order(line(name="茶" * 100)))

    assert found.findtext("E1EDP01/E1EDP19/KTEXT") == "茶" * 70


@pytest.mark.parametrize(
    ("order", "where"),
    [
        (erp_order(line(sku="S" * 36)), "E1EDP19-IDTNR: it has 36 characters, SAP takes 35"),
        (erp_order(**with_consignee(street="路" * 71)), "E1EDKA1-STRS2: it has 36 characters, SAP takes 35"),
        (erp_order(**with_consignee(phone="1" * 26)), "E1EDKA1-TELF1: it has 26"),
        (erp_order(**with_consignee(name="𠮷" * 36)), "E1EDKA1-NAME2: it has 38"),
        (erp_order(ref="r" * 36), "BELNR: it has 36 characters, SAP takes 35"),
    ],
)
def test_what_sap_has_no_room_for_is_not_sent_and_not_shown(order: Any, where: str) -> None:
    problem = failure(erp(REST).create(order))

    assert type(problem) is PermanentError
    assert problem.code == "sap_pi.order.field_too_long"
    assert where in problem.message
    assert "路" not in problem.message


@pytest.mark.parametrize("sku", ["", "  "])
def test_a_line_without_sku_never_leaves(sku: str) -> None:
    orders = erp_order(line(sku=sku)), erp_order(later_lines=(line(sku=sku),))
    for base in ({}, {"payload": "json"}):
        for order in orders:
            assert failure(erp(REST, **base).create(order)).code == "sap_pi.order.sku_missing"


def test_an_order_without_lines_never_leaves() -> None:
    order = erp_order()
    empty = replace(order, order=replace(order.order, lines=()))

    assert failure(erp(REST).create(empty)).code == "sap_pi.order.sku_missing"


# --- the basic type


def item(**fields: str) -> Segment:
    told = {"POSEX": "000010", "MENGE": "1.000", "MENEE": "PCE", **fields}
    return Segment("E1EDP01", told, (Segment("E1EDP19", {"QUALF": "002", "IDTNR": "X"}),))


@pytest.mark.parametrize(
    ("segments", "where", "why"),
    [
        ([HEAD, CONTROL], "ORDERS05", "sequence"),
        ([CONTROL, HEAD, item(), Segment("E1EDK02", {"QUALF": "001", "BELNR": SN})], "ORDERS05", "sequence"),
        ([CONTROL, HEAD, Segment("E1EDP19", {"QUALF": "002", "IDTNR": "X"})], "ORDERS05", "sequence"),
        ([CONTROL], "E1EDK01", "0 times"),
        ([CONTROL, HEAD, HEAD], "E1EDK01", "2 times"),
        ([CONTROL, HEAD, Segment("E1EDK14", {"QUALF": "999", "ORGID": "1"})], "E1EDK14-QUALF", "not known"),
        ([CONTROL, HEAD, Segment("E1EDK14", {"QUALF": "008"})], "E1EDK14-ORGID", "empty"),
        ([CONTROL, HEAD, *[Segment("E1EDKA1", {"PARVW": "AG"})] * 2], "E1EDKA1-PARVW", "twice"),
        ([CONTROL, HEAD, Segment("E1EDK03", {"IDDAT": "012", "DATUM": "2026-1-1"})], "E1EDK03-DATUM", "no date"),
        ([CONTROL, HEAD, Segment("E1EDK03", {"IDDAT": "012", "DATUM": "20260230"})], "E1EDK03-DATUM", "no date"),
        ([CONTROL, HEAD, item(VPREI="1,388.00")], "E1EDP01-VPREI", "no decimal"),
        ([CONTROL, HEAD, item(POSEX="1a")], "E1EDP01-POSEX", "no digits"),
        ([CONTROL, HEAD, item(COLOUR="red")], "E1EDP01-COLOUR", "no such field"),
        ([CONTROL, HEAD, Segment("E1EDP01", item().fields)], "E1EDP19", "0 times"),
        (
            [CONTROL, HEAD, Segment("E1EDP01", item().fields, (*item().children, Segment("E1EDP20", {"WMENG": "1"})))],
            "E1EDP01",
            "sequence",
        ),
    ],
)
def test_what_the_basic_type_does_not_allow_is_found(segments: list[Segment], where: str, why: str) -> None:
    problem = find_flaw(segments)

    assert problem is not None
    assert (problem.where, why in problem.why) == (where, True)


def test_what_it_allows_passes() -> None:
    assert find_flaw([CONTROL, HEAD, item()]) is None
