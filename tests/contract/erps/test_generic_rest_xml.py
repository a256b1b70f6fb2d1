"""The generic REST ERP in XML: what is written, what is read, and what is refused unread."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.erps.generic_rest import GenericRestErp
from mappings.erps.generic_rest.xml_text import DEEPEST, MOST_BYTES, UnreadableXml, read_xml, write_xml
from mappings.errors import PermanentError, TransientError
from mappings.model import Consignee, ErpDocument, StockFigure
from mappings.wire import HttpReply
from tests.contract.erps.hands import failure, run
from tests.contract.erps.test_generic_rest import NAME, PHONE, erp, erp_order

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
REF = "2026112200042"


def xml_erp(**settings: str) -> GenericRestErp:
    return erp(format="xml", **settings)


def xml(text: str, status: int = 200) -> HttpReply:
    return HttpReply(status, {"content-type": "application/xml"}, text.encode())


def written(**settings: str) -> str:
    _, [call] = run(xml_erp(**settings).create(erp_order()), HttpReply(201))
    return call.body.decode()


# --- what is sent


def test_an_order_is_posted_as_elements_under_one_root() -> None:
    _, [call] = run(xml_erp().create(erp_order()), xml("<reply><erp_no>SO-1</erp_no></reply>", 201))

    assert call.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert call.headers["Accept"] == "application/xml"
    assert call.body.decode() == (
        f"{HEAD}<order><order_id>{REF}</order_id><customer_name>{NAME}</customer_name>"
        "<total_amount>27.76</total_amount><order_date>20261122</order_date><lines><line><sku>TEA-01</sku>"
        "<name>龙井茶</name><quantity>2</quantity><price>13.88</price></line></lines></order>"
    )


def test_the_erp_names_root_lines_and_fields() -> None:
    body = written(
        xml_root="SalesOrder",
        xml_item="Position",
        field_map="order_id=OrderNo,lines=Positions,lines.sku=Material,phone=Mobile",
        extra_fields="Source=ecshop,lines.Unit=PCS",
        amount_format="fen",
    )

    assert body.startswith(f"{HEAD}<SalesOrder><Source>ecshop</Source><OrderNo>{REF}</OrderNo>")
    assert "<Positions><Position><Unit>PCS</Unit><Material>TEA-01</Material>" in body
    assert "<total_amount>2776</total_amount>" in body
    assert f"<Mobile>{PHONE}</Mobile></SalesOrder>" in body


def test_a_dotted_name_is_an_element_within_an_element() -> None:
    body = written(field_map="order_id=Head.No,total_amount=Head.Sum,lines=Items,lines.sku=Goods.Code")

    assert f"<Head><No>{REF}</No><Sum>27.76</Sum></Head>" in body
    assert "<Items><line><Goods><Code>TEA-01</Code></Goods>" in body


@given(st.text())
def test_whatever_a_customer_is_called_the_document_stays_whole(name: str) -> None:
    order = erp_order()
    order = replace(order, order=replace(order.order, consignee=Consignee(name, PHONE, order.order.consignee.address)))
    connector = xml_erp()

    _, [call] = run(connector.create(order), HttpReply(201))

    assert read_xml(call.body)["order_id"] == REF


def test_what_looks_like_an_element_in_a_text_is_none() -> None:
    body = write_xml("order", {"name": "<b>&amp;]]>\x00\ufffe", "rows": [{"n": 1}, {"n": 2}]}, "row")

    assert read_xml(body) == {"name": "<b>&amp;]]>", "rows": {"row": [{"n": "1"}, {"n": "2"}]}}


def test_a_cancel_has_the_same_root_and_its_constants() -> None:
    _, [call] = run(xml_erp(cancel_fields="status=closed").cancel(ErpDocument("", REF)), HttpReply(204))

    assert call.body.decode() == f"{HEAD}<order><order_id>{REF}</order_id><status>closed</status></order>"
    assert call.headers["Content-Type"] == "application/xml; charset=utf-8"


# --- what is read


@pytest.mark.parametrize(
    ("settings", "said", "erp_no"),
    [
        ({}, "<reply><erp_no>SO-1</erp_no></reply>", "SO-1"),
        ({}, "<reply><erp_no> SO-1\n</erp_no></reply>", "SO-1"),
        ({}, '<r xmlns="urn:x" xmlns:n="urn:y"><n:erp_no kind="so">SO-1</n:erp_no></r>', "SO-1"),
        ({}, "<reply/>", ""),
        ({}, "<reply><erp_no/></reply>", ""),
        ({}, "<reply><erp_no>1</erp_no><erp_no>2</erp_no></reply>", ""),
        ({"erp_no_field": "Body.Order.No"}, "<E><Body><Order><No>9</No></Order></Body></E>", "9"),
        ({"failure_field": "success"}, "<r><success>true</success><erp_no>SO-1</erp_no></r>", "SO-1"),
        ({"failure_field": "code"}, "<r><code>0</code><erp_no>SO-1</erp_no></r>", "SO-1"),
        ({"failure_field": "code=200"}, "<r><code>200</code><erp_no>SO-1</erp_no></r>", "SO-1"),
    ],
)
def test_a_taken_order_gives_the_erps_number(settings: dict[str, str], said: str, erp_no: str) -> None:
    document, _ = run(xml_erp(**settings).create(erp_order()), xml(said))

    assert document == ErpDocument(erp_no, REF)


def test_an_answer_in_the_chinese_encoding_that_it_declares_is_read() -> None:
    said = '<?xml version="1.0" encoding="GBK"?><r><message>成功</message><erp_no>销-1</erp_no></r>'

    document, _ = run(xml_erp().create(erp_order()), HttpReply(200, body=said.encode("gbk")))

    assert document.erp_no == "销-1"


@pytest.mark.parametrize("said", ["<r><success>false</success></r>", "<r><success>yes</success></r>"])
def test_a_failure_inside_a_200_goes_to_a_person(said: str) -> None:
    problem = failure(xml_erp(failure_field="success").create(erp_order()), xml(said))

    assert (type(problem), problem.code) == (PermanentError, "generic_rest.order.rejected")


@pytest.mark.parametrize(
    ("settings", "said", "found"),
    [
        ({}, f"<order><order_id>{REF}</order_id><erp_no>SO-1</erp_no></order>", True),
        ({"find_field": "order"}, f"<r><order><order_id>{REF}</order_id><erp_no>SO-1</erp_no></order></r>", True),
        (
            {"find_field": "list.order"},
            "<r><list><order><order_id>1</order_id><erp_no>SO-0</erp_no></order>"
            f"<order><order_id>{REF}</order_id><erp_no>SO-1</erp_no></order></list></r>",
            True,
        ),
        ({}, "<order/>", False),
        ({"find_field": "order"}, "<r/>", False),
        ({"find_field": "list.order"}, "<r><list/><total>0</total></r>", False),
        ({"find_field": "list.order"}, "<r><list>\n</list></r>", False),
    ],
)
def test_a_look_up_finds_one_of_many_or_none(settings: dict[str, str], said: str, found: bool) -> None:
    document, _ = run(xml_erp(**settings).find(REF), xml(said))

    assert document == (ErpDocument("SO-1", REF, adopted=True) if found else None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "<r><total>0</total></r>"),
        ({"find_field": "list.order"}, "<r><total>0</total></r>"),
        ({"find_field": "list.order"}, "<r><list><other/></list></r>"),
        ({}, "<order>none</order>"),
    ],
)
def test_another_envelope_than_agreed_is_neither_an_order_nor_none(settings: dict[str, str], said: str) -> None:
    problem = failure(xml_erp(**settings).find(REF), xml(said))

    assert (type(problem), problem.code) == (PermanentError, "generic_rest.order.found_other")


@pytest.mark.parametrize(
    ("said", "status"), [("<r><status>Cancelled</status></r>", 409), ("<r/>", 200), ("", 204), ("<r>ok</r>", 409)]
)
def test_an_order_that_was_cancelled_before_is_a_success(said: str, status: int) -> None:
    exchange = xml_erp().cancel(ErpDocument("SO-1", REF))
    if said == "<r>ok</r>":
        assert failure(exchange, xml(said, status)).code == "generic_rest.cancel.too_late"
    else:
        run(exchange, xml(said, status))


def stock(*replies: HttpReply, **settings: str) -> tuple[StockFigure, ...]:
    named = {"stock_list_field": "stock.item", "stock_page_param": "", **settings}
    return run(xml_erp(**named).read_stock(None), *replies)[0]


def item(sku: str, available: str) -> str:
    return f"<item><sku>{sku}</sku><available>{available}</available></item>"


@pytest.mark.parametrize(
    ("said", "figures"),
    [
        (f"<r><stock>{item('A', '1')}{item('B', '2.0')}</stock></r>", {"A": 1, "B": 2}),
        (f"<r><stock>{item('A', '1')}</stock></r>", {"A": 1}),
        ("<r><stock/></r>", {}),
        ("<r/>", None),
        (f"<r><stock>{item('A', '')}{item('B', '0')}</stock></r>", {"B": 0}),
        ("<r><stock><row/></stock></r>", None),
    ],
)
def test_stock_is_a_list_of_the_element_that_repeats(said: str, figures: dict[str, int] | None) -> None:
    if figures is None:
        with pytest.raises(PermanentError) as caught:
            stock(xml(said))
        assert caught.value.code == "generic_rest.stock.list_missing"
    else:
        assert {figure.sku: figure.available for figure in stock(xml(said))} == figures


def test_pages_of_stock_end_with_an_empty_one() -> None:
    full = xml(f"<r><stock>{item('A', '1')}</stock></r>")

    assert stock(full, xml("<r><stock/></r>"), stock_page_param="page") == (StockFigure("A", 1),)


# --- what is refused unread

LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><r><erp_no>&c;</erp_no></r>'
)
REACHES = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r><erp_no>&x;</erp_no></r>'


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS.encode(),
        REACHES.encode(),
        b'<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><body>login</body></html>',
        b"<html><body>login</body></html>",
        b"<r><erp_no>SO-1</erp_no>",
        b"<r><erp_no>SO-1</r>",
        b"<r/><r/>",
        b"",
        b"OK",
        "<r>成功</r>".encode("gbk"),
        '<?xml version="1.0" encoding="GBK"?><r>成功</r>'.encode("gbk")[:-6],
        '<?xml version="1.0" encoding="UTF-16"?><r>x</r>'.encode("utf-16"),
        b"<r>" * (DEEPEST + 1) + b"</r>" * (DEEPEST + 1),
        b"<r>" + b"x" * MOST_BYTES + b"</r>",
    ],
    ids=lambda body: str(body[:24]),
)
def test_what_is_no_plain_xml_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableXml):
        read_xml(body)
    assert isinstance(failure(xml_erp().find(REF), HttpReply(200, body=body)), TransientError)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    try:
        read_xml(body)
    except UnreadableXml:
        return


@given(st.recursive(st.text("ab <&>"), lambda held: st.dictionaries(st.sampled_from("xyz"), held, min_size=1)))
def test_what_is_written_is_read_again(value: Any) -> None:
    def as_read(given: Any) -> Any:
        if isinstance(given, dict):
            return {name: as_read(held) for name, held in given.items()}
        return given.strip() or None

    assert read_xml(write_xml("r", {"v": value}, "item")) == {"v": as_read(value)}


# --- settings


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"xml_root": "n:order"}, "no prefix"),
        ({"xml_item": "1"}, "no name of an XML element"),
        ({"field_map": "order_id=order no"}, "'order no'"),
        ({"field_map": "order_id=Head.1"}, "'Head.1'"),
        ({"extra_fields": "lines.@unit=PCS"}, "'@unit'"),
        ({"cancel_fields": "the status=closed"}, "'the status'"),
        ({"format": "soap"}, "must be one of json, xml"),
    ],
)
def test_a_name_that_no_element_can_have_is_refused_at_start(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        erp(**{"format": "xml", **settings})


def test_json_takes_every_name() -> None:
    erp(field_map="order_id=order no")
