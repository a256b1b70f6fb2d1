"""What every platform's push is held to before anything of it is believed."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from mappings.callbacks import MAX_BODY, MAX_FIELDS, check_size, json_answer, read_push_form, read_signed_json
from mappings.connector import CallbackRefused


def test_a_form_is_read_whole_and_must_hold_the_field_that_is_wanted() -> None:
    assert read_push_form(urlencode({"data": "中 通", "sign": ""}).encode(), "data") == {"data": "中 通", "sign": ""}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\xff=\xfe", "the body is no form"),
        (b"&".join(b"a%d=1" % number for number in range(MAX_FIELDS + 1)), "the body is no form"),
        (b"data=1&data=2", "a form field comes twice"),
        (b"sign=1", "the form has no data"),
        (b"data=&sign=1", "the form has no data"),
        (b"", "the form has no data"),
    ],
)
def test_a_body_that_is_no_push_is_refused_as_unsigned(body: bytes, told: str) -> None:
    with pytest.raises(CallbackRefused, match=told) as caught:
        read_push_form(body, "data")
    assert (caught.value.status, caught.value.signature_ok) == (400, False)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "null", "[" * 100_000])
def test_a_signed_text_that_is_no_object_is_kept_as_evidence(text: str) -> None:
    with pytest.raises(CallbackRefused, match="data is no JSON object") as caught:
        read_signed_json(text, "data")
    assert caught.value.signature_ok
    assert read_signed_json('{"a": 1}', "data") == {"a": 1}


def test_a_byte_order_mark_hides_no_push() -> None:
    assert read_signed_json('\ufeff{"a": 1}', "data") == {"a": 1}


def test_a_push_that_no_platform_sends_is_too_large() -> None:
    check_size(b"x" * MAX_BODY)
    with pytest.raises(CallbackRefused, match="too large") as caught:
        check_size(b"x" * (MAX_BODY + 1))
    assert caught.value.status == 413


@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 400)])
def test_the_status_of_an_answer_says_what_its_words_say(ok: bool, status: int) -> None:
    answer = json_answer({"message": "成功", "ok": ok}, ok=ok)
    assert (answer.status, json.loads(answer.body)) == (status, {"message": "成功", "ok": ok})
    assert "成功".encode() in answer.body
