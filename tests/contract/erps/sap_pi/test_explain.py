"""Where each field of an order's IDoc or JSON comes from: all of them, as they are sent, and nothing secret."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from mappings.erps.sap_pi.order import CONSTANTS
from mappings.explaining import ExplainingErp
from mappings.tables import read_table
from tests.contract.erps.leaves import leaves
from tests.contract.erps.sap_pi.cases import PHONE, REST, SN, erp, erp_order, failure, idoc, line, sent, with_consignee

ROWS = set(read_table("mappings.erps.sap_pi", "fields.toml")["field"])
SUMS = {"freight_condition": "HD00", "discount_condition": "RB00", "fee_condition": "HZ00"}
EVERYTHING = {
    **SUMS,
    "sales_office": "1001",
    "payment_terms": "0001",
    "plant": "1010",
    "ship_to": "10100002",
    "region_codes": "北京=010",
}
LONG_NAME, LONG_STREET = "名" * 35 + "尾", "路" * 35 + "弄5号"
ORDER = erp_order(
    line(),
    line(sku="SKU-2"),
    total_fen=555700,
    shipping_fee_fen=1000,
    discount_fen=550,
    **with_consignee(name=LONG_NAME, street=LONG_STREET, district="海淀区"),
)


def fields_of(parent: ElementTree.Element, path: str = "") -> Iterator[tuple[str, str | None]]:
    """Every field of the IDoc as it left, with its segment's place among those of its name."""
    places = Counter[str]()
    for segment in (child for child in parent if child.get("SEGMENT")):
        here = f"{path}{segment.tag}[{places[segment.tag]}]."
        places[segment.tag] += 1
        yield from ((here + child.tag, child.text) for child in segment if not child.get("SEGMENT"))
        yield from fields_of(segment, here)


@pytest.mark.parametrize("settings", [SUMS, EVERYTHING], ids=["least", "all"])
def test_every_field_of_the_idoc_is_explained_with_what_is_sent(settings: dict[str, str]) -> None:
    connector = erp(REST, **settings)
    explained = [(field.target, field.value) for field in connector.explain(ORDER)]

    assert isinstance(connector, ExplainingErp)
    assert explained == list(fields_of(idoc(connector, ORDER)))


def test_every_field_of_the_json_is_explained_with_what_is_sent() -> None:
    connector = erp(REST, payload="json")
    explained = [(field.target, field.value) for field in connector.explain(ORDER)]

    assert explained == list(leaves(json.loads(sent(connector, ORDER).body)).items())


def test_the_table_has_a_row_for_all_that_is_filled_in_and_no_other() -> None:
    table = read_table("mappings.erps.sap_pi", "idoc.toml")
    texts = {text for part in ("order", "item", "sum") for segment in table[part] for text in segment.values()}
    filled = {text for text in texts if "{" in text} - {f"{{{name}}}" for name in CONSTANTS}
    told = {re.sub(r"\[\d\]", "[]", field.target) for field in erp(REST, payload="json").explain(ORDER)}

    assert filled | told == ROWS


def test_a_field_names_its_fact_its_setting_or_that_it_is_always_so() -> None:
    of = {field.target: (field.source, field.value) for field in erp(REST, **EVERYTHING).explain(ORDER)}

    assert of["E1EDK01[0].BELNR"][1] == SN
    assert of["EDI_DC40[0].MESTYP"] == ("idoc.toml", "ORDERS")
    assert of["E1EDK14[0].ORGID"] == ("the setting sales_org", "1010")
    assert of["E1EDK05[0].BETRG"] == ("order.shipping_fee_fen", "10.00")
    assert of["E1EDK05[1].BETRG"] == ("order.discount_fen", "5.50")
    assert of["E1EDKA1[1].REGIO"] == ("consignee.address.province", "010")
    assert of["E1EDP01[1].E1EDP19[0].IDTNR"] == ("line.sku", "SKU-2")
    assert of["E1EDK05[2].BETRG"] == ("what is left of order.total_fen", "0.50")
    assert of["E1EDS01[0].SUMME"] == ("order.total_fen", "5557.00")


def test_pieces_of_a_name_and_a_street_are_marked_so_that_they_are_masked() -> None:
    explained = erp(REST, **EVERYTHING).explain(ORDER)
    personal = {field.target.rpartition(".")[2]: field.value for field in explained if field.is_personal}

    assert personal == {
        "NAME1": "名" * 35,
        "NAME2": "尾",
        "STRAS": "路" * 35,
        "STRS2": "弄5号",
        "TELF1": PHONE,
    }


@pytest.mark.parametrize(
    ("order", "code"),
    [(erp_order(line(sku=" ")), "sku_missing"), (erp_order(line(sku="S" * 36)), "field_too_long")],
    ids=["no SKU", "too long"],
)
def test_an_order_that_would_be_parked_is_refused_as_it_would_be(order: Any, code: str) -> None:
    refused = failure(erp(REST).create(order))
    with pytest.raises(type(refused)) as caught:
        erp(REST).explain(order)

    assert caught.value.code == refused.code == f"sap_pi.order.{code}"


@pytest.mark.parametrize("payload", ["idoc", "json"])
def test_no_secret_is_in_it(payload: str) -> None:
    shown = str(erp(REST, payload=payload, **EVERYTHING).explain(ORDER))
    header = b64encode(f"{REST['username']}:{REST['password']}".encode()).decode()

    assert REST["password"] not in shown
    assert header not in shown
