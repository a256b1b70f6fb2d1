"""What Kingdee insists on: its signature headers, and the fields of a sales order."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sync.sandbox.http import Request, Response
from sync.sandbox.peer import json_response

AUTH, BUSINESS, NO_SUCH_VALUE = 1, 4, 9
"""MsgCode of a refusal."""
_MASK = "0054f397c6234378b09ca7d3e5debce7"
_TOLERANCE = timedelta(minutes=15)
_SESSION_LOST = "会话信息已丢失，请重新登录"


class Refusal(Exception):
    """Kingdee says no: in a ResponseStatus of this MsgCode."""

    def __init__(self, code: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


def done(number: str, note: str) -> Response:
    """The answer to a call that succeeded."""
    entities = [{"Id": 100001, "Number": number, "DIndex": 0}]
    status = {"IsSuccess": True, "Errors": [], "SuccessEntitys": entities, "SuccessMessages": [], "MsgCode": 0}
    return json_response({"Result": {"ResponseStatus": status, "Number": number}}, note=note)


def refusal_answer(refused: Refusal, *, is_query: bool = False) -> Response:
    """HTTP 200 and ErrorCode 500 for all of them; a query has it as the only field of its only row."""
    errors = [{"FieldName": refused.field, "Message": refused.message, "DIndex": 0}]
    status = {
        "ErrorCode": 500,
        "IsSuccess": False,
        "Errors": errors,
        "SuccessEntitys": [],
        "SuccessMessages": [],
        "MsgCode": refused.code,
    }
    answer = {"Result": {"ResponseStatus": status}}
    return json_response([[answer]] if is_query else answer, note=f"refused {refused.code}")


def check_headers(request: Request, app_id: str, app_secret: str, app_data: str, now: datetime) -> None:
    """Raise Refusal unless both signatures are right and the moment is near."""
    given = request.headers
    moment, nonce = given.get("x-api-timestamp", ""), given.get("x-api-nonce", "")
    client, _, hidden = app_id.partition("_")
    key = bytes(byte ^ ord(_MASK[place % len(_MASK)]) for place, byte in enumerate(b64decode(hidden)))
    text = f"POST\n{quote(request.path, safe='')}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{moment}\n"
    wanted = {
        "x-api-clientid": client,
        "x-api-signature": _sign(b64encode(key), text),
        "x-kd-appkey": app_id,
        "x-kd-appdata": b64encode(app_data.encode()).decode(),
        "x-kd-signature": _sign(app_secret.encode(), app_id + app_data),
    }
    if any(given.get(name) != value for name, value in wanted.items()) or not _is_near(moment, now):
        raise Refusal(AUTH, _SESSION_LOST)


def read_numbers(asked: Mapping[str, Any]) -> list[str]:
    """The numbers that a query for base data names, of which it wants what is audited and not disabled."""
    keys, where = str(asked.get("FieldKeys")), str(asked.get("FilterString"))
    named = re.fullmatch(r"FNumber in \((.+)\) and FDocumentStatus = 'C' and FForbidStatus = 'A'", where)
    if named is None or keys not in ("FMATERIALID,FNumber", "FCUSTID,FNumber"):
        raise Refusal(NO_SUCH_VALUE, "字段不存在")
    return [number.replace("''", "'") for number in re.findall(r"'((?:[^']|'')*)'", named[1])]


Knows = Callable[[str, str], bool]
"""Whether there is base data of a form under a number."""


def find_problem(data: Mapping[str, Any], knows: Knows) -> Refusal | None:
    """The first thing wrong with an order to save; a number that is not there counts as none given."""
    model = data.get("Model") or {}
    for name in ("FBillTypeID", "FSaleOrgId", "FCustId"):
        if not _number(model.get(name)) or (name == "FCustId" and not knows("BD_Customer", _number(model[name]))):
            return Refusal(BUSINESS, f"字段“{name}”是必填项", name)
    if not model.get("FBillNo") or not _is_date(model.get("FDate")):
        return Refusal(BUSINESS, "单据编号、日期是必填项", "FBillNo")
    entries = model.get("FSaleOrderEntry")
    if not isinstance(entries, list) or not entries:
        return Refusal(BUSINESS, "分录不能为空", "FSaleOrderEntry")
    return next((problem for entry in entries if (problem := _entry_problem(entry, knows))), None)


def _entry_problem(entry: Mapping[str, Any], knows: Knows) -> Refusal | None:
    sku = _number(entry.get("FMaterialId"))
    if not sku or not knows("BD_MATERIAL", sku):
        return Refusal(BUSINESS, "字段“物料编码”是必填项", "FMaterialId")
    if not _number(entry.get("FUnitID")) or not _is_date(entry.get("FDeliveryDate")):
        return Refusal(BUSINESS, "销售单位、要货日期是必填项", "FUnitID")
    if not _is_amount(entry.get("FQty")) or entry["FQty"] <= 0 or not _is_amount(entry.get("FTaxPrice")):
        return Refusal(BUSINESS, "数量、单价必须是数字", "FQty")
    discount = entry.get("FDiscount", 0)
    if not _is_amount(discount) or not 0 <= discount <= round(entry["FQty"] * entry["FTaxPrice"], 2):
        return Refusal(BUSINESS, "折扣额不能大于金额", "FDiscount")
    return None


def _number(value: object) -> str:
    return str(value.get("FNumber", "")).strip() if isinstance(value, dict) else ""


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and round(value, 2) == value


def _is_date(value: object) -> bool:
    try:
        return date.fromisoformat(str(value)).isoformat() == value
    except ValueError:
        return False


def _is_near(moment: str, now: datetime) -> bool:
    if not moment.isdecimal():
        return False
    return abs(datetime.fromtimestamp(int(moment) / 1000, UTC) - now) <= _TOLERANCE


def _sign(key: bytes, text: str) -> str:
    return b64encode(hmac.new(key, text.encode(), hashlib.sha256).hexdigest().encode()).decode()
