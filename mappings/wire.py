"""A request and a reply as values, and what an HTTP status means by itself."""

from __future__ import annotations

import json
from binascii import a2b_qp
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote_to_bytes, urlsplit

from mappings.errors import AuthError, PeerError, PermanentError, TransientError, UncertainError


@dataclass(frozen=True, slots=True)
class Stamp:
    """The moment of sending, aware UTC, and a UUID never sent before: for protocols that sign one or both.

    `kept` is what this peer's replies brought before that had to be kept (`HttpCall.keeps`).
    """

    at: datetime
    nonce: str
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request a connector wants sent; the gateway adds timeout, pool, limit, breaker and record.

    `operation` names it in metrics (`book_waybill`). `secrets` are texts that no record may show.
    `changes_peer` is False for pure reads: their failures are never uncertain.
    `stamped` finishes the call (body, query or headers) when it leaves, where the protocol signs that moment.
    `keeps` says what of the reply all workers must know from now on (`Spec.keeps_secrets`); empty: nothing new.
    `after` is what the reply before it meant, where that was a no and the exchange goes on: it is recorded as that.
    """

    operation: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    changes_peer: bool = True
    secrets: tuple[str, ...] = ()
    stamped: Callable[[HttpCall, Stamp], HttpCall] | None = None
    after: PeerError | None = None
    keeps: Callable[[HttpReply], Mapping[str, str]] | None = None

    def sealed(self, stamp: Stamp) -> HttpCall:
        """The call as it leaves at this moment."""
        return self.stamped(self, stamp) if self.stamped else self


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back; header names are lower-case. Cookies are kept by nobody: who wants them back sends them."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cookies: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The body as text; peers' content types are not reliable, so UTF-8 (with or without BOM) is assumed."""
        return self.body.decode("utf-8-sig", errors="replace")


T = TypeVar("T")
Exchange = Generator[HttpCall, HttpReply, T]
"""One operation with a peer: yields calls, is sent replies, returns the result, raises a `PeerError`.

A call that brought no reply is thrown in as the error it means; an exchange that can do without that call catches it.
"""


def parse_base_url(text: str) -> str:
    """The address without a trailing slash; plain http only to this machine. Raises ValueError."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("The address is not a URL: write https://host or https://host:port/path") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("The address must start with https:// and name a host")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise ValueError("Orders carry personal data: use https:// (plain http:// is allowed to localhost only)")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("Give the bare address: credentials have their own settings, paths too")
    return url


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_status(reply: HttpReply, code: str, *, changes_peer: bool = True) -> None:
    """Raise the class that an HTTP status means by itself; 2xx passes and says nothing about success.

    Raises TransientError (408, 425, 429, 503), AuthError (401, 403), UncertainError (other 5xx of a call that
    changes the peer, TransientError for a read), PermanentError (other 3xx and 4xx).
    """
    status = reply.status
    if 200 <= status < 300:
        return
    number, text = str(status), reply.text()[:200]
    if status in (408, 425, 429, 503):
        raise TransientError(
            f"{code}.unavailable",
            "The peer is busy or away",
            peer_code=number,
            peer_text=text,
            retry_after_s=_retry_after(reply),
        )
    if status in (401, 403):
        raise AuthError(f"{code}.auth", "The peer refuses our credentials", peer_code=number, peer_text=text)
    if status >= 500:
        raise _failed(f"{code}.server_error", "The peer failed", reply, changes_peer)
    raise PermanentError(f"{code}.refused", "The peer refuses the request", peer_code=number, peer_text=text)


def read_json_object(reply: HttpReply, code: str, *, changes_peer: bool = True) -> dict[str, Any]:
    """The body as a JSON object; anything else (HTML, half a body, a list) raises Uncertain- or TransientError."""
    try:
        value = json.loads(reply.text())
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    raise _failed(f"{code}.garbled", "The reply is not the protocol's JSON", reply, changes_peer)


def to_json(value: object) -> str:
    """JSON in its one spelling, without blanks and with Chinese as it is: what is signed must be what is sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    """Secrets as they are and as a form encodes them, for `HttpCall.secrets`."""
    words = {word for word in secrets if word}
    return tuple(sorted(words | {quote_plus(word) for word in words}))


def read_form(body: bytes, max_fields: int) -> list[tuple[str, str]]:
    """The fields of an urlencoded form, in order; raises ValueError when it is none or has too many fields.

    A burst of pushes is mostly percent-decoding, and the standard library does that in Python, byte by byte.
    """
    parts = body.split(b"&", max_fields)
    if len(parts) > max_fields:
        raise ValueError(f"more than {max_fields} fields")
    pairs = (part.partition(b"=") for part in parts if part)
    return [(_percent_decoded(name).decode(), _percent_decoded(value).decode()) for name, _, value in pairs]


def _percent_decoded(text: bytes) -> bytes:
    """What `unquote_to_bytes` gives; quoted-printable is the same code with another sign, and is decoded in C."""
    text = text.replace(b"+", b" ")
    signs = text.count(b"%")
    if not signs:
        return text
    if not any(other in text for other in _READ_OTHERWISE):
        decoded = a2b_qp(text.replace(b"%", b"="))
        if len(decoded) == len(text) - 2 * signs:  # every percent sign encoded something
            return decoded
    return unquote_to_bytes(text)


_READ_OTHERWISE = (b"=", b"\n", b"\r")
"""What quoted-printable means something else by."""


def _failed(code: str, message: str, reply: HttpReply, changes_peer: bool) -> PeerError:
    number, text = str(reply.status), reply.text()[:200]
    if changes_peer:
        return UncertainError(code, f"{message}; the request may have been taken", peer_code=number, peer_text=text)
    return TransientError(code, message, peer_code=number, peer_text=text)


def _retry_after(reply: HttpReply) -> float | None:
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None
