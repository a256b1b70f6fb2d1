"""The wire as values: forms, statuses, bodies."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import AuthError, PermanentError, TransientError, UncertainError
from mappings.wire import HttpReply, _percent_decoded, check_status, read_form, read_json_object

texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.lists(st.tuples(texts.filter(bool), texts), min_size=1, max_size=6))
def test_a_form_reads_as_the_standard_library_reads_it(fields: list[tuple[str, str]]) -> None:
    body = urlencode(fields).encode()
    assert read_form(body, 20) == parse_qsl(body.decode(), keep_blank_values=True)
    assert read_form(body, 20) == fields


@given(st.binary(max_size=60) | st.text("%+= \r\nabcdefABCDEF0123456789_zZ", max_size=60).map(str.encode))
def test_any_bytes_decode_as_the_standard_library_decodes_them(text: bytes) -> None:
    assert _percent_decoded(text) == unquote_to_bytes(text.replace(b"+", b" "))


def test_a_form_with_too_many_fields_or_no_utf8_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 2"):
        read_form(b"a=1&b=2&c=3", 2)
    with pytest.raises(ValueError, match="utf-8"):
        read_form(b"a=%FF", 2)


@pytest.mark.parametrize(
    ("status", "changing", "reading"),
    [
        (408, TransientError, TransientError),
        (429, TransientError, TransientError),
        (503, TransientError, TransientError),
        (401, AuthError, AuthError),
        (403, AuthError, AuthError),
        (500, UncertainError, TransientError),
        (502, UncertainError, TransientError),
        (504, UncertainError, TransientError),
        (404, PermanentError, PermanentError),
        (302, PermanentError, PermanentError),
    ],
)
def test_a_status_by_itself_has_one_meaning(status: int, changing: type[Exception], reading: type[Exception]) -> None:
    for changes_peer, wanted in ((True, changing), (False, reading)):
        with pytest.raises(wanted) as caught:
            check_status(HttpReply(status), "x.y", changes_peer=changes_peer)
        assert type(caught.value) is wanted


@pytest.mark.parametrize(("given_header", "seconds"), [("7", 7.0), ("soon", None), ("²", None), ("", None)])
def test_a_peers_wish_to_wait_is_kept_when_it_is_a_number(given_header: str, seconds: float | None) -> None:
    with pytest.raises(TransientError) as caught:
        check_status(HttpReply(429, {"retry-after": given_header}), "x.y")
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"half":', b"[" * 100_000])
def test_a_body_that_is_no_json_object_leaves_a_change_uncertain(body: bytes) -> None:
    with pytest.raises(UncertainError):
        read_json_object(HttpReply(200, {}, body), "x.y")
    with pytest.raises(TransientError):
        read_json_object(HttpReply(200, {}, body), "x.y", changes_peer=False)


def test_a_byte_order_mark_is_no_part_of_the_body() -> None:
    assert read_json_object(HttpReply(200, {}, b'\xef\xbb\xbf{"a":1}'), "x.y") == {"a": 1}
