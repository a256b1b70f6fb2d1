"""Whichever way a shop is reached, the same parcel leaves the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mappings.connector import ParcelToWrite
from tests.service.plugin.php import Caller
from tests.service.shop.yard import (
    BLACK_CUP,
    CARD,
    CUP,
    DISCOUNT,
    GIFT_TEA,
    PACKAGE,
    TEA,
    Yard,
    parcel_of,
    ship,
    staff_note,
    the_order,
)

SETTINGS = {"default_weight_g": 100}

Scene = Callable[[Yard], list[ParcelToWrite]]


def _one(*lines: dict[str, Any], **changes: Any) -> Scene:
    def scene(yard: Yard) -> list[ParcelToWrite]:
        yard.order(1, *lines, **changes)
        return [parcel_of(the_order(yard.shop(**SETTINGS), "1"))]

    return scene


def _staffs(yard: Yard) -> list[ParcelToWrite]:
    yard.order(1, TEA, CUP, order_status=5, shipping_status=5)
    staff_note(yard, "1", TEA, CUP)
    return [parcel_of(the_order(yard.shop(**SETTINGS), "1"))]


def _remainder(yard: Yard) -> list[ParcelToWrite]:
    yard.order(1, TEA, CUP, order_status=6, shipping_status=4, invoice_no="SF1")
    staff_note(yard, "1", TEA, status=0, invoice_no="SF1")
    return [parcel_of(the_order(yard.shop(**SETTINGS), "1"))]


def _little_stock(yard: Yard) -> list[ParcelToWrite]:
    yard.change(yard.tables.goods, {"goods_id": 1}, goods_number=1)
    return _one(TEA, CUP)(yard)


def _two_parcels(yard: Yard) -> list[ParcelToWrite]:
    yard.order(1, TEA, CUP, GIFT_TEA)
    whole = parcel_of(the_order(yard.shop(**SETTINGS), "1"))
    tea, cup, gift = sorted(whole.line_quantities, key=int)
    first = replace(whole, line_quantities={tea: 1, gift: 1})
    return [first, replace(whole, line_quantities={tea: 1, cup: 1}, waybill_no="YT0002", parcel_no=2)]


COD = {"pay_status": 0, "pay_id": 3, "pay_name": "货到付款", "money_paid": 0, "order_amount": 264, "pay_time": 0}
MOBILE_COD = COD | {"pay_id": 127, "order_amount": 0}
ODD = {
    "address": "路" * 255,
    "consignee": 'O\'Brien \\ "甲"',
    "postscript": "第一行\r\n第二行\t＜b＞ ?{goods}`",
    "best_time": "工作日",
    "invoice_no": "",
}

SCENES: dict[str, Scene] = {
    "plain": _one(TEA),
    "a product and a gift": _one(TEA, CUP, BLACK_CUP, GIFT_TEA),
    "a package": _one(PACKAGE | {"goods_number": 2}, TEA),
    "a discount line": _one(TEA, DISCOUNT, CARD),
    "a staff note": _staffs,
    "a remainder": _remainder,
    "cash on delivery": _one(TEA, **COD),
    "mobile cash on delivery": _one(TEA, **MOBILE_COD),
    "two parcels": _two_parcels,
    "a member": _one(TEA, CUP, user_id=1),
    "less stock than sold": _little_stock,
    "odd characters": _one(TEA | {"goods_attr": "颜色:黑色[10] \n"}, **ODD),
    "goods that are gone": _one(TEA | {"goods_id": 4000}, CUP),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_shipped_order_looks_the_same_by_sql_and_by_plug_in(yard: Yard, caller: Caller, scene: str) -> None:
    shop = yard.shop(**SETTINGS)
    parcels = SCENES[scene](yard)
    fresh = yard.keep()
    for parcel in parcels:
        ship(shop, parcel)
    by_sql = yard.dump()
    yard.restore(fresh)
    for parcel in parcels:
        caller.ship(parcel)
    assert yard.dump() == by_sql
    caller.ship(parcels[-1], times=2)
    assert yard.dump() == by_sql
