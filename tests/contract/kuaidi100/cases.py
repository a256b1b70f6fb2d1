"""Recorded Kuaidi100 material and the means to ask the connector about it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from mappings.carriers.kuaidi100 import Kuaidi100Carrier
from mappings.model import Callback
from mappings.wire import HttpCall, Stamp

DATA = Path(__file__).parents[1] / "data" / "kuaidi100"


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


_PAYLOADS = load("payloads.json")
KEY: str = _PAYLOADS["key"]
SECRET: str = _PAYLOADS["secret"]
SALT: str = _PAYLOADS["salt"]
CUSTOMER = "CUSTOMER0123456789ABCDEF01234567"
EXAMPLES: dict[str, dict[str, Any]] = {example["id"]: example for example in _PAYLOADS["examples"]}

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
STAMP = Stamp(NOW, "a-nonce")
FORM = "application/x-www-form-urlencoded"
HOOK = "https://hooks.example.test/k100/1001"
NUMBER = "73100000000001"


def carrier_config(**settings: Any) -> dict[str, Any]:
    words = {"key": KEY, "secret": SECRET, "customer": CUSTOMER, "salt": SALT, "callback_url": HOOK}
    return words | {"environment": "production"} | settings


def carrier(**settings: Any) -> Kuaidi100Carrier:
    return Kuaidi100Carrier(carrier_config(**settings))


def form_of(call: HttpCall) -> dict[str, str]:
    """The form of a call as it leaves at STAMP."""
    fields = parse_qs(call.sealed(STAMP).body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: values[0] for name, values in fields.items()}


def param_of(call: HttpCall) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(form_of(call)["param"])
    return found


def md5_upper(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest().upper()


def push(data: object, *, salt: str = SALT) -> bytes:
    """A signed push; `data` is the param, as values or as the whole text."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return urlencode({"param": text, "sign": md5_upper(text + salt)}).encode()


def a_scan(at: str, code: str = "", **fields: Any) -> dict[str, Any]:
    return {"time": at, "ftime": at, "context": "已到达", "status": "", "statusCode": code} | fields


def a_push(*scans: object, state: str = "0", **fields: Any) -> dict[str, Any]:
    """A tracking push; scans are given newest first, as Kuaidi100 does."""
    result = {"state": state, "status": "200", "com": "zhongtong", "nu": NUMBER, "data": list(scans)}
    head = {"status": "polling", "message": "", "autoCheck": "0", "comOld": "", "comNew": ""}
    return head | {"lastResult": result} | fields


def an_order_push(code: object, **fields: Any) -> dict[str, Any]:
    order = {"orderId": "20066771", "status": code, "courierName": "赵六", "courierMobile": "13900000003"}
    return {"kuaidicom": "yuantong", "kuaidinum": "YT1", "status": "200", "message": "成功", "data": order} | fields


def take(body: bytes, received_at: datetime = NOW, **settings: Any) -> Callback:
    """Verify and read a push."""
    ours = carrier(**settings)
    ours.verify_callback(body, FORM)
    return ours.read_callback(body, FORM, received_at)
