"""What a sales order says, how far it is released, and how it is taken back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.china_time import SHANGHAI
from mappings.connector import ErpConnector
from mappings.erps.kingdee.order import yuan
from mappings.errors import AuthError, PermanentError
from mappings.model import ErpDocument, OrderLine, Queue
from sync.services.push_order import SHOP_ZONE
from tests.contract.erps.hands import NAME, PHONE, SN, erp_order, failure, run, said
from tests.contract.erps.kingdee.talk import NUMBER, SHAPES, UNCHECKED, body, done, found, kingdee, refusal, verbs

GOODS = OrderLine("7", sku="ECS000000", name="KD876", quantity=1, price_fen=138800, weight_g=110)
DOCUMENT = ErpDocument(NUMBER, SN)


def sent(order: Any = None, **settings: str) -> Any:
    _, [save] = run(kingdee(**UNCHECKED, **settings).create(order or erp_order()), done())
    return body(save)


def entries(order: Any, **settings: str) -> list[Any]:
    """The lines of the sales order that is saved."""
    return list(sent(order, **settings)["data"]["Model"]["FSaleOrderEntry"])


def total_fen(rows: list[Any]) -> int:
    """What Kingdee makes of its lines: price with tax times quantity, less the discount."""
    return sum(round(100 * (row["FQty"] * row["FTaxPrice"] - row.get("FDiscount", 0))) for row in rows)


# --- what is sent


def test_an_order_is_saved_in_the_shape_that_the_documents_show() -> None:
    wanted = SHAPES["save_body"]
    values = sent()
    note = values["data"]["Model"].pop("FNote")

    assert wanted["data"]["Model"].pop("FNote") in note
    assert values == wanted


def test_the_sums_stand_in_the_note_too() -> None:
    order = erp_order(total_fen=278245, shipping_fee_fen=1200, discount_fen=555)

    assert sent(order, freight_sku="-")["data"]["Model"]["FNote"] == f"ECShop {SN}; 合计 2782.45; 运费 12.00; 优惠 5.55"


def test_what_is_in_several_parcels_is_one_line_and_the_lines_add_up_to_the_total() -> None:
    lines = (replace(GOODS, quantity=2), replace(GOODS, shop_line_id="8", sku="TEA", price_fen=333, quantity=3))
    later = (replace(GOODS, quantity=1), replace(GOODS, shop_line_id="9", sku="CUP", price_fen=1999))
    sums: dict[str, Any] = {
        "shipping_fee_fen": 1200,
        "discount_fen": 1001,
        "total_fen": 419398 + 1200 + 150 - 1001,
    }  # 1.50 of packing

    rows = entries(erp_order(*lines, later_lines=later, **sums), freight_sku="FREIGHT")

    assert [(row["FMaterialId"]["FNumber"], row["FQty"], row["FTaxPrice"], row.get("FDiscount")) for row in rows] == [
        ("ECS000000", 3, 1388, 9.93),
        ("TEA", 3, 3.33, 0.02),
        ("CUP", 1, 19.99, 0.06),
        ("FREIGHT", 1, 13.5, None),
    ]
    assert total_fen(rows) == sums["total_fen"]


@given(
    prices=st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 99)), min_size=1, max_size=9),
    share=st.floats(0, 1),
    freight=st.integers(0, 10**5),
    fees=st.integers(0, 10**5),
)
def test_the_lines_of_any_order_add_up_to_its_total(
    prices: list[tuple[int, int]], share: float, freight: int, fees: int
) -> None:
    lines = [
        replace(GOODS, shop_line_id=str(number), sku=f"S{number}", price_fen=price, quantity=pieces)
        for number, (price, pieces) in enumerate(prices)
    ]
    worth = sum(price * pieces for price, pieces in prices)
    off = int((worth + freight) * share)
    order = erp_order(*lines, total_fen=worth - off + freight + fees, discount_fen=off, shipping_fee_fen=freight)

    assert total_fen(entries(order, freight_sku="FREIGHT")) == order.order.total_fen


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"shipping_fee_fen": 1200, "total_fen": 278800}, "product_unset"),
        ({"total_fen": 277750}, "product_unset"),  # insurance, packing, tax
        ({"total_fen": 138800}, "sums_differ"),
        ({"queue": Queue.REMAINDER, "total_fen": 416400}, "sums_differ"),
    ],
    ids=["freight", "other fees", "less than its goods", "the rest of what was sent without us"],
)
def test_an_order_whose_sums_kingdee_could_not_show_is_never_sent(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        next(kingdee().create(erp_order(**changes)))

    assert caught.value.code == f"kingdee.order.{code}"


def test_fees_can_be_left_out_by_will() -> None:
    [row] = entries(erp_order(shipping_fee_fen=1200, total_fen=278800), freight_sku="-")

    assert row["FMaterialId"]["FNumber"] == "ECS000000"


def test_who_the_parcel_is_for_is_told_only_where_the_erp_asks() -> None:
    assert NAME not in json.dumps(sent(), ensure_ascii=False)
    assert f"{NAME} {PHONE} 北京" in sent(consignee_in_note="1")["data"]["Model"]["FNote"]


@pytest.mark.parametrize(("hour", "minute"), [(23, 30), (0, 30)], ids=["half-past-eleven", "half-past-midnight"])
def test_dates_are_calendar_dates_in_china(hour: int, minute: int) -> None:
    placed_at = datetime(2026, 11, 21, hour, minute, tzinfo=SHANGHAI)
    model = sent(erp_order(order_date=placed_at.astimezone(SHOP_ZONE).strftime("%Y%m%d")))["data"]["Model"]

    assert model["FDate"] == "2026-11-21"
    assert model["FSaleOrderEntry"][0]["FDeliveryDate"] == "2026-11-23"


@given(st.integers(min_value=-(10**13), max_value=10**13))
def test_money_never_loses_a_fen(fen: int) -> None:
    text = json.dumps(yuan(fen))

    assert round(float(text) * 100) == fen
    assert len(text.partition(".")[2]) <= 2


def test_numbers_of_base_data_and_rates_can_be_others() -> None:
    values = sent(
        erp_order(shipping_fee_fen=1200, total_fen=278800),
        bill_type="XSDD02",
        sale_org="200",
        unit="Box",
        tax_rate="13",
        freight_sku="FREIGHT",
        number_field="F_ECS_NO",
    )["data"]["Model"]

    assert (values["FBillTypeID"], values["FSaleOrgId"]) == ({"FNumber": "XSDD02"}, {"FNumber": "200"})
    assert "FBillNo" not in values
    assert values["F_ECS_NO"] == SN
    assert [(row["FMaterialId"]["FNumber"], row["FTaxPrice"]) for row in values["FSaleOrderEntry"]] == [
        ("ECS000000", 1388),
        ("FREIGHT", 12),
    ]
    assert {row["FEntryTaxRate"] for row in values["FSaleOrderEntry"]} == {13}


@pytest.mark.parametrize("sku", ["", " "])
def test_a_line_without_goods_number_is_never_sent(sku: str) -> None:
    with pytest.raises(PermanentError) as caught:
        next(kingdee().create(erp_order(replace(GOODS, sku=sku))))

    assert caught.value.code == "kingdee.order.sku_missing"


# --- found, refused, adopted


def test_an_order_is_looked_up_by_its_number_whatever_signs_it_holds() -> None:
    document, calls = run(kingdee().find("A'1"), found())

    assert document
    assert (document.erp_no, document.adopted) == (NUMBER, True)
    assert body(calls[0])["data"] == {
        "FormId": "SAL_SaleOrder",
        "FieldKeys": "FBillNo,FDocumentStatus,FCancelStatus",
        "FilterString": "FBillNo = 'A''1'",
        "OrderString": "FBillNo",
        "TopRowCount": 2000,
        "StartRow": 0,
        "Limit": 2000,
    }
    assert calls[0].changes_peer is False


def test_an_order_that_is_not_there_is_none_and_one_that_is_there_twice_is_a_person_s() -> None:
    assert run(kingdee().find(SN), said([]))[0] is None
    assert run(kingdee().find(SN), said([[NUMBER, "A", "A"]] * 2))[0] is not None
    error = failure(kingdee().find(SN), said([[NUMBER, "A", "A"], ["XSDD2", "A", "A"]]))

    assert (type(error), error.code) == (PermanentError, "kingdee.order.found_twice")


def test_a_number_that_exists_is_refused_there_and_the_order_adopted() -> None:
    document, calls = run(kingdee(**UNCHECKED).create(erp_order()), said(refusal(4, "单据编号已存在")), found("C"))

    assert (document.erp_no, document.adopted) == (NUMBER, True)
    assert verbs(calls) == ["Save", "ExecuteBillQuery"]


def test_a_refusal_reaches_a_person_with_every_field_and_message() -> None:
    refused = said(refusal(9, "物料编码不存在", "数量必须大于零", field="FMaterialId"))

    error = failure(kingdee(**UNCHECKED).create(erp_order()), refused, said([]))

    assert (type(error), error.code, error.peer_code) == (PermanentError, "kingdee.order.rejected", "9")
    assert error.peer_text == "FMaterialId: 物料编码不存在; FMaterialId: 数量必须大于零"


def test_a_lost_session_is_refused_credentials_and_never_sent_again_by_itself() -> None:
    for exchange in (kingdee(**UNCHECKED).create(erp_order()), kingdee().find(SN), kingdee().confirm(DOCUMENT)):
        assert isinstance(failure(exchange, said(SHAPES["auth_error"])), AuthError)


def test_a_query_s_failure_is_found_in_its_wrapping() -> None:
    error = failure(kingdee().find(SN), said([[refusal(9, "字段不存在")]]))

    assert (type(error), error.code) == (PermanentError, "kingdee.order.rejected")


# --- released


@pytest.mark.parametrize(
    ("state", "release", "wanted"),
    [
        ("A", "audit", ["Submit", "Audit"]),
        ("D", "audit", ["Submit", "Audit"]),
        ("B", "audit", ["Audit"]),
        ("C", "audit", []),
        ("A", "submit", ["Submit"]),
        ("B", "submit", []),
        ("A", "save", []),
    ],
)
def test_an_order_is_released_as_far_as_it_is_set(state: str, release: str, wanted: list[str]) -> None:
    document, calls = run(kingdee(release=release).confirm(DOCUMENT), found(state), *(done() for _ in wanted))

    assert document.erp_no == NUMBER
    assert verbs(calls) == ["ExecuteBillQuery", *wanted]
    assert all(body(call) == {"formid": "SAL_SaleOrder", "data": {"Numbers": [NUMBER]}} for call in calls[1:])


def test_what_was_just_saved_is_released_without_another_look() -> None:
    connector = kingdee(**UNCHECKED)
    document, _ = run(connector.create(erp_order()), done("XSDD000042"))

    _, calls = run(connector.confirm(document), done(), done())

    assert verbs(calls) == ["Submit", "Audit"]
    assert body(calls[0])["data"]["Numbers"] == ["XSDD000042"]


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([said([])], "not_found"),
        ([found("A", cancelled="B")], "cancelled_there"),
        ([found("A"), said(refusal(4, "信用额度不足"))], "rejected"),
        ([found("B"), said(refusal(4, "没有审核权限"))], "rejected"),
    ],
)
def test_an_order_that_cannot_be_released_goes_to_a_person(replies: list[Any], code: str) -> None:
    error = failure(kingdee().confirm(DOCUMENT), *replies)

    assert (type(error), error.code) == (PermanentError, f"kingdee.confirm.{code}")


# --- taken back


def test_an_order_is_voided_where_that_is_set() -> None:
    _, calls = run(kingdee(cancel="void").cancel(DOCUMENT), found("C"), done(), done())

    assert verbs(calls) == ["ExecuteBillQuery", "UnAudit", "ExcuteOperation"]
    assert body(calls[2]) == {"formid": "SAL_SaleOrder", "opNumber": "Cancel", "data": {"Numbers": [NUMBER]}}


@pytest.mark.parametrize("way", ["void", "by_hand"])
def test_a_void_order_is_a_success(way: str) -> None:
    assert verbs(run(kingdee(cancel=way).cancel(DOCUMENT), found("A", cancelled="B"))[1]) == ["ExecuteBillQuery"]


@pytest.mark.parametrize(
    ("way", "replies", "code"),
    [
        ("by_hand", [found("C")], "cannot_cancel"),
        ("void", [said([])], "not_found"),
        ("void", [found("B")], "too_late"),
        ("void", [found("C"), said(refusal(4, "单据已下推，不能反审核"))], "rejected"),
    ],
)
def test_an_order_that_cannot_be_voided_goes_to_a_person(way: str, replies: list[Any], code: str) -> None:
    error = failure(kingdee(cancel=way).cancel(DOCUMENT), *replies)

    assert (type(error), error.code) == (PermanentError, f"kingdee.cancel.{code}")


def test_it_says_that_it_is_beta_and_that_its_stock_still_holds_open_orders() -> None:
    connector: ErpConnector = kingdee()

    assert "beta" in connector.spec.title_en
    assert "测试版" in connector.spec.title_zh
    assert (connector.spec.finds_first, connector.spec.needs_confirm) == (True, True)
    assert connector.spec.stock_is_physical
