"""The sandbox OMS against the recorded one: the same forms in the same order get the same answers."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from sync.clock import utc_now
from sync.sandbox.faults import FaultInjector
from sync.sandbox.http import Request
from sync.sandbox.ledger import Ledger
from sync.sandbox.shopex_oms import SandboxShopexOms
from sync.sandbox.shopex_oms_rules import ORDER_PATH, QUERY_PATH, signature
from tests.contract.erps.shopex_oms.cases import QUESTIONS, RECORDED, TOKEN, recorded_form

KEY = "sandbox-oms-key"
NUMBERS = re.compile(r"\d+$")
"""The recorded OMS counted other orders before these."""


@pytest.fixture
def peer() -> SandboxShopexOms:
    """As empty as the recorded one was, and with the same three SKUs."""
    unknown = frozenset({"NOPE", "NOPE-1"})
    oms = SandboxShopexOms(Ledger(), FaultInjector(1), token=TOKEN, flag="ecshop", key=KEY, unknown_skus=unknown)
    for sku, on_hand in (("ECS000000", 50), ("ECS000004", 17), ("ECS000032", 4)):
        oms.put(sku, on_hand)
    return oms


def post(peer: SandboxShopexOms, path: str, form: dict[str, str]) -> Any:
    body = peer(Request("POST", path, {}, {}, urlencode(form).encode())).body.decode()
    return json.loads(body) if "error_response" not in body else body


def ask(peer: SandboxShopexOms, fields: dict[str, str], **other: str) -> Any:
    form = {**fields, "timestamp": str(int(utc_now().timestamp())), **other}
    return post(peer, QUERY_PATH, {**form, "sign": signature(form, KEY)})


def push_all(peer: SandboxShopexOms) -> list[tuple[str, Any, Any]]:
    """Name, recorded answer, ours."""
    return [
        (
            exchange["name"],
            exchange["answer"],
            post(peer, ORDER_PATH, {**recorded_form(exchange), "sign": exchange["sign"]}),
        )
        for exchange in RECORDED["orders"]
    ]


def without_numbers(answer: Any) -> Any:
    """The answer without the OMS's own number at the end of its message."""
    data = answer["data"]
    if not data or "msg" not in data:
        return answer
    return {**answer, "data": {**data, "msg": NUMBERS.sub("n", data["msg"])}}


def test_every_recorded_form_gets_the_recorded_answer(peer: SandboxShopexOms) -> None:
    for name, recorded, ours in push_all(peer):
        assert without_numbers(ours) == without_numbers(recorded), name


def test_a_failed_order_is_not_shown_and_holds_nothing(peer: SandboxShopexOms) -> None:
    push_all(peer)
    asked = QUESTIONS["read_back"]["fields"]
    numbers = [
        row["order_bn"]
        for row in ask(peer, {**asked, "order_bn": ""}, end_time="2100-01-01 00:00:00")["response"]["lists"].values()
    ]

    assert numbers == ["20261121230445", "UNPAID230445", "REPLAY230445"]


def test_the_order_is_read_back_with_the_recorded_fields(peer: SandboxShopexOms) -> None:
    push_all(peer)
    asked, recorded = QUESTIONS["read_back"]["fields"], QUESTIONS["read_back"]["answer"]["response"]["lists"]["10"]
    [row] = ask(peer, asked, end_time="2100-01-01 00:00:00")["response"]["lists"].values()

    assert set(row) <= set(recorded)
    assert {name: row[name] for name in ("order_bn", "shop_code", "status", "ship_status")} == {
        name: recorded[name] for name in ("order_bn", "shop_code", "status", "ship_status")
    }
    for part in ("order_objects", "order_items"):
        ours, theirs = (list(one.values()) if isinstance(one, dict) else one for one in (row[part], recorded[part]))
        assert set(ours[0]) <= set(theirs[0])


def test_stock_has_the_recorded_shape_and_knows_no_unknown_sku(peer: SandboxShopexOms) -> None:
    for name in ("stock_by_sku", "stock_of_all"):
        ours, recorded = ask(peer, QUESTIONS[name]["fields"]), QUESTIONS[name]["answer"]
        rows, theirs = (
            list(lists.values()) if isinstance(lists := answer["response"]["lists"], dict) else lists
            for answer in (ours, recorded)
        )
        assert type(ours["response"]["lists"]) is type(recorded["response"]["lists"])
        assert [(row["bn"], row["store"]) for row in rows] == [(row["bn"], row["store"]) for row in theirs]
        assert set(rows[0]) <= set(theirs[0])


def test_a_refused_signature_is_told_as_it_was_recorded(peer: SandboxShopexOms) -> None:
    """It is no JSON, and repeats what was signed."""
    fields = {**QUESTIONS["wrong_key"]["fields"], "timestamp": str(int(utc_now().timestamp()))}
    recorded = QUESTIONS["wrong_key"]["answer"].replace(
        QUESTIONS["wrong_key"]["fields"]["timestamp"], fields["timestamp"]
    )
    body = post(peer, QUERY_PATH, {**fields, "sign": QUESTIONS["wrong_key"]["sign"]})

    assert re.sub(r"[\\ ]", "", body) == re.sub(r"[\\ ]", "", recorded)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"method": ""}, "e000001"),
        ({"method": "stock.add"}, "e000003"),
        ({"method": "orders.getList"}, "e000006"),
        ({"timestamp": "1"}, "e000008"),
    ],
)
def test_what_the_open_api_refuses(peer: SandboxShopexOms, fields: dict[str, str], code: str) -> None:
    asked = {name: value for name, value in QUESTIONS["stock_of_all"]["fields"].items() if name != "timestamp"}

    assert f'"code":"{code}"' in ask(peer, asked, **fields)
