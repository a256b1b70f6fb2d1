"""Fengqiao's digest against computed vectors and against Java's encoding written out byte by byte."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.carriers.sf.signing import digest, envelope
from mappings.wire import Stamp
from sync.sandbox.sf_rules import java_urlencode
from tests.contract.sf.cases import CHECKWORD, EXAMPLES, load

DATA = load("signatures.json")
REQUESTS = [name for name, example in EXAMPLES.items() if example["direction"] == "request"]


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda vector: vector["id"])
def test_every_vector_is_reproduced(vector: dict[str, Any]) -> None:
    assert digest(*vector["args"]) == vector["expected"]


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda vector: vector["id"])
def test_the_hex_form_of_other_platforms_is_not_sfs(vector: dict[str, Any]) -> None:
    text = java_urlencode("".join(vector["args"]))
    assert base64.b64encode(hashlib.md5(text.encode()).hexdigest().encode()).decode() != vector["expected"]


@pytest.mark.parametrize("sign", ["*", "~", "10*20cm", "9:00~18:00"])
def test_a_star_stays_and_a_tilde_is_encoded_as_java_does_and_python_alone_does_not(sign: str) -> None:
    naive = base64.b64encode(hashlib.md5(quote_plus(sign + "1" + CHECKWORD).encode()).digest()).decode()
    java = base64.b64encode(hashlib.md5(java_urlencode(sign + "1" + CHECKWORD).encode()).digest()).decode()
    assert digest(sign, "1", CHECKWORD) == java != naive


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_signed_as_java_encodes_it(text: str) -> None:
    java = base64.b64encode(hashlib.md5(java_urlencode(text + "17" + CHECKWORD).encode()).digest()).decode()
    assert digest(text, "17", CHECKWORD) == java


@pytest.mark.parametrize("name", REQUESTS)
def test_the_envelope_of_every_recorded_request_is_reproduced_to_the_byte(name: str) -> None:
    form, body = EXAMPLES[name]["form"], EXAMPLES[name]["http"]["body"]
    made = envelope(
        form["msgData"],
        partner_id=form["partnerID"],
        checkword=CHECKWORD,
        service_code=form["serviceCode"],
        stamp=Stamp(datetime.fromtimestamp(int(form["timestamp"]) / 1000, UTC), form["requestID"]),
    )
    assert made.decode() == body
    assert parse_qs(body)["msgData"] == [form["msgData"]]
