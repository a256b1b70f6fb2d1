"""KDNiao's signature against published and computed vectors."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote

import pytest

from mappings.carriers.kdniao.signing import FORBIDDEN, envelope, is_signed_by, sign
from tests.contract.kdniao.cases import APP_KEY, EXAMPLES, load

DATA = load("signatures.json")
VECTORS: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in DATA["vectors"]}
FORMS = [id_ for id_, example in EXAMPLES.items() if "body" in (example.get("http") or {}) and "form" in example]


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_reproduced(name: str) -> None:
    vector = VECTORS[name]
    made = sign(*vector["args"])
    assert made == vector["expected"]
    assert quote(made, safe="") == vector.get("urlencoded", quote(made, safe=""))


@pytest.mark.parametrize("case", DATA["negative_vectors"], ids=lambda case: case["id"])
def test_no_wrong_recipe_is_accepted(case: dict[str, Any]) -> None:
    text, key = VECTORS[case["of"]]["args"]
    assert sign(text, key) != case["wrong"]
    assert not is_signed_by(text, case["wrong"], [key])


@pytest.mark.parametrize("case", DATA["push_verification_cases"], ids=lambda case: case["id"])
def test_a_push_is_verified_as_recorded(case: dict[str, Any]) -> None:
    assert is_signed_by(case["request_data"], case["data_sign"], [case["app_key"]]) is case["expected"]


def test_an_empty_key_signs_nothing() -> None:
    assert not is_signed_by("{}", sign("{}", ""), [""])


@pytest.mark.parametrize("name", [name for name in FORMS if EXAMPLES[name]["direction"] == "request"])
def test_the_envelope_of_every_recorded_request_is_reproduced_to_the_byte(name: str) -> None:
    form, body = EXAMPLES[name]["form"], EXAMPLES[name]["http"]["body"]
    made = envelope(
        form["RequestData"],
        ebusiness_id=form["EBusinessID"],
        request_type=form["RequestType"],
        app_key=APP_KEY,
    )
    assert made.decode() == body
    assert parse_qs(body)["RequestData"] == [form["RequestData"]]


def test_the_vendors_own_signed_sample_is_reproduced() -> None:
    form = EXAMPLES["kdn-8001-req-doc"]["form"]
    assert sign(form["RequestData"], VECTORS["kdn-01-doc-single-quote"]["args"][1]) == form["DataSign"]


def test_every_forbidden_character_has_a_full_width_form() -> None:
    assert "' \" # & + < > % \\".translate(FORBIDDEN) == "＇ ＂ ＃ ＆ ＋ ＜ ＞ ％ ＼"
