"""Jushuitan asked and answered by hand."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from mappings.erps.jushuitan import JushuitanErp
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import SN, configured, said
from tests.contract.erps.sealed import recorded

SHAPES = recorded("jushuitan", "shapes")
BASE = {
    "app_key": "testkey",
    "app_secret": "testsecret",
    "access_token": "testtoken",
    "shop_id": "10406394",
    "check_skus": "0",
}
TAKEN = said(SHAPES["upload_answer"])


def erp(**settings: str) -> JushuitanErp:
    return configured(JushuitanErp, **{**BASE, **settings})


def form(call: HttpCall) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode(), keep_blank_values=True))


def biz(call: HttpCall) -> Any:
    return json.loads(form(call)["biz"])


def row(**changes: Any) -> HttpReply:
    """An answer to an upload with one row."""
    return good(datas=[{"so_id": SN, "o_id": 1528134, "issuccess": True, **changes}])


def good(**data: Any) -> HttpReply:
    return said({"code": 0, "msg": "", "data": data})


def bad(code: int | str, msg: str = "") -> HttpReply:
    return said({"code": code, "msg": msg, "data": None})


def held(*orders: dict[str, Any]) -> HttpReply:
    """An answer to the look-up of orders."""
    usual = {"so_id": SN, "shop_id": 10406394, "status": "WaitConfirm", "o_id": 1528134}
    return good(page_index=1, has_next=False, data_count=len(orders), orders=[{**usual, **order} for order in orders])


def stock(*rows: dict[str, Any], has_next: bool = False) -> HttpReply:
    usual = {"order_lock": 0, "pick_lock": 0, "virtual_qty": 0, "modified": "2026-11-22 11:00:00"}
    return good(page_index=1, has_next=has_next, inventorys=[{**usual, **row} for row in rows])


def sent(*rows: dict[str, Any], has_next: bool = False) -> HttpReply:
    """An answer to the look-up of what was sent."""
    return good(page_index=1, has_next=has_next, orders=[{**SHAPES["shipment_row"], **row} for row in rows])
