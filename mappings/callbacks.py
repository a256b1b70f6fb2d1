"""What a platform's push is made of, whoever pushes: its limits, its form, the JSON in it, and a JSON answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from mappings.connector import CallbackRefused
from mappings.wire import HttpReply, read_form, to_json

MAX_BODY = 4 * 1024 * 1024
MAX_FIELDS = 20
BYTE_ORDER_MARK = "\ufeff"
PROBLEM_LIMIT = 50
"""How many sentences about unreadable items are kept of one push."""


Networks = tuple[IPv4Network | IPv6Network, ...]
"""Who may push, by the address that connects to us; nobody named: anybody."""


def parse_networks(text: str) -> Networks:
    """`203.0.113.0/24,2001:db8::1`. Raises ValueError."""
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as problem:
        raise ValueError(f"must be addresses or networks like 203.0.113.0/24, with commas between: {problem}") from None


def check_size(body: bytes) -> None:
    """Raise CallbackRefused (413) for a body that no platform sends."""
    if len(body) > MAX_BODY:
        raise CallbackRefused("the push is too large", status=413)


def read_push_form(body: bytes, wanted: str) -> dict[str, str]:
    """The fields of an urlencoded push; raises CallbackRefused when one comes twice, or `wanted` not at all."""
    try:
        pairs = read_form(body, MAX_FIELDS)
    except ValueError:
        raise CallbackRefused("the body is no form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise CallbackRefused("a form field comes twice")
    if not form.get(wanted):
        raise CallbackRefused(f"the form has no {wanted}")
    return form


def read_signed_json(text: str, name: str) -> dict[str, Any]:
    """The object in a form field whose signature was checked; raises CallbackRefused, which names the field."""
    try:
        data = json.loads(text.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise CallbackRefused(f"{name} is no JSON object", signature_ok=True)
    return data


def json_answer(words: Mapping[str, Any], *, ok: bool) -> HttpReply:
    """A platform's documented words as JSON: 200 when the push was taken, 400 when not."""
    return HttpReply(200 if ok else 400, {"content-type": "application/json;charset=utf-8"}, to_json(words).encode())
