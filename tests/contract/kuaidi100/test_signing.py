"""Kuaidi100's signatures against computed vectors, and the forms they travel in."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.carriers.kuaidi100.signing import is_signed_by, sign
from tests.contract.kdniao.cases import a_request, start
from tests.contract.kuaidi100.cases import (
    EXAMPLES,
    HOOK,
    KEY,
    NOW,
    NUMBER,
    SECRET,
    carrier,
    form_of,
    load,
    md5_upper,
    push,
)

VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in load("signatures.json")["vectors"]}
PUSHES = [name for name, vector in VECTORS.items() if vector["algo"] == "kd100_push_sign"]
RECORDED = [name for name, example in EXAMPLES.items() if example["direction"] == "callback"]


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_reproduced(name: str) -> None:
    assert sign(*VECTORS[name]["args"]) == VECTORS[name]["expected"]


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_is_believed_by_its_vector_and_by_no_other(name: str) -> None:
    (text, salt), expected = VECTORS[name]["args"], VECTORS[name]["expected"]
    assert is_signed_by(text, expected, [salt])
    assert is_signed_by(text, expected.lower(), ["former", salt])
    assert not is_signed_by(text, expected, ["another"])
    assert not is_signed_by(text + " ", expected, [salt])
    assert not is_signed_by(text, "", [salt])
    assert not is_signed_by(text, md5_upper(salt + text), [salt])


def test_an_empty_salt_signs_nothing() -> None:
    assert not is_signed_by("{}", sign("{}", ""), [""])


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_push_is_believed_and_made_by_the_same_recipe(name: str) -> None:
    example = EXAMPLES[name]
    carrier(salt=example["salt"]).verify_callback(example["http"]["body"].encode(), example["http"]["content_type"])
    if "form" in example:
        assert push(example["form"]["param"]).decode() == example["http"]["body"]


@pytest.mark.parametrize(
    ("name", "shipper_code", "number"), [("k100-01-query", "YTO", "YT9876543210001")], ids=["query"]
)
def test_a_query_is_the_vectors_text_under_the_vectors_signature(name: str, shipper_code: str, number: str) -> None:
    call = start(
        carrier().query_tracking(
            shipper_code=shipper_code, waybill_no=number, order_code="1", phone="13900000002", asked_at=NOW
        )
    )
    text, key, customer = VECTORS[name]["args"]
    assert (key, form_of(call)) == (KEY, {"customer": customer, "sign": VECTORS[name]["expected"], "param": text})


def test_an_order_signs_param_time_key_and_secret_as_it_leaves() -> None:
    call = start(carrier().book_waybill(a_request()))
    assert call.body == b""
    form = form_of(call)
    assert set(form) == {"method", "key", "sign", "t", "param"}
    assert (form["method"], form["key"], form["t"]) == ("order", KEY, str(int(NOW.timestamp()) * 1000))
    assert form["sign"] == md5_upper(form["param"] + form["t"] + KEY + SECRET)
    assert SECRET not in call.body.decode() + form["param"]


def test_the_subscription_is_the_recorded_one_to_the_byte() -> None:
    # The recorded company is one that wants a phone by now; nothing else may differ.
    call = start(
        carrier().subscribe(
            shipper_code="ZTO", waybill_no=NUMBER, order_code="1", phone="13900000002", callback_url=HOOK
        )
    )
    recorded: str = EXAMPLES["k100-subscribe-req"]["http"]["body"]
    assert call.url == EXAMPLES["k100-subscribe-req"]["http"]["url"]
    assert call.body.decode() == recorded.replace("phone%22%3A%22%22", "phone%22%3A%220002%22")
