"""Kuaidi100's signatures: upper-case md5 of the words one after the other, and the form bodies they travel in."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import urlencode


def sign(*words: str) -> str:
    """32 upper-case hex digits. Query: param, key, customer. Waybill: param, t, key, secret. Push: param, salt."""
    return hashlib.md5("".join(words).encode()).hexdigest().upper()


def is_signed_by(param: str, given: str, salts: Iterable[str]) -> bool:
    """Whether a push was signed with one of our salts; the case of hex digits says nothing."""
    found = given.strip().upper().encode()
    return any(hmac.compare_digest(sign(param, salt).encode(), found) for salt in salts if salt)


def order_body(method: str, param: str, *, t: str, key: str, secret: str) -> bytes:
    """The form of `label/order`; `t` is the moment of sending in milliseconds."""
    form = {"method": method, "key": key, "sign": sign(param, t, key, secret), "t": t, "param": param}
    return urlencode(form).encode("ascii")


def query_body(param: str, *, key: str, customer: str) -> bytes:
    """The form of `poll/query.do`; the key itself is not sent."""
    return urlencode({"customer": customer, "sign": sign(param, key, customer), "param": param}).encode("ascii")


def subscribe_body(param: str) -> bytes:
    """The form of `poll`: the key stands inside the param, nothing is signed."""
    return urlencode({"schema": "json", "param": param}).encode("ascii")
