"""Kingdee's own words: shapes that its documents show, and small answers in the same form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mappings.erps.kingdee import KingdeeErp
from mappings.wire import HttpCall, HttpReply
from tests.contract.erps.hands import configured, said

DATA = Path(__file__).parents[2] / "data/erps/kingdee"
VECTOR = json.loads((DATA / "signature.json").read_text(encoding="utf-8"))
SHAPES = json.loads((DATA / "shapes.json").read_text(encoding="utf-8"))
NUMBER = "2026112100001"
UNCHECKED = {"check_numbers": "0"}
"""An order is saved without asking first for what it names."""


def kingdee(**settings: str) -> KingdeeErp:
    given = VECTOR["input"]
    usual = {
        "app_id": given["app_id"],
        "app_secret": given["app_secret"],
        "acct_id": given["acct_id"],
        "user": given["user"],
        "org": given["org_num"],
        "customer": "ECSHOP",
    }
    return configured(KingdeeErp, **{**usual, **settings})


def done(number: str = NUMBER) -> HttpReply:
    """What a call says that succeeded."""
    entities = [{"Id": 100001, "Number": number, "DIndex": 0}]
    status = {"IsSuccess": True, "Errors": [], "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": 0}
    return said({"Result": {"ResponseStatus": status}})


def refusal(code: int, *messages: str, field: str | None = None) -> dict[str, Any]:
    """What a call says that failed, with HTTP 200 and ErrorCode 500 as for nearly everything."""
    errors = [{"FieldName": field, "Message": message, "DIndex": 0} for message in messages]
    status = {"ErrorCode": 500, "IsSuccess": False, "Errors": errors, "SuccessEntitys": [], "MsgCode": code}
    return {"Result": {"ResponseStatus": status}}


def numbers(*known: str) -> HttpReply:
    """What a query says of the base data that is there."""
    return said([[place, number] for place, number in enumerate(known, 100001)])


CHECKED = (numbers("ECS000000"), numbers("ECSHOP"))
"""The answers before the save of the usual order: its material and its customer are there."""


def found(state: str = "A", cancelled: str = "A", number: str = NUMBER) -> HttpReply:
    return said([[number, state, cancelled]])


def verbs(calls: list[HttpCall]) -> list[str]:
    return [call.url.rpartition("DynamicFormService.")[2].removesuffix(".common.kdsvc") for call in calls]


def body(call: HttpCall) -> Any:
    return json.loads(call.body)
