"""How a request to the plug-in is signed: HMAC-SHA256 over method, query, time, nonce and the body's digest."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a request is made (Unix seconds of this machine) and the word that makes it the only one of its kind."""

    at: int
    nonce: str


def query_string(parameters: Mapping[str, str]) -> str:
    """Sorted by name and encoded by RFC 3986: the same bytes are sent and signed."""
    return "&".join(f"{quote(name, safe='')}={quote(parameters[name], safe='')}" for name in sorted(parameters))


def signature(key: str, method: str, query: str, stamp: Stamp, body: bytes) -> str:
    """Lower-case hex."""
    lines = (method, query, str(stamp.at), stamp.nonce, hashlib.sha256(body).hexdigest())
    return hmac.new(key.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def signed_headers(key: str, method: str, query: str, stamp: Stamp, body: bytes) -> dict[str, str]:
    """The three headers that the plug-in believes a request by."""
    return {
        "X-Ecsync-Time": str(stamp.at),
        "X-Ecsync-Nonce": stamp.nonce,
        "X-Ecsync-Sign": signature(key, method, query, stamp, body),
    }
