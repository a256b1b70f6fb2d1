"""What an order names is asked for before it is saved: an unknown number parks it, and nothing has been sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mappings.errors import PermanentError
from mappings.wire import HttpReply
from tests.contract.erps.hands import erp_order, failure, run, said
from tests.contract.erps.kingdee.talk import CHECKED, body, done, kingdee, numbers, refusal, verbs

[LINE] = erp_order().order.lines
USABLE = "FDocumentStatus = 'C' and FForbidStatus = 'A'"


def test_materials_and_the_customer_are_looked_for_and_then_the_order_is_saved() -> None:
    order = erp_order(replace(LINE, sku="O'NEILL"), shipping_fee_fen=1200, total_fen=278800)

    _, calls = run(kingdee(freight_sku="FREIGHT").create(order), numbers("FREIGHT", "O'NEILL"), CHECKED[1], done())

    assert verbs(calls) == ["ExecuteBillQuery", "ExecuteBillQuery", "Save"]
    assert [call.changes_peer for call in calls] == [False, False, True]
    materials, customer = (body(call)["data"] for call in calls[:2])
    assert (materials["FormId"], materials["FieldKeys"]) == ("BD_MATERIAL", "FMATERIALID,FNumber")
    assert materials["FilterString"] == f"FNumber in ('FREIGHT', 'O''NEILL') and {USABLE}"
    assert (customer["FormId"], customer["FieldKeys"]) == ("BD_Customer", "FCUSTID,FNumber")
    assert customer["FilterString"] == f"FNumber in ('ECSHOP') and {USABLE}"


@pytest.mark.parametrize(
    ("known", "code", "named"),
    [
        ([numbers("CUP")], "sku_unknown", "ECS000000, TEA"),
        ([numbers("ECS000000", "CUP")], "sku_unknown", "TEA"),
        ([numbers("ECS000000", "CUP", "TEA"), numbers()], "customer_unknown", "ECSHOP"),
    ],
)
def test_an_order_with_a_number_that_kingdee_does_not_know_is_never_sent(
    known: list[HttpReply], code: str, named: str
) -> None:
    others = [replace(LINE, shop_line_id=sku, sku=sku, price_fen=0) for sku in ("TEA", "CUP")]

    error = failure(kingdee().create(erp_order(LINE, *others)), *known)

    assert (type(error), error.code) == (PermanentError, f"kingdee.order.{code}")
    assert f" {named} that is" in error.message


def test_the_goods_of_a_later_parcel_are_asked_for_too() -> None:
    order = erp_order(later_lines=(replace(LINE, shop_line_id="8", sku="LATER", price_fen=0),))

    assert failure(kingdee().create(order), numbers("ECS000000")).code == "kingdee.order.sku_unknown"


def test_a_number_that_several_organisations_use_or_that_is_written_otherwise_is_known() -> None:
    known = said([[1, "Ecs000000 "], [2, "Ecs000000 "]])

    assert verbs(run(kingdee().create(erp_order()), known, CHECKED[1], done())[1])[-1] == "Save"


MANY = [replace(LINE, shop_line_id=str(place), sku=f"S{place:03d}", price_fen=0) for place in range(130)]
FIRST, REST = (numbers(*(line.sku for line in lines)) for lines in (MANY[:100], MANY[100:]))


def test_many_goods_are_asked_for_in_parts() -> None:
    _, calls = run(kingdee().create(erp_order(*MANY, total_fen=0)), FIRST, REST, CHECKED[1], done())

    asked = [body(call)["data"]["FilterString"].count("'S") for call in calls[:2]]
    assert asked == [100, 30]


def test_many_unknown_goods_are_named_together_and_not_without_end() -> None:
    error = failure(kingdee().create(erp_order(*MANY, total_fen=0)), FIRST, numbers())

    assert error.code == "kingdee.order.sku_unknown"
    assert "S100, S101" in error.message
    assert "S119 and 10 more" in error.message


def test_a_user_who_may_not_see_base_data_is_told_in_kingdee_s_words() -> None:
    error = failure(kingdee().create(erp_order()), said([[refusal(4, "没有物料的查询权限")]]))

    assert (type(error), error.code) == (PermanentError, "kingdee.order.rejected")
    assert "没有物料的查询权限" in error.peer_text


def test_nobody_is_asked_where_that_is_switched_off() -> None:
    assert verbs(run(kingdee(check_numbers="0").create(erp_order()), done())[1]) == ["Save"]
