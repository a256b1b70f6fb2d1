"""Wangdiantong asked and answered by hand."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mappings.erps.wangdiantong import WangdiantongErp
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import configured, said
from tests.contract.erps.sealed import recorded

SHAPES = recorded("wangdiantong", "shapes")
BASE = {
    "sid": "wdtapi3",
    "app_key": "testkey",
    "app_secret": "testsecret:testsalt",
    "shop_no": "ecshop",
    "check_skus": "0",
}
MADE = said(SHAPES["push_new"])
CHANGED = said(SHAPES["push_known"])


def erp(**settings: str) -> WangdiantongErp:
    return configured(WangdiantongErp, **{**BASE, **settings})


def query(call: HttpCall) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(call.url).query, keep_blank_values=True))


def args(call: HttpCall) -> Any:
    return json.loads(call.body)


def good(data: Any, **more: Any) -> HttpReply:
    return said({"status": 0, "data": data, **more})


def bad(status: int | str, message: str = "") -> HttpReply:
    return said({"status": status, "message": message})


def pushed(new: int = 0, changed: int = 0, *errors: dict[str, str]) -> HttpReply:
    return good({"new_count": new, "chg_count": changed, "error_list": list(errors)})


def trade(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SHAPES["trade"]), **changes}


def found(*trades: dict[str, Any]) -> HttpReply:
    """An answer to the look-up of raw trades."""
    return good({"total_count": len(trades), "order": list(trades)})


def stock(*rows: dict[str, Any]) -> HttpReply:
    usual = SHAPES["stock_by_spec"]["data"]["detail_list"][0]
    return good({"total_count": len(rows), "detail_list": [{**usual, **row} for row in rows]})


def waiting(*entries: dict[str, Any]) -> HttpReply:
    """An answer to the list of shipments that wait."""
    usual = SHAPES["shipments_told"]["data"][0]
    return good([{**usual, **entry} for entry in entries], total=len(entries))
