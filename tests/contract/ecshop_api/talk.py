"""A plug-in that is asked and answered by hand: no socket, an exchange is fed replies as values."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from mappings.shops.ecshop_api import Plugin, Stamp
from mappings.wire import Exchange, HttpCall, HttpReply

T = TypeVar("T")
KEY = "0123456789abcdef0123456789abcdef"
STAMP = Stamp(1795320000, "abcdefghijklmnop")
PLUGIN = Plugin("https://shop.example/ecsync.php", KEY)


def call_of(exchange: Exchange[Any]) -> HttpCall:
    """What is sent."""
    return next(exchange)


def answered(exchange: Exchange[T], reply: HttpReply) -> T:
    """What comes of it."""
    next(exchange)
    try:
        exchange.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("one request is one exchange")


def said(document: Any, status: int = 200) -> HttpReply:
    return HttpReply(status, {"content-type": "application/json"}, json.dumps(document, ensure_ascii=False).encode())


def refusal(status: int, code: str, **more: Any) -> HttpReply:
    return said({"error": {"code": code, "message": f"The plug-in's sentence about {code}."}, **more}, status)
