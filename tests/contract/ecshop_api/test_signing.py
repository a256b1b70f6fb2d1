"""Signatures that the plug-in checks byte by byte; the values were made with `openssl dgst -sha256 -hmac`."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from mappings.shops.ecshop_api.signing import Stamp, query_string, signature, signed_headers
from tests.contract.ecshop_api.talk import KEY, PLUGIN, STAMP, call_of

REMARK = '{"order_id":7,"stage":"remark","text":"已揽收 a+b&c=d"}'.encode()


@pytest.mark.parametrize(
    ("method", "parameters", "body", "wanted"),
    [
        ("GET", {"r": "orders", "ids": "1,2"}, b"", "62aa93cf019e0013fb7cece5201344311455363b3aca5209fd6d3d92fc4c56a3"),
        ("POST", {"r": "ship"}, REMARK, "f395bfd5faaeddafc8898a4ab34ffdae691e3ef580ae2bd1b8fcdc7c1df0c2a9"),
        (
            "GET",
            {"sn": "A +&/~_中", "r": "order"},
            b"",
            "f4dc1f1434607ee08f5d157bff4c1a834f3e355107dabf40c826f18c22bdc0a8",
        ),
    ],
)
def test_a_signature_is_that_of_openssl(method: str, parameters: dict[str, str], body: bytes, wanted: str) -> None:
    assert signature(KEY, method, query_string(parameters), STAMP, body) == wanted


def test_a_query_is_sorted_and_encoded_by_rfc_3986() -> None:
    assert query_string({"b": "x y", "a": "~_-.", "c": "+&=%/中"}) == "a=~_-.&b=x%20y&c=%2B%26%3D%25%2F%E4%B8%AD"


@pytest.mark.parametrize(
    "changed",
    [
        ("other" + KEY, "GET", "r=ping", STAMP, b""),
        (KEY, "POST", "r=ping", STAMP, b""),
        (KEY, "GET", "r=pong", STAMP, b""),
        (KEY, "GET", "r=ping", Stamp(STAMP.at + 1, STAMP.nonce), b""),
        (KEY, "GET", "r=ping", Stamp(STAMP.at, STAMP.nonce + "0"), b""),
        (KEY, "GET", "r=ping", STAMP, b"x"),
    ],
    ids=["key", "method", "query", "time", "nonce", "body"],
)
def test_whatever_is_changed_changes_the_signature(changed: tuple[str, str, str, Stamp, bytes]) -> None:
    assert signature(*changed) != signature(KEY, "GET", "r=ping", STAMP, b"")


def test_the_headers_carry_time_and_nonce_and_never_the_key() -> None:
    headers = signed_headers(KEY, "GET", "r=ping", STAMP, b"")
    assert (headers["X-Ecsync-Time"], headers["X-Ecsync-Nonce"]) == ("1795320000", "abcdefghijklmnop")
    assert KEY not in repr(headers) + repr(PLUGIN)


def test_what_is_sent_is_what_is_signed() -> None:
    call = call_of(PLUGIN.ship(STAMP, "S1", {"order_id": 7, "stage": "remark", "text": "已揽收 a+b&c=d"}))
    query = call.url.partition("?")[2]
    lines = (call.method, query, "1795320000", STAMP.nonce, hashlib.sha256(call.body).hexdigest())
    by_hand = hmac.new(KEY.encode(), "\n".join(lines).encode(), "sha256").hexdigest()
    assert (call.body, call.headers["X-Ecsync-Sign"]) == (REMARK, by_hand)
